import type { HorizontalRunnerAutoscaler } from '../api/autoscale.ts';
import type { ObjectKey } from '../api/object-key.ts';
import type { RunnersSet } from '../api/sets.ts';
import type { Cache } from '../cluster/cache.ts';
import type { SetsCache } from '../cluster/sets-cache.ts';
import type { Accounts } from '../github/accounts.ts';
import { JobRecords } from '../jobs/records/job-records.ts';
import { potOfLabels, Tally } from '../jobs/records/rules/shares.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Events } from '../kube/events.ts';
import { soonest } from '../kube/queue.ts';
import { foldName } from '../runner/github-name.ts';
import type { Scope } from '../runner/scope.ts';
import type { Blocked, DemandSource, SetDemand } from '../sets/demand-source.ts';
import type { SetKind } from '../sets/kind.ts';
import type { OwnedRunner } from '../sets/owners.ts';
import { scopeOf } from '../sets/pod/defaults.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';
import type { AutoscaleCache } from './cache.ts';
import { type BookChange, JobBook } from './job-book.ts';
import { JobRouter } from './job-router.ts';
import { KnownSets } from './known-sets.ts';
import { Poll } from './poll/poll.ts';
import { runningJobs } from './poll/rules/drift.ts';
import { Visibility } from './poll/visibility.ts';
import { PollTargets } from './poll-targets.ts';
import { RecordKeeper } from './record-keeper.ts';
import { Results } from './results.ts';
import { demand } from './rules/demand.ts';
import { desiredOf, type Finding } from './rules/desired.ts';
import { type Activity, givingOut, noActivity, withReconcile } from './rules/giving-out.ts';
import { isLiving } from './rules/holders.ts';
import { waitsForRunner } from './rules/job-status.ts';
import { countOpen } from './rules/open-jobs.ts';
import { metricLabelsOf, objectKeyOf, type SetKey, setKey, setKeyOf, splitSetKey } from './rules/set-key.ts';
import { spareFor } from './rules/spare.ts';
import type { Runner } from './rules/types.ts';
import { SetMemory } from './set-memory.ts';
import { AutoscalerStatusWriter } from './status-writer.ts';
import { Suggestions, suggestEveryMs } from './suggestions.ts';
import { SyncState, syncedWithinMs } from './sync-state.ts';
import { Targets } from './targets.ts';
import { WaitReasons } from './wait-reasons.ts';

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
	/** Whether GitHub has shown the idle runner of a pod offline for minutes, by the pod's UID. */
	isOffline?: (uid: string) => boolean;
	events: Events;
	metrics: Metrics;
	clock: Clock;
	log: Log;
}

const tooManyJobs = (owner: string): Finding => ({
	type: 'TooManyJobs',
	reason: 'RecordsFull',
	message: `as many jobs${owner && ` of ${owner}`} are recorded as may be: further ones get no runner before others end`,
});

/** Whose jobs a set runs; empty: an enterprise's, of any owner. */
const ownerOf = (scope: Scope | undefined): string =>
	scope?.kind === 'repository' ? scope.owner : scope?.kind === 'organization' ? scope.name : '';

/** After a mistake of ours GitHub is asked again this much later. */
const askAgainMs = 10_000;

/** How often it is checked whether all that is watched is known. */
const syncCheckMs = 200;

/** How often open jobs are counted for the metrics. */
const countEveryMs = 5_000;

/**
 * The leader's part of autoscaling: knows which autoscaler acts on which set, which jobs count for it, and says how many
 * runners it needs, whenever the set is reconciled. Router, poll, and the writers of records and statuses follow the book.
 */
export class Autoscaler implements DemandSource {
	readonly #dependencies: AutoscalerDependencies;
	readonly book: JobBook;
	readonly #sets = new KnownSets();
	readonly #results = new Results();
	readonly #targets: Targets;
	readonly #suggestions: Suggestions;
	readonly #syncState: SyncState;
	readonly #router: JobRouter;
	readonly #poll: Poll;
	readonly #statusWriter: AutoscalerStatusWriter;
	readonly #recordKeeper: RecordKeeper;
	readonly #memory = new Map<SetKey, SetMemory>();
	/** By GitHub host. */
	readonly #activity = new Map<string, Activity>();
	/** When it was last logged that something can't be watched, by the monotonic clock. */
	#warnedMs = Number.NEGATIVE_INFINITY;
	/** Records at the last count. */
	#recorded = new Tally();

