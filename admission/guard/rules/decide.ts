import type { AllowReason, DenyReason } from '../../api/reasons.ts';
import { registrationTimeoutMs } from '../../runner/policy.ts';
import type { RunnerPod } from '../../runner/runner-pod.ts';
import { claimMs, staticRetryMs } from './policy.ts';

export type Allow = { kind: 'allow'; reason: AllowReason };
export type Deny = { kind: 'deny'; reason: DenyReason; detail?: string | undefined };
/** Only GitHub's answer to DELETE proves that no job can arrive. */
export type Ask = { kind: 'ask' };
/** The pod says that its runner is unregistered, but without this server's signature: GitHub is asked to confirm it. */
export type Verify = { kind: 'verify'; notBeforeMs: number };

export type Verdict = Allow | Deny;
export type Decision = Verdict | Ask | Verify;

export const allow = (reason: AllowReason): Allow => ({ kind: 'allow', reason });
export const deny = (reason: DenyReason, detail?: string): Deny => ({ kind: 'deny', reason, detail });

/** May this pod be deleted now? Pure: everything it knows is in its arguments. `self` names this replica. */
export function decide(pod: RunnerPod, nowMs: number, self: string): Decision {
	if (pod.terminating) return allow('already-terminating'); // the kubelet's last DELETE is reviewed too
	if (pod.breakGlass) return allow('break-glass');

	if (pod.process.state === 'never-started') return allow('never-started');
	if (pod.process.state === 'exited') return allow('runner-exited'); // nothing can be running; its registration is removed later

	if (pod.nodeGone) return allow('node-gone');
	if (pod.unregistered?.proven) return allow('unregistered');
	if (pod.busyHint) return deny('busy');
	if (pod.busyAnswer && pod.ephemeral) return deny('busy'); // it ends with its job: wait for the container's end
	if (pod.busyAnswer && pod.claim && nowMs - pod.claim.atMs < staticRetryMs) return deny('busy');
	if (!pod.scope) return deny('scope-unknown');

	if (pod.unregistered)
		return { kind: 'verify', notBeforeMs: Math.min(nowMs, latestMs(pod.unregistered.at) ?? nowMs) };
	const claim = pod.claim;
	if (claim && claim.by !== self && !pod.busyAnswer && nowMs - claim.atMs < claimMs)
		return deny('unregistering');
	return { kind: 'ask' };
}

/**
 * The latest moment that a time may stand for, ms since the epoch. ARC cuts its time to the second: a list that was begun
 * within that second may be older than GitHub's 204, and would seem to contradict it.
 */
function latestMs(time: string): number | undefined {
	const ms = Date.parse(time);
	if (Number.isNaN(ms)) return undefined;
	return ms % 1_000 === 0 ? ms + 999 : ms;
}

/** The verdict if GitHub knows no runner of this pod's name: it is still registering, or will never register (A7). */
export function decideUnknownToGitHub(pod: RunnerPod, nowMs: number): Verdict {
	if (pod.runnerId !== undefined) return allow('unregistered'); // it was registered before and is not any more
	// If it is not known since when it runs, it may just have started.
	const ranForMs = nowMs - (pod.process.sinceMs ?? nowMs);
	if (ranForMs >= registrationTimeoutMs) return allow('never-registered');
	return deny('registering');
}
