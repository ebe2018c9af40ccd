import { arc, busy, identityProof, progress, record } from '../api/keys.ts';
import type { RecordedOptions } from '../api/kinds.ts';
import type { GuardedPod } from './guarded-pod.ts';
import { writePin } from './identity/pin.ts';
import { writeSignals } from './job-signals.ts';
import type { RunnerPod } from './runner-pod.ts';
import { scopeKey } from './scope.ts';
import {
	absent,
	idle,
	nodeGone,
	pinned,
	recorded,
	registered,
	runnerText,
	type Sign,
	unregistered,
} from './statements.ts';

/** A request to delete a pod: who asks, with which options. */
export interface DeletionRequest {
	/** As the review says: whoever can forge a review can name anybody (see RecordedOptions.certified). */
	user: string;
	options: RecordedOptions;
	dryRun: boolean;
}

/** Who asked, for people. A name is verified only where the API server showed its certificate. */
export const askerOf = ({ user, options }: Pick<DeletionRequest, 'user' | 'options'>): string =>
	options.certified ? user : `${user} (unverified)`;

/** Annotations to set; null removes one. */
export type Annotations = Record<string, string | null>;

/**
 * The annotations that record a denied deletion; empty if one is recorded already. They are written only once: an update
 * of the pod wakes the controller that was refused, so a record that changed at each try would make it try again at once.
 */
export function recordOf(
	pod: Pick<GuardedPod, 'uid' | 'record'>,
	request: DeletionRequest | undefined,
	sign: Sign,
	nowMs: number,
): Record<string, string> {
	if (!request || pod.record) return {};
	const requestedAt = new Date(nowMs).toISOString();
	const options = JSON.stringify(request.options);
	return {
		[record.requestedAt]: requestedAt,
		[record.requestedBy]: request.user,
		[record.options]: options,
		[record.proof]: sign(recorded(pod.uid, requestedAt, request.user, options)),
	};
}

/** Notes this replica's attempt ("I ask GitHub now") and clears an earlier 422, which may no longer be true. */
export const attemptOf = (pod: RunnerPod, self: string, nowMs: number): Annotations => ({
	[progress.attempt]: `${new Date(nowMs).toISOString()} ${self}`,
	...(pod.busyAnswer ? { [progress.refusal]: null } : {}),
});

/** Pins which runner a scale set's pod is, as its EphemeralRunner tells it; empty where that is not certain. */
export function pinOf(pod: RunnerPod, sign: Sign): Annotations {
	const { uid, scope, host = '', owner, credentialsSecret } = pod; // where the scope is certain, the host is
	if (!uid || !scope || !owner?.found) return {};
	const pin = { scope: scopeKey(scope), host, credentialsSecret };
	return { [identityProof]: writePin(pin, sign(pinned(uid, pin))) };
}

/** Ends the attempt: no replica asks GitHub about this runner now. */
export const withoutAttempt: Annotations = { [progress.attempt]: null };

/** Notes GitHub's id of the runner, which its list has just shown under the runner's name. */
export const registeredAs = (pod: RunnerPod, runnerId: number, sign: Sign): Annotations => ({
	[progress.runnerId]: String(runnerId),
	[progress.registeredAs]: runOf(pod).runner,
	[progress.registered]: sign(registered(runOf(pod), runnerId)),
	...(pod.absentSinceMs === undefined ? {} : { [progress.absentSince]: null }),
});

/** Notes since when GitHub's lists lack the runner, ms since the epoch. */
export function absentOf(pod: RunnerPod, sinceMs: number, sign: Sign): Annotations {
	const since = new Date(sinceMs).toISOString();
	return { [progress.absentSince]: `${since} ${sign(absent(runOf(pod), since))}` };
}

/** Notes since when GitHub's lists show the runner as idle, ms since the epoch. */
export function idleOf(pod: RunnerPod, sinceMs: number, sign: Sign): Annotations {
	const since = new Date(sinceMs).toISOString();
	return { [progress.idleSince]: `${since} ${sign(idle(runOf(pod), since))}` };
}

/** A source says that the runner works: what lists have shown before no longer counts. Empty where nothing was noted. */
export const notIdle = ({ idleSinceMs }: RunnerPod): Annotations =>
	idleSinceMs === undefined ? {} : { [progress.idleSince]: null };

/** Notes that GitHub answered 422. For an ephemeral runner GitHub is not asked again: it ends with its job (invariant 5). */
export const busyAnswerOf = (message: string, nowMs: number): Annotations => ({
	[progress.refusal]: `${new Date(nowMs).toISOString()} ${message.slice(0, 500)}`,
});

/** Notes that GitHub has unregistered the runner, with a signature that makes every replica believe it. */
export function unregisteredOf(pod: RunnerPod, runnerId: number, sign: Sign, nowMs: number): Annotations {
	const completedAt = new Date(nowMs).toISOString();
	return {
		...registeredAs(pod, runnerId, sign),
		[progress.completedAt]: completedAt,
		[progress.proof]: sign(unregistered(runOf(pod), runnerId, completedAt)),
		// The one key of ARC's that is written: with it ARC's finalizer asks GitHub nothing more, without it again and again
		// until the container has stopped (measured: 8 DELETEs in a second).
		...(pod.kind === 'legacy' ? { [arc.completedAt]: completedAt } : {}),
	};
}

/** GitHub's 204 is refuted: the proof no longer counts. ARC's own annotations stay. */
export const withoutProof: Annotations = { [progress.completedAt]: null, [progress.proof]: null };

/** Writes the job signals on the pod. */
export const signalsOf = (pod: RunnerPod, sign: Sign): Annotations => ({
	[busy.signals]: writeSignals(pod.signals, pod, sign),
});

/** Notes since when the pod's node is missing; null: it is there. */
export function nodeGoneOf(
	pod: Pick<RunnerPod, 'uid' | 'nodeName'>,
	sinceMs: number | null,
	sign: Sign,
): Annotations {
	if (sinceMs === null) return { [progress.nodeGoneSince]: null };
	const since = new Date(sinceMs).toISOString();
	return {
		[progress.nodeGoneSince]: `${since} ${sign(nodeGone(pod.uid, pod.nodeName ?? '', since))}`,
	};
}

const runOf = (pod: RunnerPod) => ({ uid: pod.uid, restarts: pod.restarts, runner: runnerText(pod) ?? '' });
