import type { RunnersSet } from '../api/sets.ts';
import { architectureLabel, type Cache } from '../cluster/cache.ts';
import type { SetsCache } from '../cluster/sets-cache.ts';
import type { Blocked } from '../sets/demand-source.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';
import { configOf, fixedPart } from './candidates.ts';
import type { BookChange, Entry, JobBook, SetFindings } from './job-book.ts';
import type { KnownSets } from './known-sets.ts';
import type { Visibility } from './poll/visibility.ts';
import { waitsForRunner } from './rules/job-status.ts';
import { type Routed, route, routeAll } from './rules/routing.ts';
import { afterReconcile, bearsOnOthers, type SetFacts } from './rules/set-facts.ts';
import { metricLabelsOf, type SetKey, setKeyOf } from './rules/set-key.ts';
import type { Candidate, Demand } from './rules/types.ts';
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

/** Jobs are routed anew this soon after something that bears on all of them has changed, and later where there are many. */
const rerouteAfterMs = (jobs: number) => 50 + jobs / 20;

/** Kubernetes knows some eight; a label may say anything. */
const mostArchitectures = 16;

/** Finds the set that each open job counts for. */
export class JobRouter {
	readonly #dependencies: JobRouterDependencies;
	/** Architectures of the nodes that there are, or were: those that are gone may come again. */
	readonly #architectures = new Set<string>();
	#cancelReroute: (() => void) | undefined;

	constructor(dependencies: JobRouterDependencies) {
		this.#dependencies = dependencies;
		const { book, setsCache, cache } = dependencies;
		book.changes.subscribe((change) => this.#bookChanged(change));
		for (const { on } of [setsCache.runnerSets, setsCache.runnerDeployments])
			on((change, set) => (change === 'deleted' ? this.#setDeleted(set) : this.#setChanged(set)));
		cache.onNode((_change, node) => this.#architectureSeen(architectureOf(node)));
	}

	stop(): void {
		this.#cancelReroute?.();
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
		const facts = sets.get(set);
		if (!facts) return;
		const names = new Set(runners.map(({ name }) => name.toLowerCase()));
		const appeared = new Set(sets.runnersSeen(set, names));
		// Jobs that GitHub has given to a runner that has just appeared count for its set.
		if (appeared.size > 0)
			for (const { job } of book.values())
				if (job.runnerName !== undefined && appeared.has(job.runnerName.toLowerCase()))
					this.#assign(job.key, set);
		const waiting = book.of(set).filter(({ job }) => waitsForRunner(job)).length;
		const after = afterReconcile(facts, runners, scaled?.desired, waiting, clock.now());
		sets.reconciled(set, after);
		if (bearsOnOthers(facts, after)) this.#rerouteSoon();
	}

	#setChanged(set: RunnersSet): void {
		const { sets, host } = this.#dependencies;
		const key = setKeyOf(set);
		if (sets.specChanged(key, fixedPart(key, configOf(set), set, host, this.#architectures)))
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
		const { clock, book } = this.#dependencies;
		this.#cancelReroute ??= clock.after(rerouteAfterMs(book.size), () => {
			this.#cancelReroute = undefined;
			this.#rerouteAll();
		});
	}

	#rerouteAll(): void {
		const { book, syncState } = this.#dependencies;
		if (!syncState.complete) {
			this.#rerouteSoon();
			return;
		}
		const entries = new Map([...book.values()].map((entry) => [entry.job.key, entry]));
		const waiting = [...entries.values()].flatMap(({ job }) => (waitsForRunner(job) ? [job] : []));
		const candidates = this.#candidates(({ places }) => places);
		const routed = routeAll(waiting, candidates, ({ key }) => entries.get(key)?.set);
		for (const [key, found] of routed) this.#settle(entries.get(key), found);
		for (const entry of entries.values())
			if (entry.job.state !== 'completed' && !waitsForRunner(entry.job)) this.#route(entry);
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
		const candidates = this.#candidates(({ places, waiting }, set) => places - waiting + own(set));
		this.#settle(entry, route(job, candidates, entry.set));
	}

	#settle(entry: Entry | undefined, routed: Routed): void {
		if (!entry) return;
		this.#assign(entry.job.key, 'set' in routed ? routed.set : undefined);
		if ('none' in routed) this.#dependencies.reasons.noSetFits(entry, routed);
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

	#candidates(roomOf: (facts: SetFacts, set: SetKey) => number): Candidate[] {
		const { sets, visibility, clock } = this.#dependencies;
		return [...sets.entries()].flatMap(([set, facts]): Candidate[] => {
			const { fixed, idle } = facts;
			if (!fixed) return [];
			const blocked = facts.blocked ?? (facts.stuck ? 'StartsFailing' : undefined);
			const visible = (repository: string) =>
				visibility.may(repository, fixed.scope, fixed.group, clock.monotonic());
			return [{ ...fixed, idle, room: roomOf(facts, set), blocked, visible }];
		});
	}
}

const architectureOf = (node: { metadata: { labels?: Record<string, string> } }): string | undefined =>
	node.metadata.labels?.[architectureLabel] || undefined;
