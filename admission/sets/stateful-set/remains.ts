import type { KubeObject, Pod } from '../../api/kinds.ts';
import { objectPath, resources } from '../../api/paths.ts';
import type { RunnerSet } from '../../api/sets.ts';
import type { KubeClient } from '../../kube/client.ts';
import { deleteUnlessChanged, getObject } from '../../kube/objects.ts';
import { controllerOf } from '../../kube/owner-references.ts';
import { claimName, revisionLabel } from './objects.ts';

/**
 * Deletes what a StatefulSet that is gone has left: its revision, and the claims that go with it. The garbage collector
 * would, but it makes only 20 calls a second for the whole cluster. Nothing goes that is not the StatefulSet's own now: somebody
 * may have taken the owner reference away, to keep a volume.
 */
export async function remainsOf(
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
		// In the version that was read: whose it is may change meanwhile. What has changed is the garbage collector's.
		const { uid, resourceVersion } = left.metadata;
		await deleteUnlessChanged(client, path, { preconditions: { uid, resourceVersion } });
	}
}
