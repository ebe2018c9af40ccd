import { autoscaleKinds, type HorizontalRunnerAutoscaler } from '../api/autoscale.ts';
import type { RunnerConfig, RunnersSet } from '../api/sets.ts';
import type { Cache } from '../cluster/cache.ts';
import type { SetsCache } from '../cluster/sets-cache.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import type { Events } from '../kube/events.ts';
import type { Blocked, DemandSource, SetDemand } from '../sets/demand-source.ts';
import type { SetKind } from '../sets/kind.ts';
import type { OwnedRunner } from '../sets/owners.ts';
import { scopeOf } from '../sets/pod/defaults.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { AutoscaleCache } from './cache.ts';
import { setKey } from './job-book.ts';
import { JobRouter } from './job-router.ts';
import { demand } from './rules/demand.ts';
import { type Suggestion, suggestionOf } from './rules/metrics.ts';
import { spareFor } from './rules/spare.ts';
import type { Credit, Runner } from './rules/types.ts';
import { wishOf } from './rules/wish.ts';
import { SetMemory } from './set-memory.ts';
import { type Looked, StatusWriter } from './status-writer.ts';

export interface AutoscalerDependencies {
	client: KubeClient;
	cache: Cache;
	setsCache: SetsCache;
	autoscaleCache: AutoscaleCache;
	/** Host of the GitHub that this server talks to. */
	host: string;
	/** The server's own namespace. */
	namespace: string;
	events: Events;
	metrics: Metrics;
	clock: Clock;
	log: Log;
}

/** Metrics are asked so often, as ARC does. */
const suggestEveryMs = 60_000;

/** How often open jobs are counted for the metrics. */
const countEveryMs = 5_000;

/**
 * The leader's part of autoscaling: knows which autoscaler acts on which set, which jobs count for it, and answers how many
 * runners it needs, in the set's own look at its runners. What has come of it is written afterwards.
 */
export class Autoscaler implements DemandSource {
	readonly #dependencies: AutoscalerDependencies;
	readonly router: JobRouter;
	readonly #status: StatusWriter;
	/** By the set's key: the autoscalers that name it, `namespace/name`. */
	readonly #naming = new Map<string, Set<string>>();
	/** By `namespace/name` of an autoscaler: the key of the set that it names. */
	readonly #targets = new Map<string, string>();
	/** By an autoscaler's UID: what its last look has found. */
	readonly #looked = new Map<string, Looked>();
	/** By an autoscaler's UID: its credits, from its status when it is first seen. */
	readonly #credits = new Map<string, readonly Credit[]>();
	/** By the set's key. */
	readonly #memory = new Map<string, SetMemory>();
	/** By an autoscaler's UID: what its metrics said, and when they were asked, ms since the epoch. */
	readonly #suggestions = new Map<string, { atMs: number; suggestion: Suggestion; asked: unknown }>();
	readonly #listeners = new Map<string, (key: string) => void>();

