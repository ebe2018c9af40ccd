import { type RunnersSet, setKinds } from '../api/sets.ts';
import { architectureLabel, type Cache } from '../cluster/cache.ts';
import type { SetsCache } from '../cluster/sets-cache.ts';
import type { Blocked } from '../sets/demand-source.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';
import { inSlices } from '../time/slices.ts';
import { configOf, fixedPart } from './candidates.ts';
import type { BookChange, Entry, JobBook, SetFindings } from './job-book.ts';
import type { KnownSets } from './known-sets.ts';
import type { Visibility } from './poll/visibility.ts';
import { withRuns } from './rules/architectures.ts';
import { allGiven, notGiven } from './rules/experiment.ts';
import { classOf } from './rules/job-class.ts';
import { waitsForRunner } from './rules/job-status.ts';
import { startsWithinMs } from './rules/policy.ts';
import { type Routed, route, routeAll, type Sets } from './rules/routing.ts';
import { afterReconcile, bearsOnOthers, placesIn, type SetFacts } from './rules/set-facts.ts';
import { metricLabelsOf, type SetKey, setKeyOf, splitSetKey } from './rules/set-key.ts';
import type { Demand, Runner } from './rules/types.ts';
import type { SyncState } from './sync-state.ts';
import type { WaitReasons } from './wait-reasons.ts';

interface JobRouterDependencies {
	book: JobBook;
	sets: KnownSets;
	reasons: WaitReasons;
	visibility: Visibility;
	syncState: SyncState;
	cache: Cache;
	setsCache: SetsCache;
	host: string;
	metrics: Metrics;
	clock: Clock;
}

/**
 * Jobs are routed anew this soon after something that bears on all of them has changed; later where there are many, and where
 * it took long the last time: whatever jobs and sets there are, it takes no more than a fifth of the time.
 */
const rerouteAfterMs = (jobs: number, tookMs: number) => Math.max(50 + jobs / 20, 4 * tookMs);

/** Reviews and everything else have a turn after so long while all jobs are routed. */
const sliceMs = 5;

/** Kubernetes knows some eight; a label may say anything. */
const mostArchitectures = 16;

/** Finds the set that each open job counts for. */
export class JobRouter {
	readonly #dependencies: JobRouterDependencies;
	/** Architectures of the nodes that there are, or were: those that are gone may come again. */
	readonly #architectures = new Set<string>();
	readonly #stopped = new AbortController();
	#cancelReroute: (() => void) | undefined;
	/** All jobs are being routed. `again`: something has changed since that began. */
	#rerouting: { again: boolean } | undefined;
	/** When the next job that tries a set that cannot start runners is to move on, ms since the epoch. */
	#probe: { endsMs: number; cancel: () => void } | undefined;
	/** How long that took the last time, others' turns included. */
	#tookMs = 0;

