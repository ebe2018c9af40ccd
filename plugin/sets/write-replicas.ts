import { usageError } from '../errors.ts';
import type { KubeClient } from '../kube/client.ts';
import { despiteOtherWriters } from '../kube/other-writers.ts';
import { getSet, patchScale, type RunnersSet, refOf, wantedOf } from './api.ts';
import { shortName } from './names.ts';

/** As in kubectl scale: nothing is written unless the set is as the caller expects. */
export interface Preconditions {
	currentReplicas?: number;
	resourceVersion?: string;
}

/**
 * Writes the number of runners wanted through the scale subresource, as kubectl scale does. Resolves with the set as it
 * was before; `seen` is the set as the caller has read it.
 */
export function scaleSet(
	client: KubeClient,
	seen: RunnersSet,
	replicas: number,
	preconditions: Preconditions,
	dryRun: boolean,
): Promise<RunnersSet> {
	const isConditional = Object.values(preconditions).some((value) => value !== undefined);
	return despiteOtherWriters(
		seen,
		async (set) => {
			checkPreconditions(set, preconditions);
			const resourceVersion = isConditional ? set.metadata.resourceVersion : undefined;
			await patchScale(client, refOf(set), replicas, { resourceVersion, dryRun });
			return set;
		},
		() => getSet(client, refOf(seen)), // most writes only change the status, which the preconditions do not check
	);
}

/** The command that scales the set, for messages. */
export function scaleCommand(set: RunnersSet, replicas: number, namespace: string): string {
	return `kubectl runners scale ${shortName(refOf(set))} --replicas=${replicas} -n ${namespace}`;
}

/** Throws with the message that kubectl scale prints. */
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

/** The set as it would be, for a dry run that prints it. */
export function scaled(set: RunnersSet, replicas: number): RunnersSet {
	const copy = structuredClone(set);
	copy.spec.replicas = replicas;
	return copy;
}
