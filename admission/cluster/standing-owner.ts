import { arc } from '../api/keys.ts';
import type { KubeObject, OwnerReference, Pod } from '../api/kinds.ts';
import { apiVersion, setKinds } from '../api/sets.ts';
import { isNotFound, type KubeClient } from '../kube/client.ts';

/** One call to the API server; an admission has time for two. */
const callWithinMs = 2_000;

const owners = {
	runnerset: { label: arc.runnerSet, kind: 'StatefulSet', path: 'apps/v1', resource: 'statefulsets' },
	runnerdeployment: { label: arc.runnerDeployment, ...setKinds.runner, path: apiVersion },
} as const;
const sets = { runnerset: setKinds.runnerSet.kind, runnerdeployment: setKinds.runnerDeployment.kind };

/** As `--controllers` names them. */
type Reconciler = keyof typeof owners;
const reconcilers = Object.keys(owners) as Reconciler[];

/** What a set made this pod by, a StatefulSet or a Runner; from what the pod itself says. */
export function ownerOf({ metadata }: Pod, reconciler: Reconciler): OwnerReference | undefined {
	const { label, kind } = owners[reconciler];
	return metadata.labels?.[label]
		? metadata.ownerReferences?.find((owner) => owner.kind === kind)
		: undefined;
}

/**
 * The name of the pod's owner while it stands: it is a set's of ours, and not being deleted. Its set's reconciler deletes it
 * when the runner has ended, and then the pod; a StatefulSet that still stands would make the pod again. Asked of the API
 * server itself, never a cache. undefined: nobody but the guard will delete this pod.
 *
 * @param controllers those that run, as in `--controllers`: a set whose reconciler is off deletes nothing
 * @throws KubeError, but not for 404
 */
export async function standingOwner(
	client: KubeClient,
	pod: Pod,
	controllers: readonly string[],
): Promise<string | undefined> {
	const reconciler = reconcilers.find((one) => controllers.includes(one) && ownerOf(pod, one));
	const owner = reconciler && ownerOf(pod, reconciler);
	if (!owner) return undefined;
	const { path, resource } = owners[reconciler];
	try {
		const url = `/apis/${path}/namespaces/${pod.metadata.namespace}/${resource}/${owner.name}`;
		const { metadata } = await client.request<KubeObject>('GET', url, { timeoutMs: callWithinMs });
		const ours = metadata.ownerReferences?.some(
			(set) => set.kind === sets[reconciler] && set.apiVersion === apiVersion,
		);
		return ours && metadata.uid === owner.uid && !metadata.deletionTimestamp ? owner.name : undefined;
	} catch (error) {
		if (isNotFound(error)) return undefined;
		throw error;
	}
}
