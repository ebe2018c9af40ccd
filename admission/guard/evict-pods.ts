import { probe } from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import { type AdmissionRequest, type AdmissionResponse, allowed, refused } from '../webhook/review.ts';
import { optionsOf } from './delete-pods.ts';
import { type ReviewDependencies, reviewDeletion } from './review-deletion.ts';
import { unreadableTexts } from './rules/message.ts';

interface Eviction {
	metadata?: { name?: string; namespace?: string };
	deleteOptions?: { gracePeriodSeconds?: number; dryRun?: string[]; preconditions?: { uid?: string } };
}

/**
 * CREATE pods/eviction, of every pod in the cluster: an Eviction carries no pod labels and no oldObject, so no
 * selector can narrow it, and the pod has to be looked up.
 *
 * Compatibility (measured: research/real-deleters):
 * - `kubectl drain`: 429 without retryAfterSeconds is printed and retried every 5 s until --timeout; any other code
 *   aborts, and with retryAfterSeconds it says nothing for 10 tries.
 * - Karpenter: 429 backs off to 10 s; 409 it reads as "another pod of that name" and asks each second for ever.
 * - descheduler: goes on with the next pod. It would stand still 30 s a pod with retryAfterSeconds.
 */
export async function evictPods(
	request: AdmissionRequest,
	dependencies: ReviewDependencies,
): Promise<AdmissionResponse> {
	const eviction = (request.object ?? {}) as Eviction;
	// The Eviction may lack a namespace, and a name where the URL has it.
	const name = request.name || eviction.metadata?.name;
	const namespace = request.namespace || eviction.metadata?.namespace;
	if (!name || !namespace) return allowed(request.uid);

	let pod: Pod | undefined;
	try {
		pod = await dependencies.pods.get(namespace, name);
	} catch (error) {
		// This entry ignores failures, so an error here would let the pod go, which may be a busy runner.
		const why = error instanceof Error ? error.message : String(error);
		dependencies.log.error({ pod: `${namespace}/${name}`, error: why }, 'eviction could not be judged');
		dependencies.metrics.decision('deny', 'internal-error');
		const { message, facts } = unreadableTexts(name, why);
		return refused(request.uid, { code: 429 }, message, facts);
	}
	const dryRun = request.dryRun === true || eviction.deleteOptions?.dryRun?.includes('All') === true;
	if (!pod && dryRun && name === probe.pod) return allowed(request.uid, [probe.answer]);
	const wantedUid = eviction.deleteOptions?.preconditions?.uid;
	if (!pod || (wantedUid && wantedUid !== pod.metadata.uid)) return allowed(request.uid); // the API server says so itself

	const user = request.userInfo.username ?? 'unknown';
	const deletion = { user, options: optionsOf('eviction', eviction.deleteOptions), dryRun };
	return reviewDeletion(request.uid, pod, deletion, { code: 429 }, dependencies);
}
