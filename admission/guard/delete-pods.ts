import type { Pod, RecordedOptions } from '../api/kinds.ts';
import type { AdmissionRequest, AdmissionResponse, Arrival, Refusal } from '../webhook/review.ts';
import { type ReviewDependencies, reviewDeletion } from './review-deletion.ts';
import { boundPodOf } from './rules/bound-pod.ts';
import { schedulerRetryAfterSeconds } from './rules/policy.ts';

/**
 * Reviews DELETE pods.
 *
 * Compatibility (measured):
 * - `kubectl delete`, also with --force: a 409 without retryAfterSeconds ends it at once with the message. A 429 with
 *   retryAfterSeconds would make it hang silently for 30 s, and block a whole controller worker for as long.
 * - Controllers (StatefulSet, garbage collector, Job, ...) back off and try again. The deletion completes also without.
 * - The scheduler's preemption does not back off: it sends 50 DELETEs a second, whatever the status code. Only
 *   retryAfterSeconds, which its client obeys, reduces that to one every 3 s.
 * - A taint eviction (NoExecute) tries five times and then gives up for good: the recorded deletion completes it.
 * - deletecollection (namespace deletion) sends no name, and stops at the first denial.
 */
export function deletePods(
	request: AdmissionRequest,
	arrival: Arrival,
	dependencies: ReviewDependencies,
): Promise<AdmissionResponse> {
	const user = request.userInfo.username || 'unknown';
	const options = optionsOf('delete', request.options, arrival);
	const deletion = { user, options, dryRun: request.dryRun === true };
	const shown = request.oldObject as Pod;
	const { name, namespace = '', uid } = shown.metadata;
	// Of a pod that was too large to be kept only its address is known: it is judged as the API server has it.
	const reviewed = request.reduced ? undefined : shown;
	const caller = boundPodOf(request.userInfo);
	return reviewDeletion(
		{
			id: request.uid,
			namespace,
			name,
			uid,
			reviewed,
			deletion,
			caller,
			refusal: refusalOf(request),
			arrival,
		},
		dependencies,
	);
}

/** How a DELETE is refused, for this caller. */
export function refusalOf({ userInfo }: AdmissionRequest): Refusal {
	if (userInfo.username !== 'system:kube-scheduler') return { code: 409 };
	return { code: 429, retryAfterSeconds: schedulerRetryAfterSeconds };
}

/** The part of the caller's DeleteOptions that is recorded. A resourceVersion precondition is dropped: the pod changes while the deletion waits. */
export function optionsOf(
	via: RecordedOptions['via'],
	options: AdmissionRequest['options'],
	{ certified }: Arrival,
): RecordedOptions {
	const kept: RecordedOptions = certified ? { via, certified } : { via };
	if (options?.gracePeriodSeconds !== undefined) kept.gracePeriodSeconds = options.gracePeriodSeconds;
	if (options?.propagationPolicy) kept.propagationPolicy = options.propagationPolicy;
	return kept;
}
