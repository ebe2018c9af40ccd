import type { SetController } from '../api/controllers.ts';
import { arc } from '../api/keys.ts';
import type { KubeObject, OwnerReference, Pod } from '../api/kinds.ts';
import { objectPath, type Resource, resources } from '../api/paths.ts';
import { apiVersion, setKeys, setKinds } from '../api/sets.ts';
import type { KubeClient } from '../kube/client.ts';
import { getObject } from '../kube/objects.ts';
import { controllerOf } from '../kube/owner-references.ts';
import { readRunnerPod } from '../runner/runner-pod.ts';

/** Time limit of one call to the API server: a review has time for two. */
const callWithinMs = 2_000;

const owners = {
	runnerset: { label: arc.runnerSet, kind: 'StatefulSet', resource: resources.statefulSets },
	runnerdeployment: {
		label: arc.runnerDeployment,
		kind: setKinds.runner.kind,
		resource: setKinds.runner,
	},
} as const satisfies Record<SetController, object>;
const sets = { runnerset: setKinds.runnerSet.kind, runnerdeployment: setKinds.runnerDeployment.kind };

/** What would make a pod again, and so has to be deleted before it. */
export interface PodOwner {
	name: string;
	uid: string;
	resource: Resource;
}

/** The StatefulSet or Runner by which a set made this pod, according to the pod's own labels and owner references. */
export function ownerOf({ metadata }: Pod, controller: SetController): OwnerReference | undefined {
	const { label, kind } = owners[controller];
	return metadata.labels?.[label]
		? metadata.ownerReferences?.find((owner) => owner.kind === kind)
		: undefined;
}

/**
 * Whether a set of ours made this StatefulSet or Runner and was deleted with --cascade=orphan: it has no owner any more.
 *
 * @param controller of the kind of set
 */
export const isOrphan = (owner: KubeObject, controller: SetController): boolean =>
	owner.metadata.labels?.[owners[controller].label] !== undefined &&
	owner.metadata.labels[setKeys.templateHash] !== undefined &&
	controllerOf(owner) === undefined;

/**
 * The pod's owner (StatefulSet or Runner) if it belongs to one of our sets and is not being deleted. The set's controller
 * deletes that owner when the runner has ended, and then the pod; until then a StatefulSet would create the pod again. So
 * whoever deletes the pod for another reason deletes this owner first. Read from the API server, never from a cache.
 * undefined: nobody but the guard will delete this pod, and nobody makes it again; or
 * it is a static runner's whose set was deleted with --cascade=orphan, which is made again.
 *
 * @param controllers those that run: a set whose controller is off deletes nothing
 * @throws KubeError, but not for 404
 */
export async function liveOwner(
	client: KubeClient,
	pod: Pod,
	controllers: readonly SetController[],
): Promise<PodOwner | undefined> {
	const controller = controllers.find((one) => ownerOf(pod, one));
	const owner = controller && ownerOf(pod, controller);
	if (!owner) return undefined;
	const found = await read(client, pod, controller, owner);
	const ours = found?.metadata.ownerReferences?.some(
		(set) => set.kind === sets[controller] && set.apiVersion === apiVersion,
	);
	const remakes = ours || (found && isOrphan(found, controller) && isEphemeral(pod));
	if (!remakes || !isLive(found, owner)) return undefined;
	return { name: owner.name, uid: owner.uid, resource: owners[controller].resource };
}

/**
 * The name of the pod's StatefulSet, if it no longer exists or is being deleted. The StatefulSet controller may not know that
 * yet; only the garbage collector would delete the pod. Read from the API server, never from a cache.
 *
 * @throws KubeError, but not for 404
 */
export async function goneOwner(client: KubeClient, pod: Pod): Promise<string | undefined> {
	const owner = ownerOf(pod, 'runnerset');
	if (!owner || isLive(await read(client, pod, 'runnerset', owner), owner)) return undefined;
	return owner.name;
}

function read(client: KubeClient, pod: Pod, controller: SetController, { name }: OwnerReference) {
	const path = objectPath(owners[controller].resource, { namespace: pod.metadata.namespace, name });
	return getObject(client, path, { timeoutMs: callWithinMs });
}

const isEphemeral = (pod: Pod): boolean => readRunnerPod(pod)?.ephemeral === true;

/** Whether this is still the owner, and it is not being deleted. */
const isLive = (found: KubeObject | undefined, { uid }: OwnerReference): boolean =>
	found?.metadata.uid === uid && !found.metadata.deletionTimestamp;
