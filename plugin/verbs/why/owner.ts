import type { EphemeralRunner } from '../../../admission/api/kinds.ts';
import { objectPath, resources } from '../../../admission/api/paths.ts';
import type { RunnerPod } from '../../../admission/runner/runner-pod.ts';
import type { KubeClient } from '../../kube/client.ts';
import { ApiError, isForbidden, isNotFound } from '../../kube/failure.ts';

/** A scale set's EphemeralRunner, or why it can't be read; undefined: the pod belongs to none. */
export type Owner = EphemeralRunner | { unread: string } | undefined;

/** Reads the EphemeralRunner, where ARC writes the runner's job. */
export async function readOwner(
	client: KubeClient,
	{ namespace, owner }: Pick<RunnerPod, 'namespace' | 'owner'>,
): Promise<Owner> {
	if (!owner) return undefined;
	try {
		const path = objectPath(resources.ephemeralRunners, { namespace, name: owner.name });
		return await client.json<EphemeralRunner>('GET', path);
	} catch (error) {
		if (!(error instanceof ApiError)) throw error;
		if (isForbidden(error)) return { unread: `you may not get ephemeralrunners in namespace ${namespace}` };
		return { unread: isNotFound(error) ? 'it is gone' : error.message };
	}
}
