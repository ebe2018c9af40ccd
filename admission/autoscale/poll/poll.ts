import { type Scope, scopeKey } from '../../runner/scope.ts';
import type { Log } from '../../telemetry/log.ts';
import { Asker, type AskerDependencies, type PollJob } from './asker.ts';
import type { Lane } from './lane.ts';
import { Lanes, type PollTarget } from './lanes.ts';
import { Organizations } from './organizations.ts';
import { Questions } from './questions.ts';
import { Recent } from './recent.ts';
import { Repositories, want } from './repositories.ts';
import { mayAsk } from './rules/allowance.ts';
import { type DriftState, lookForDrift, noDrift } from './rules/drift.ts';
import { driftRepositories, mostOwnWrites, ownWriteMs, refreshMs, tickMs } from './rules/policy.ts';
import { jobsIn, type ListedJobs } from './rules/runs.ts';
import { covers } from './rules/targets.ts';
import { type Due, type Repository, urgency } from './rules/types.ts';
import { Starts } from './starts.ts';
import { Visibility } from './visibility.ts';

export type { Checked, PollJob } from './asker.ts';
export type { PollAccount } from './lane.ts';
export type { PollTarget } from './lanes.ts';
export type { ListedJobs } from './rules/runs.ts';

export interface PollDependencies extends AskerDependencies {
	/** Every job that has a record. */
	jobs: () => Iterable<PollJob>;
	targets: () => readonly PollTarget[];
	/** The first look at what a set may have to run has ended: runners that are too many may be removed now. */
	onKnown: (set: string) => void;
	log: Log;
}

/**
 * Asks GitHub what events have not told: jobs whose record may not be true any more, what made busy runners and running
 * jobs differ, and round by round the runs of all repositories that have been heard of. It is the leader's, and takes what
 * the guard leaves of the calls. Without any webhook it is how jobs are found.
 */
export class Poll {
	readonly #dependencies: PollDependencies;
	readonly #repositories = new Repositories();
	readonly #organizations = new Organizations();
	readonly #visibility = new Visibility();
	readonly #starts = new Starts(this.#repositories, this.#organizations);
	readonly #asker: Asker;
	readonly #lanes: Lanes;
	readonly #questions: Questions;
	/** By the set's key. */
	readonly #drifts = new Map<string, DriftState>();
	readonly #ownWrites = new Recent<number>(ownWriteMs, mostOwnWrites);
	#runs = false;
	readonly #underway = new Set<Promise<void>>();

