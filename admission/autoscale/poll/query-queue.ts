import { BoundedMap } from '../../time/bounded-map.ts';
import type { Job } from '../rules/types.ts';
import type { Credential } from './credential.ts';
import type { Credentials } from './credentials.ts';
import type { InitialReads } from './initial-reads.ts';
import { jobsToAsk, type Memory, type QueryDependencies } from './query-runner.ts';
import { nextOf } from './rules/due.ts';
import { askedAgainMs, mostAsked } from './rules/policy.ts';
import { type Due, moreUrgent, type Query, urgency } from './rules/types.ts';

/** Finds the query that comes next with each credential. */
export class QueryQueue {
	readonly #dependencies: QueryDependencies;
	readonly #memory: Memory;
	readonly #credentials: Credentials;
	readonly #initialReads: InitialReads;
	/** Jobs that GitHub was asked about just now. */
	readonly #asked = new BoundedMap<string, true>({ most: mostAsked, lastsMs: askedAgainMs });

	constructor(
		dependencies: QueryDependencies,
		memory: Memory,
		credentials: Credentials,
		initialReads: InitialReads,
	) {
		this.#dependencies = dependencies;
		this.#memory = memory;
		this.#credentials = credentials;
		this.#initialReads = initialReads;
	}

	/** The most urgent query for each credential. */
	next(nowMs: number): Map<Credential, Due> {
		const { repositories, organizations, visibility } = this.#memory;
		const next = new Map<Credential, Due>();
		const offer = (credential: Credential | undefined, due: Due | undefined) => {
			const first = credential && moreUrgent(next.get(credential), due, nowMs);
			if (first) next.set(credential, first);
		};
		this.#offerJobs(offer, nowMs);
		const starting = this.#initialReads.organizations;
		for (const { name, credential } of this.#credentials.organizations()) {
			const dueMs = organizations.dueMs(name, nowMs);
			if (dueMs === undefined) continue;
			const awaitedMs = starting.get(name.toLowerCase());
			const query: Query = { kind: 'repositories', organization: name };
			const due: Due =
				awaitedMs === undefined
					? { query, urgency: urgency.round, dueMs }
					: { query, urgency: urgency.initial, dueMs: Math.min(dueMs, awaitedMs) };
			offer(credential, due);
		}
		for (const credential of this.#credentials.values()) {
			const isIts = (repository: string) => this.#credentials.forGroups(repository) === credential;
			offer(credential, visibility.next(isIts, nowMs));
		}
		for (const repository of repositories.values()) {
			const credential = this.#credentials.for(repository.key);
			if (credential?.ready)
				offer(credential, nextOf(repository, repositories.hasWebhook(repository, nowMs), nowMs));
		}
		return next;
	}

	/** The query is made now. */
	asked({ query, urgency: why }: Due): void {
		const { clock } = this.#dependencies;
		if (why !== urgency.ask) return;
		for (const job of jobsToAsk(this.#dependencies))
			if (isAbout(query, job)) this.#asked.set(job.key, true, clock.monotonic());
	}

	/** Several jobs of one run are asked about together. Where no webhook delivers, the run may have new ones as well. */
	#offerJobs(offer: (credential: Credential | undefined, due: Due) => void, nowMs: number): void {
		const { book, clock, host } = this.#dependencies;
		const { repositories } = this.#memory;
		const fresh = jobsToAsk(this.#dependencies).filter(
			(job) => job.host === host && !this.#asked.has(job.key, nowMs),
		);
		const ofRun = Map.groupBy(fresh, runOf);
		for (const [index, job] of fresh.entries()) {
			const { key, id, runId } = job;
			const credential = this.#credentials.for(job.repository.toLowerCase());
			const repository =
				repositories.get(job.repository) ?? (credential && repositories.remember(job.repository, nowMs));
			if (!credential || !repository || nowMs < (repository.hidden?.untilMs ?? Number.NEGATIVE_INFINITY)) {
				this.#asked.set(key, true, nowMs);
				book.answered(key, 'unknown', clock.now(), clock.now());
				continue;
			}
			const several = (ofRun.get(runOf(job))?.length ?? 0) > 1 || !repositories.hasWebhook(repository, nowMs);
			const of = { repository: repository.key };
			const query: Query =
				several && runId !== undefined ? { kind: 'run', runId, ...of } : { kind: 'job', job: key, id, ...of };
			offer(credential, { query, urgency: urgency.ask, dueMs: nowMs - fresh.length + index });
		}
	}
}

const runOf = ({ repository, runId }: Job): string => `${repository} ${runId}`.toLowerCase();

const isAbout = (query: Query, { key, runId, repository }: Job): boolean =>
	query.kind === 'run'
		? runId === query.runId && repository.toLowerCase() === query.repository
		: query.kind === 'job' && key === query.job;