	constructor(dependencies: AutoscalerDependencies) {
		this.#dependencies = dependencies;
		const { autoscaleCache } = dependencies;
		this.router = new JobRouter({
			...dependencies,
			look: (set) => this.#look(set),
			gone: (set) => void this.#memory.delete(set),
			came: (set, atMs) => this.#remembered(set).came(atMs, dependencies.clock.now()),
		});
		this.#status = new StatusWriter({
			...dependencies,
			acting: (autoscaler) => this.#acts(autoscaler),
			looked: (uid) => this.#looked.get(uid),
		});
		autoscaleCache.autoscalers.on((change, autoscaler, before) => {
			// Our own writes of its status change nothing.
			const { generation, deletionTimestamp } = autoscaler.metadata;
			const same =
				change === 'modified' &&
				before?.metadata.generation === generation &&
				before?.metadata.deletionTimestamp === deletionTimestamp;
			if (!same) this.#note(change === 'deleted', autoscaler);
		});
	}

	get synced(): boolean {
		return this.#dependencies.autoscaleCache.synced;
	}

	onChange(kind: SetKind<RunnersSet>['kind'], listener: (key: string) => void): void {
		this.#listeners.set(kind, listener);
	}

	/** Counts for the metrics, until `signal`. */
	async run(signal: AbortSignal): Promise<void> {
		const { clock } = this.#dependencies;
		while (!signal.aborted) {
			this.router.count();
			await clock.sleep(countEveryMs, signal);
		}
	}

	async stop(): Promise<void> {
		await Promise.all([this.router.stop(), this.#status.stop()]);
	}

	demandOf<S extends RunnersSet>(
		kind: SetKind<S>,
		set: S,
		owners: readonly OwnedRunner[],
	): SetDemand | undefined {
		const { clock } = this.#dependencies;
		const nowMs = clock.now();
		const key = setKey(kind.kind, set.metadata.namespace ?? '', set.metadata.name);
		const memory = this.#remembered(key);
		const runners = memory.see(owners, kind.podName, nowMs);
		const autoscaler = this.#acting(key);
		if (!autoscaler) {
			this.router.looked(key, runners, undefined);
			return undefined;
		}
		const { uid = '' } = autoscaler.metadata;
		const { wish, findings, schedule, changesAtMs } = wishOf(
			autoscaler.spec,
			{
				metrics: this.#suggestion(autoscaler, kind.config(set), set.spec.replicas ?? undefined, runners),
				spareFor: (quantile) => spareFor(memory.arrivals, memory.startUpMs, quantile, nowMs),
				ready: this.#isReady(key),
			},
			nowMs,
		);
		const jobs = this.router.jobsOf(key);
		const credits = this.#credits.get(uid) ?? readCredits(autoscaler);
		const found = demand(jobs, runners, credits, wish, nowMs);
		this.#credits.set(uid, found.credits);
		this.router.learnt(key, found);
		this.router.looked(key, runners, { wish, found });
		const replicas = found.desired + found.held;
		this.#looked.set(uid, { wish, findings, schedule, demand: found, replicas });
		this.#status.changed(autoscaler);
		const again = [
			found.lookAgainMs,
			changesAtMs === undefined ? undefined : changesAtMs - nowMs,
			// What is reckoned from the last minutes or from metrics changes by itself.
			autoscaler.spec.metrics?.length || autoscaler.spec.spare?.quantile ? suggestEveryMs : undefined,
		].filter((ms) => ms !== undefined);
		return {
			desired: found.desired,
			mayGo: found.mayGo,
			replicas,
			lookAgainMs: again.length > 0 ? Math.max(100, Math.min(...again)) : undefined,
		};
	}

	blocked(set: RunnersSet, why: Blocked | undefined): void {
		this.router.blocked(setKey(set.kind ?? '', set.metadata.namespace ?? '', set.metadata.name), why);
	}

	#remembered(key: string): SetMemory {
		const known = this.#memory.get(key) ?? new SetMemory(this.#dependencies.clock.now());
		this.#memory.set(key, known);
		return known;
	}

	/** What the metrics say, asked at most once in suggestEveryMs: runners take a while to become busy. */
	#suggestion(
		{ metadata: { uid = '' }, spec }: HorizontalRunnerAutoscaler,
		config: RunnerConfig,
		replicas: number | undefined,
		runners: readonly Runner[],
	): Suggestion {
		const { clock } = this.#dependencies;
		const known = this.#suggestions.get(uid);
		const same = known?.asked === spec.metrics;
		if (known && same && clock.now() - known.atMs < suggestEveryMs) return known.suggestion;
		const suggestion = suggestionOf(spec.metrics, {
			scope: scopeOf(config),
			replicas,
			busy: runners.filter(({ phase }) => phase === 'busy').length,
			labels: [...(config.labels ?? []), 'linux', 'x64', 'arm64'],
			listed: () => ({ jobs: undefined }),
		});
		this.#suggestions.set(uid, { atMs: clock.now(), suggestion, asked: spec.metrics });
		return suggestion;
	}

	/** Nothing is removed before all recorded jobs are known, and what GitHub has queued for the set has been asked once. */
	#isReady(_key: string): boolean {
		return this.#dependencies.autoscaleCache.jobsSynced;
	}

	#look(key: string): void {
		const [kind = '', name = ''] = key.split(' ');
		this.#listeners.get(kind)?.(name);
	}

	#note(deleted: boolean, autoscaler: HorizontalRunnerAutoscaler): void {
		const { namespace = '', name, uid = '' } = autoscaler.metadata;
		const own = `${namespace}/${name}`;
		const before = this.#targets.get(own);
		const target = deleted ? undefined : targetOf(autoscaler);
		if (before && before !== target) {
			this.#naming.get(before)?.delete(own);
			if (this.#naming.get(before)?.size === 0) this.#naming.delete(before);
			this.#look(before);
		}
		if (deleted) {
			this.#targets.delete(own);
			this.#looked.delete(uid);
			this.#credits.delete(uid);
			this.#suggestions.delete(uid);
			this.#status.forget(autoscaler);
		}
		if (!target) return;
		this.#targets.set(own, target);
		this.#naming.set(target, (this.#naming.get(target) ?? new Set<string>()).add(own));
		this.#status.changed(autoscaler);
		this.#look(target);
	}

	/** The autoscaler that acts on a set: the oldest of those that name it and are not being deleted. */
	#acting(key: string): HorizontalRunnerAutoscaler | undefined {
		const { autoscalers } = this.#dependencies.autoscaleCache;
		const all = [...(this.#naming.get(key) ?? [])].flatMap((own) => {
			const [namespace, name = ''] = own.split('/');
			const found = autoscalers.informer.get(namespace, name);
			return found && !found.metadata.deletionTimestamp ? [found] : [];
		});
		return all.toSorted(byAge)[0];
	}

	#acts(autoscaler: HorizontalRunnerAutoscaler): HorizontalRunnerAutoscaler | undefined {
		return this.#acting(targetOf(autoscaler));
	}
}

const byAge = (one: HorizontalRunnerAutoscaler, other: HorizontalRunnerAutoscaler): number =>
	(one.metadata.creationTimestamp ?? '').localeCompare(other.metadata.creationTimestamp ?? '') ||
	one.metadata.name.localeCompare(other.metadata.name);

/** Key of the set that an autoscaler names. */
export function targetOf({ metadata, spec }: HorizontalRunnerAutoscaler): string {
	const { kind = 'RunnerDeployment', name = '' } = spec.scaleTargetRef ?? {};
	return setKey(kind || 'RunnerDeployment', metadata.namespace ?? '', name);
}

/** Credits of an earlier term, as the status has them. */
function readCredits({ status }: HorizontalRunnerAutoscaler): Credit[] {
	return (status?.credits ?? []).flatMap(({ runner, since, repository, runId, runAttempt }) => {
		const sinceMs = Date.parse(since ?? '');
		return runner === undefined || Number.isNaN(sinceMs)
			? []
			: [{ runner, sinceMs, repository, runId, runAttempt }];
	});
}

export const autoscalerSubject = ({ metadata }: HorizontalRunnerAutoscaler) => ({
	...autoscaleKinds.autoscaler,
	metadata,
});
