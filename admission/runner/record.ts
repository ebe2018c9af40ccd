import { progress, record } from '../api/keys.ts';
import type { RecordedOptions } from '../api/kinds.ts';
import type { RunnerPod } from './runner-pod.ts';

/** A request to delete a pod: who asks, with which options. */
export interface DeletionRequest {
	user: string;
	options: RecordedOptions;
	dryRun: boolean;
}

/** Annotations to set; null removes one. */
export type Annotations = Record<string, string | null>;

/**
 * The annotations that record a denied deletion; empty if one is recorded already. They are written only once: an update
 * of the pod wakes the controller that was refused, so a record that changed at each try would make it try again at once.
 */
export function recordOf(pod: RunnerPod, request: DeletionRequest | undefined, nowMs: number): Annotations {
	if (!request || pod.record) return {};
	return {
		[record.requestedAt]: new Date(nowMs).toISOString(),
		[record.requestedBy]: request.user,
		[record.options]: JSON.stringify(request.options),
	};
}

/** Claims the runner for this replica ("I ask GitHub now") and clears an earlier 422, which may no longer be true. */
export const claimOf = (pod: RunnerPod, self: string, nowMs: number): Annotations => ({
	[progress.claim]: `${new Date(nowMs).toISOString()} ${self}`,
	...(pod.busyAnswer ? { [progress.failureMessage]: null, [progress.completionWait]: null } : {}),
});

/** Ends the claim: no replica asks GitHub about this runner now. */
export const unclaimed: Annotations = { [progress.claim]: null };

/** Notes GitHub's id of the runner. */
export const idOf = (runnerId: number): Annotations => ({ [progress.runnerId]: String(runnerId) });

/** Notes that GitHub answered 422. For an ephemeral runner GitHub is not asked again: it ends with its job (invariant 5). */
export function busyAnswerOf(pod: RunnerPod, message: string, nowMs: number): Annotations {
	return {
		[progress.failureMessage]: message.slice(0, 500),
		...(pod.ephemeral ? { [progress.completionWait]: new Date(nowMs).toISOString() } : {}),
	};
}

/** Notes that GitHub has unregistered the runner, with a signature that makes every replica believe it. */
export function unregisteredOf(
	pod: RunnerPod,
	sign: (pod: RunnerPod, completedAt: string) => string,
	nowMs: number,
): Annotations {
	const completedAt = pod.unregistered?.at ?? new Date(nowMs).toISOString();
	return { [progress.completedAt]: completedAt, [progress.proof]: sign(pod, completedAt) };
}