	constructor(dependencies: AutoscalerDependencies) {
		this.#dependencies = dependencies;
		const { client, autoscaleCache, namespace, clock } = dependencies;
		this.book = new JobBook(clock.now);
		const shared = { ...dependencies, book: this.book, sets: this.#sets, results: this.#results };
		this.#suggestions = new Suggestions(clock);
		this.#syncState = new SyncState(dependencies);
		this.#targets = new Targets(autoscaleCache.autoscalers.informer);
		const visibility = new Visibility();
		const reasons = new WaitReasons(shared);
		this.#router = new JobRouter({ ...shared, reasons, visibility, syncState: this.#syncState });
		this.#poll = new Poll({
			...shared,
			visibility,
			targets: new PollTargets({ ...shared, targets: this.#targets }),
			records: new JobRecords({ client, namespace, clock }),
		});
		this.#statusWriter = new AutoscalerStatusWriter({ ...shared, targets: this.#targets });
		this.#recordKeeper = new RecordKeeper({ ...shared, jobs: autoscaleCache.jobs });
		this.book.changes.subscribe((change) => this.#bookChanged(change));
		autoscaleCache.jobs.on((change, record) => {
			if (change === 'deleted') this.book.recordDeleted(record.metadata.name);
			else this.book.recordChanged(record);
		});
		autoscaleCache.autoscalers.on((change, autoscaler, before) => {
			// Our own writes of its status change nothing.
			const { generation, deletionTimestamp } = autoscaler.metadata;
			const same =
				change === 'modified' &&
				before?.metadata.generation === generation &&
				before?.metadata.deletionTimestamp === deletionTimestamp;
			if (!same) this.#autoscalerChanged(autoscaler, change === 'deleted');
		});
	}

	get synced(): boolean {
		return this.#syncState.autoscalers;
	}

	onChange(kind: SetKind<RunnersSet>['kind'], listener: (key: ObjectKey, jobs: number) => void): void {
		this.book.changes.subscribe((change) => {
			if (change.kind === 'requeue' && splitSetKey(change.set).kind === kind)
				listener(objectKeyOf(change.set), this.book.countOf(change.set));
		});
	}

	/** Counts for the metrics, and asks GitHub what events have not reported, until `signal` ends. */
	async run(signal: AbortSignal): Promise<void> {
		await Promise.all([this.#count(signal), this.#ask(signal)]);
	}

	async #count(signal: AbortSignal): Promise<void> {
		const { metrics, clock } = this.#dependencies;
		while (!signal.aborted) {
			const { byState, unmatched, oldestMs } = countOpen(this.book.values());
			const recorded = new Tally();
			for (const { record } of this.book.values()) recorded.add(potOfLabels(record.metadata.labels));
			this.#recorded = recorded;
			metrics.autoscale.jobs(byState, unmatched, oldestMs);
			await clock.sleep(countEveryMs, signal);
		}
	}

	async #ask(signal: AbortSignal): Promise<void> {
		const { clock, log } = this.#dependencies;
		// Where the kinds are not installed there is nothing to ask about; they may be installed later.
		while (!signal.aborted && !this.#syncState.mayAsk) {
			this.#warnIfLate();
			await clock.sleep(syncCheckMs, signal);
		}
		while (!signal.aborted)
			await this.#poll.run(signal).catch(async (error: unknown) => {
				log.error({ error: String(error) }, 'asking GitHub about jobs failed, starting again');
				await clock.sleep(askAgainMs, signal);
			});
	}

	/** Once a minute, where something can't be watched. */
	#warnIfLate(): void {
		const { autoscaleCache, clock, log } = this.#dependencies;
		const warned = clock.monotonic() - this.#warnedMs < syncedWithinMs;
		if (!this.#syncState.late || warned || autoscaleCache.absent) return;
		this.#warnedMs = clock.monotonic();
		log.error(
			{ autoscalers: autoscaleCache.synced, jobs: autoscaleCache.jobsSynced },
			"autoscalers or recorded jobs cannot be watched, see the server's permissions: sets keep their runners, and no runner is created for a job",
		);
	}

