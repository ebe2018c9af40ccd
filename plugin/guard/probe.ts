import { probe } from '../../admission/api/keys.ts';
import { podPath } from '../../admission/api/paths.ts';
import type { KubeClient } from '../kube/client.ts';
import { ApiError } from '../kube/failure.ts';

/** Where the probe is sent: any namespace but the server's own, which the webhooks exclude. */
const probeNamespace = 'default';

/**
 * Does the API server reach the guard? Sends it a dry-run eviction of a pod that does not exist, which only the guard
 * answers with a warning. That webhook ignores failures, so false means only that no answer came. Throws ApiError where
 * the caller may not evict pods.
 */
export async function guardAnswers(client: KubeClient, signal?: AbortSignal): Promise<boolean> {
	const path = podPath(probeNamespace, probe.pod, 'eviction');
	const body = {
		apiVersion: 'policy/v1',
		kind: 'Eviction',
		metadata: { name: probe.pod, namespace: probeNamespace },
		deleteOptions: { dryRun: ['All'] },
	};
	try {
		await client.call('POST', path, { body, query: { dryRun: 'All' }, signal });
	} catch (error) {
		if (error instanceof ApiError && error.code === 404) return error.warnings.includes(probe.answer);
		throw error;
	}
	return false;
}
