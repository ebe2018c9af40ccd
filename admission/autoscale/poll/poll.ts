import type { CredentialsMissing } from '../../github/types.ts';
import { type Scope, scopeKey } from '../../runner/scope.ts';
import type { Log } from '../../telemetry/log.ts';
import { Asker, type AskerDependencies, type PollJob } from './asker.ts';
import { Lane, type PollAccount } from './lane.ts';
import { Organizations } from './organizations.ts';
import { Recent } from './recent.ts';
import { Repositories, want } from './repositories.ts';
import { mayAsk } from './rules/allowance.ts';
import { type DriftState, lookForDrift, noDrift } from './rules/drift.ts';
import { nextOf } from './rules/due.ts';
import {
	askedAgainMs,
	driftRepositories,
	mostAsked,
	mostOwnWrites,
	ownWriteMs,
	refreshMs,
	tickMs,
} from './rules/policy.ts';
import { jobsIn, type ListedJobs } from './rules/runs.ts';
import { byNarrowness, covers } from './rules/targets.ts';
import { type Due, moreUrgent, type Repository, urgency } from './rules/types.ts';
import { Starts } from './starts.ts';
import { Visibility } from './visibility.ts';

export type { Checked, PollJob } from './asker.ts';
export type { PollAccount } from './lane.ts';
export type { ListedJobs } from './rules/runs.ts';

