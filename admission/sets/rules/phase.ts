import { busy } from '../../api/keys.ts';
import type { Pod } from '../../api/kinds.ts';
import { quietLeftMs } from '../../guard/rules/elapsed.ts';
import { jobNow, worksBy } from '../../jobs/rules/job-signals.ts';
import type { RunnerPod } from '../../runner/runner-pod.ts';
import { lacksInjection } from '../pod/injection.ts';
import type { Owner } from './plan.ts';
import { briefEnd } from './policy.ts';

/** Whether the runner can still run a job: its pod is not terminating, its container has not exited, it is not removed. */
export const isLive = (runner: RunnerPod, nowMs: number) =>
	!runner.terminating && runner.process.state !== 'exited' && !isRemoved(runner, nowMs);

/**
 * Whether GitHub has removed the runner and no job signal contradicts. Until the quiet period is over the runner counts as
 * before, and also while a signal says that it works: then GitHub is wrong, and a replacement would be one runner too many
 * (invariant 7).
 */
const isRemoved = ({ unregistered, signals }: RunnerPod, nowMs: number): boolean =>
	unregistered !== undefined && quietLeftMs(Date.parse(unregistered.at), nowMs) === 0 && !worksBy(signals);

/**
 * The phase of a runner, from its pod.
 *
 * @param exitSeenMs when its end was first seen, if it has ended; ms since the epoch
 */
export function phaseOf(
	pod: Pod,
	runner: RunnerPod,
	exitSeenMs: number,
	nowMs: number,
): Pick<Owner, 'phase' | 'sinceMs' | 'brief'> {
	const { process } = runner;
	if (process.state === 'exited') {
		const terminated = terminationOf(pod);
		const known =
			runner.runnerId !== undefined ||
			runner.busyHint !== undefined ||
			runner.busyAnswer !== undefined ||
			runner.signals.length > 0;
		// A container that the kubelet never started has no exit code, and counts as failed too.
		if (terminated?.exitCode !== 0 && !known) return { phase: 'failed', sinceMs: undefined };
		const sinceMs = endedAtMs(terminated?.finishedAt, exitSeenMs);
		return { phase: 'completed', sinceMs, brief: endedBriefly(pod, runner) };
	}
	if (runner.terminating || isRemoved(runner, nowMs)) return { phase: 'stopping', sinceMs: undefined };
	// A pod that can't register, because the webhook did not inject its name and token, counts as a failed start.
	if (process.state === 'unbound')
		return { phase: lacksInjection(pod) ? 'failed' : 'unbound', sinceMs: undefined };
	const job = jobNow(runner);
	if (job || runner.busyAnswer) return { phase: 'busy', sinceMs: job?.sinceMs };
	if (process.state === 'starting' || runner.runnerId === undefined)
		return { phase: 'starting', sinceMs: process.sinceMs };
	return { phase: 'idle', sinceMs: process.sinceMs };
}

/** Whether the runner ended within seconds, without a job that anybody saw, and not because we unregistered it. */
function endedBriefly(pod: Pod, runner: RunnerPod): boolean {
	const { startedAt, finishedAt } = terminationOf(pod) ?? {};
	const tookMs = Date.parse(finishedAt ?? '') - Date.parse(startedAt ?? '');
	const showedJob =
		runner.busyHint !== undefined ||
		runner.busyAnswer ||
		runner.signals.length > 0 ||
		pod.metadata.annotations?.[busy.since] !== undefined;
	return tookMs < briefEnd.withinMs && !showedJob && !runner.terminating && !runner.unregistered;
}

/** How late a watch shows a container's end at most, on a machine that is not overloaded. */
const watchLagMs = 250;

/**
 * When a runner ended, ms since the epoch. finishedAt is cut to the second; within that second the time at which we saw the
 * end decides. In doubt the result is too early rather than too late. If an effectiveTime wrongly counts as newer than
 * the end, there is one runner too many for a while; if it wrongly counts as older, a job waits for the whole
 * recreation delay (D2, D11).
 */
function endedAtMs(finishedAt: string | undefined, seenMs: number): number {
	const secondMs = Date.parse(finishedAt ?? '');
	if (Number.isNaN(secondMs)) return seenMs;
	return Math.min(seenMs, Math.max(secondMs, Math.min(seenMs, secondMs + 1_000) - watchLagMs));
}

/** How the runner's container terminated; undefined if it has not. */
export const terminationOf = (pod: Pod) =>
	pod.status?.containerStatuses?.find(({ name }) => name === 'runner')?.state?.terminated;