	constructor(dependencies: JobRouterDependencies) {
		this.#dependencies = dependencies;
		const { book, setsCache, cache } = dependencies;
		book.changes.subscribe((change) => this.#bookChanged(change));
		for (const { on } of [setsCache.runnerSets, setsCache.runnerDeployments])
			on((change, set) => (change === 'deleted' ? this.#setDeleted(set) : this.#setChanged(set)));
		cache.onNode((_change, node) => this.#architectureSeen(architectureOf(node)));
	}

	stop(): void {
		this.#stopped.abort();
		this.#cancelReroute?.();
		this.#probe?.cancel();
	}

	/** Why the set can't start runners now; undefined: it can. */
	setBlocked(set: SetKey, why: Blocked | undefined): void {
		const facts = this.#dependencies.sets.get(set);
		if (!facts || facts.blocked === why) return;
		facts.blocked = why;
		this.#rerouteSoon();
	}

	#bookChanged(change: BookChange): void {
		switch (change.kind) {
			case 'job-recorded':
				this.#route(change.entry);
				break;
			case 'set-reconciled':
				if (change.findings.scaled) this.#learn(change.set, change.findings.scaled.demand);
				this.#setReconciled(change.set, change.findings);
				break;
			case 'visibility-learned':
				this.#rerouteSoon();
		}
	}

	/** What the reconcile of a set has found out about its jobs. */
	#learn(set: SetKey, { bound, ended, unassigned }: Demand): void {
		const { book, clock } = this.#dependencies;
		const nowMs = clock.now();
		const runs = new Map(bound.map(({ job, runner }) => [job, runner]));
		const over = new Map(ended.map(({ job, runner }) => [job, runner]));
		const left = new Map(unassigned.map(({ job, sinceMs }) => [job, sinceMs]));
		for (const { job } of book.of(set)) {
			if (job.state === 'completed') continue;
			book.learn(job.key, {
				boundTo: runs.get(job.key) ?? over.get(job.key),
				endedMs: over.has(job.key) ? (job.endedMs ?? nowMs) : undefined,
				unassignedMs: left.get(job.key),
			});
		}
	}

	#setReconciled(set: SetKey, { runners, scaled }: SetFindings): void {
		const { book, sets, clock } = this.#dependencies;
		this.#runsSeen(set, runners);
		const facts = sets.get(set);
		if (!facts) return;
		const names = new Set(runners.map(({ name }) => name.toLowerCase()));
		const appeared = new Set(sets.runnersSeen(set, names));
		// Jobs that GitHub has given to a runner that has just appeared count for its set.
		if (appeared.size > 0)
			for (const { job } of book.values())
				if (job.runnerName !== undefined && appeared.has(job.runnerName.toLowerCase()))
					if (sets.index.covers(set, job)) this.#assign(job.key, set);
		// Those that it is not given take no place.
		const withheld = scaled?.demand.passing.withheld;
		const waits = ({ job }: Entry) => waitsForRunner(job) && !withheld?.has(job.key);
		const waiting = book.of(set).filter(waits).length;
		const nowMs = clock.now();
		const after = {
			...afterReconcile(facts, runners, scaled?.desired, waiting, nowMs),
			notGiven: scaled ? notGiven(scaled.demand.passing.memory, nowMs) : allGiven,
		};
		sets.reconciled(set, after);
		if (bearsOnOthers(facts, after)) this.#rerouteSoon();
	}

	/** Where runners of a set have run shows which architecture they have, if its spec does not. */
	#runsSeen(key: SetKey, runners: readonly Runner[]): void {
		const { sets, setsCache, cache } = this.#dependencies;
		const facts = sets.get(key);
		const ran =
			facts && withRuns(facts.ran, runners, (node) => architectureOf(cache.nodes.get(undefined, node)));
		if (!facts || !ran || ran === facts.ran) return;
		facts.ran = ran;
		const { kind, namespace, name } = splitSetKey(key);
		const { informer } =
			kind === setKinds.runnerSet.kind ? setsCache.runnerSets : setsCache.runnerDeployments;
		const set: RunnersSet | undefined = informer.get(namespace, name);
		if (set) this.#setChanged(set);
	}

