import { setTimeout as sleep } from 'node:timers/promises';
import { type Kube, KubeError } from './kube.ts';
import type { RunnerFacts } from './runner-pod.ts';

/** How often it looks for a Secret that is not there yet. */
const secretRetryMs = 250;

/**
 * RUNNER_TOKEN, plain or from its Secret, as the kubelet would have put it into the container's env. The kubelet starts
 * no container whose Secret is not there yet (CreateContainerConfigError) and tries again; kwok starts it, so it waits.
 */
export async function registrationToken(
	kube: Kube,
	namespace: string,
	{ token, tokenSecret }: RunnerFacts,
	wanted: () => boolean,
): Promise<string | undefined> {
	if (token !== undefined || tokenSecret === undefined) return token;
	const path = `/api/v1/namespaces/${namespace}/secrets/${tokenSecret.name}`;
	while (wanted()) {
		try {
			const secret = await kube.get<{ data?: Record<string, string> }>(path);
			const data = secret.data?.[tokenSecret.key];
			return data === undefined ? undefined : Buffer.from(data, 'base64').toString();
		} catch (error) {
			if (!(error instanceof KubeError) || error.status !== 404) throw error;
			await sleep(secretRetryMs, undefined, { ref: false });
		}
	}
	return undefined;
}
