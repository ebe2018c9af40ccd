import { recordName } from '../../jobs/records/rules/name.ts';
import { type Scope, scopeKey } from '../../runner/scope.ts';
import type { Log } from '../../telemetry/log.ts';
import { BoundedMap } from '../../time/bounded-map.ts';
import type { SetKey } from '../rules/set-key.ts';
import type { Job } from '../rules/types.ts';
import type { Credential } from './credential.ts';
import { Credentials, type PollTarget, type TargetSource } from './credentials.ts';
import { InitialReads } from './initial-reads.ts';
import { Organizations } from './organizations.ts';
import { QueryQueue } from './query-queue.ts';
import { type QueryDependencies, QueryRunner } from './query-runner.ts';
import { Repositories, want } from './repositories.ts';
import { mayAsk } from './rules/allowance.ts';
import { compare, type DriftState, noDrift } from './rules/drift.ts';
import { driftRepositories, mostOwnWrites, ownWriteMs, refreshMs, tickMs } from './rules/policy.ts';
import { jobsIn, type ListedJobs } from './rules/runs.ts';
import { type Due, type Repository, urgency } from './rules/types.ts';
import type { Visibility } from './visibility.ts';

export type { PollAccount } from './credential.ts';
export type { PollTarget, TargetSource } from './credentials.ts';

interface PollDependencies extends QueryDependencies {
	targets: TargetSource;
	/** Which runner groups repositories may use: asked by the router, found out here. */
	visibility: Visibility;
	log: Log;
}

/**
 * Asks GitHub what events have not reported: jobs whose record may no longer be true, what made busy runners and running
 * jobs differ, and round by round the runs of all repositories that are known. Only the leader does it, with the calls that
 * the guard leaves. Without any webhook this is how jobs are found.
 */
export class Poll {
	readonly #dependencies: PollDependencies;
	readonly #repositories = new Repositories();
	readonly #organizations = new Organizations();
	readonly #initialReads: InitialReads;
	readonly #runner: QueryRunner;
	readonly #credentials: Credentials;
	readonly #queue: QueryQueue;
	readonly #drifts = new Map<SetKey, DriftState>();
	readonly #ownWrites = new BoundedMap<string, true>({ most: mostOwnWrites, lastsMs: ownWriteMs });
	#runs = false;
	readonly #underway = new Set<Promise<void>>();

