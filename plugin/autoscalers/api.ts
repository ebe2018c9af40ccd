import { autoscaleKinds, type HorizontalRunnerAutoscaler } from '../../admission/api/autoscale.ts';
import { collectionPath } from '../../admission/api/paths.ts';
import { group } from '../../admission/api/sets.ts';
import type { KubeClient } from '../kube/client.ts';
import { ApiError, isForbidden, isNotFound } from '../kube/failure.ts';
import type { Source } from '../kube/follow.ts';
import { type RunnersSet, refOf } from '../sets/api.ts';
import type { SetRef } from '../sets/names.ts';

/** There is no such kind in this cluster, or its objects may not be read. */
export const isWithoutAutoscalers = (error: unknown): boolean =>
	isForbidden(error) || (isNotFound(error) && error instanceof ApiError && !error.status.details?.name);

export function autoscalersOf(
	client: KubeClient,
	namespace: string | undefined,
): Source<HorizontalRunnerAutoscaler> {
	const path = collectionPath(autoscaleKinds.autoscaler, namespace);
	return {
		path,
		list: async (signal) => {
			const { items = [], metadata } = await client.json<{
				items?: HorizontalRunnerAutoscaler[];
				metadata?: { resourceVersion?: string };
			}>('GET', path, { signal });
			const { apiVersion, kind } = autoscaleKinds.autoscaler;
			return {
				objects: items.map((one) => ({ ...one, apiVersion, kind })),
				resourceVersion: metadata?.resourceVersion ?? '',
			};
		},
	};
}

/** Those of a namespace, by default the client's. */
export async function listAutoscalers(
	client: KubeClient,
	namespace = client.namespace,
): Promise<HorizontalRunnerAutoscaler[]> {
	return (await autoscalersOf(client, namespace).list(new AbortController().signal)).objects;
}

/** The set that it scales; undefined: it names none. */
export function targetOf({ spec }: HorizontalRunnerAutoscaler): SetRef | undefined {
	const { kind = 'RunnerDeployment', name } = spec.scaleTargetRef ?? {};
	return name ? { kind, name } : undefined;
}

/** Those that name the set as their target. The first one acts, which is the oldest; the others say `TargetTaken`. */
export function autoscalersFor(
	set: RunnersSet,
	autoscalers: Iterable<HorizontalRunnerAutoscaler>,
): HorizontalRunnerAutoscaler[] {
	return autoscalersForTarget(refOf(set), set.metadata.namespace, autoscalers);
}

/** `autoscalersFor` of a set that is known by its name. */
export function autoscalersForTarget(
	{ kind, name }: SetRef,
	namespace: string | undefined,
	autoscalers: Iterable<HorizontalRunnerAutoscaler>,
): HorizontalRunnerAutoscaler[] {
	const rank = ({ metadata, status }: HorizontalRunnerAutoscaler) => {
		const taken = status?.conditions?.some((one) => one.type === 'TargetTaken' && one.status === 'True');
		return `${taken ? 1 : 0} ${metadata.creationTimestamp ?? ''} ${metadata.name}`;
	};
	return [...autoscalers]
		.filter((one) => {
			const target = targetOf(one);
			return one.metadata.namespace === namespace && target?.kind === kind && target.name === name;
		})
		.sort((left, right) => (rank(left) < rank(right) ? -1 : 1));
}

/** For people: `horizontalrunnerautoscaler/linux`. */
export function autoscalerName({ metadata }: Pick<HorizontalRunnerAutoscaler, 'metadata'>): string {
	return `${autoscaleKinds.autoscaler.kind.toLowerCase()}/${metadata.name}`;
}

/** As kubectl prints it after a change. */
export function fullAutoscalerName({ metadata }: Pick<HorizontalRunnerAutoscaler, 'metadata'>): string {
	return `${autoscaleKinds.autoscaler.kind.toLowerCase()}.${group}/${metadata.name}`;
}
