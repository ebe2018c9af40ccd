import type { KubeObject, Pod } from '../../api/kinds.ts';
import { objectPath, resources } from '../../api/paths.ts';
import type { RunnerSet } from '../../api/sets.ts';
import type { KubeClient } from '../../kube/client.ts';
import { deleteUnlessChanged, getObject } from '../../kube/objects.ts';
import { controllerOf } from '../../kube/owner-references.ts';
import { claimName, revisionLabel } from './objects.ts';

/**
 * Deletes the dependents of a deleted StatefulSet: its revision, and the volume claims that are deleted with it. The garbage
 * collector would, but it makes only 20 calls a second for the whole cluster. An object that is no longer controlled by the
 * StatefulSet stays: somebody may have removed the owner reference to keep a volume.
 */
export async function deleteDependents(
	client: KubeClient,
	{ metadata: { namespace = '' }, spec }: RunnerSet,
	owner: { name: string; uid: string; pod: Pod | undefined },
): Promise<void> {
	const claims = (spec.volumeClaimTemplates ?? []).map((template) =>
		objectPath(resources.persistentVolumeClaims, { namespace, name: claimName(template, owner.name) }),
	);
	const revision = owner.pod?.metadata.labels?.[revisionLabel];
	const revisions =
		revision === undefined ? [] : [objectPath(resources.controllerRevisions, { namespace, name: revision })];
	for (const path of [...revisions, ...claims]) {
		const left = await getObject<KubeObject>(client, path);
		if (!left?.metadata.uid || controllerOf(left) !== owner.uid) continue;
		// Only in the version that was read: its owner may have changed since. A changed object is left to the garbage collector.
		const { uid, resourceVersion } = left.metadata;
		await deleteUnlessChanged(client, path, { preconditions: { uid, resourceVersion } });
	}
}
