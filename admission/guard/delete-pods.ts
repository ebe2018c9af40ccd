import type { Pod, RecordedOptions } from '../api/kinds.ts';
import type { AdmissionRequest, AdmissionResponse, Refusal } from '../webhook/review.ts';
import { type ReviewDependencies, reviewDeletion } from './review-deletion.ts';
import { schedulerRetryAfterSeconds } from './rules/policy.ts';

/**
 * DELETE pods.
 *
 * Compatibility (measured: research/real-deleters):
 * - `kubectl delete`, with --force too: 409 without retryAfterSeconds ends it at once with the message. A 429 with
 *   retryAfterSeconds would hang it for 30 s without a word, and block a whole controller worker as long.
 * - Controllers (StatefulSet, garbage collector, Job, ...) back off and come again; nobody needs them to.
 * - The scheduler's preemption does not back off: 50 DELETEs a second, whatever the code. Only retryAfterSeconds,
 *   which its client obeys, makes it one each 3 s.
 * - A taint eviction (NoExecute) tries five times and gives up for good: the record completes it.
 * - deletecollection (namespace deletion) sends no name, and stops at the first denial.
 */
export function deletePods(
	request: AdmissionRequest,
	dependencies: ReviewDependencies,
): Promise<AdmissionResponse> {
	const user = request.userInfo.username ?? 'unknown';
	const refusal: Refusal =
		user === 'system:kube-scheduler'
			? { code: 429, retryAfterSeconds: schedulerRetryAfterSeconds }
			: { code: 409 };
	const deletion = { user, options: optionsOf('delete', request.options), dryRun: request.dryRun === true };
	return reviewDeletion(request.uid, request.oldObject as Pod, deletion, refusal, dependencies);
}

/** What is kept of the caller's DeleteOptions. A resourceVersion precondition is not: the pod changes while it waits. */
export function optionsOf(
	via: RecordedOptions['via'],
	options: AdmissionRequest['options'],
): RecordedOptions {
	const kept: RecordedOptions = { via };
	if (options?.gracePeriodSeconds !== undefined) kept.gracePeriodSeconds = options.gracePeriodSeconds;
	if (options?.propagationPolicy) kept.propagationPolicy = options.propagationPolicy;
	return kept;
}
