import type { Pod } from '../../../admission/api/kinds.ts';
import { isRunnerPod } from '../../../admission/runner/runner-pod.ts';
import { connectionFlags } from '../../cli/connection-flags.ts';
import { outputFormat } from '../../cli/output-format.ts';
import { defineVerb, type Verb } from '../../cli/verb.ts';
import { exitCode, usageError } from '../../errors.ts';
import type { KubeClient } from '../../kube/client.ts';
import { connect } from '../../kube/connect.ts';
import { listPods, type PodQuery } from '../../kube/pods.ts';
import type { DataFormat } from '../../print/data.ts';
import { print, printError } from '../../print/out.ts';
import { table } from '../../print/table.ts';
import { withJobPods } from '../../runners/job-pods.ts';
import { getRunner } from '../../runners/targets.ts';
import { resourceArgument } from '../../sets/names.ts';
import { type ColumnChoice, header, row } from './columns.ts';
import type { ListEndedFlags, ListEndedFormat } from './ended.ts';
import { listAliases, listName, meansSets } from './is-pod-list.ts';
import type { ListSetsOptions } from './sets.ts';
import { watchRunners } from './watch.ts';

/** What the bundle of `list` loads from the second bundle, to stay small itself. */
interface SecondBundle {
	listSets: (client: KubeClient, args: readonly string[], options: ListSetsOptions) => Promise<number>;
	listEndedRunners: (
		client: KubeClient,
		names: readonly string[],
		flags: ListEndedFlags,
		format: ListEndedFormat,
	) => Promise<number>;
	listObjects: (
		client: KubeClient,
		query: PodQuery,
		names: readonly string[],
		format: DataFormat,
	) => Promise<number>;
}

export const defineList = (second?: SecondBundle): Verb =>
	defineVerb({
		name: listName,
		aliases: listAliases,
		summary: 'List runner pods and what each of them is doing, or list sets',
		usage:
			'list [POD... | sets | runnersets | runnerdeployments | runnerset/NAME...] [-n NAMESPACE | -A] [-l SELECTOR] [-o wide|json|yaml|name] [-w] [flags]',
		description: [
			'STATE is pending (not on a node yet), starting, idle, busy (runs a job), draining (its deletion is recorded or in',
			'progress), stopped, or unknown (it runs, but the server has not said whether it is busy).',
			'JOB is <unknown> if a runner is busy and its job is not known. -o wide and json show workflow and run; json also',
			'shows under "runner" what each source says (job hooks, GitHub\'s events, the runner\'s log).',
			'In the table, the pod in which a runner runs its job (containerMode kubernetes) is listed below its runner. Other',
			'pods are not shown.',
			'"list sets" shows RunnerSets and RunnerDeployments: how many runners they want and have, and how many are idle,',
			'busy, or busy and leave after their job. To list a pod called "sets", name it pod/sets.',
		].join('\n'),
		examples: [
			['The runners of the current namespace', 'list'],
			[
				'The runners of all namespaces, with scope, time on the job and who requested their deletion',
				'list -A -o wide',
			],
			['Follow one set: a line whenever something changes', 'list -l runnerset-name=example -w'],
			['Only the names, for scripts', 'list -o name'],
			['The sets of all namespaces, with state, scope and labels', 'list sets -A -o wide'],
		],
		completes: 'runner',
		flags: {
			...connectionFlags,
			allNamespaces: { type: Boolean, alias: 'A', description: 'All namespaces' },
			selector: {
				type: String,
				alias: 'l',
				placeholder: 'SELECTOR',
				description: 'Only runners or sets with these labels',
			},
			output: { type: String, alias: 'o', placeholder: 'FORMAT', description: 'wide, json, yaml or name' },
			watch: { type: Boolean, alias: 'w', description: 'After listing, print a line for every change' },
			ended: { type: Boolean, description: 'Runners that died, and why' },
			noHeaders: { type: Boolean, description: 'Do not print the header line' },
		},
		run: async (args, flags) => {
			const format = outputFormat(flags.output, ['json', 'name', 'wide', 'yaml'] as const);
			if (namesOne(args) && flags.selector)
				throw usageError('name cannot be provided when a selector is specified');
			if (namesOne(args) && flags.allNamespaces) {
				throw usageError('a resource cannot be retrieved by name across all namespaces');
			}
			const client = await connect(flags);
			if (second && flags.ended) return second.listEndedRunners(client, args, flags, format);
			if (second && meansSets(args[0])) {
				if (flags.watch) refuseWatch(format);
				return second.listSets(client, args, {
					allNamespaces: flags.allNamespaces === true,
					labelSelector: flags.selector || undefined,
					format,
					watch: flags.watch === true,
					headers: !flags.noHeaders,
				});
			}
			const query: PodQuery = {
				namespace: flags.allNamespaces ? undefined : client.namespace,
				labelSelector: flags.selector || undefined,
			};
			const choice: ColumnChoice = { namespace: flags.allNamespaces === true, wide: format === 'wide' };

			if (flags.watch) {
				refuseWatch(format);
				return watchRunners(client, query, new Set(args), { ...choice, headers: !flags.noHeaders });
			}
			if (second && (format === 'json' || format === 'yaml'))
				return second.listObjects(client, query, args, format);

			const runners = await fetchRunners(client, query, args);
			if (runners.length === 0) return nothingFound(query);
			if (format === 'name')
				print(
					runners
						.filter(isRunnerPod)
						.map((pod) => `pod/${pod.metadata.name}\n`)
						.join(''),
				);
			else print(runnerTable(runners, choice, flags.noHeaders !== true, Date.now()));
			return exitCode.done;
		},
	});

/** Whether the arguments name an object; a kind without a name does not. */
function namesOne(args: readonly string[]): boolean {
	return args.length > 1 || (args[0] !== undefined && resourceArgument(args[0]) === undefined);
}

function refuseWatch(format: string | undefined): void {
	if (format && format !== 'wide') {
		throw usageError(`--watch prints a table; it cannot be combined with -o ${format}`);
	}
}

/** The default output: a table. */
function runnerTable(runners: readonly Pod[], choice: ColumnChoice, headers: boolean, nowMs: number): string {
	const rows = runners.map((pod) => row(pod, choice, nowMs));
	return table(headers ? [header(choice), ...rows] : rows);
}

async function fetchRunners(client: KubeClient, query: PodQuery, names: string[]): Promise<Pod[]> {
	if (names.length === 0) return withJobPods((await listPods(client, query)).pods);
	return Promise.all(names.map((name) => getRunner(client, name)));
}

function nothingFound(query: PodQuery): number {
	printError(
		query.namespace === undefined
			? 'No resources found'
			: `No resources found in ${query.namespace} namespace.`,
	);
	return exitCode.done;
}