	constructor(dependencies: PollDependencies) {
		this.#dependencies = dependencies;
		this.#credentials = new Credentials(dependencies);
		this.#initialReads = new InitialReads(this.#repositories, this.#organizations, (scope, repository) =>
			this.#credentials.covers(scope, repository),
		);
		const memory = {
			repositories: this.#repositories,
			organizations: this.#organizations,
			visibility: dependencies.visibility,
		};
		this.#queue = new QueryQueue(dependencies, memory, this.#credentials, this.#initialReads);
		this.#runner = new QueryRunner(dependencies, memory, this.#credentials, this.#ownWrites);
		dependencies.book.changes.subscribe((change) => {
			if (change.kind === 'job-recorded') this.#jobRecorded(change.entry.job);
		});
	}

	/** Whether the initial read of what a set may have to run has ended, as far as it can. */
	isKnown(set: SetKey): boolean {
		return this.#initialReads.isDone(set);
	}

	/** The record of a job has changed: by an event, unless we wrote it. Records that exist at the start say nothing. */
	#jobRecorded(job: Job): void {
		if (!this.#runs) return;
		const nowMs = this.#dependencies.clock.monotonic();
		if (job.host === this.#dependencies.host) this.#credentials.enterpriseSeen(job);
		if (this.#ownWrites.has(recordName(job), nowMs) || !this.#credentials.for(job.repository.toLowerCase()))
			return;
		this.#repositories.event(job.repository, nowMs);
	}

	/**
	 * The jobs of a repository's open runs, for a metric of the set that counts them. An enterprise's set may name any owner's: it is
	 * shown what its own credential is shown.
	 */
	listed(repository: string, set: SetKey, scope: Scope | undefined): ListedJobs {
		if (scope?.kind === 'enterprise' && !this.#credentials.isOwn(set, repository.toLowerCase()))
			return {
				jobs: undefined,
				problem: "it is read with another set's credential: give both sets the same one",
			};
		return jobsIn(this.#repositories.get(repository), this.#dependencies.clock.monotonic());
	}

	/** Asks GitHub until `signal` ends. To be started when all records of jobs are known. */
	async run(signal: AbortSignal): Promise<void> {
		const { targets, clock } = this.#dependencies;
		let refreshedMs = Number.NEGATIVE_INFINITY;
		let known = 0;
		this.#runs = true;
		while (!signal.aborted) {
			const count = targets.count();
			// A set begins to count when GitHub has answered for its scope: nothing of it is removed before its jobs are read.
			if (clock.monotonic() - refreshedMs >= refreshMs || count !== known) {
				refreshedMs = clock.monotonic();
				known = count;
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
		const all = targets.list();
		await this.#credentials.refresh(all);
		const nowMs = clock.monotonic();
		this.#noteJobs(nowMs);
		this.#noteMetrics(all, nowMs);
		for (const { scope } of all)
			if (scope.kind === 'repository') this.#repositories.remember(scopeKey(scope), nowMs);
		this.#repositories.forgetOld(nowMs);
		const organizations = all.flatMap(({ scope }) => (scope.kind === 'organization' ? [scope.name] : []));
		this.#organizations.keep(new Set(organizations.map((name) => name.toLowerCase())));
		this.#initialReads.note(all, nowMs);
		for (const target of all) this.#compare(target, nowMs);
		const keys = new Set(all.map(({ key }) => key));
		for (const key of this.#drifts.keys()) if (!keys.has(key)) this.#drifts.delete(key);
		this.#credentials.count(
			[...this.#repositories.values()].filter((one) => !this.#repositories.mostlyHasWebhook(one, nowMs)),
		);
	}

	#noteJobs(nowMs: number): void {
		const { book, host } = this.#dependencies;
		const open = new Map<Repository, Map<number, number>>();
		for (const { job } of book.values()) {
			if (job.host === host) this.#credentials.enterpriseSeen(job);
			// Of a repository without a set nothing can be asked, and no other one is forgotten for it.
			if (job.host !== host || !this.#credentials.for(job.repository.toLowerCase())) continue;
			const repository =
				this.#repositories.get(job.repository) ?? this.#repositories.remember(job.repository, nowMs);
			if (job.state === 'completed') continue;
			const runs = open.get(repository) ?? new Map<number, number>();
			if (job.runId !== undefined) runs.set(job.runId, repository.ours.get(job.runId) ?? nowMs);
			open.set(repository, runs);
		}
		for (const repository of [...this.#repositories.values()]) {
			repository.ours = open.get(repository) ?? new Map();
			if (!open.has(repository)) continue;
			repository.activeMs = nowMs;
			this.#repositories.remember(repository.name, nowMs);
		}
	}

	#noteMetrics(targets: readonly PollTarget[], nowMs: number): void {
		for (const repository of this.#repositories.values()) repository.metric = false;
		for (const name of targets.flatMap(({ countsRunsOf }) => countsRunsOf))
			this.#repositories.remember(name, nowMs).metric = true;
	}

	#compare({ key, scope, working }: PollTarget, nowMs: number): void {
		const { state, search } = compare(this.#drifts.get(key) ?? noDrift, working, nowMs);
		this.#drifts.set(key, state);
		if (!search) return;
		const { book, log } = this.#dependencies;
		const own = book.of(key).filter(({ job }) => job.state !== 'completed');
		const named = own.map(({ job: { repository } }) => this.#repositories.get(repository));
		const active = [...this.#repositories.values()]
			.filter((repository) => this.#credentials.covers(scope, repository.key))
			.toSorted((one, other) => other.activeMs - one.activeMs)
			.slice(0, driftRepositories);
		for (const repository of new Set(own.length > 0 ? named : active))
			if (repository) want(repository, urgency.drift, nowMs);
		log.info({ set: key, ...working }, 'busy runners and running jobs differ');
	}

	#tick(signal: AbortSignal): void {
		const { book, clock, log } = this.#dependencies;
		const nowMs = clock.monotonic();
		for (const { key, how } of this.#initialReads.advance(nowMs)) {
			log.info({ set: key, how }, 'the repositories of a set have been read for the first time');
			book.requeue(key);
		}
		for (const [credential, due] of this.#queue.next(nowMs))
			if (credential.ready && mayAsk(credential.spent(), due.urgency)) this.#ask(due, credential, signal);
	}

	#ask(due: Due, credential: Credential, signal: AbortSignal): void {
		const { log } = this.#dependencies;
		const { query } = due;
		this.#queue.asked(due);
		credential.busy = true;
		const asking: Promise<void> = this.#runner
			.ask(query, credential, signal)
			.catch((error: unknown) => {
				credential.failed();
				log.warn({ error: String(error), query }, 'answers of GitHub about jobs were not written, retrying');
			})
			.finally(() => {
				credential.busy = false;
				this.#underway.delete(asking);
			});
		this.#underway.add(asking);
	}
}
