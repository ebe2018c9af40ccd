import type { KubeObject, Pod } from '../api/kinds.ts';
import { objectPath, podPath } from '../api/paths.ts';
import type { RunnersSet } from '../api/sets.ts';
import type { KubeClient } from '../kube/client.ts';
import { getObject } from '../kube/objects.ts';
import { controllerOf } from '../kube/owner-references.ts';
import type { SetKind } from './kind.ts';
import type { Owners } from './owners.ts';
import { inParallel } from './parallel.ts';
import { expectations as policy } from './rules/policy.ts';

/**
 * Reads what the watches should have shown by now and have not: owners that were created, and the pods of Runners. Never rejects:
 * what can't be read goes on counting as one that is there, and is read again.
 */
export async function confirmOwners<S extends RunnersSet>(
	client: KubeClient,
	{ ownerResource, podName }: Pick<SetKind<S>, 'ownerResource' | 'podName'>,
	owners: Owners,
	{ metadata }: S,
): Promise<void> {
	const { namespace = '', uid: setUid = '' } = metadata;
	const { timeoutMs, mostReads } = policy;
	const unanswered: unknown[] = [];
	const read = <T extends KubeObject>(path: string) => getObject<T>(client, path, { timeoutMs });
	const names = owners.unshown(setUid).slice(0, mostReads);
	await inParallel(
		names,
		async (name) => {
			owners.confirmLater(setUid, name);
			const found = await read(objectPath(ownerResource, { namespace, name }));
			if (found && controllerOf(found) === setUid) return;
			owners.unexpect(setUid, name);
		},
		unanswered,
	);
	await inParallel(
		owners.withoutPod(setUid).slice(0, mostReads - names.length),
		async ({ name, uid = '' }) => {
			owners.confirmPodLater(uid);
			const found = await read<Pod>(podPath(namespace, podName(name)));
			if (controllerOf(found) !== uid) owners.podMissing(uid);
		},
		unanswered,
	);
}