	async stop(): Promise<void> {
		this.#router.stop();
		await Promise.all([this.#recordKeeper.stop(), this.#statusWriter.stop()]);
	}

	demandOf<S extends RunnersSet>(
		kind: SetKind<S>,
		set: S,
		owners: readonly OwnedRunner[],
	): SetDemand | undefined {
		const { autoscaleCache, isOffline, clock } = this.#dependencies;
		const { namespace = '', name } = set.metadata;
		const key = setKey({ kind: kind.kind, namespace, name });
		const runners = this.#memoryOf(key).runnersSeen(owners, kind.podName, clock.now(), isOffline);
		// Whether it has an autoscaler can't be known: it is filled up to its replicas, and none of its runners is removed.
		if (!autoscaleCache.synced) return keptAt(set.spec.replicas ?? 1, set, undefined);
		const autoscaler = this.#targets.acting(key);
		if (!autoscaler) {
			this.book.setReconciled(key, { runners, scaled: undefined });
			return undefined;
		}
		if (!this.#syncState.complete) return keptAt(runners.filter(isLiving).length, set, 200);
		return this.#scaled(kind, set, key, autoscaler, runners);
	}

	#scaled<S extends RunnersSet>(
		kind: SetKind<S>,
		set: S,
		key: SetKey,
		autoscaler: HorizontalRunnerAutoscaler,
		runners: readonly Runner[],
	): SetDemand {
		const nowMs = this.#dependencies.clock.now();
		const { metadata, spec } = autoscaler;
		const { uid = '' } = metadata;
		const memory = this.#memoryOf(key);
		const scope = scopeOf(kind.config(set));
		const owner = ownerOf(scope);
		const busy = runners.filter(({ phase }) => phase === 'busy').length;
		const { desired, findings, schedule, changesAtMs } = desiredOf(
			spec,
			{
				metrics: this.#suggestions.of(autoscaler, {
					scope,
					replicas: set.spec.replicas ?? undefined,
					busy,
					labels: this.#sets.labelsOf(key),
					listed: (repository) => this.#poll.listed(repository, key, scope),
				}),
				spareFor: (quantile) => spareFor(memory.arrivals(nowMs), memory.startUpMs, quantile, nowMs),
				ready: this.#isReady(key),
			},
			nowMs,
		);
		const jobs = this.book.of(key).map(({ job }) => job);
		const host = this.#sets.get(key)?.fixed?.host ?? this.#dependencies.host;
		const activity = this.#activity.get(host) ?? noActivity;
		const { passing: before, startUpsMs } = memory;
		const found = demand(jobs, runners, desired, nowMs, {
			memory: before,
			startUpsMs,
			giving: givingOut(activity),
		});
		memory.passing = found.passing.memory;
		this.#activity.set(host, withReconcile(activity, key, found.passing, nowMs));
		const replicas = found.desired + found.held;
		this.#results.set(uid, {
			desired,
			demand: found,
			schedule,
			replicas,
			findings: this.#recorded.hasRoom({ owner: foldName(owner), fits: true })
				? findings
				: [...findings, tooManyJobs(owner)],
			working: { busy, jobs: runningJobs(jobs, found.ended) },
		});
		this.book.setReconciled(key, { runners, scaled: { desired, demand: found } });
		const again = soonest(
			found.requeueAfterMs,
			changesAtMs === undefined ? undefined : changesAtMs - nowMs,
			// What depends on the last minutes or on metrics changes by itself.
			spec.metrics?.length || spec.spare?.quantile ? suggestEveryMs : undefined,
		);
		return {
			desired: found.desired,
			mayGo: found.mayGo,
			replace: found.replace,
			replicas,
			requeueAfterMs: again && Math.max(100, again.afterMs),
		};
	}

	blocked(set: RunnersSet, why: Blocked | undefined): void {
		this.#router.setBlocked(setKeyOf(set), why);
	}

	#memoryOf(set: SetKey): SetMemory {
		const known = this.#memory.get(set) ?? new SetMemory(this.#dependencies.clock.now());
		this.#memory.set(set, known);
		return known;
	}

	/** Nothing is removed before all recorded jobs are known, and what GitHub has queued for the set has been asked once. */
	#isReady(set: SetKey): boolean {
		return this.#dependencies.autoscaleCache.jobsSynced && this.#poll.isKnown(set);
	}

	#bookChanged(change: BookChange): void {
		if (change.kind === 'set-deleted') this.#setDeleted(change.set);
		if (change.kind !== 'job-recorded' || change.entry.set === undefined) return;
		const { before } = change;
		const { job, set } = change.entry;
		if (!before && job.state === 'queued') this.#memoryOf(set).jobArrived(job.openedMs);
		if (before && waitsForRunner(before) && job.state === 'in_progress')
			this.#dependencies.metrics.autoscale.jobStarted(metricLabelsOf(set), job.stateMs - before.stateMs);
	}

	#setDeleted(set: SetKey): void {
		this.#memory.delete(set);
		for (const [host, activity] of this.#activity)
			this.#activity.set(host, withReconcile(activity, set, undefined, this.#dependencies.clock.now()));
		for (const autoscaler of this.#targets.naming(set)) this.#targetChanged(autoscaler);
	}

	/** What was found for another set, or for one that is gone, no longer counts. */
	#targetChanged(autoscaler: HorizontalRunnerAutoscaler): void {
		this.#forget(autoscaler);
		this.#statusWriter.targetChanged(autoscaler);
	}

	#autoscalerChanged(autoscaler: HorizontalRunnerAutoscaler, deleted: boolean): void {
		const { before, now } = this.#targets.autoscalerChanged(autoscaler, deleted);
		const leaves = before !== undefined && before !== now;
		if (leaves && !this.#targets.acting(before))
			this.#dependencies.metrics.autoscale.notScaled(metricLabelsOf(before));
		if (deleted) {
			this.#forget(autoscaler);
			this.#statusWriter.autoscalerDeleted(autoscaler);
		} else if (leaves) this.#targetChanged(autoscaler);
		else this.#statusWriter.autoscalerChanged(autoscaler);
		for (const set of new Set([before, now])) if (set !== undefined) this.book.requeue(set);
	}

	#forget({ metadata: { uid = '' } }: HorizontalRunnerAutoscaler): void {
		this.#results.delete(uid);
		this.#suggestions.forget(uid);
	}
}

/** This number of runners, and none is removed. */
const keptAt = (desired: number, { spec }: RunnersSet, requeueAfterMs: number | undefined): SetDemand => ({
	desired,
	mayGo: [],
	replace: [],
	replicas: spec.replicas ?? 1,
	requeueAfterMs,
});
