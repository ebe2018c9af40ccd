import { autoscaleKinds, type WorkflowJob } from '../api/autoscale.ts';
import type { RunnerConfig, RunnersSet, setKinds } from '../api/sets.ts';
import { architectureLabel, type Cache } from '../cluster/cache.ts';
import type { SetsCache } from '../cluster/sets-cache.ts';
import { fold, type KnownLabels } from '../jobs/records/rules/labels.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import type { Events } from '../kube/events.ts';
import type { Scope } from '../runner/scope.ts';
import type { Blocked } from '../sets/demand-source.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { AutoscaleCache } from './cache.ts';
import { fixedPart } from './candidates.ts';
import { type Entry, JobBook, setKey } from './job-book.ts';
import type { Checked } from './poll/poll.ts';
import { RecordKeeper } from './record-keeper.ts';
import { type Routed, route, routeAll } from './rules/routing.ts';
import { afterReconcile, bearsOnOthers, type SetFacts, unreconciled } from './rules/set-facts.ts';
import type { Candidate, Demand, Desired, Job, Runner } from './rules/types.ts';
import { whyWaits } from './rules/waits.ts';

export interface JobRouterDependencies {
	client: KubeClient;
	cache: Cache;
	setsCache: SetsCache;
	autoscaleCache: AutoscaleCache;
	host: string;
	namespace: string;
	events: Events;
	metrics: Metrics;
	clock: Clock;
	log: Log;
	/** The set of this key is to be looked at again: its jobs have changed. */
	look: (set: string) => void;
	/** Whether all sets and all recorded jobs are known. */
	complete: () => boolean;
	/** There is no set of this key any more. */
	gone: (set: string) => void;
	/** Whether a repository may use the runners of a group of this scope. */
	visible: (repository: string, scope: Scope, group: string | undefined) => boolean;
	/** A record is new or has changed. */
	recorded: (job: Job) => void;
	/** A job of this set has come, ms since the epoch. */
	came: (set: string, atMs: number) => void;
}

/** Jobs are routed anew so soon after something that bears on all of them has changed, and later where there are many. */
const rerouteAfterMs = (jobs: number) => 50 + jobs / 20;

/** Kubernetes knows some eight; a label may say anything. */
const mostArchitectures = 16;

/** Knows which set each open job counts for. */
export class JobRouter {
	readonly #dependencies: JobRouterDependencies;
	readonly #book = new JobBook();
	readonly #keeper: RecordKeeper;
	/** By the set's key. */
	readonly #sets = new Map<string, SetFacts>();
	/** By a runner's name, in lower case: the key of its set. Of those runners that sets had at their last look. */
	readonly #setOfRunner = new Map<string, string>();
	/** Architectures of the nodes that there are, or were: those that are gone may come again. */
	readonly #architectures = new Set<string>();
	#cancelReroute: (() => void) | undefined;

