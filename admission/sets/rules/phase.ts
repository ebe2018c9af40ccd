import type { Pod } from '../../api/kinds.ts';
import type { RunnerPod } from '../../runner/runner-pod.ts';
import { lacksInjection } from '../pod/injection.ts';
import type { Owner } from './plan.ts';

export const isLive = (runner: RunnerPod) =>
	!runner.terminating && runner.process.state !== 'exited' && !runner.unregistered?.proven;

/** How far a runner is, from its pod. `exitSeenMs`: when its end was first seen, if it has ended. */
export function phaseOf(pod: Pod, runner: RunnerPod, exitSeenMs: number): Pick<Owner, 'phase' | 'sinceMs'> {
	const { process } = runner;
	if (process.state === 'exited') {
		const terminated = terminationOf(pod);
		const known = runner.runnerId !== undefined || runner.busyHint !== undefined || runner.busyAnswer;
		// Also one that the kubelet never let run has no exit code.
		if (terminated?.exitCode !== 0 && !known) return { phase: 'failed', sinceMs: undefined };
		return { phase: 'completed', sinceMs: endedAtMs(terminated?.finishedAt, exitSeenMs) };
	}
	if (runner.terminating || runner.unregistered?.proven) return { phase: 'stopping', sinceMs: undefined };
	// One that can not register is not waited for; the next comes after a pause, as after any failed start.
	if (process.state === 'never-started')
		return { phase: lacksInjection(pod) ? 'failed' : 'pending', sinceMs: undefined };
	if (runner.busyHint || runner.busyAnswer) return { phase: 'busy', sinceMs: runner.busyHint?.sinceMs };
	if (runner.runnerId === undefined) return { phase: 'starting', sinceMs: process.sinceMs };
	return { phase: 'idle', sinceMs: undefined };
}

/** A watch shows an end so much later, at most, on a machine that is not overloaded. */
const watchLagMs = 250;

/**
 * When a runner ended, ms: finishedAt is cut to the second, so within that second by when we saw it. In doubt earlier
 * than it was: an effectiveTime that is taken for the newer word costs a runner too many for a while, one that is taken for
 * the older has a job wait for the whole delay (D2, D11).
 */
function endedAtMs(finishedAt: string | undefined, seenMs: number): number {
	const secondMs = Date.parse(finishedAt ?? '');
	if (Number.isNaN(secondMs)) return seenMs;
	return Math.min(seenMs, Math.max(secondMs, Math.min(seenMs, secondMs + 1_000) - watchLagMs));
}

export const terminationOf = (pod: Pod) =>
	pod.status?.containerStatuses?.find(({ name }) => name === 'runner')?.state?.terminated;
