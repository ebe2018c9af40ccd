import type { AllowReason, DenyReason } from '../../api/reasons.ts';
import { registrationTimeoutMs } from '../../runner/policy.ts';
import type { RunnerPod } from '../../runner/runner-pod.ts';
import { absenceMs, arcsAnswerMs, claimMs, clockSkewMs, staticRetryMs } from './policy.ts';

export type Allow = { kind: 'allow'; reason: AllowReason };
export type Deny = { kind: 'deny'; reason: DenyReason; detail?: string | undefined };
/**
 * Only GitHub's answer to DELETE proves that no job can arrive. `look`: its list is looked into first, because it probably
 * lacks the runner or ARC has just been told that it is busy, and a DELETE would be one call more.
 */
export type Ask = { kind: 'ask'; look: boolean };

export type Verdict = Allow | Deny;
export type Decision = Verdict | Ask;

export const allow = (reason: AllowReason): Allow => ({ kind: 'allow', reason });
export const deny = (reason: DenyReason, detail?: string): Deny => ({ kind: 'deny', reason, detail });

/** May this pod be deleted now? Pure: everything it knows is in its arguments. `self` names this replica. */
export function decide(pod: RunnerPod, nowMs: number, self: string): Decision {
	if (pod.terminating) return allow('already-terminating'); // the kubelet's last DELETE is reviewed too
	if (pod.breakGlass) return allow('break-glass');

	if (pod.process.state === 'never-started') return allow('never-started');
	if (pod.process.state === 'exited') return allow('runner-exited'); // nothing can be running; its registration is removed later

	if (pod.nodeGone) return allow('node-gone');
	if (pod.unregistered) return allow('unregistered');
	if (pod.busyHint) return deny('busy');
	const answer = standingAnswer(pod, nowMs);
	// An ephemeral runner ends with its job: its container's end is awaited.
	if (answer && (pod.ephemeral || nowMs - answer.atMs < staticRetryMs)) return deny('busy');
	if (!pod.scope) return deny('scope-unknown');

	const claim = pod.claim;
	const claimedForMs = agoMs(claim?.atMs, nowMs);
	if (claim?.by !== self && !answer && claimedForMs < claimMs) return deny('unregistering');
	const absentForMs = agoMs(pod.absentSinceMs, nowMs);
	const fixed = pod.registered && !pod.ephemeral;
	if (absentForMs < absenceMs && !fixed) return denyAbsent(pod); // a list of now would prove nothing yet
	// ARC's own DELETE may have been first.
	return { kind: 'ask', look: pod.saidToBeGone || pod.leavingByArc || absentForMs < Infinity };
}

/**
 * How long ago that was, in ms. A time in the future counts as never, as a missing one does: somebody's clock, or somebody,
 * is wrong. Clocks of two replicas differ a little.
 */
export function agoMs(atMs: number | undefined, nowMs: number): number {
	return atMs === undefined || atMs > nowMs + clockSkewMs ? Infinity : Math.max(0, nowMs - atMs);
}

/**
 * GitHub's 422 as far as it still counts. One that ARC was given counts for `arcsAnswerMs`: this server may not remove what
 * ARC wrote.
 */
export function standingAnswer({ busyAnswer }: RunnerPod, nowMs: number): { atMs: number } | undefined {
	const lastsMs = busyAnswer?.to === 'arc' ? arcsAnswerMs : Infinity;
	return agoMs(busyAnswer?.atMs, nowMs) < lastsMs ? busyAnswer : undefined;
}

/**
 * The verdict if GitHub knows no runner of this pod's name. Absence proves little: a new runner may not be listed yet, an
 * ephemeral one is no longer when its job has just been done, and lists have lacked runners that then took a job.
 *
 * - A static runner that this server has seen registered is registered no more.
 * - An ephemeral one counts as gone when two lists, begun at least `absenceMs` apart, lack it.
 * - One that was never seen: the same, both after the time in which a runner registers (A7).
 *
 * @param begunMs when the reading of the list began, ms since the epoch
 * @param answeredMs when it was complete
 * @returns `sinceMs`: from when on its absence counts, to be noted on the pod; undefined: nothing is to be noted
 */
export function decideAbsent(
	pod: RunnerPod,
	begunMs: number,
	answeredMs: number,
): { verdict: Verdict; sinceMs?: number | undefined } {
	const { registered, ephemeral, absentSinceMs } = pod;
	// If it is not known since when it runs, it may just have started.
	const startedMs = pod.process.sinceMs ?? Number.POSITIVE_INFINITY;
	const countsFromMs = registered ? 0 : startedMs + registrationTimeoutMs;
	const absentForMs = begunMs - (absentSinceMs ?? Infinity);
	const noted = absentForMs >= 0 && absentForMs <= begunMs - countsFromMs;
	const sinceMs = noted || begunMs < countsFromMs ? undefined : answeredMs;
	// Noted also where it may go: each write on the pod has its DELETE reviewed again, which must then write nothing.
	if (registered && !ephemeral) return { verdict: allow('unregistered'), sinceMs };
	if (noted && absentForMs >= absenceMs)
		return { verdict: allow(registered ? 'unregistered' : 'never-registered') };
	return { verdict: denyAbsent(pod), sinceMs };
}

const denyAbsent = ({ registered }: RunnerPod): Deny =>
	registered
		? deny('unregistering', 'GitHub no longer lists it: it may be finishing a job')
		: deny('registering');
