import type { Pod } from '../../../admission/api/kinds.ts';
import { printable } from '../../../admission/api/printable.ts';
import { untilInterrupted } from '../../cli/interrupt.ts';
import { type CliError, exitCode, CliError as Failure } from '../../errors.ts';
import { describeDenial, isGuardUnreachable } from '../../guard/denial.ts';
import type { KubeClient } from '../../kube/client.ts';
import { ApiError, isNotFound } from '../../kube/failure.ts';
import { mapLimited } from '../../kube/limited.ts';
import { print, printError } from '../../print/out.ts';
import { Progress } from '../../print/progress.ts';
import { askDeletion, breakTheGlass, type Outcome } from '../../runners/ask.ts';
import { Departures } from '../../runners/departures.ts';
import { describeWaiting } from '../../runners/describe.ts';
import { cancelHint, timedOut } from '../../runners/outcomes.ts';
import { queryFor, toCliError } from '../../runners/targets.ts';
import { askAll } from './ask-all.ts';

interface DeleteRequest {
	gracePeriodSeconds?: number;
	/** Break-glass: delete the pods even if they run a job, for this reason. */
	breakGlassReason?: string;
}

/**
 * The guard records a denied deletion before it answers, so one request is enough. If the record is missing
 * nevertheless (a guard that has lost its rights), the request is repeated at this interval.
 */
const repeatMs = 30_000;

/** Asks for each pod and then, with `wait`, waits until all are gone. Adds to `errors`; resolves with the exit code. */
export async function removeRunners(
	client: KubeClient,
	pods: readonly Pod[],
	request: DeleteRequest,
	wait: { timeoutMs: number } | undefined,
	errors: CliError[],
): Promise<number> {
	const interrupt = untilInterrupted();
	const progress = new Progress();
	const announced = new Set<string | undefined>();
	const announce = (pod: Pod) => {
		if (announced.has(pod.metadata.uid)) return;
		announced.add(pod.metadata.uid);
		progress.say(deletedLine(pod));
	};
	const departures = new Departures({
		waiting: (pod) => {
			// Like kubectl, it prints nothing more about a pod after "deleted", while the pod stops.
			const redrawnOnly = announced.has(pod.metadata.uid);
			progress.waiting(uid(pod), { ...describeWaiting(pod, Date.now()), redrawnOnly });
		},
		gone: (pod) => {
			progress.settled(uid(pod));
			announce(pod);
		},
		cancelled: (pod) => {
			progress.settled(uid(pod));
			errors.push(
				new Failure(`error: pod "${pod.metadata.name}" stays: its recorded deletion was cancelled`),
			);
		},
		failure: (message) => progress.say(`${message}; trying again`),
	});

	const answered = (pod: Pod, outcome: Outcome) => {
		if (outcome.kind === 'accepted' || outcome.kind === 'gone') announce(pod);
		else if (outcome.kind === 'denied') {
			progress.say(`pod "${pod.metadata.name}" not deleted yet: ${describeDenial(outcome.denial)}`);
		} else errors.push(failure(outcome));
		if (outcome.kind === 'accepted' || outcome.kind === 'denied') departures.add(pod);
	};
	await askAll(pods, (pod) => ask(client, pod, request), answered, progress);
	if (!wait || departures.pods.length === 0) {
		progress.close();
		return exitCode.done;
	}

	const repeat = setInterval(() => {
		for (const pod of departures.unrecorded) void ask(client, pod, request).catch(() => undefined);
	}, repeatMs);
	try {
		const end = await departures.follow(client, queryFor(pods), wait.timeoutMs, interrupt.signal);
		const left = departures.pods;
		progress.close();
		if (end === 'settled') return exitCode.done;
		printError(end === 'timeout' ? timedOut(left) : cancelHint(left));
		return end === 'timeout' ? exitCode.timeout : exitCode.interrupted;
	} finally {
		clearInterval(repeat);
		progress.close();
	}
}

/** `--dry-run=server`: shows each pod's verdict and changes nothing. */
export async function dryRunDeletion(
	client: KubeClient,
	pods: readonly Pod[],
	request: DeleteRequest,
	errors: CliError[],
): Promise<number> {
	const outcomes = await mapLimited(pods, (pod) => ask(client, pod, request, true));
	for (const [index, outcome] of outcomes.entries()) {
		const { name } = pods[index]!.metadata;
		if (outcome.kind === 'accepted') print(`${deletedLine(pods[index]!)} (server dry run)\n`);
		else if (outcome.kind === 'denied') {
			print(`pod "${name}" not deleted yet: ${printable(describeDenial(outcome.denial))} (server dry run)\n`);
		} else if (outcome.kind !== 'gone') errors.push(failure(outcome));
	}
	return exitCode.done;
}

async function ask(client: KubeClient, pod: Pod, request: DeleteRequest, dryRun = false): Promise<Outcome> {
	const { breakGlassReason, gracePeriodSeconds } = request;
	if (breakGlassReason !== undefined) {
		try {
			await breakTheGlass(client, pod, breakGlassReason, dryRun);
		} catch (error) {
			if (!(error instanceof ApiError)) throw error;
			return isNotFound(error) ? { kind: 'gone' } : { kind: 'failed', error };
		}
		// A dry run does not write the mark, so the guard would answer as if there were none.
		if (dryRun) return { kind: 'accepted' };
	}
	return askDeletion(client, pod, { gracePeriodSeconds, dryRun });
}

function failure(outcome: Extract<Outcome, { kind: 'failed' | 'try-again' }>): CliError {
	if (outcome.kind === 'try-again')
		return new Failure(`Error from server (TooManyRequests): ${outcome.message}`);
	if (!isGuardUnreachable(outcome.error)) return toCliError(outcome.error);
	return new Failure(
		`error: the guard does not answer, so nothing was deleted or recorded: ${outcome.error.message}`,
	);
}

function deletedLine({ metadata }: Pod): string {
	return `pod "${metadata.name}" deleted from ${metadata.namespace} namespace`;
}

function uid(pod: Pod): string {
	return pod.metadata.uid ?? '';
}
