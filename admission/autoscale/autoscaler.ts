import type { HorizontalRunnerAutoscaler } from '../api/autoscale.ts';
import type { RunnerConfig, RunnersSet } from '../api/sets.ts';
import type { Cache } from '../cluster/cache.ts';
import type { SetsCache } from '../cluster/sets-cache.ts';
import type { Accounts } from '../github/accounts.ts';
import { mostRecords } from '../jobs/records/rules/policy.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import type { Events } from '../kube/events.ts';
import type { Blocked, DemandSource, SetDemand } from '../sets/demand-source.ts';
import type { SetKind } from '../sets/kind.ts';
import type { OwnedRunner } from '../sets/owners.ts';
import { scopeOf } from '../sets/pod/defaults.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { askGitHub } from './ask-github.ts';
import type { AutoscaleCache } from './cache.ts';
import { setKey } from './job-book.ts';
import { JobRouter, labelsOf } from './job-router.ts';
import type { Poll } from './poll/poll.ts';
import { demand } from './rules/demand.ts';
import { desiredOf, type Finding } from './rules/desired.ts';
import { isLiving } from './rules/holders.ts';
import { type Suggestion, suggestionOf } from './rules/metrics.ts';
import { spareFor } from './rules/spare.ts';
import type { Runner } from './rules/types.ts';
import { SetMemory } from './set-memory.ts';
import { type Looked, StatusWriter } from './status-writer.ts';
import { Targets } from './targets.ts';

export interface AutoscalerDependencies {
	client: KubeClient;
	cache: Cache;
	setsCache: SetsCache;
	autoscaleCache: AutoscaleCache;
	accounts: Pick<Accounts, 'resolve'>;
	/** Host of the GitHub that this server talks to. */
	host: string;
	/** The server's own namespace. */
	namespace: string;
	/** Kinds of sets that are reconciled. */
	kinds: readonly SetKind<RunnersSet>['kind'][];
	events: Events;
	metrics: Metrics;
	clock: Clock;
	log: Log;
}

/** Metrics are asked so often, as ARC does. */
const suggestEveryMs = 60_000;

const tooManyJobs: Finding = {
	type: 'TooManyJobs',
	reason: 'RecordsFull',
	message: `${mostRecords} jobs are open: further ones are not recorded, and get no runner before others end`,
};

/** What is not known after this is not waited for any more: the rights to watch it may be missing. */
const syncedWithinMs = 60_000;

/** After a mistake of ours GitHub is asked again so much later. */
const askAgainMs = 10_000;

/** How often it is checked whether all that is watched is known. */
const syncCheckMs = 200;

/** How often open jobs are counted for the metrics. */
const countEveryMs = 5_000;

/**
 * The leader's part of autoscaling: knows which autoscaler acts on which set, which jobs count for it, and answers how many
 * runners it needs, in the set's own look at its runners. What has come of it is written afterwards.
 */
export class Autoscaler implements DemandSource {
	readonly #dependencies: AutoscalerDependencies;
	readonly router: JobRouter;
	readonly #poll: Poll;
	readonly #status: StatusWriter;
	readonly #targets: Targets;
	/** By an autoscaler's UID: what its last look has found. */
	readonly #looked = new Map<string, Looked>();
	/** By the set's key. */
	readonly #memory = new Map<string, SetMemory>();
	/** By an autoscaler's UID: what its metrics said, when (ms since the epoch), and of which generation. */
	readonly #suggestions = new Map<
		string,
		{ atMs: number; suggestion: Suggestion; generation: number | undefined }
	>();
	/** When it was last logged that something can't be watched, by the monotonic clock. */
	#toldMs = Number.NEGATIVE_INFINITY;
	/** Open jobs at the last count. */
	#open = 0;
	readonly #listeners = new Map<string, (key: string, jobs: number) => void>();
	/** Since when this process leads, by the monotonic clock. */
	readonly #sinceMs: number;