/** A set that an autoscaler acts on. */
export interface PollTarget {
	key: string;
	scope: Scope;
	/** With which GitHub is asked for its scope. */
	account: () => Promise<PollAccount | CredentialsMissing>;
	/** OWNER/NAME of each repository whose runs a metric counts. */
	countsRunsOf: readonly string[];
	/** Its runners that work, and its jobs that are in progress; undefined: it is not known now. */
	working: { busy: number; jobs: number } | undefined;
}

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
	/** By the connection of their accounts. */
	readonly #lanes = new Map<PollAccount['connection'], Lane>();
	/** The narrowest scope first. */
	#asked: { scope: Scope; lane: Lane }[] = [];
	/** By the lane: how many repositories are asked about of which no webhook delivers events. */
	#unheard = new Map<Lane, number>();
	/** By the set's key. */
	readonly #drifts = new Map<string, DriftState>();
	readonly #askedJobs = new Recent<string>(askedAgainMs, mostAsked);
	readonly #ownWrites = new Recent<number>(ownWriteMs, mostOwnWrites);
	#runs = false;
	readonly #underway = new Set<Promise<void>>();

	constructor(dependencies: PollDependencies) {
		this.#dependencies = dependencies;
		const memory = {
			repositories: this.#repositories,
			organizations: this.#organizations,
			visibility: this.#visibility,
		};
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
		const all = [...targets()].toSorted(byNarrowness);
		const accounts = await Promise.all(all.map((target) => this.#accountOf(target)));
		const nowMs = clock.monotonic();
		this.#asked = all.flatMap(({ scope }, index) => {
			const account = accounts[index];
			return account ? [{ scope, lane: this.#laneOf(account) }] : [];
		});
		const lanes = new Set(this.#asked.map(({ lane }) => lane));
		for (const [key, lane] of this.#lanes) if (!lanes.has(lane)) this.#lanes.delete(key);
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
		this.#countUnheard(nowMs);
	}

	async #accountOf({ key, account }: PollTarget): Promise<PollAccount | undefined> {
		try {
			const found = await account();
			return 'read' in found ? found : undefined; // what is missing is told where the credentials are looked after
		} catch (error) {
			this.#dependencies.log.warn({ set: key, error: String(error) }, 'credentials could not be looked up');
			return undefined;
		}
	}

	#laneOf(account: PollAccount): Lane {
		const lane = this.#lanes.get(account.connection) ?? new Lane(account, this.#dependencies.clock);
		lane.account = account;
		this.#lanes.set(account.connection, lane);
		return lane;
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

	#countUnheard(nowMs: number): void {
		this.#unheard = new Map();
		for (const repository of this.#repositories.values()) {
			const lane = this.#laneFor(repository);
			if (!lane || this.#repositories.wasHeard(repository, nowMs)) continue;
			this.#unheard.set(lane, (this.#unheard.get(lane) ?? 0) + 1);
		}
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

	/** The credential that is most likely shown a repository. */
	#laneFor({ key }: Pick<Repository, 'key'>): Lane | undefined {
		return this.#asked.find(({ scope }) => covers(scope, key))?.lane;
	}

	#tick(signal: AbortSignal): void {
		const { clock, log, onKnown } = this.#dependencies;
		const nowMs = clock.monotonic();
		for (const { key, how } of this.#starts.advance(nowMs)) {
			log.info({ set: key, how }, 'what the repositories of a set have to run is known');
			onKnown(key);
		}
		const next = this.#next(nowMs);
		for (const lane of this.#lanes.values()) {
			const due = next.get(lane);
			if (!due || !lane.ready) continue;
			if (mayAsk({ ...lane.spent(), unheard: this.#unheard.get(lane) ?? 0 }, due.urgency))
				this.#ask(due, lane, signal);
		}
	}

	/** The most urgent question for each lane. */
	#next(nowMs: number): Map<Lane, Due> {
		const next = new Map<Lane, Due>();
		const offer = (lane: Lane | undefined, due: Due | undefined) => {
			const first = lane && moreUrgent(next.get(lane), due, nowMs);
			if (first) next.set(lane, first);
		};
		this.#offerAsks(offer, nowMs);
		const waited = this.#starts.organizations;
		for (const { scope, lane } of this.#asked) {
			if (scope.kind !== 'organization') continue;
			const dueMs = this.#organizations.dueMs(scope.name, nowMs);
			if (dueMs === undefined) continue;
			const why = waited.has(scopeKey(scope).toLowerCase()) ? urgency.start : urgency.round;
			offer(lane, { question: { kind: 'repositories', organization: scope.name }, urgency: why, dueMs });
		}
		for (const lane of this.#lanes.values())
			offer(
				lane,
				this.#visibility.next((key) => this.#laneFor({ key }) === lane, nowMs),
			);
		for (const repository of this.#repositories.values()) {
			const lane = this.#laneFor(repository);
			if (lane?.ready) offer(lane, nextOf(repository, this.#repositories.isHeard(repository, nowMs), nowMs));
		}
		return next;
	}

	/** Several jobs of one run are asked about together. Where no webhook delivers, the run may have new ones as well. */
	#offerAsks(offer: (lane: Lane | undefined, due: Due | undefined) => void, nowMs: number): void {
		const { asks, answered, host } = this.#dependencies;
		const fresh = [...asks()].filter((job) => job.host === host && !this.#askedJobs.has(job.key, nowMs));
		const ofRun = Map.groupBy(fresh, ({ repository, runId }) => `${repository} ${runId}`.toLowerCase());
		for (const [index, { key, id, repository: name, runId }] of fresh.entries()) {
			const repository = this.#repositories.get(name) ?? this.#repositories.hear(name, nowMs);
			const lane = this.#laneFor(repository);
			if (!lane || nowMs < (repository.hidden?.untilMs ?? 0)) {
				this.#askedJobs.add(key, nowMs);
				answered(key, 'unknown');
				continue;
			}
			const others = (ofRun.get(`${name} ${runId}`.toLowerCase())?.length ?? 0) > 1;
			const several = others || !this.#repositories.isHeard(repository, nowMs);
			const of = { repository: repository.key };
			const question =
				several && runId !== undefined
					? ({ kind: 'run', runId, ...of } as const)
					: ({ kind: 'job', job: key, id, ...of } as const);
			offer(lane, { question, urgency: urgency.ask, dueMs: nowMs - fresh.length + index });
		}
	}

	#ask({ question, urgency: why }: Due, lane: Lane, signal: AbortSignal): void {
		const { clock, log, asks } = this.#dependencies;
		if (why === urgency.ask)
			for (const job of asks())
				if (
					question.kind === 'run'
						? job.runId === question.runId
						: question.kind === 'job' && job.key === question.job
				)
					this.#askedJobs.add(job.key, clock.monotonic());
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
