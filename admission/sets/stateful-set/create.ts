import type { Pod } from '../../api/kinds.ts';
import { collectionPath, objectPath, podPath, podsPath, resources } from '../../api/paths.ts';
import type { StatefulSet } from '../../api/sets.ts';
import { isConflict, type KubeClient, KubeError } from '../../kube/client.ts';
import { createObject, createUnlessPresent, deleteUnlessChanged, getObject } from '../../kube/objects.ts';
import { controllerOf } from '../../kube/owner-references.ts';
import type { Made } from '../kind.ts';
import { claimsOf, podName, podOf } from './objects.ts';
import { revisionOf } from './revision.ts';

/**
 * Creates a StatefulSet of one replica, and with it what its controller would make: claims, pod and, later, revision. The
 * controller makes 20 calls a second for the whole cluster, and takes what it finds for its own. Whatever could not be made
 * here is left to it: it tries again for as long as the StatefulSet exists.
 *
 * @throws KubeError where there is no StatefulSet; code 409 also where another pod of its pod's name exists: the controller
 * would try for ever, so the StatefulSet is deleted again
 */
export async function createWithPod(
	client: KubeClient,
	statefulSet: object,
	namespace: string,
): Promise<Made> {
	const made = await createObject<StatefulSet>(
		client,
		collectionPath(resources.statefulSets, namespace),
		statefulSet,
	);
	const revision = revisionOf(made);
	const later = () =>
		createUnlessPresent(client, collectionPath(resources.controllerRevisions, namespace), revision.json);
	try {
		const claims = collectionPath(resources.persistentVolumeClaims, namespace);
		await Promise.all(claimsOf(made).map((claim) => createUnlessPresent(client, claims, claim)));
		await createObject(client, podsPath(namespace), podOf(made, revision.name));
	} catch (error) {
		if (!(error instanceof KubeError)) throw error;
		if (isConflict(error)) await unlessItsOwn(client, made, error);
		else return { later, leftOver: error };
	}
	return { later };
}

/** The StatefulSet controller may have been quicker. @throws the conflict where the pod is somebody else's */
async function unlessItsOwn(
	client: KubeClient,
	{ metadata }: StatefulSet,
	conflict: KubeError,
): Promise<void> {
	const { name, namespace = '', uid } = metadata;
	const pod = await getObject<Pod>(client, podPath(namespace, podName(name)));
	// Gone again: the controller makes the next one.
	if (!pod || controllerOf(pod) === uid) return;
	await deleteUnlessChanged(client, objectPath(resources.statefulSets, { namespace, name }), {
		propagationPolicy: 'Background',
		preconditions: uid === undefined ? {} : { uid },
	});
	throw conflict;
}