	constructor(dependencies: AutoscalerDependencies) {
		this.#dependencies = dependencies;
		this.#sinceMs = dependencies.clock.monotonic();
		const { autoscaleCache } = dependencies;
		this.#targets = new Targets(autoscaleCache.autoscalers.informer);
		this.router = new JobRouter({
			...dependencies,
			look: (set) => this.#look(set),
			complete: () => this.#isComplete(),
			gone: (set) => this.#gone(set),
			came: (set, atMs) => this.#remembered(set).came(atMs),
			visible: (...asked) => this.#poll.isVisible(...asked),
			recorded: (job) => this.#poll.recorded(job),
		});
		this.#poll = askGitHub({
			...dependencies,
			router: () => this.router,
			targets: this.#targets,
			looked: this.#looked,
			look: (set) => this.#look(set),
		});
		this.#status = new StatusWriter({
			...dependencies,
			acting: (autoscaler) => this.#targets.actingBeside(autoscaler),
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
		return this.#dependencies.autoscaleCache.synced || this.#isLate();
	}

	/** Whether what is to be watched has not come for so long that sets can't wait for it any more. */
	#isLate(): boolean {
		return this.#dependencies.clock.monotonic() - this.#sinceMs >= syncedWithinMs;
	}

	/** Whether all sets and recorded jobs are known: before, no job is given to another set, and no runner made for one. */
	#isComplete(): boolean {
		const { autoscaleCache, setsCache, cache, kinds } = this.#dependencies;
		const watches = [
			kinds.includes('RunnerSet') && setsCache.runnerSets,
			kinds.includes('RunnerDeployment') && setsCache.runnerDeployments,
			autoscaleCache.jobs,
		].filter((watch) => watch !== false);
		return (cache.pods.synced && watches.every(({ informer }) => informer.synced)) || this.#isLate();
	}

	onChange(kind: SetKind<RunnersSet>['kind'], listener: (key: string, jobs: number) => void): void {
		this.#listeners.set(kind, listener);
	}

	/** Counts for the metrics, and asks GitHub what events have not told, until `signal`. */
	async run(signal: AbortSignal): Promise<void> {
		await Promise.all([this.#count(signal), this.#ask(signal)]);
	}

	async #count(signal: AbortSignal): Promise<void> {
		while (!signal.aborted) {
			this.#open = this.router.count();
			await this.#dependencies.clock.sleep(countEveryMs, signal);
		}
	}

	async #ask(signal: AbortSignal): Promise<void> {
		const { autoscaleCache, cache, clock, log } = this.#dependencies;
		// Where the kinds are not installed there is nothing to ask about; they may be installed later.
		while (!signal.aborted && !(autoscaleCache.jobsSynced && autoscaleCache.synced && cache.pods.synced)) {
			this.#tellLate();
			await clock.sleep(syncCheckMs, signal);
		}
		while (!signal.aborted)
			await this.#poll.run(signal).catch(async (error: unknown) => {
				log.error({ error: String(error) }, 'asking GitHub about jobs failed, beginning anew');
				await clock.sleep(askAgainMs, signal);
			});
	}

	/** Once a minute, where something can't be watched. */
	#tellLate(): void {
		const { autoscaleCache, clock, log } = this.#dependencies;
		const told = clock.monotonic() - this.#toldMs < syncedWithinMs;
		if (!this.#isLate() || told || autoscaleCache.absent) return;
		this.#toldMs = clock.monotonic();
		log.error(
			{ autoscalers: autoscaleCache.synced, jobs: autoscaleCache.jobsSynced },
			'autoscalers or recorded jobs can not be watched, see the rights of the server: sets keep their runners, and jobs make none',
		);
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
		// Whether it has an autoscaler can't be known: it is filled up to its replicas, and none of its runners goes.
		if (!this.#dependencies.autoscaleCache.synced) return keptAt(set.spec.replicas ?? 1, set, undefined);
		const autoscaler = this.#targets.acting(key);
		if (!autoscaler) {
			this.router.looked(key, runners, undefined);
			return undefined;
		}
		if (!this.#isComplete()) return keptAt(runners.filter(isLiving).length, set, 200);
		const { uid = '' } = autoscaler.metadata;
		const { desired, findings, schedule, changesAtMs } = desiredOf(
			autoscaler.spec,
			{
				metrics: this.#suggestion(autoscaler, key, kind.config(set), set.spec.replicas ?? undefined, runners),
				spareFor: (quantile) => spareFor(memory.arrivals(nowMs), memory.startUpMs, quantile, nowMs),
				ready: this.#isReady(key),
			},
			nowMs,
		);
		const jobs = this.router.jobsOf(key);
		const found = demand(jobs, runners, desired, nowMs);
		this.router.learnt(key, found);
		this.router.looked(key, runners, { desired, found });
		const replicas = found.desired + found.held;
		const working = {
			busy: runners.filter(({ phase }) => phase === 'busy').length,
			jobs: jobs.filter(({ state, endedMs }) => state === 'in_progress' && endedMs === undefined).length,
		};
		const all = this.#open < mostRecords ? findings : [...findings, tooManyJobs];
		this.#looked.set(uid, { desired, findings: all, schedule, demand: found, replicas, working });
		this.#status.changed(autoscaler);
		const again = [
			found.requeueAfterMs,
			changesAtMs === undefined ? undefined : changesAtMs - nowMs,
			// What is reckoned from the last minutes or from metrics changes by itself.
			autoscaler.spec.metrics?.length || autoscaler.spec.spare?.quantile ? suggestEveryMs : undefined,
		].filter((ms) => ms !== undefined);
		return {
			desired: found.desired,
			mayGo: found.mayGo,
			replicas,
			requeueAfterMs: again.length > 0 ? Math.max(100, Math.min(...again)) : undefined,
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
		{ metadata: { uid = '', generation }, spec }: HorizontalRunnerAutoscaler,
		key: string,
		config: RunnerConfig,
		replicas: number | undefined,
		runners: readonly Runner[],
	): Suggestion {
		const { clock } = this.#dependencies;
		const known = this.#suggestions.get(uid);
		const same = known?.generation === generation;
		if (known && same && clock.now() - known.atMs < suggestEveryMs) return known.suggestion;
		const suggestion = suggestionOf(spec.metrics, {
			scope: scopeOf(config),
			replicas,
			busy: runners.filter(({ phase }) => phase === 'busy').length,
			labels: this.router.labelsOf(key),
			listed: (repository) => this.#poll.listed(repository),
		});
		this.#suggestions.set(uid, { atMs: clock.now(), suggestion, generation });
		return suggestion;
	}

	/** Nothing is removed before all recorded jobs are known, and what GitHub has queued for the set has been asked once. */
	#isReady(key: string): boolean {
		return this.#dependencies.autoscaleCache.jobsSynced && this.#poll.isKnown(key);
	}

	/** There is no such set any more. */
	#gone(key: string): void {
		this.#memory.delete(key);
		for (const autoscaler of this.#targets.naming(key)) this.#forgetLooks(autoscaler);
	}

	/** An autoscaler names a set no more. */
	#scalesNoMore(key: string): void {
		const labels = labelsOf(key);
		if (labels && !this.#targets.acting(key)) this.#dependencies.metrics.autoscale.notScaled(labels);
	}

	/** What was found for another set, or for one that is gone, counts no more. */
	#forgetLooks(autoscaler: HorizontalRunnerAutoscaler): void {
		const { uid = '' } = autoscaler.metadata;
		this.#looked.delete(uid);
		this.#suggestions.delete(uid);
		this.#status.forgetTarget(autoscaler);
		this.#status.changed(autoscaler);
	}

	#look(key: string): void {
		const [kind = '', name = ''] = key.split(' ');
		this.#listeners.get(kind)?.(name, this.router.countOf(key));
	}

	#note(deleted: boolean, autoscaler: HorizontalRunnerAutoscaler): void {
		const { before, now } = this.#targets.note(autoscaler, deleted);
		if (before !== undefined && before !== now) this.#scalesNoMore(before);
		if (deleted) {
			const { uid = '' } = autoscaler.metadata;
			this.#looked.delete(uid);
			this.#suggestions.delete(uid);
			this.#status.forget(autoscaler);
		} else if (before !== undefined && before !== now) this.#forgetLooks(autoscaler);
		else this.#status.changed(autoscaler);
		for (const key of new Set([before, now])) if (key !== undefined) this.#look(key);
	}
}

/** As many runners as this, and none is removed. */
const keptAt = (desired: number, { spec }: RunnersSet, requeueAfterMs: number | undefined): SetDemand => ({
	desired,
	mayGo: [],
	replicas: spec.replicas ?? 1,
	requeueAfterMs,
});
