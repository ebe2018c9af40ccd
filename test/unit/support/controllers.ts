/** The controllers of a cluster that answer what the loops do, on the simulated API server. */
import type { OwnerReference, Pod } from '../../../admission/api/kinds.ts';
import type { Stored } from './api-server.ts';
import { paths, type World } from './world.ts';

/** Deletes what lost its only owner, a moment later, as the caller it is: the guard may refuse it. */
export function garbageCollector({ api, clock }: World): void {
	api.onChange((type, _resource, { metadata: { uid } }) => {
		if (type !== 'DELETED') return;
		clock.after(200, async () => {
			for (const collection of [paths.pods, paths.statefulSets, paths.runners])
				for (const object of [...api.each(collection)]) {
					const owners = object.metadata.ownerReferences ?? [];
					if (!owners.some((owner) => owner.uid === uid)) continue;
					const { namespace, name } = object.metadata;
					const path = `${collection.replace(/\/([^/]+)$/, `/namespaces/${namespace}/$1`)}/${name}`;
					await api.request('DELETE', path).catch(() => undefined); // refused: it tries again, as long as it takes
				}
		});
	});
}

/**
 * Makes each StatefulSet's pod, and again under its name when it is gone. `podOf` says what it looks like. One that is refused,
 * as by a quota, it tries again after 5 ms, doubled each time.
 */
export function statefulSetController(
	{ api, clock }: World,
	podOf: (owner: Stored) => Pod,
	refuses: () => boolean = () => false,
): void {
	const look = (name: string, namespace: string | undefined, retryMs = 5) => {
		const owner = api.find(paths.statefulSets, name, namespace);
		if (!owner || owner.metadata.deletionTimestamp || api.find(paths.pods, `${name}-0`, namespace)) return;
		if (refuses()) clock.after(retryMs, () => look(name, namespace, 2 * retryMs));
		else api.put(paths.pods, podOf(owner));
	};
	api.onChange((type, resource, { metadata }) => {
		const owner = metadata.ownerReferences?.find(({ kind }: OwnerReference) => kind === 'StatefulSet');
		if (resource === 'statefulsets' && type === 'ADDED')
			clock.after(50, () => look(metadata.name, metadata.namespace));
		if (resource === 'pods' && type === 'DELETED' && owner)
			clock.after(50, () => look(owner.name, metadata.namespace));
	});
}
