import { autoscaleKinds, type HorizontalRunnerAutoscaler } from '../../admission/api/autoscale.ts';
import { arc } from '../../admission/api/keys.ts';
import type { Pod } from '../../admission/api/kinds.ts';
import { collectionPath } from '../../admission/api/paths.ts';
import { drainFinalizer } from '../../admission/api/sets.ts';
import { autoscalerName } from '../autoscalers/api.ts';
import { limitsText } from '../autoscalers/state.ts';
import type { KubeClient } from '../kube/client.ts';
import { unlessNotFound } from '../kube/failure.ts';
import { listPods } from '../kube/pods.ts';
import { type State, stateOf } from '../runners/state.ts';
import { allSets, type RunnersSet, refOf, UnknownKindError } from '../sets/api.ts';
import { kinds, shortName } from '../sets/names.ts';
import { type ArcDeployment, webhookServerCommand } from './obstacles.ts';

/** A set that our controllers would take over. */
interface Takeover {
	set: RunnersSet;
	pods: Pod[];
}

/** The sets that our controllers would take over, each with its runners; sets that they manage already are left out. */
export function takeovers(sets: readonly RunnersSet[], pods: readonly Pod[]): Takeover[] {
	const bySet = new Map<string, Pod[]>();
	for (const pod of pods) {
		const key = setKeyOf(pod);
		if (key !== undefined) bySet.set(key, [...(bySet.get(key) ?? []), pod]);
	}
	return sets
		.filter(({ metadata }) => !(metadata.finalizers ?? []).includes(drainFinalizer))
		.map((set) => ({ set, pods: bySet.get(keyOf(set)) ?? [] }));
}

export function keyOf({ kind, metadata }: RunnersSet): string {
	return `${kind}/${metadata.namespace}/${metadata.name}`;
}

/** Key of the set whose label the pod carries. */
export function setKeyOf({ metadata }: Pod): string | undefined {
	const { namespace, labels = {} } = metadata;
	if (labels[arc.runnerSet]) return `RunnerSet/${namespace}/${labels[arc.runnerSet]}`;
	if (labels[arc.runnerDeployment]) return `RunnerDeployment/${namespace}/${labels[arc.runnerDeployment]}`;
	return undefined;
}

/** What happens to runners in each state. */
const fates: Record<State, string> = {
	busy: 'finish their jobs',
	idle: 'are replaced, a surge at a time',
	starting: 'are replaced, a surge at a time',
	pending: 'are replaced, a surge at a time',
	unknown: 'finish their job if they have one, and are replaced',
	draining: 'continue to be deleted',
	stopped: 'are removed',
};

/** The plan as text: a line for each set, with what happens to its runners. */
export function planLines(plan: readonly Takeover[], nowMs: number): string[] {
	if (plan.length === 0) return [];
	const lines = plan.map(({ set, pods }) => {
		const counts = new Map<State, number>();
		for (const pod of pods) {
			const state = stateOf(pod, nowMs);
			counts.set(state, (counts.get(state) ?? 0) + 1);
		}
		const parts = (Object.keys(fates) as State[])
			.filter((state) => counts.has(state))
			.map((state) => `${counts.get(state)} ${state} (${fates[state]})`);
		const runners = pods.length === 1 ? '1 runner' : `${pods.length} runners`;
		const name = `${shortName(refOf(set))} -n ${set.metadata.namespace}`;
		return `  ${name}: ${[runners, ...(parts.length > 0 ? [parts.join(', ')] : [])].join(': ')}`;
	});
	return [
		`Plan: ${plan.length === 1 ? '1 set is' : `${plan.length} sets are`} taken over; no job is stopped`,
		...lines,
	];
}

/**
 * What happens to autoscalers that our server has not acted on yet. ARC never writes `observedGeneration`; our server
 * does.
 */
export function autoscalerLines(autoscalers: readonly HorizontalRunnerAutoscaler[]): string[] {
	return autoscalers
		.filter(({ status }) => status?.observedGeneration === undefined)
		.map((autoscaler) => {
			const reserved = (autoscaler.spec.capacityReservations ?? []).length;
			const left =
				reserved === 0 ? '' : `; ${reserved} of ARC's capacityReservations add runners until they expire`;
			const name = `${autoscalerName(autoscaler)} -n ${autoscaler.metadata.namespace}`;
			return `  ${name}: is taken over, and counts jobs (${limitsText(autoscaler)})${left}`;
		});
}

/** ARC's webhook server keeps writing reservations, each of which would add a runner. */
export function webhookServerLines(
	deployments: readonly ArcDeployment[],
	autoscalers: readonly unknown[],
): string[] {
	if (autoscalers.length === 0) return [];
	return deployments
		.filter(
			({ spec }) =>
				spec.replicas !== 0 &&
				spec.template.spec.containers.some(({ command = [] }) => command.includes(webhookServerCommand)),
		)
		.map(
			({ metadata: { name, namespace } }) =>
				`  deployment/${name} -n ${namespace}: still writes capacityReservations, which add runners; point GitHub's webhook at our server (docs/autoscaling.md), then kubectl scale deployment ${name} -n ${namespace} --replicas=0`,
		);
}

export async function findAutoscalers(client: KubeClient): Promise<HorizontalRunnerAutoscaler[]> {
	const found = client.json<{ items: HorizontalRunnerAutoscaler[] }>(
		'GET',
		collectionPath(autoscaleKinds.autoscaler),
	);
	return (await unlessNotFound(found))?.items ?? [];
}

/** Reads what the plan needs; without ARC's kinds there is no plan. */
export async function findTakeovers(client: KubeClient): Promise<Takeover[]> {
	let sets: RunnersSet[];
	try {
		sets = await allSets(client, kinds, {});
	} catch (error) {
		if (error instanceof UnknownKindError) return [];
		throw error;
	}
	if (sets.length === 0) return [];
	return takeovers(sets, await podsOfSets(client));
}

/** Runner pods of sets, in all namespaces. */
export async function podsOfSets(client: KubeClient): Promise<Pod[]> {
	const lists = await Promise.all(
		[arc.runnerSet, arc.runnerDeployment].map((labelSelector) => listPods(client, { labelSelector })),
	);
	return lists.flatMap(({ pods }) => pods);
}
