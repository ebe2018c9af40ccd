import { autoscaleKinds, type WorkflowJob } from '../../../admission/api/autoscale.ts';
import { group } from '../../../admission/api/sets.ts';
import { connectionFlags } from '../../cli/connection-flags.ts';
import { untilInterrupted } from '../../cli/interrupt.ts';
import { outputFormat } from '../../cli/output-format.ts';
import { defineVerb } from '../../cli/verb.ts';
import { exitCode, usageError } from '../../errors.ts';
import { jobsOf } from '../../jobs/api.ts';
import { byUrgency, isOpen } from '../../jobs/state.ts';
import type { KubeClient } from '../../kube/client.ts';
import { connect } from '../../kube/connect.ts';
import { follow, type Source } from '../../kube/follow.ts';
import { mapLimited } from '../../kube/limited.ts';
import { formatObjects } from '../../print/data.ts';
import { print, printError } from '../../print/out.ts';
import { table } from '../../print/table.ts';
import { findSet, refOf } from '../../sets/api.ts';
import { type SetRef, setArguments } from '../../sets/names.ts';
import { WatchedRows } from '../list/watched-rows.ts';
import { type JobColumnChoice, jobHeader, jobRow } from './columns.ts';

export const jobs = defineVerb({
	name: 'jobs',
	summary: 'List the workflow jobs that wait for runners or run, and why they wait',
	usage:
		'jobs [NAME | runnerset/NAME | runnerdeployment/NAME]... [-n NAMESPACE | -A] [-o wide|json|yaml|name] [-w] [flags]',
	description: [
		'Lists the open jobs that GitHub has reported, with the set that each counts for: the jobs of the namespace, of the',
		'named sets, or with -A all jobs, including those that no set can run. The jobs that have waited longest come first.',
		'STATE is queued (for a runner), waiting (for an approval), running, or ended (its runner has ended, but GitHub has',
		'not reported that yet). WAITS says why a job waits: no matching set, set at its maximum, runner starting, ...',
		'Jobs are stored in the namespace of the server, so this needs the ClusterRole runners-jobs there.',
	].join('\n'),
	examples: [
		['The jobs that wait for runners of the current namespace', 'jobs'],
		['All jobs, including those that no set can run, with their labels', 'jobs -A -o wide'],
		['Follow the jobs of one set', 'jobs example -w'],
	],
	completes: 'set',
	flags: {
		...connectionFlags,
		allNamespaces: {
			type: Boolean,
			alias: 'A',
			description: 'All jobs, including those that no set can run',
		},
		output: { type: String, alias: 'o', placeholder: 'FORMAT', description: 'wide, json, yaml or name' },
		watch: { type: Boolean, alias: 'w', description: 'After listing, print a line for every change' },
		noHeaders: { type: Boolean, description: 'Do not print the header line' },
		serverNamespace: {
			type: String,
			placeholder: 'NAMESPACE',
			description: 'Namespace of the server; by default, the one that its webhooks name',
		},
	},
	run: async (args, flags) => {
		const format = outputFormat(flags.output, ['json', 'name', 'wide', 'yaml'] as const);
		const named = setArguments(args);
		if (named.length > 0 && flags.allNamespaces) {
			throw usageError('a resource cannot be retrieved by name across all namespaces');
		}
		if (flags.watch && format && format !== 'wide') {
			throw usageError(`--watch prints a table; it cannot be combined with -o ${format}`);
		}
		const client = await connect(flags);
		const sets = await mapLimited(named, async (name) => refOf(await findSet(client, name)));
		const isMeant = meant(flags.allNamespaces ? undefined : client.namespace, sets);
		const source = await jobsOf(client, flags.serverNamespace || undefined);
		const choice = { namespace: flags.allNamespaces === true, wide: format === 'wide' };
		if (flags.watch) return watchJobs(client, source, isMeant, choice, flags.noHeaders !== true);

		const { objects } = await source.list(new AbortController().signal);
		const found = objects.filter((job) => isOpen(job) && isMeant(job)).sort(byUrgency);
		if (format === 'json' || format === 'yaml') print(formatObjects(found, format, false));
		else if (found.length === 0) printError(nothingFound(flags.allNamespaces ? undefined : client.namespace));
		else if (format === 'name') print(found.map(nameLine).join(''));
		else {
			const rows = found.map((job) => jobRow(job, choice, Date.now()));
			print(table(flags.noHeaders ? rows : [jobHeader(choice), ...rows]));
		}
		return exitCode.done;
	},
});

type IsMeant = (job: WorkflowJob) => boolean;

/** Jobs of all sets and of none without a namespace; else those of the namespace's sets, or of the named ones. */
function meant(namespace: string | undefined, sets: readonly SetRef[]): IsMeant {
	return ({ status }) => {
		if (namespace === undefined) return true;
		const { set } = status ?? {};
		if (set?.namespace !== namespace) return false;
		return sets.length === 0 || sets.some(({ kind, name }) => kind === set.kind && name === set.name);
	};
}

function nothingFound(namespace: string | undefined): string {
	return namespace === undefined
		? 'No jobs found'
		: `No jobs found for sets of ${namespace} namespace; use -A to include those that no set can run.`;
}

function nameLine({ metadata }: WorkflowJob): string {
	return `${autoscaleKinds.workflowJob.kind.toLowerCase()}.${group}/${metadata.name}\n`;
}

async function watchJobs(
	client: KubeClient,
	source: Source<WorkflowJob>,
	isMeant: IsMeant,
	choice: JobColumnChoice,
	headers: boolean,
): Promise<number> {
	const rows = new WatchedRows(jobHeader(choice), headers);
	const interrupt = untilInterrupted();
	const shown = new Set<string>();
	const uid = ({ metadata }: WorkflowJob) => metadata.uid ?? '';
	/** Its last row: it is over, forgotten, or counts for another set now. */
	const leave = (job: WorkflowJob, state?: string) => {
		if (shown.delete(uid(job))) rows.gone(uid(job), jobRow(job, choice, Date.now(), state));
	};
	const sorted: Source<WorkflowJob> = {
		...source,
		list: async (signal) => {
			const { objects, resourceVersion } = await source.list(signal);
			return { objects: objects.sort(byUrgency), resourceVersion };
		},
	};
	await follow(
		client,
		sorted,
		{
			seen: (job) => {
				if (!isOpen(job)) leave(job);
				else if (!isMeant(job)) leave(job, 'moved');
				else {
					shown.add(uid(job));
					rows.changed(uid(job), jobRow(job, choice, Date.now()));
				}
			},
			gone: (job) => leave(job, 'forgotten'),
			synced: () => rows.flush(),
			failure: (message) => printError(`Warning: ${message}; trying again`),
		},
		interrupt.signal,
	);
	return exitCode.interrupted;
}
