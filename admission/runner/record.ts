import { progress, record } from '../api/keys.ts';
import type { RecordedOptions } from '../api/kinds.ts';
import type { RunnerPod } from './runner-pod.ts';

/** Who asks for a deletion, and how. */
export interface DeletionRequest {
	user: string;
	options: RecordedOptions;
	dryRun: boolean;
}

/** Annotations to set; null takes one away. */
export type Annotations = Record<string, string | null>;

/**
 * The annotations that remember a denied deletion; empty when it is remembered already. Written once: a pod update
 * wakes the controller that is refused, so a record that changed at every try would make it try at once again.
 */
export function recordOf(pod: RunnerPod, request: DeletionRequest | undefined, nowMs: number): Annotations {
	if (!request || pod.record) return {};
	return {
		[record.requestedAt]: new Date(nowMs).toISOString(),
		[record.requestedBy]: request.user,
		[record.options]: JSON.stringify(request.options),
	};
}

/** "This replica asks GitHub now": an answer of earlier is not this call's, and does not mark the runner busy. */
export const claimOf = (pod: RunnerPod, self: string, nowMs: number): Annotations => ({
	[progress.claim]: `${new Date(nowMs).toISOString()} ${self}`,
	...(pod.busyAnswer ? { [progress.failureMessage]: null, [progress.completionWait]: null } : {}),
});

/** Nobody asks GitHub any more. */
export const unclaimed: Annotations = { [progress.claim]: null };

/** GitHub's id of the runner. */
export const idOf = (runnerId: number): Annotations => ({ [progress.runnerId]: String(runnerId) });

/** GitHub said 422. An ephemeral runner is not asked about again: it ends with its job (invariant 5). */
export function busyAnswerOf(pod: RunnerPod, message: string, nowMs: number): Annotations {
	return {
		[progress.failureMessage]: message.slice(0, 500),
		...(pod.ephemeral ? { [progress.completionWait]: new Date(nowMs).toISOString() } : {}),
	};
}

/** GitHub has unregistered the runner; `sign` makes it count on every replica. */
export function unregisteredOf(
	pod: RunnerPod,
	sign: (pod: RunnerPod, completedAt: string) => string,
	nowMs: number,
): Annotations {
	const completedAt = pod.unregistered?.at ?? new Date(nowMs).toISOString();
	return { [progress.completedAt]: completedAt, [progress.proof]: sign(pod, completedAt) };
}
