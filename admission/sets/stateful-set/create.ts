import type { Pod } from '../../api/kinds.ts';
import { collectionPath, objectPath, podPath, podsPath, resources } from '../../api/paths.ts';
import type { StatefulSet } from '../../api/sets.ts';
import { isConflict, type KubeClient } from '../../kube/client.ts';
import {
	createObject,
	createUnlessPresent,
	deleteUnlessChanged,
	getObject,
	isQuotaConflict,
	mergePatch,
	unlessChanged,
} from '../../kube/objects.ts';
import { controllerOf } from '../../kube/owner-references.ts';
import type { KindDependencies, Made } from '../kind.ts';
import { type Claim, claimsOf, podName, podOf } from './objects.ts';
import { revisionOf } from './revision.ts';

/**
 * Creates a StatefulSet of one replica, and with it what its controller would create: claims, pod and, later, revision. The
 * controller makes 20 calls a second for the whole cluster, and adopts what it finds. Whatever could not be created here, even
 * because of a bug of this program, is left to it: it tries again for as long as the StatefulSet exists.
 *
 * @throws KubeError where there is no StatefulSet; code 409 also where another pod of its pod's name exists: the controller
 * would try for ever, so the StatefulSet is deleted again
 */
export async function createWithPod(
	client: KubeClient,
	statefulSet: object,
	namespace: string,
	inject: KindDependencies['inject'],
): Promise<Made> {
	const made = await createObject<StatefulSet>(
		client,
		collectionPath(resources.statefulSets, namespace),
		statefulSet,
	);
	return { ...(await createPodOf(client, made, inject)), uid: made.metadata.uid };
}

/**
 * Creates the pod of a StatefulSet that was made here and never had one, because a quota or a webhook refused it: its
 * controller tries later and later, up to every 16 minutes. If that is quicker, its pod is taken. Nothing where the StatefulSet
 * is gone, or is being deleted.
 *
 * @throws KubeError as createWithPod
 */
export async function createMissingPod(
	client: KubeClient,
	{ name, uid }: { name: string; uid: string },
	namespace: string,
	inject: KindDependencies['inject'],
): Promise<Made> {
	const path = objectPath(resources.statefulSets, { name, namespace });
	const found = await getObject<StatefulSet>(client, path);
	if (found?.metadata.uid !== uid || found.metadata.deletionTimestamp) return {};
	return createPodOf(client, found, inject);
}

async function createPodOf(
	client: KubeClient,
	made: StatefulSet,
	inject: KindDependencies['inject'],
): Promise<Made> {
	const { namespace = '' } = made.metadata;
	let later: Made['later'];
	let conflict: unknown;
	try {
		const revision = revisionOf(made);
		const revisions = collectionPath(resources.controllerRevisions, namespace);
		later = () => createUnlessPresent(client, revisions, revision.json);
		const claims = collectionPath(resources.persistentVolumeClaims, namespace);
		await Promise.all(
			claimsOf(made).map(async (claim) => {
				if (!(await createUnlessPresent(client, claims, claim))) await ownClaim(client, claim);
			}),
		);
		await createObject(client, podsPath(namespace), inject(podOf(made, revision.name)));
		return { later };
	} catch (error) {
		if (!isConflict(error) || isQuotaConflict(error)) return { later, failure: error };
		conflict = error;
	}
	try {
		if (!(await belongsToAnother(client, made))) return { later };
		const path = objectPath(resources.statefulSets, made.metadata);
		const { uid = '' } = made.metadata;
		await deleteUnlessChanged(client, path, { propagationPolicy: 'Background', preconditions: { uid } });
	} catch (error) {
		return { later, failure: error };
	}
	throw conflict;
}

/** Whether the pod of this name belongs to something else. The StatefulSet's controller may also have created it first. */
async function belongsToAnother(client: KubeClient, { metadata }: StatefulSet): Promise<boolean> {
	const { name, namespace = '', uid } = metadata;
	const pod = await getObject<Pod>(client, podPath(namespace, podName(name)));
	// If it is gone again, the controller creates the next one.
	return pod !== undefined && controllerOf(pod) !== uid;
}

/** How often writing the owner on a claim is tried: others, such as the volume controllers, may write on it at the same moment. */
const ownerTries = 3;

/**
 * The controller has created this claim first. It writes the owner reference only when it has created the pod, or at its next
 * reconcile; if the StatefulSet were deleted before that, nobody would ever delete the claim.
 */
async function ownClaim(client: KubeClient, { metadata }: Claim): Promise<void> {
	const { ownerReferences } = metadata;
	if (!ownerReferences) return;
	const path = objectPath(resources.persistentVolumeClaims, metadata);
	for (let tries = 0; tries < ownerTries; tries++) {
		const found = await getObject<Claim>(client, path);
		if (!found || found.metadata.ownerReferences?.length) return;
		const { uid, resourceVersion } = found.metadata;
		const change = { metadata: { ownerReferences } };
		if (await unlessChanged(mergePatch(client, path, change, { uid, resourceVersion }))) return;
	}
}
