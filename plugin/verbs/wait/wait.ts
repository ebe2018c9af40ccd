import type { Pod } from '../../../admission/api/kinds.ts';
import { connectionFlags } from '../../cli/connection-flags.ts';
import { untilInterrupted } from '../../cli/interrupt.ts';
import { timeoutFlag } from '../../cli/removal-flags.ts';
import { defineVerb } from '../../cli/verb.ts';
import { CliError, exitCode, usageError } from '../../errors.ts';
import type { KubeClient } from '../../kube/client.ts';
import { connect } from '../../kube/connect.ts';
import { deadline } from '../../kube/deadline.ts';
import { followPods } from '../../kube/follow.ts';
import { printError } from '../../print/out.ts';
import { Progress } from '../../print/progress.ts';
import { Departures } from '../../runners/departures.ts';
import { describeWaiting } from '../../runners/describe.ts';
import { cancelHint, timedOut } from '../../runners/outcomes.ts';
import { deletionRecord, isBusy, isIdle, isTerminating } from '../../runners/state.ts';
import { namedRunners, printErrors, queryFor } from '../../runners/targets.ts';

export const wait = defineVerb({
	name: 'wait',
	summary: 'Wait until runners are gone, idle or busy',
	usage: 'wait POD... [--for delete|idle|busy] [--timeout DURATION] [flags]',
	description: [
		'Without --for it waits until the recorded deletion of each runner is completed and its pod is gone.',
		'Exit code: 0 done, 1 error, 2 --timeout has passed, 130 Ctrl-C.',
	].join('\n'),
	examples: [
		['Until a runner whose deletion was requested is gone', 'wait example-0'],
		['Until a runner has no job, at most ten minutes', 'wait example-0 --for idle --timeout 10m'],
	],
	completes: 'runner',
	flags: {
		...connectionFlags,
		for: {
			type: String,
			default: 'delete',
			placeholder: 'CONDITION',
			description: 'delete (default), idle or busy',
		},
		timeout: timeoutFlag,
		ignoreNotFound: { type: Boolean, description: 'Do not fail for pods that do not exist' },
	},
	run: async (args, flags) => {
		if (args.length === 0) throw usageError('name the pods to wait for');
		const condition = conditions[flags.for];
		if (flags.for !== 'delete' && !condition)
			throw usageError(`unrecognized condition: ${JSON.stringify(flags.for)}`);

		const client = await connect(flags);
		const { pods, errors } = await namedRunners(client, args, flags.ignoreNotFound === true);
		let code: number = exitCode.done;
		if (pods.length > 0) {
			const timeoutMs = flags.timeout ?? 0;
			code = condition
				? await untilTrue(client, pods, condition, timeoutMs, errors)
				: await untilGone(client, pods, timeoutMs, errors);
		}
		printErrors(errors);
		return errors.length > 0 && code === exitCode.done ? exitCode.error : code;
	},
});

const conditions: Record<string, (pod: Pod) => boolean> = { idle: isIdle, busy: isBusy };

async function untilGone(
	client: KubeClient,
	pods: Pod[],
	timeoutMs: number,
	errors: CliError[],
): Promise<number> {
	const interrupt = untilInterrupted();
	const progress = new Progress();
	const departures = new Departures({
		waiting: (pod) => progress.waiting(uid(pod), describeWaiting(pod, Date.now())),
		gone: (pod) => {
			progress.settled(uid(pod));
			progress.say(`pod/${pod.metadata.name} condition met`);
		},
		cancelled: (pod) => {
			progress.settled(uid(pod));
			errors.push(
				new CliError(`error: pod "${pod.metadata.name}" stays: its recorded deletion was cancelled`),
			);
		},
		failure: (message) => progress.say(`${message}; trying again`),
	});
	for (const pod of pods) {
		departures.add(pod);
		if (!deletionRecord(pod) && !isTerminating(pod)) {
			printError(
				`Warning: nobody has requested the deletion of pod "${pod.metadata.name}" yet; waiting anyway`,
			);
		}
	}
	const end = await departures.follow(client, queryFor(pods), timeoutMs, interrupt.signal);
	const left = departures.pods;
	progress.close();
	if (end === 'settled') return exitCode.done;
	const text = end === 'timeout' ? timedOut(left) : cancelHint(left);
	if (text) printError(text);
	return end === 'timeout' ? exitCode.timeout : exitCode.interrupted;
}

async function untilTrue(
	client: KubeClient,
	pods: Pod[],
	isMet: (pod: Pod) => boolean,
	timeoutMs: number,
	errors: CliError[],
): Promise<number> {
	const interrupt = untilInterrupted();
	const timeout = deadline(timeoutMs);
	const settled = new AbortController();
	const progress = new Progress();
	const waiting = new Map(pods.map((pod) => [uid(pod), pod]));
	const listed = new Set<string>();
	const settle = (pod: Pod) => {
		waiting.delete(uid(pod));
		progress.settled(uid(pod));
		if (waiting.size === 0) settled.abort();
	};
	const gone = (pod: Pod) => {
		if (!waiting.has(uid(pod))) return;
		errors.push(new CliError(`error: pod "${pod.metadata.name}" is gone`));
		settle(pod);
	};
	await followPods(
		client,
		queryFor(pods),
		{
			seen: (pod) => {
				listed.add(uid(pod));
				if (!waiting.has(uid(pod))) return;
				if (isMet(pod)) {
					progress.say(`pod/${pod.metadata.name} condition met`);
					settle(pod);
				} else progress.waiting(uid(pod), describeWaiting(pod, Date.now()));
			},
			gone,
			synced: () => {
				for (const [key, pod] of waiting) if (!listed.has(key)) gone(pod);
			},
			failure: (message) => progress.say(`${message}; trying again`),
		},
		AbortSignal.any([settled.signal, timeout, interrupt.signal]),
	);
	progress.close();
	if (settled.signal.aborted) return exitCode.done;
	if (interrupt.interrupted) return exitCode.interrupted;
	printError(timedOut([...waiting.values()]));
	return exitCode.timeout;
}

function uid(pod: Pod): string {
	return pod.metadata.uid ?? '';
}
