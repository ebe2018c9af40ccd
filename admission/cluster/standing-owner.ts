import { arc } from '../api/keys.ts';
import type { KubeObject, OwnerReference, Pod } from '../api/kinds.ts';
import { objectPath, resources } from '../api/paths.ts';
import { apiVersion, setKinds } from '../api/sets.ts';
import type { KubeClient } from '../kube/client.ts';
import { getObject } from '../kube/objects.ts';

/** Time limit of one call to the API server: a review has time for two. */
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

/** The StatefulSet or Runner by which a set made this pod, according to the pod's own labels and owner references. */
export function ownerOf({ metadata }: Pod, reconciler: Reconciler): OwnerReference | undefined {
	const { label, kind } = owners[reconciler];
	return metadata.labels?.[label]
		? metadata.ownerReferences?.find((owner) => owner.kind === kind)
		: undefined;
}

/**
 * The name of the pod's owner (StatefulSet or Runner) if it belongs to one of our sets and is not being deleted. The set's
 * reconciler deletes that owner when the runner has ended, and then the pod; until then a StatefulSet would create the
 * pod again. Read from the API server, never from a cache. undefined: nobody but the guard will delete this pod.
 *
 * @param controllers the controllers that run, as in `--controllers`: if a set's reconciler is off, nothing is deleted by it
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
	const found = await read(client, pod, reconciler, owner);
	const ours = found?.metadata.ownerReferences?.some(
		(set) => set.kind === sets[reconciler] && set.apiVersion === apiVersion,
	);
	return ours && stands(found, owner) ? owner.name : undefined;
}

/**
 * The StatefulSet by which a set makes this pod, if it is not there any more or is being deleted. Its controller may not know
 * that yet; nobody would delete the pod but the garbage collector. Read from the API server, never from a cache.
 *
 * @throws KubeError, but not for 404
 */
export async function fallenOwner(client: KubeClient, pod: Pod): Promise<string | undefined> {
	const owner = ownerOf(pod, 'runnerset');
	if (!owner || stands(await read(client, pod, 'runnerset', owner), owner)) return undefined;
	return owner.name;
}

function read(client: KubeClient, pod: Pod, reconciler: Reconciler, { name }: OwnerReference) {
	const path = objectPath(owners[reconciler].resource, { namespace: pod.metadata.namespace, name });
	return getObject(client, path, { timeoutMs: callWithinMs });
}

const stands = (found: KubeObject | undefined, { uid }: OwnerReference): boolean =>
	found?.metadata.uid === uid && !found.metadata.deletionTimestamp;
