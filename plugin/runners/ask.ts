import type { Denial } from '../../admission/api/denial.ts';
import { breakGlass } from '../../admission/api/keys.ts';
import type { Pod } from '../../admission/api/kinds.ts';
import { podPath } from '../../admission/api/paths.ts';
import { guardDenial } from '../guard/denial.ts';
import { type KubeClient, mergePatch } from '../kube/client.ts';
import { ApiError, isConflict, isNotFound } from '../kube/failure.ts';

export interface AskOptions {
	/** In seconds; undefined: the pod's own grace period. */
	gracePeriodSeconds?: number;
	/** Only ask, without changing anything. */
	dryRun?: boolean;
}

/** The result of asking the API server to delete or evict a pod. */
export type Outcome =
	| { kind: 'accepted' }
	/** The guard refused for now; it has recorded the request (the denial says so) and will complete it. */
	| { kind: 'denied'; denial: Denial }
	/** A PodDisruptionBudget (or the server's load) refuses for now, and the request is recorded nowhere. */
	| { kind: 'try-again'; message: string }
	| { kind: 'gone' }
	| { kind: 'failed'; error: ApiError };

/** Deletes only this pod: a successor of the same name is left alone. */
export function askDeletion(client: KubeClient, pod: Pod, options: AskOptions): Promise<Outcome> {
	return outcomeOf(pod, () =>
		client.call('DELETE', podPath(pod.metadata.namespace ?? '', pod.metadata.name), {
			body: { apiVersion: 'v1', kind: 'DeleteOptions', ...deleteOptions(pod, options) },
		}),
	);
}

export function askEviction(client: KubeClient, pod: Pod, options: AskOptions): Promise<Outcome> {
	const { namespace = '', name } = pod.metadata;
	return outcomeOf(pod, () =>
		client.call('POST', podPath(namespace, name, 'eviction'), {
			query: { dryRun: options.dryRun ? 'All' : undefined },
			body: {
				apiVersion: 'policy/v1',
				kind: 'Eviction',
				metadata: { namespace, name },
				deleteOptions: deleteOptions(pod, options),
			},
		}),
	);
}

/** Marks the pod as one that may be deleted whatever it runs. The reason is kept for audits. */
export async function breakTheGlass(
	client: KubeClient,
	pod: Pod,
	reason: string,
	dryRun: boolean,
): Promise<void> {
	const { namespace = '', name, uid } = pod.metadata;
	await client.call('PATCH', podPath(namespace, name), {
		body: { metadata: { uid, annotations: { [breakGlass]: reason } } },
		contentType: mergePatch,
		query: { dryRun: dryRun ? 'All' : undefined },
	});
}

function deleteOptions(pod: Pod, { gracePeriodSeconds, dryRun }: AskOptions): object {
	return {
		...(gracePeriodSeconds === undefined || gracePeriodSeconds < 0 ? {} : { gracePeriodSeconds }),
		...(dryRun ? { dryRun: ['All'] } : {}),
		preconditions: { uid: pod.metadata.uid },
	};
}

async function outcomeOf(pod: Pod, ask: () => Promise<unknown>): Promise<Outcome> {
	try {
		await ask();
		return { kind: 'accepted' };
	} catch (error) {
		if (!(error instanceof ApiError)) throw error;
		const denial = guardDenial(error);
		if (denial) return { kind: 'denied', denial };
		// The uid precondition failed (409): a successor has the name now, so the pod that we asked for is gone.
		if (isNotFound(error) || isSuccessor(error, pod)) return { kind: 'gone' };
		if (error.code === 429) return { kind: 'try-again', message: error.message };
		return { kind: 'failed', error };
	}
}

function isSuccessor(error: ApiError, pod: Pod): boolean {
	return isConflict(error) && error.message.includes(`UID in precondition: ${pod.metadata.uid}`);
}
