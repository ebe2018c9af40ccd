import { arc } from '../api/keys.ts';
import type { OwnerReference, Pod } from '../api/kinds.ts';
import { objectPath, resources } from '../api/paths.ts';
import { apiVersion, setKinds } from '../api/sets.ts';
import type { KubeClient } from '../kube/client.ts';
import { getObject } from '../kube/objects.ts';

/** One call to the API server; an admission has time for two. */
const callWithinMs = 2_000;

const owners = {
	runnerset: { label: arc.runnerSet, kind: 'StatefulSet', resource: resources.statefulSets },
	runnerdeployment: {
		label: arc.runnerDeployment,
		kind: setKinds.runner.kind,
		resource: setKinds.runner,
	},
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
	const path = objectPath(owners[reconciler].resource, {
		namespace: pod.metadata.namespace,
		name: owner.name,
	});
	const found = await getObject(client, path, { timeoutMs: callWithinMs });
	const ours = found?.metadata.ownerReferences?.some(
		(set) => set.kind === sets[reconciler] && set.apiVersion === apiVersion,
	);
	return ours && found?.metadata.uid === owner.uid && !found.metadata.deletionTimestamp
		? owner.name
		: undefined;
}