	constructor(dependencies: PollDependencies) {
		this.#dependencies = dependencies;
		this.#lanes = new Lanes(dependencies);
		const memory = {
			repositories: this.#repositories,
			organizations: this.#organizations,
			visibility: this.#visibility,
		};
		const starting = () => this.#starts.organizations;
		this.#questions = new Questions(dependencies, memory, this.#lanes, starting);
		this.#asker = new Asker(dependencies, memory, (id) =>
			this.#ownWrites.add(id, dependencies.clock.monotonic()),
		);
	}

	/** Whether the first look at what a set may have to run has ended, as far as it can. */
	isKnown(set: string): boolean {
		return this.#starts.isDone(set);
	}

	/** The record of a job has changed: unless by our own answer, by an event. Those that there are at the start tell nothing. */
	recorded({ id, repository }: Pick<PollJob, 'id' | 'repository'>): void {
		if (!this.#runs) return;
		const nowMs = this.#dependencies.clock.monotonic();
		if (!this.#ownWrites.has(id, nowMs)) this.#repositories.event(repository, nowMs);
	}

	/** Whether a repository may use the runners of a group, as far as is known: if GitHub says otherwise, `onVisible` tells. */
	isVisible(repository: string, scope: Scope, group: string | undefined): boolean {
		return this.#visibility.may(repository, scope, group, this.#dependencies.clock.monotonic());
	}

	/** The jobs of a repository's open runs, for metrics that count them. */
	listed(repository: string): ListedJobs {
		return jobsIn(this.#repositories.get(repository), this.#dependencies.clock.monotonic());
	}

	/** Asks until `signal`. To be begun when all records of jobs are known. */
	async run(signal: AbortSignal): Promise<void> {
		const { clock } = this.#dependencies;
		let refreshedMs = Number.NEGATIVE_INFINITY;
		this.#runs = true;
		while (!signal.aborted) {
			if (clock.monotonic() - refreshedMs >= refreshMs) {
				refreshedMs = clock.monotonic();
				await this.#refresh();
			}
			this.#tick(signal);
			await clock.sleep(tickMs, signal);
		}
		this.#runs = false;
		await Promise.all(this.#underway);
	}

	/** Which sets, jobs and repositories there are now. */
	async #refresh(): Promise<void> {
		const { targets, clock } = this.#dependencies;
		const all = targets();
		await this.#lanes.refresh(all);
		const nowMs = clock.monotonic();
		this.#noteJobs(nowMs);
		this.#noteMetrics(all, nowMs);
		for (const { scope } of all)
			if (scope.kind === 'repository') this.#repositories.hear(scopeKey(scope), nowMs);
		this.#repositories.forgetOld(nowMs);
		const organizations = all.flatMap(({ scope }) => (scope.kind === 'organization' ? [scope.name] : []));
		this.#organizations.keep(new Set(organizations.map((name) => name.toLowerCase())));
		this.#starts.note(all, nowMs);
		for (const target of all) this.#lookForDrift(target, nowMs);
		const keys = new Set(all.map(({ key }) => key));
		for (const key of this.#drifts.keys()) if (!keys.has(key)) this.#drifts.delete(key);
		this.#lanes.count(
			[...this.#repositories.values()].filter((one) => !this.#repositories.wasHeard(one, nowMs)),
		);
	}

	#noteJobs(nowMs: number): void {
		const { jobs, host } = this.#dependencies;
		const open = new Map<Repository, Map<number, number>>();
		for (const job of jobs()) {
			if (job.host !== host) continue;
			const repository =
				this.#repositories.get(job.repository) ?? this.#repositories.hear(job.repository, nowMs);
			if (job.state === 'completed') continue;
			const runs = open.get(repository) ?? new Map<number, number>();
			if (job.runId !== undefined) runs.set(job.runId, repository.ours.get(job.runId) ?? nowMs);
			open.set(repository, runs);
		}
		for (const repository of [...this.#repositories.values()]) {
			repository.ours = open.get(repository) ?? new Map();
			if (!open.has(repository)) continue;
			repository.activeMs = nowMs;
			this.#repositories.hear(repository.name, nowMs);
		}
	}

	#noteMetrics(targets: readonly PollTarget[], nowMs: number): void {
		for (const repository of this.#repositories.values()) repository.metric = false;
		for (const name of targets.flatMap(({ countsRunsOf }) => countsRunsOf))
			this.#repositories.hear(name, nowMs).metric = true;
	}

	#lookForDrift({ key, scope, working }: PollTarget, nowMs: number): void {
		const { state, search } = lookForDrift(this.#drifts.get(key) ?? noDrift, working, nowMs);
		this.#drifts.set(key, state);
		if (!search) return;
		const own = [...this.#dependencies.jobs()].filter((job) => job.set === key && job.state !== 'completed');
		const named = own.map(({ repository }) => this.#repositories.get(repository));
		const active = [...this.#repositories.values()]
			.filter((repository) => covers(scope, repository.key))
			.toSorted((one, other) => other.activeMs - one.activeMs)
			.slice(0, driftRepositories);
		for (const repository of new Set(own.length > 0 ? named : active))
			if (repository) want(repository, urgency.drift, nowMs);
		this.#dependencies.log.info({ set: key, ...working }, 'busy runners and running jobs differ');
	}

	#tick(signal: AbortSignal): void {
		const { clock, log, onKnown } = this.#dependencies;
		const nowMs = clock.monotonic();
		for (const { key, how } of this.#starts.advance(nowMs)) {
			log.info({ set: key, how }, 'what the repositories of a set have to run is known');
			onKnown(key);
		}
		for (const [lane, due] of this.#questions.next(nowMs))
			if (lane.ready && mayAsk(lane.spent(), due.urgency)) this.#ask(due, lane, signal);
	}

	#ask(due: Due, lane: Lane, signal: AbortSignal): void {
		const { log } = this.#dependencies;
		const { question } = due;
		this.#questions.asked(due);
		lane.asking = true;
		const asking: Promise<void> = this.#asker
			.ask(question, lane, signal)
			.catch((error: unknown) => {
				lane.failed();
				log.warn({ error: String(error), question }, 'what GitHub said of jobs was not written, retrying');
			})
			.finally(() => {
				lane.asking = false;
				this.#underway.delete(asking);
			});
		this.#underway.add(asking);
	}
}
