import { probe } from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import {
	type AdmissionRequest,
	type AdmissionResponse,
	type Arrival,
	allowed,
	refused,
} from '../webhook/review.ts';
import { optionsOf } from './delete-pods.ts';
import { type ReviewDependencies, reviewDeletion } from './review-deletion.ts';
import { unreadableTexts } from './rules/message.ts';

interface Eviction {
	metadata?: { name?: string; namespace?: string };
	deleteOptions?: { gracePeriodSeconds?: number; dryRun?: string[]; preconditions?: { uid?: string } };
}

/**
 * Reviews CREATE pods/eviction, for every pod in the cluster: an Eviction carries neither the pod's labels nor an
 * oldObject, so no selector can limit the reviews to runner pods, and the pod has to be read.
 *
 * Compatibility (measured):
 * - `kubectl drain`: a 429 without retryAfterSeconds is printed and retried every 5 s until --timeout. Any other code
 *   aborts the drain, and with retryAfterSeconds it prints nothing during 10 tries.
 * - Karpenter: at a 429 it backs off to 10 s. It reads a 409 as "another pod of that name" and asks every second for ever.
 * - descheduler: goes on with the next pod. With retryAfterSeconds it would wait 30 s for each pod.
 */
export async function evictPods(
	request: AdmissionRequest,
	_arrival: Arrival,
	dependencies: ReviewDependencies,
): Promise<AdmissionResponse> {
	const eviction = (request.object ?? {}) as Eviction;
	const address = podOfEviction(request);
	if (!address) return allowed(request.uid);
	const { namespace, name } = address;

	let pod: Pod | undefined;
	try {
		pod = await dependencies.pods.get(namespace, name);
	} catch (error) {
		// The webhook for evictions has failurePolicy Ignore, so an error here would let a busy runner be evicted.
		const why = error instanceof Error ? error.message : String(error);
		dependencies.log.error({ pod: `${namespace}/${name}`, error: why }, 'eviction could not be judged');
		dependencies.metrics.decision('deny', 'internal-error');
		const { message, facts } = unreadableTexts(name, why);
		return refused(request.uid, { code: 429 }, message, facts);
	}
	const dryRun = request.dryRun === true || eviction.deleteOptions?.dryRun?.includes('All') === true;
	if (!pod && dryRun && name === probe.pod) return allowed(request.uid, [probe.answer]);
	const wantedUid = eviction.deleteOptions?.preconditions?.uid;
	if (!pod || (wantedUid && wantedUid !== pod.metadata.uid)) return allowed(request.uid); // the API server answers 404 or 409 itself

	const user = request.userInfo.username ?? 'unknown';
	const deletion = { user, options: optionsOf('eviction', eviction.deleteOptions), dryRun };
	return reviewDeletion(request.uid, pod, deletion, { code: 429 }, dependencies);
}

/** Which pod is to be evicted. The Eviction may lack namespace and name, which are in the URL then. */
export function podOfEviction(request: AdmissionRequest): { namespace: string; name: string } | undefined {
	const { metadata } = (request.object ?? {}) as Eviction;
	const name = request.name || metadata?.name;
	const namespace = request.namespace || metadata?.namespace;
	return name && namespace ? { namespace, name } : undefined;
}
