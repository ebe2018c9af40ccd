import { usageError } from '../errors.ts';
import type { KubeClient } from '../kube/client.ts';
import { ApiError } from '../kube/failure.ts';
import { getSet, patchScale, type RunnersSet, refOf, wantedOf } from './api.ts';

/** As kubectl scale: nothing is written unless the set is as the caller believes. */
export interface Preconditions {
	currentReplicas?: number;
	resourceVersion?: string;
}

/** Tries that lose against another writer of the same set before it is given up. */
const triesAgainstWriters = 5;

/**
 * Writes the number of runners wanted through the scale subresource, as kubectl scale does. Resolves with the set
 * as it was before; `seen` is what the caller has read already.
 */
export async function scaleSet(
	client: KubeClient,
	seen: RunnersSet,
	replicas: number,
	preconditions: Preconditions,
	dryRun: boolean,
): Promise<RunnersSet> {
	let set = seen;
	for (let attempt = 1; ; attempt++) {
		checkPreconditions(set, preconditions);
		const isConditional = Object.values(preconditions).some((value) => value !== undefined);
		const resourceVersion = isConditional ? set.metadata.resourceVersion : undefined;
		try {
			await patchScale(client, refOf(set), replicas, { resourceVersion, dryRun });
			return set;
		} catch (error) {
			const lostRace = error instanceof ApiError && error.status.reason === 'Conflict';
			if (!lostRace || attempt === triesAgainstWriters) throw error;
			// Most writes are of the status: look again whether the caller is still right.
			set = await getSet(client, refOf(set));
		}
	}
}

/** Throws in the words of kubectl scale. */
export function checkPreconditions(
	set: RunnersSet,
	{ currentReplicas, resourceVersion }: Preconditions,
): void {
	if (currentReplicas !== undefined && currentReplicas !== wantedOf(set)) {
		throw usageError(`Expected replicas to be ${currentReplicas}, was ${wantedOf(set)}`);
	}
	if (resourceVersion !== undefined && resourceVersion !== set.metadata.resourceVersion) {
		throw usageError(
			`Expected resource version to be ${resourceVersion}, was ${set.metadata.resourceVersion}`,
		);
	}
}

/** The set as it would be; for a dry run that shows it. */
export function scaled(set: RunnersSet, replicas: number): RunnersSet {
	const copy = structuredClone(set);
	copy.spec.replicas = replicas;
	return copy;
}