	#setChanged(set: RunnersSet): void {
		const { sets, host } = this.#dependencies;
		const key = setKeyOf(set);
		const ran = sets.get(key)?.ran ?? [];
		if (sets.specChanged(key, fixedPart(key, configOf(set), set, host, this.#architectures, ran)))
			this.#rerouteSoon();
	}

	#setDeleted(set: RunnersSet): void {
		const { book, sets, metrics } = this.#dependencies;
		const key = setKeyOf(set);
		sets.deleted(key);
		metrics.autoscale.forget(metricLabelsOf(key));
		book.setDeleted(key);
		this.#rerouteSoon();
	}

	#architectureSeen(architecture: string | undefined): void {
		if (architecture === undefined || this.#architectures.has(architecture)) return;
		if (this.#architectures.size >= mostArchitectures) return;
		this.#architectures.add(architecture);
		const { runnerSets, runnerDeployments } = this.#dependencies.setsCache;
		for (const set of runnerSets.informer.values()) this.#setChanged(set);
		for (const set of runnerDeployments.informer.values()) this.#setChanged(set);
	}

	/** All waiting jobs find their sets anew: a set has come or gone, or has room or none. */
	#rerouteSoon(): void {
		if (this.#rerouting) {
			this.#rerouting.again = true;
			return;
		}
		const { clock, book } = this.#dependencies;
		this.#cancelReroute ??= clock.after(rerouteAfterMs(book.size, this.#tookMs), () => {
			this.#cancelReroute = undefined;
			void this.#rerouteAll();
		});
	}

	async #rerouteAll(): Promise<void> {
		const { syncState, clock } = this.#dependencies;
		if (!syncState.complete) {
			this.#rerouteSoon();
			return;
		}
		const current = { again: false };
		this.#rerouting = current;
		const startedMs = clock.monotonic();
		await inSlices(clock, this.#reroute(), sliceMs, this.#stopped.signal);
		this.#tookMs = clock.monotonic() - startedMs;
		this.#rerouting = undefined;
		if (current.again && !this.#stopped.signal.aborted) this.#rerouteSoon();
	}

	/** A job a step. Between two steps jobs and sets may come, change and go. */
	*#reroute(): Generator<void> {
		const { book, sets } = this.#dependencies;
		const waiting = [...book.values()].flatMap(({ job }) => (waitsForRunner(job) ? [job] : []));
		const all = this.#setsWith(noneWaits);
		for (const { job, routed } of routeAll(waiting, all, ({ key }) => book.get(key)?.set)) {
			const entry = book.get(job.key);
			const stands = !('set' in routed) || sets.has(routed.set);
			if (entry && waitsForRunner(entry.job) && stands) this.#settle(entry, routed);
			yield;
		}
		for (const entry of book.values()) {
			if (entry.job.state !== 'completed' && !waitsForRunner(entry.job)) this.#route(entry);
			yield;
		}
	}

	/** Finds the set that a job counts for. Before all sets are known it stays with the one that its record names. */
	#route(entry: Entry): void {
		const { sets, syncState } = this.#dependencies;
		if (!syncState.complete) {
			this.#rerouteSoon();
			return;
		}
		const { job } = entry;
		const ofRunner = sets.ofRunnerOf(job);
		if (ofRunner !== undefined) {
			this.#assign(job.key, ofRunner);
			return;
		}
		// One that runs, or has completed, stays where it was counted: no other set is any better for it.
		if (!waitsForRunner(job) && entry.set !== undefined && sets.has(entry.set)) return;
		// The job itself is counted where it is.
		const own = (set: SetKey) => (waitsForRunner(job) && set === entry.set ? 1 : 0);
		const others = ({ waiting }: SetFacts, set: SetKey) => waiting - own(set);
		const all = this.#setsWith(others);
		this.#settle(entry, route(job, all, entry.set));
	}

	#settle(entry: Entry, routed: Routed): void {
		this.#assign(entry.job.key, 'set' in routed ? routed.set : undefined);
		if ('none' in routed) this.#dependencies.reasons.noSetFits(entry, routed);
		else if (this.#dependencies.sets.get(routed.set)?.stuck)
			this.#rerouteAt(entry.job.openedMs + startsWithinMs);
	}

	/** A job that waits for a set that cannot start runners moves on then, if another one fits. @param ms since the epoch */
	#rerouteAt(ms: number): void {
		const { clock } = this.#dependencies;
		if (ms <= clock.now() || (this.#probe && this.#probe.endsMs <= ms)) return;
		this.#probe?.cancel();
		const cancel = clock.after(ms - clock.now(), () => {
			this.#probe = undefined;
			this.#rerouteSoon();
		});
		this.#probe = { endsMs: ms, cancel };
	}

	#assign(key: string, set: SetKey | undefined): void {
		const { book, sets } = this.#dependencies;
		const entry = book.get(key);
		if (!entry || entry.set === set) return;
		const [left, joined] = [sets.get(entry.set), sets.get(set)];
		if (left && waitsForRunner(entry.job)) left.waiting -= 1;
		if (joined && waitsForRunner(entry.job)) joined.waiting += 1;
		book.assign(key, set);
	}

	/** @param waitingOf how many jobs wait for the set that are not being routed */
	#setsWith(waitingOf: (facts: SetFacts, set: SetKey) => number): Sets {
		const { sets, visibility, clock } = this.#dependencies;
		const probeAfterMs = clock.now() - startsWithinMs;
		return {
			index: sets.index,
			placesOf: (set) => {
				const facts = sets.get(set);
				if (!facts) return { idle: 0, room: 0, blocked: 'Deleting' };
				const places = placesIn(facts);
				const failing = facts.stuck ? 'StartsFailing' : undefined;
				const blocked = facts.blocked === 'QuotaExceeded' ? failing : (facts.blocked ?? failing);
				const waiting = waitingOf(facts, set);
				const mayProbe = facts.stuck && places > 0 && waiting <= 0;
				return {
					idle: facts.idle,
					room: places - waiting,
					blocked,
					probeAfterMs: mayProbe ? probeAfterMs : undefined,
				};
			},
			gives: (set, job) => {
				const { classes, tries } = sets.get(set)?.notGiven ?? allGiven;
				return classes.size === 0 || job.key === tries || !classes.has(classOf(job));
			},
			visible: (repository, { scope, group }) => visibility.may(repository, scope, group, clock.monotonic()),
		};
	}
}

/** All jobs are routed. */
const noneWaits = (): number => 0;

const architectureOf = (
	node: { metadata: { labels?: Record<string, string> } } | undefined,
): string | undefined => node?.metadata.labels?.[architectureLabel] || undefined;
