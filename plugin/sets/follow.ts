import type { HorizontalRunnerAutoscaler } from '../../admission/api/autoscale.ts';
import { arc } from '../../admission/api/keys.ts';
import type { Pod } from '../../admission/api/kinds.ts';
import { isRunnerPod } from '../../admission/runner/runner-pod.ts';
import { autoscalersFor, autoscalersOf, isWithoutAutoscalers } from '../autoscalers/api.ts';
import type { KubeClient } from '../kube/client.ts';
import { isForbidden } from '../kube/failure.ts';
import { follow, followPods, type Observer, type Source } from '../kube/follow.ts';
import type { PodQuery } from '../kube/pods.ts';
import { printError } from '../print/out.ts';
import { byName, listSets, type RunnersSet, setsPath, UnknownKindError } from './api.ts';
import { kinds, type SetKind, type SetRef } from './names.ts';

/** Selects sets: without a namespace those of all namespaces, without names all of them. */
export interface SetScope {
	namespace?: string;
	named?: readonly SetRef[];
	/** Only sets of these kinds; default both. */
	kinds?: readonly SetKind[];
	labelSelector?: string;
	/** `SetModel` follows their autoscalers as well. */
	autoscalers?: boolean;
}

/** Reports sets as they change, until the signal aborts. `synced` is called once, when each kind has been listed. */
export async function followSets(
	client: KubeClient,
	scope: SetScope,
	observer: Observer<RunnersSet>,
	signal: AbortSignal,
): Promise<void> {
	const { named, namespace, labelSelector } = scope;
	const wanted = kinds.filter(
		(kind) => (scope.kinds?.includes(kind) ?? true) && (named?.some((ref) => ref.kind === kind) ?? true),
	);
	const isMeant = (set: RunnersSet) =>
		named?.some(({ kind, name }) => kind === set.kind && name === set.metadata.name) ?? true;
	const synced = afterCalls(wanted.length, () => observer.synced?.());
	let unknown = 0;

	await together(signal, (ended) =>
		wanted.map(async (kind) => {
			const names = named?.filter((ref) => ref.kind === kind) ?? [];
			const fieldSelector = names.length === 1 ? `metadata.name=${names[0]?.name}` : undefined;
			const query = { namespace, labelSelector, fieldSelector };
			const list = async (until: AbortSignal) => {
				const { sets, resourceVersion } = await listSets(client, kind, query, until);
				return { objects: sets, resourceVersion };
			};
			const source: Source<RunnersSet> = {
				path: setsPath(kind, namespace),
				labelSelector,
				fieldSelector,
				list,
			};
			const tell = (to: (set: RunnersSet) => void) => (set: RunnersSet) => {
				const whole = { ...set, kind };
				if (isMeant(whole)) to(whole);
			};
			try {
				await follow(
					client,
					source,
					{ ...observer, seen: tell(observer.seen), gone: tell(observer.gone), synced: () => synced(kind) },
					ended,
				);
			} catch (error) {
				if (!(error instanceof UnknownKindError)) throw error;
				// One kind may be installed without the other; it is an error only if neither is.
				unknown++;
				if (unknown === wanted.length) throw new UnknownKindError(wanted[0] ?? kind);
				synced(kind);
			}
		}),
	);
}

/** A set, its runner pods sorted by name, and the autoscaler that decides how many it has. */
export interface SetWithRunners {
	set: RunnersSet;
	runners: Pod[];
	autoscaler?: HorizontalRunnerAutoscaler | undefined;
}

/** Sets with their runners, as they are now. */
export class SetModel {
	readonly #sets = new Map<string, RunnersSet>();
	readonly #pods = new Map<string, Pod>();
	readonly #autoscalers = new Map<string, HorizontalRunnerAutoscaler>();

	/** Keeps the model up to date; `changed` is called for the first time when everything is known. */
	async follow(
		client: KubeClient,
		scope: SetScope,
		changed: () => void,
		failure: (message: string) => void,
		signal: AbortSignal,
	): Promise<void> {
		let complete = false;
		const synced = afterCalls(scope.autoscalers ? 3 : 2, () => {
			complete = true;
			changed();
		});
		const keep = <T extends RunnersSet | Pod | HorizontalRunnerAutoscaler>(
			map: Map<string, T>,
			key: string,
		): Observer<T> => ({
			seen: (object) => {
				map.set(object.metadata.uid ?? '', object);
				if (complete) changed();
			},
			gone: (object) => {
				if (map.delete(object.metadata.uid ?? '') && complete) changed();
			},
			synced: () => synced(key),
			failure,
		});
		await together(signal, (ended) => [
			followSets(client, scope, keep(this.#sets, 'sets'), ended),
			followPods(client, podsOf(scope), keep(this.#pods, 'pods'), ended),
			...(scope.autoscalers
				? [followAutoscalers(client, scope, keep(this.#autoscalers, 'autoscalers'), ended)]
				: []),
		]);
	}

	get sets(): SetWithRunners[] {
		const runners = [...this.#pods.values()].filter(isRunnerPod).sort(byName);
		return [...this.#sets.values()].sort(byName).map((set) => ({
			set,
			runners: runners.filter((pod) => belongsTo(pod, set)),
			autoscaler: autoscalersFor(set, this.#autoscalers.values())[0],
		}));
	}
}

/** Without the right to read autoscalers, or without their kind, sets are shown without them. */
async function followAutoscalers(
	client: KubeClient,
	{ namespace }: SetScope,
	observer: Observer<HorizontalRunnerAutoscaler>,
	signal: AbortSignal,
): Promise<void> {
	try {
		await follow(client, autoscalersOf(client, namespace), observer, signal);
	} catch (error) {
		if (!isWithoutAutoscalers(error)) throw error;
		if (isForbidden(error)) printError(`Warning: autoscalers are not shown: ${(error as Error).message}`);
		observer.synced?.();
	}
}

/** The pods of one set have its label; no label selects the pods of several sets and no others. */
export function podsOf({ namespace, named }: SetScope): PodQuery {
	const [only, ...more] = named ?? [];
	if (!only || more.length > 0) return { namespace };
	return { namespace, labelSelector: `${labelOf(only.kind)}=${only.name}` };
}

function belongsTo({ metadata }: Pod, set: RunnersSet): boolean {
	return (
		metadata.namespace === set.metadata.namespace &&
		metadata.labels?.[labelOf(set.kind)] === set.metadata.name
	);
}

function labelOf(kind: SetKind): string {
	return kind === 'RunnerSet' ? arc.runnerSet : arc.runnerDeployment;
}

/** Runs followers until all have ended; the first failure ends the others, and is thrown. */
async function together(signal: AbortSignal, start: (signal: AbortSignal) => Promise<void>[]): Promise<void> {
	const failed = new AbortController();
	const failures: unknown[] = [];
	const all = start(AbortSignal.any([signal, failed.signal]));
	await Promise.all(
		all.map((one) =>
			one.catch((error: unknown) => {
				failures.push(error);
				failed.abort();
			}),
		),
	);
	if (failures.length > 0) throw failures[0];
}

/** Returns a function that calls back once, when it has been called with this number of different keys. */
function afterCalls(count: number, done: () => void): (key: string) => void {
	const keys = new Set<string>();
	return (key) => {
		if (keys.has(key)) return;
		keys.add(key);
		if (keys.size === count) done();
	};
}
