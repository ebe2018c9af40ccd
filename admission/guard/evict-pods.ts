import { probe } from '../api/keys.ts';
import { type AdmissionRequest, type AdmissionResponse, type Arrival, allowed } from '../webhook/review.ts';
import { optionsOf } from './delete-pods.ts';
import { type ReviewDependencies, reviewDeletion } from './review-deletion.ts';
import { boundPodOf } from './rules/bound-pod.ts';

interface Eviction {
	metadata?: { name?: string; namespace?: string };
	/** What was too long to be kept is null. */
	deleteOptions?: {
		gracePeriodSeconds?: number;
		dryRun?: string[] | null;
		preconditions?: { uid?: string } | null;
	};
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
	arrival: Arrival,
	dependencies: ReviewDependencies,
): Promise<AdmissionResponse> {
	const eviction = (request.object ?? {}) as Eviction;
	const address = podOfEviction(request);
	if (!address) return allowed(request.uid);
	const { namespace, name } = address;

	const dryRun = request.dryRun === true || isDryRun(eviction.deleteOptions?.dryRun);
	if (dryRun && name === probe.pod) return allowed(request.uid, [probe.answer]);
	const user = request.userInfo.username || 'unknown';
	const deletion = { user, options: optionsOf('eviction', eviction.deleteOptions, arrival), dryRun };
	const { uid } = eviction.deleteOptions?.preconditions ?? {};
	const refusal = { code: 429 } as const;
	const caller = boundPodOf(request.userInfo);
	return reviewDeletion(
		{ id: request.uid, namespace, name, uid, deletion, caller, refusal, arrival },
		dependencies,
	);
}

/** Also where the list was too long to be kept: only a dry run has stages. */
const isDryRun = (stages: unknown): boolean =>
	stages === null || (Array.isArray(stages) && stages.includes('All'));

/**
 * Which pod is to be evicted. The Eviction may lack namespace and name, which are in the URL then. undefined: it says
 * none, which no API server sends. It must never throw: the webhook ignores failures, and the eviction would pass.
 */
export function podOfEviction(request: AdmissionRequest): { namespace: string; name: string } | undefined {
	const { metadata } = (request.object ?? {}) as Eviction;
	const name = request.name || metadata?.name;
	const namespace = request.namespace || metadata?.namespace;
	return name && namespace && typeof name === 'string' && typeof namespace === 'string'
		? { namespace, name }
		: undefined;
}
