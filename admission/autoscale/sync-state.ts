import type { RunnersSet } from '../api/sets.ts';
import type { Cache } from '../cluster/cache.ts';
import type { SetsCache } from '../cluster/sets-cache.ts';
import type { SetKind } from '../sets/kind.ts';
import type { Clock } from '../time/clock.ts';
import type { AutoscaleCache } from './cache.ts';

interface SyncStateDependencies {
	cache: Cache;
	setsCache: SetsCache;
	autoscaleCache: AutoscaleCache;
	/** Kinds of sets that are reconciled. */
	kinds: readonly SetKind<RunnersSet>['kind'][];
	clock: Pick<Clock, 'monotonic'>;
}

/** A cache that has not been filled after this is not waited for any longer: the rights to watch may be missing. */
export const syncedWithinMs = 60_000;

/** Whether the caches that autoscaling needs have been filled. */
export class SyncState {
	readonly #dependencies: SyncStateDependencies;
	/** Since when this process leads, by the monotonic clock. */
	readonly #sinceMs: number;

	constructor(dependencies: SyncStateDependencies) {
		this.#dependencies = dependencies;
		this.#sinceMs = dependencies.clock.monotonic();
	}

	/** Whether a cache has been empty for so long that sets can't wait for it any longer. */
	get late(): boolean {
		return this.#dependencies.clock.monotonic() - this.#sinceMs >= syncedWithinMs;
	}

	/** Whether it is known which sets have an autoscaler, or can't be waited for. */
	get autoscalers(): boolean {
		return this.#dependencies.autoscaleCache.synced || this.late;
	}

	/** Whether all sets and recorded jobs are known: before, no job is given to another set, and no runner made for one. */
	get complete(): boolean {
		const { autoscaleCache, setsCache, cache, kinds } = this.#dependencies;
		const watches = [
			kinds.includes('RunnerSet') && setsCache.runnerSets,
			kinds.includes('RunnerDeployment') && setsCache.runnerDeployments,
			autoscaleCache.jobs,
		].filter((watch) => watch !== false);
		return (cache.pods.synced && watches.every(({ informer }) => informer.synced)) || this.late;
	}

	/** Whether there is anything to ask GitHub about, and all of it is known. */
	get mayAsk(): boolean {
		const { autoscaleCache, cache } = this.#dependencies;
		return autoscaleCache.jobsSynced && autoscaleCache.synced && cache.pods.synced;
	}
}