	constructor(dependencies: JobRouterDependencies) {
		this.#dependencies = dependencies;
		const { autoscaleCache, setsCache, cache } = dependencies;
		this.#keeper = new RecordKeeper({
			...dependencies,
			jobs: autoscaleCache.jobs,
			entry: (name) => this.#book.get(name),
		});
		autoscaleCache.jobs.on((change, record) => this.#noteJob(change === 'deleted', record));
		setsCache.runnerSets.on((change, set) => this.#noteSet('RunnerSet', change === 'deleted', set));
		setsCache.runnerDeployments.on((change, set) =>
			this.#noteSet('RunnerDeployment', change === 'deleted', set),
		);
		cache.onNode((_change, node) => this.#noteArchitecture(architectureOf(node)));
	}

	async stop(): Promise<void> {
		this.#cancelReroute?.();
		await this.#keeper.stop();
	}

	get(name: string): Entry | undefined {
		return this.#book.get(name);
	}

	/** All jobs that are known, with the sets that they count for. */
	jobs(): IterableIterator<Entry> {
		return this.#book.values();
	}

	/** How many jobs count for a set. */
	countOf(key: string): number {
		return this.#book.countOf(key);
	}

	/** The jobs of a set, as its rules see them. */
	jobsOf(key: string): Job[] {
		return this.#book.of(key).map(({ job }) => job);
	}

	/**
	 * GitHub was asked about a job. If it called it queued, the job waits, unless we have learnt more since the question: an
	 * answer may be long under way.
	 *
	 * @param askedMs when it was asked, ms since the epoch
	 */
	answered(name: string, answer: Checked, askedMs: number): void {
		const entry = this.#book.get(name);
		if (!entry) return;
		const isNews = answer === 'queued' && (entry.job.endedMs ?? 0) < askedMs && entry.job.stateMs <= askedMs;
		const queued = isNews ? { confirmedMs: askedMs, boundTo: undefined, endedMs: undefined } : {};
		this.#book.learn(name, { checked: answer, checkedMs: this.#dependencies.clock.now(), ...queued });
		this.#keeper.changed(name);
		if (entry.set) this.#dependencies.look(entry.set);
	}

	/** What the look at a set has found out about its jobs. */
	learnt(key: string, { bound, ended, unassigned, statuses }: Demand): void {
		const nowMs = this.#dependencies.clock.now();
		const runs = new Map(bound.map(({ job, runner }) => [job, runner]));
		const over = new Map(ended.map(({ job, runner }) => [job, runner]));
		const left = new Map(unassigned.map(({ job, sinceMs }) => [job, sinceMs]));
		for (const { job } of this.#book.of(key)) {
			if (job.state === 'completed') continue;
			const endedMs = over.has(job.key) ? (job.endedMs ?? nowMs) : undefined;
			const boundTo = runs.get(job.key) ?? over.get(job.key);
			if (this.#book.learn(job.key, { boundTo, endedMs })) this.#keeper.changed(job.key);
			this.#book.learn(job.key, { unassignedMs: left.get(job.key) });
		}
		this.#explainAll(key, statuses);
	}

	/** What the look at a set has found out about its runners. `with`: what its autoscaler makes of it; undefined: it has none. */
	looked(
		key: string,
		runners: readonly Runner[],
		found: { desired: Desired; found: Demand } | undefined,
	): void {
		const facts = this.#sets.get(key);
		if (!facts) return;
		const names = new Set(runners.map(({ name }) => name.toLowerCase()));
		for (const name of facts.runners) if (!names.has(name)) this.#setOfRunner.delete(name);
		for (const name of names) {
			const known = this.#setOfRunner.get(name);
			this.#setOfRunner.set(name, key);
			if (known === undefined) this.#named(name, key);
		}
		const waiting = this.#book.of(key).filter(({ job }) => waits(job)).length;
		const after = afterReconcile(facts, runners, found?.desired, waiting, this.#dependencies.clock.now());
		this.#sets.set(key, after);
		if (bearsOnOthers(facts, after)) this.#rerouteSoon();
	}

	/** What was not known when jobs were routed is known now. */
	reroute(): void {
		this.#rerouteSoon();
	}

	blocked(key: string, why: Blocked | undefined): void {
		const facts = this.#sets.get(key);
		if (!facts || facts.blocked === why) return;
		facts.blocked = why;
		this.#rerouteSoon();
	}

	#noteJob(deleted: boolean, record: WorkflowJob): void {
		const { name } = record.metadata;
		const before = this.#book.get(name)?.set;
		if (deleted) {
			this.#book.remove(name);
			return;
		}
		const waited = this.#book.get(name)?.job;
		const { entry, fresh } = this.#book.note(record);
		if (!fresh) return;
		this.#dependencies.recorded(entry.job);
		this.#route(entry);
		if (!waited && entry.job.state === 'queued' && entry.set)
			this.#dependencies.came(entry.set, entry.job.openedMs);
		if (waited && waits(waited) && entry.job.state === 'in_progress')
			this.#started(entry, entry.job.stateMs - waited.stateMs);
		for (const set of new Set([before, entry.set])) if (set) this.#dependencies.look(set);
	}

	#noteSet(kind: RunnersSetKind, deleted: boolean, set: RunnersSet): void {
		const key = setKey(kind, set.metadata.namespace ?? '', set.metadata.name);
		const before = this.#sets.get(key);
		if (deleted) {
			for (const name of before?.runners ?? []) this.#setOfRunner.delete(name);
			this.#sets.delete(key);
			const labels = labelsOf(key);
			if (labels) this.#dependencies.metrics.autoscale.forget(labels);
			this.#dependencies.gone(key);
		} else {
			const config = configOf(kind, set);
			const fixed = fixedPart(key, config, set, this.#dependencies.host, this.#architectures);
			if (before && JSON.stringify(before.fixed) === JSON.stringify(fixed)) return;
			this.#sets.set(key, { ...(before ?? unreconciled), fixed });
		}
		this.#rerouteSoon();
	}

	#noteArchitecture(architecture: string | undefined): void {
		if (architecture === undefined || this.#architectures.has(architecture)) return;
		if (this.#architectures.size >= mostArchitectures) return;
		this.#architectures.add(architecture);
		const { setsCache } = this.#dependencies;
		for (const set of setsCache.runnerSets.informer.values()) this.#noteSet('RunnerSet', false, set);
		for (const set of setsCache.runnerDeployments.informer.values())
			this.#noteSet('RunnerDeployment', false, set);
	}

	#started({ set }: Entry, waitedMs: number): void {
		const labels = set === undefined ? undefined : labelsOf(set);
		if (labels) this.#dependencies.metrics.autoscale.jobStarted(labels, waitedMs);
	}

	/** Labels of a set's runners, with those that GitHub gives. */
	labelsOf(key: string): string[] {
		const fixed = this.#sets.get(key)?.fixed;
		return fixed ? [...fixed.labels, ...fixed.implicit] : [];
	}

	/** Labels that the sets have. */
	knownLabels(): KnownLabels {
		const sets = [...this.#sets.values()].flatMap(({ fixed }) => (fixed ? [fixed.labels.map(fold)] : []));
		return {
			labels: new Set(sets.flat()),
			any: sets.length > 0,
			unlabelled: sets.some((labels) => labels.length === 0),
		};
	}

	/** Counts the open jobs for the metrics. @returns how many there are */
	count(): number {
		const byState = new Map<string, number>();
		let unmatched = 0;
		let open = 0;
		let oldestMs: number | undefined;
		for (const { job, set } of this.#book.values()) {
			if (job.state === 'completed') continue;
			open += 1;
			const state =
				job.endedMs !== undefined
					? 'ended'
					: waits(job)
						? 'queued'
						: job.state === 'waiting'
							? 'waiting'
							: 'running';
			byState.set(state, (byState.get(state) ?? 0) + 1);
			if (!waits(job) || job.endedMs !== undefined) continue;
			if (set === undefined) unmatched += 1;
			else oldestMs = Math.min(oldestMs ?? job.openedMs, job.openedMs);
		}
		this.#dependencies.metrics.autoscale.jobs(byState, unmatched, oldestMs);
		return open;
	}

	/** A runner has appeared: jobs that GitHub has given to it count for its set. */
	#named(runner: string, set: string): void {
		for (const { job } of this.#book.values())
			if (job.runnerName?.toLowerCase() === runner) this.#assign(job.key, set);
	}

	/** All waiting jobs find their sets anew: a set has come or gone, or has room or none. */
	#rerouteSoon(): void {
		const { clock } = this.#dependencies;
		this.#cancelReroute ??= clock.after(rerouteAfterMs(this.#book.size), () => {
			this.#cancelReroute = undefined;
			if (!this.#dependencies.complete()) {
				this.#rerouteSoon();
				return;
			}
			const entries = new Map([...this.#book.values()].map((entry) => [entry.job.key, entry]));
			const waiting = [...entries.values()].flatMap(({ job }) => (waits(job) ? [job] : []));
			const candidates = this.#candidates(({ places }) => places);
			const routed = routeAll(waiting, candidates, ({ key }) => entries.get(key)?.set);
			for (const [key, found] of routed) this.#settle(entries.get(key), found);
			for (const entry of entries.values())
				if (entry.job.state !== 'completed' && !waits(entry.job)) this.#route(entry);
		});
	}

	/** Finds the set that a job counts for. Before all sets are known it stays with the one that its record names. */
	#route(entry: Entry): void {
		if (!this.#dependencies.complete()) {
			this.#rerouteSoon();
			return;
		}
		const { job } = entry;
		const named =
			job.runnerName === undefined ? undefined : this.#setOfRunner.get(job.runnerName.toLowerCase());
		if (named !== undefined) {
			this.#assign(job.key, named);
			return;
		}
		// One that runs, or has completed, stays where it was counted: no other set is any better for it.
		if (!waits(job) && entry.set !== undefined && this.#sets.has(entry.set)) return;
		// The job itself is counted where it is.
		const own = (key: string) => (waits(job) && key === entry.set ? 1 : 0);
		const candidates = this.#candidates(({ places, waiting }, key) => places - waiting + own(key));
		this.#settle(entry, route(job, candidates, entry.set));
	}

	#settle(entry: Entry | undefined, routed: Routed): void {
		if (!entry) return;
		const { job } = entry;
		this.#assign(job.key, 'set' in routed ? routed.set : undefined);
		if ('set' in routed || !waits(job)) return;
		const why = whyWaits('waiting', routed, undefined);
		if (!why || (entry.why?.reason === why.reason && entry.why.message === why.message)) return;
		const told = entry.why?.reason === why.reason;
		entry.why = why;
		this.#keeper.changed(job.key);
		if (!told) this.#tellUnmatched(entry, why.message);
	}

	#assign(key: string, set: string | undefined): void {
		const entry = this.#book.get(key);
		const before = entry?.set;
		if (!entry || before === set) return;
		this.#book.assign(key, set);
		entry.why = undefined;
		const [left, joined] = [before, set].map((one) => this.#sets.get(one ?? ''));
		if (left && waits(entry.job)) left.waiting -= 1;
		if (joined && waits(entry.job)) joined.waiting += 1;
		this.#keeper.changed(key);
		for (const changed of [before, set]) if (changed) this.#dependencies.look(changed);
	}

	#candidates(roomOf: (facts: SetFacts, key: string) => number): Candidate[] {
		return [...this.#sets].flatMap(([key, facts]): Candidate[] => {
			const { fixed, idle } = facts;
			const blocked = facts.blocked ?? (facts.stuck ? 'StartsFailing' : undefined);
			if (!fixed) return [];
			const { scope, group } = fixed;
			const visible = (repository: string) => this.#dependencies.visible(repository, scope, group);
			return [{ ...fixed, idle, room: roomOf(facts, key), blocked, visible }];
		});
	}

	/** Says of each job why it waits: the oldest have the idle runners, the next ones those that start. */
	#explainAll(key: string, statuses: Demand['statuses']): void {
		const facts = this.#sets.get(key);
		const waiting = this.#book.of(key).toSorted((one, other) => one.job.openedMs - other.job.openedMs);
		let [idle, starting] = [facts?.idle ?? 0, facts?.starting ?? 0];
		for (const entry of waiting) {
			const status = statuses.get(entry.job.key);
			if (status === undefined) continue;
			const own = {
				idle: idle > 0 ? 1 : 0,
				startingSinceMs: starting > 0 ? facts?.startingSinceMs : undefined,
			};
			if (status === 'waiting' && idle-- <= 0) starting -= 1;
			const set = facts && { ...facts, ...own, key, blockedMessage: undefined };
			const why = whyWaits(status, { set: key, others: [] }, set);
			if (entry.why?.reason === why?.reason) continue;
			entry.why = why;
			this.#keeper.changed(entry.job.key);
		}
	}

	/** A job that no set can run is told at once: people would wait for it in vain. */
	#tellUnmatched({ record, job }: Entry, why: string): void {
		const { events, log } = this.#dependencies;
		const { kind, apiVersion } = autoscaleKinds.workflowJob;
		const message = `job ${job.name} of ${job.repository} waits for a runner with the labels ${job.labels.join(', ') || '(none)'}: ${why}`;
		events.send(
			{ apiVersion, kind, metadata: record.metadata },
			'Warning',
			'NoMatchingSet',
			'Route',
			message,
			'NoMatchingSet', // once for each job, though what the nearest set lacks may change
		);
		log.warn({ job: job.id, repository: job.repository, labels: job.labels }, 'no set can run this job');
	}
}

/** `RunnerSet ci/linux` as a metric names it. */
export function labelsOf(key: string): { namespace: string; set: string } | undefined {
	const [, namespace, set] = /^\S+ ([^/]+)\/(.+)$/.exec(key) ?? [];
	return namespace && set ? { namespace, set } : undefined;
}

/** The configuration of a set's runners. Its spec may lack anything: ARC's definitions refuse less than ours. */
export function configOf(kind: string, { spec }: RunnersSet): RunnerConfig | undefined {
	if (kind === 'RunnerSet') return spec as RunnerConfig | undefined;
	return (spec as { template?: { spec?: RunnerConfig } } | undefined)?.template?.spec;
}

type RunnersSetKind = (typeof setKinds)['runnerSet' | 'runnerDeployment']['kind'];

const waits = ({ state, boundTo, endedMs }: Job): boolean =>
	state === 'queued' && boundTo === undefined && endedMs === undefined;

const architectureOf = (node: { metadata: { labels?: Record<string, string> } }): string | undefined =>
	node.metadata.labels?.[architectureLabel] || undefined;
