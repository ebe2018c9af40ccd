import { refuseAutoscaled } from '../../autoscalers/refuse-scale.ts';
import { connectionFlags } from '../../cli/connection-flags.ts';
import { type DryRun, dryRunFlag, integerFlag } from '../../cli/flag-types.ts';
import { untilInterrupted } from '../../cli/interrupt.ts';
import { outputFormat } from '../../cli/output-format.ts';
import { timeoutFlag } from '../../cli/removal-flags.ts';
import { defineVerb } from '../../cli/verb.ts';
import { type CliError, exitCode, isCliError, usageError } from '../../errors.ts';
import type { KubeClient } from '../../kube/client.ts';
import { connect } from '../../kube/connect.ts';
import { mapLimited } from '../../kube/limited.ts';
import { formatObjects } from '../../print/data.ts';
import { print, printError } from '../../print/out.ts';
import { printErrors, toCliError } from '../../runners/targets.ts';
import { findSet, getSet, type RunnersSet, refOf, wantedOf } from '../../sets/api.ts';
import { fullName, setArguments, shortName } from '../../sets/names.ts';
import { untilSettled } from '../../sets/wait.ts';
import {
	checkPreconditions,
	type Preconditions,
	scaleCommand,
	scaled,
	scaleSet,
} from '../../sets/write-replicas.ts';

export const scale = defineVerb({
	name: 'scale',
	summary: 'Set how many runners a set has; busy ones finish their job first',
	usage:
		'scale (NAME | runnerset/NAME | runnerdeployment/NAME)... --replicas N [--wait] [--timeout DURATION] [--current-replicas M] [--force] [--dry-run none|client|server] [-o name|json|yaml] [flags]',
	description: [
		'Works like kubectl scale. When a set is scaled down, idle runners are deleted at once and busy ones after their',
		'job; scaling up again before that keeps them. --wait shows the progress until as many runners as wanted are',
		'registered and no surplus runner is left.',
		'A set with a HorizontalRunnerAutoscaler is refused, because the autoscaler would undo the change: see "kubectl',
		'runners autoscale".',
		'Exit code: 0 done, 1 error, 2 --timeout has passed, 130 Ctrl-C. Sets that were scaled by then stay scaled.',
	].join('\n'),
	examples: [
		['Scale to five runners', 'scale example --replicas=5'],
		[
			'Scale to two, and wait until surplus runners have finished their jobs',
			'scale runnerset/example --replicas=2 --wait',
		],
		['Scale only if it is three now', 'scale runnerdeployment/example --replicas=4 --current-replicas=3'],
		['See what would be written', 'scale example --replicas=0 --dry-run=client -o yaml'],
	],
	completes: 'set',
	flags: {
		...connectionFlags,
		replicas: { type: integerFlag('replicas'), placeholder: 'N', description: 'Number of runners; required' },
		wait: { type: Boolean, description: 'Wait until the set has settled' },
		timeout: timeoutFlag,
		currentReplicas: {
			type: integerFlag('current-replicas'),
			placeholder: 'M',
			description: 'Only if the set has replicas: M now; -1 is any number (default)',
		},
		resourceVersion: {
			type: String,
			placeholder: 'VERSION',
			description: 'Only if the set still has this resource version',
		},
		force: { type: Boolean, description: 'Also if an autoscaler scales the set' },
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
		const { replicas } = flags;
		if (args.length === 0) throw usageError('name the set to scale');
		if (flags.timeout !== undefined && !flags.wait)
			throw usageError('--timeout can only be used with --wait');
		if (replicas === undefined) throw usageError('required flag(s) "replicas" not set');
		if (replicas < 0) {
			throw usageError('The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0');
		}
		const currentReplicas = (flags.currentReplicas ?? -1) < 0 ? undefined : flags.currentReplicas;
		const preconditions = { currentReplicas, resourceVersion: flags.resourceVersion || undefined };
		const named = setArguments(args);
		if (preconditions.resourceVersion && named.length > 1) {
			throw usageError('cannot use --resource-version with multiple resources');
		}
		const client = await connect(flags);
		const dryRun = flags.dryRun ?? 'none';

		const errors: CliError[] = [];
		const results = await mapLimited(named, async (arg) => {
			try {
				const set = await findSet(client, arg);
				if (!flags.force) await refuseAutoscaled(client, set, replicas);
				return await scaleOne(client, set, replicas, preconditions, dryRun);
			} catch (error) {
				return toCliError(error);
			}
		});
		const done = results.filter((result): result is Scaled => !isCliError(result));
		errors.push(...results.filter(isCliError));
		const [error] = errors;
		if (error && results.length === 1) throw error; // all its lines, not only the first
		if (format === 'json' || format === 'yaml') {
			if (done.length > 0) {
				const objects = done.map(({ after }) => after);
				print(formatObjects(objects, format, named.length === 1));
			}
		} else for (const { after } of done) print(scaledLine(after, dryRun, format === 'name'));

		let code: number = exitCode.done;
		if (flags.wait && dryRun === 'none' && done.length > 0) {
			code = await waitForAll(client, done, replicas, flags.timeout ?? 0, errors);
		}
		printErrors(errors);
		return errors.length > 0 && code === exitCode.done ? exitCode.error : code;
	},
});

interface Scaled {
	before: RunnersSet;
	after: RunnersSet;
}

async function scaleOne(
	client: KubeClient,
	set: RunnersSet,
	replicas: number,
	preconditions: Preconditions,
	dryRun: DryRun,
): Promise<Scaled> {
	if (dryRun === 'client') {
		checkPreconditions(set, preconditions);
		return { before: set, after: scaled(set, replicas) };
	}
	const before = await scaleSet(client, set, replicas, preconditions, dryRun === 'server');
	if (dryRun === 'server') return { before, after: scaled(before, replicas) };
	return { before, after: await getSet(client, refOf(set)) };
}

function scaledLine(set: RunnersSet, dryRun: DryRun, nameOnly: boolean): string {
	if (nameOnly) return `${fullName(refOf(set))}\n`;
	const suffix = { none: '', client: ' (dry run)', server: ' (server dry run)' }[dryRun];
	return `${fullName(refOf(set))} scaled${suffix}\n`;
}

async function waitForAll(
	client: KubeClient,
	done: readonly Scaled[],
	replicas: number,
	timeoutMs: number,
	errors: CliError[],
): Promise<number> {
	const interrupt = untilInterrupted();
	const sets = done.map(({ after }) => after);
	const result = await untilSettled(client, sets, replicas, timeoutMs, interrupt.signal);
	errors.push(...result.errors);
	if (result.end === 'settled') return exitCode.done;
	const left = done.filter(({ after }) =>
		result.left.some(({ metadata }) => metadata.uid === after.metadata.uid),
	);
	const names = left.map(({ after }) => shortName(refOf(after))).join(', ');
	if (result.end === 'timeout') printError(`error: timed out waiting for the condition on ${names}`);
	printError(
		`${names}: stays scaled to ${replicas}, also without this command. ${undoCommands(client, left)}`,
	);
	return result.end === 'timeout' ? exitCode.timeout : exitCode.interrupted;
}

/** The commands that restore the previous numbers. */
function undoCommands(client: KubeClient, left: readonly Scaled[]): string {
	const commands = left.map(({ before }) => scaleCommand(before, wantedOf(before), client.namespace));
	return `To undo: ${commands.join('; ')}`;
}
