import { autoscaleKinds, type HorizontalRunnerAutoscaler } from '../../../admission/api/autoscale.ts';
import { collectionPath, objectPath } from '../../../admission/api/paths.ts';
import { fullAutoscalerName, isWithoutAutoscalers, listAutoscalers } from '../../autoscalers/api.ts';
import { connectionFlags } from '../../cli/connection-flags.ts';
import { type DryRun, dryRunFlag, durationFlag, integerFlag } from '../../cli/flag-types.ts';
import { outputFormat } from '../../cli/output-format.ts';
import { defineVerb } from '../../cli/verb.ts';
import { CliError, exitCode, usageError } from '../../errors.ts';
import { type KubeClient, mergePatch } from '../../kube/client.ts';
import { connect } from '../../kube/connect.ts';
import { isNotFound } from '../../kube/failure.ts';
import { despiteOtherWriters } from '../../kube/other-writers.ts';
import { formatObjects } from '../../print/data.ts';
import { print, printError } from '../../print/out.ts';
import { findSet, type RunnersSet } from '../../sets/api.ts';
import { setArguments } from '../../sets/names.ts';
import { type AutoscalePlan, type Limits, planAutoscale } from './plan.ts';

export const autoscale = defineVerb({
	name: 'autoscale',
	summary: 'Keep as many runners in a set as there are jobs for it, between two limits',
	usage:
		'autoscale (NAME | runnerset/NAME | runnerdeployment/NAME) [--min N] [--max N] [--delay DURATION] [--spare N] [--dry-run none|client|server] [-o name|json|yaml] [flags]',
	description: [
		'Creates a HorizontalRunnerAutoscaler with the name of the set, which counts the waiting and running workflow jobs;',
		'or changes only the given values of an existing one. Its other fields (metrics, schedules) are set in its manifest.',
		'"--min=0 --max=0" keeps the set without runners. To go back to a fixed number, delete the',
		'HorizontalRunnerAutoscaler: the set stays as it is.',
	].join('\n'),
	examples: [
		['No runners while there are no jobs, and at most ten', 'autoscale example --min=0 --max=10'],
		['Keep two idle runners ready for the next jobs', 'autoscale runnerset/example --max=20 --spare=2'],
		['Remove idle runners after two minutes', 'autoscale example --delay=2m'],
		['See what would be written', 'autoscale example --min=1 --max=5 --dry-run=client -o yaml'],
	],
	completes: 'set',
	flags: {
		...connectionFlags,
		min: { type: integerFlag('min'), placeholder: 'N', description: 'Minimum number of runners; default 1' },
		max: {
			type: integerFlag('max'),
			placeholder: 'N',
			description: 'Maximum number of runners; required for a set without an autoscaler',
		},
		delay: {
			type: durationFlag('delay'),
			placeholder: 'DURATION',
			description: 'How long a surplus runner stays idle before it is removed; default 10m',
		},
		spare: {
			type: integerFlag('spare'),
			placeholder: 'N',
			description: 'Idle runners in addition to those that jobs need; default 0',
		},
		name: {
			type: String,
			placeholder: 'NAME',
			description: 'Name of the HorizontalRunnerAutoscaler; default the name of the set',
		},
		dryRun: {
			type: dryRunFlag,
			bareValue: 'client',
			placeholder: 'none|client|server',
			description: 'Only show what would be done; with server the API server checks it',
		},
		output: { type: String, alias: 'o', placeholder: 'FORMAT', description: 'name, json or yaml' },
	},
	run: async (args, flags) => {
		const format = outputFormat(flags.output, ['json', 'name', 'yaml'] as const);
		const [name, ...more] = setArguments(args);
		if (!name) throw usageError('name the set to autoscale');
		if (more.length > 0) throw usageError('name only one set');
		for (const flag of ['min', 'max', 'spare', 'delay'] as const) {
			if ((flags[flag] ?? 0) < 0) throw usageError(`--${flag} must not be negative`);
		}
		const limits: Limits = {
			min: flags.min,
			max: flags.max,
			delaySeconds: flags.delay === undefined ? undefined : Math.ceil(flags.delay / 1000),
			spare: flags.spare,
			name: flags.name || undefined,
		};
		const client = await connect(flags);
		const dryRun = flags.dryRun ?? 'none';
		const set = await findSet(client, name);
		const { written, warnings } = await write(client, set, limits, dryRun);
		for (const warning of warnings) printError(`Warning: ${warning}`);
		if (format === 'json' || format === 'yaml') print(formatObjects([written], format, true));
		else if (format === 'name') print(`${fullAutoscalerName(written)}\n`);
		else {
			const suffix = { none: '', client: ' (dry run)', server: ' (server dry run)' }[dryRun];
			print(`${fullAutoscalerName(written)} autoscaled${suffix}\n`);
		}
		return exitCode.done;
	},
});

/** Only where nobody has written it since: the limits are checked against each other as they were read. */
async function write(
	client: KubeClient,
	set: RunnersSet,
	limits: Limits,
	dryRun: DryRun,
): Promise<{ written: HorizontalRunnerAutoscaler; warnings: string[] }> {
	const read = async () => planAutoscale(set, await known(client), limits);
	return despiteOtherWriters(
		await read(),
		async (plan) => ({
			written: dryRun === 'client' ? plan.wanted : await send(client, plan, dryRun === 'server'),
			warnings: plan.warnings,
		}),
		read,
	);
}

async function known(client: KubeClient): Promise<HorizontalRunnerAutoscaler[]> {
	try {
		return await listAutoscalers(client);
	} catch (error) {
		if (!isNotFound(error) || !isWithoutAutoscalers(error)) throw error;
		throw new CliError(
			`error: the server doesn't have a resource type "${autoscaleKinds.autoscaler.resource}"\n` +
				'It comes with the controllers of sets: kubectl runners install',
		);
	}
}

function send(
	client: KubeClient,
	{ existing, wanted, changes }: AutoscalePlan,
	dryRun: boolean,
): Promise<HorizontalRunnerAutoscaler> {
	const query = { dryRun: dryRun ? 'All' : undefined };
	const { namespace, name } = wanted.metadata;
	if (!existing) {
		const path = collectionPath(autoscaleKinds.autoscaler, namespace);
		return client.json('POST', path, { body: wanted, query });
	}
	const { uid, resourceVersion } = existing.metadata;
	return client.json('PATCH', objectPath(autoscaleKinds.autoscaler, { namespace, name }), {
		contentType: mergePatch,
		body: { metadata: { uid, resourceVersion }, spec: changes },
		query,
	});
}
