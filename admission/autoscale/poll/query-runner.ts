import { repositoriesOf, visibleGroups } from '../../github/organizations.ts';
import { type AnsweredJob, jobById, jobsOfRun } from '../../github/workflow-jobs.ts';
import { openRuns } from '../../github/workflow-runs.ts';
import type { JobRecords } from '../../jobs/records/job-records.ts';
import { factsOfAnswer, type JobFacts } from '../../jobs/records/rules/facts.ts';
import { concernsUs } from '../../jobs/records/rules/labels.ts';
import { recordName } from '../../jobs/records/rules/name.ts';
import { foldName, sameName } from '../../runner/github-name.ts';
import type { AutoscaleMetrics } from '../../telemetry/autoscale-metrics.ts';
import type { BoundedMap } from '../../time/bounded-map.ts';
import type { Clock } from '../../time/clock.ts';
import type { Checked, JobBook } from '../job-book.ts';
import type { KnownSets } from '../known-sets.ts';
import type { Results } from '../results.ts';
import type { Job } from '../rules/types.ts';
import { type Credential, failureIn } from './credential.ts';
import type { Credentials } from './credentials.ts';
import type { Organizations } from './organizations.ts';
import { hide, noteList, noteMiss, noteRun, type Repositories } from './repositories.ts';
import { missedAfterMs, rememberedForMs } from './rules/policy.ts';
import type { Query, Repository, RunJob } from './rules/types.ts';
import type { Visibility } from './visibility.ts';

export interface QueryDependencies {
	/** Host of the GitHub that is asked. */
	host: string;
	book: JobBook;
	sets: Pick<KnownSets, 'labels'>;
	/** Where the jobs are found that GitHub is to be asked about. */
	results: Pick<Results, 'jobsToAsk'>;
	/** Where the answers are written. */
	records: Pick<JobRecords, 'write'>;
	metrics: { autoscale: Pick<AutoscaleMetrics, 'drift'> };
	clock: Clock;
}

/** The jobs that GitHub is to be asked about now, the most urgent of each set first. */
export const jobsToAsk = ({ results, book }: Pick<QueryDependencies, 'results' | 'book'>): Job[] =>
	results.jobsToAsk().flatMap((key) => book.get(key)?.job ?? []);

/** What is remembered of what has been asked. */
export interface Memory {
	repositories: Repositories;
	organizations: Organizations;
	visibility: Visibility;
}

/** Makes the queries, writes the answers into the records of jobs, and remembers what has been read. */
export class QueryRunner {
	readonly #dependencies: QueryDependencies;
	readonly #repositories: Repositories;
	readonly #organizations: Organizations;
	readonly #visibility: Visibility;
	readonly #credentials: Pick<Credentials, 'refused' | 'refusedGroups' | 'enterpriseSaid'>;
	readonly #ownWrites: BoundedMap<string, true>;

	/** @param ownWrites gets the `recordName` of each job right before its record is written */
	constructor(
		dependencies: QueryDependencies,
		{ repositories, organizations, visibility }: Memory,
		credentials: Pick<Credentials, 'refused' | 'refusedGroups' | 'enterpriseSaid'>,
		ownWrites: BoundedMap<string, true>,
	) {
		this.#dependencies = dependencies;
		this.#repositories = repositories;
		this.#organizations = organizations;
		this.#visibility = visibility;
		this.#credentials = credentials;
		this.#ownWrites = ownWrites;
	}

	/** @throws if a record could not be written: then it is as if GitHub had not been asked */
	async ask(query: Query, credential: Credential, signal: AbortSignal): Promise<void> {
		if (query.kind === 'repositories') return this.#listRepositories(query.organization, credential, signal);
		if (query.kind === 'groups') return this.#groups(query.repository, credential, signal);
		const repository = this.#repositories.get(query.repository);
		if (!repository) return; // forgotten meanwhile
		switch (query.kind) {
			case 'job':
				return this.#job(query, repository, credential, signal);
			case 'list':
				return this.#list(query.status, repository, credential, signal);
			case 'run':
				return this.#run(query.runId, repository, credential, signal);
		}
	}

	async #job(
		{ job: key, id }: Extract<Query, { kind: 'job' }>,
		repository: Repository,
		credential: Credential,
		signal: AbortSignal,
	): Promise<void> {
		const { clock } = this.#dependencies;
		const askedMs = clock.now();
		const outcome = await jobById(credential.read, repository.name, id, { signal });
		const failure = failureIn(outcome);
		if (failure) return credential.failed(failure);
		credential.worked();
		if (outcome.kind !== 'job') {
			// The job may just be gone. Only where nothing of the repository was ever seen, it counts as hidden.
			if (repository.lists.queued.readMs === Number.NEGATIVE_INFINITY) {
				if (this.#credentials.refused(credential, repository.key)) return; // the next one is asked
				hide(repository, clock.monotonic());
			}
			return this.#answered(key, 'unknown', askedMs);
		}
		await this.#write(outcome.job, repository, this.#record(repository, id), askedMs);
		this.#answered(key, checkedOf(outcome.job), askedMs);
	}

	async #list(
		status: Extract<Query, { kind: 'list' }>['status'],
		repository: Repository,
		credential: Credential,
		signal: AbortSignal,
	): Promise<void> {
		const { etag } = repository.lists[status];
		const outcome = await openRuns(credential.read, repository.name, status, { etag, signal });
		const failure = failureIn(outcome);
		if (failure) return credential.failed(failure);
		credential.worked();
		const nowMs = this.#dependencies.clock.monotonic();
		if (outcome.kind === 'not-visible') {
			if (!this.#credentials.refused(credential, repository.key)) hide(repository, nowMs);
		} else if (outcome.kind === 'runs') noteList(repository, status, outcome, nowMs);
		else noteList(repository, status, undefined, nowMs);
	}

	async #run(
		runId: number,
		repository: Repository,
		credential: Credential,
		signal: AbortSignal,
	): Promise<void> {
		const { clock } = this.#dependencies;
		const known = repository.runs.get(runId);
		// "Not modified" does not help where a record says something else by now.
		const agrees = (known?.jobs ?? []).every(({ id, status }) => {
			const { state = status } = this.#record(repository, id) ?? {};
			return state === status || (state === 'waiting' && status !== 'queued');
		});
		const askedMs = clock.now();
		const limits = { etag: agrees ? known?.etag : undefined, signal };
		const outcome = await jobsOfRun(credential.read, repository.name, runId, limits);
		const failure = failureIn(outcome);
		if (failure) return credential.failed(failure);
		credential.worked();
		if (outcome.kind === 'not-visible') {
			noteRun(repository, runId, { jobs: [], etag: undefined }, clock.monotonic());
			for (const { key } of this.#askedOf(runId, repository)) this.#answered(key, 'unknown', askedMs);
			return;
		}
		if (outcome.kind !== 'jobs') {
			noteRun(repository, runId, undefined, clock.monotonic());
			return this.#answer(runId, repository, known?.jobs ?? [], askedMs, credential, signal);
		}
		const jobs: RunJob[] = [];
		for (const job of outcome.jobs) {
			const { id, status, labels } = job;
			const record = this.#record(repository, id);
			await this.#write(job, repository, record, askedMs);
			jobs.push({ id, status, labels, ours: record !== undefined || this.#concerns(labels, repository) });
		}
		noteRun(repository, runId, { jobs, etag: outcome.etag }, clock.monotonic());
		return this.#answer(runId, repository, jobs, askedMs, credential, signal);
	}

	/** Answers for the jobs of a run that are asked about. A job of an earlier attempt is in no list, so it is read by its id. */
	async #answer(
		runId: number,
		repository: Repository,
		jobs: readonly RunJob[],
		askedMs: number,
		credential: Credential,
		signal: AbortSignal,
	): Promise<void> {
		const found = new Map(jobs.map((job) => [job.id, job]));
		const asked = this.#askedOf(runId, repository);
		const missing = asked.filter(({ id }) => !found.has(id));
		for (const { key, id } of asked) {
			const job = found.get(id);
			if (job) this.#answered(key, checkedOf(job), askedMs);
		}
		const [first] = missing;
		if (first)
			await this.#job(
				{ kind: 'job', repository: repository.key, job: first.key, id: first.id },
				repository,
				credential,
				signal,
			);
	}

	#askedOf(runId: number, { key }: Repository): Job[] {
		return jobsToAsk(this.#dependencies).filter(
			(job) => job.runId === runId && job.repository.toLowerCase() === key,
		);
	}

	async #listRepositories(organization: string, credential: Credential, signal: AbortSignal): Promise<void> {
		const { clock } = this.#dependencies;
		const outcome = await repositoriesOf(credential.read, organization, clock.now() - rememberedForMs, {
			signal,
		});
		const failure = failureIn(outcome);
		if (failure) return credential.failed(failure);
		credential.worked();
		const nowMs = clock.monotonic();
		if (outcome.kind !== 'repositories') {
			if (!this.#credentials.refused(credential, foldName(organization)))
				this.#organizations.hide(organization, nowMs);
			return;
		}
		// The latest last: it is remembered longest.
		for (const name of outcome.names.toReversed()) this.#repositories.remember(name, nowMs);
		this.#organizations.read(organization, nowMs);
	}

	async #groups(key: string, credential: Credential, signal: AbortSignal): Promise<void> {
		const { book, clock } = this.#dependencies;
		const known = this.#visibility.get(key);
		if (!known) return; // forgotten meanwhile
		const outcome = await visibleGroups(credential.read, known.name, { etag: known.etag, signal });
		const failure = failureIn(outcome);
		if (failure) return credential.failed(failure);
		credential.worked();
		if (outcome.kind === 'not-visible' && this.#credentials.refusedGroups(credential, key)) return;
		const shown = outcome.kind === 'groups' ? outcome : undefined;
		const found =
			outcome.kind === 'not-visible' ? 'hidden' : shown && { groups: shown.groups, etag: shown.etag };
		if (this.#visibility.note(key, found, clock.monotonic())) book.visibilityLearned(known.name);
	}

	#record({ name: repository }: Repository, id: number): Job | undefined {
		const { book, host } = this.#dependencies;
		return book.find({ host, repository, id })?.job;
	}

	/** Whether a job with these labels is recorded. */
	#concerns(labels: readonly string[] | undefined, { name }: Repository): boolean {
		return concernsUs(labels, this.#dependencies.sets.labels(), { repository: name });
	}

	#answered(job: string, checked: Checked, askedMs: number): void {
		const { book, clock } = this.#dependencies;
		book.answered(job, checked, askedMs, clock.now());
	}

	/** Writes what is new about a job. One that has completed and was never recorded is ignored. */
	async #write(
		{ labels, body }: AnsweredJob,
		repository: Repository,
		record: Job | undefined,
		askedMs: number,
	): Promise<void> {
		const { host, records, sets, clock } = this.#dependencies;
		// GitHub's answer names no enterprise, and a job that names none may go to the sets of any enterprise.
		const enterprise = record?.enterprise ?? this.#credentials.enterpriseSaid(repository.key);
		const origin = { host, repository: repository.name, enterprise };
		const facts = factsOfAnswer(body, origin, askedMs);
		if (!facts) return;
		if (record ? isKnown(record, facts) : facts.state === 'completed' || !this.#concerns(labels, repository))
			return;
		this.#ownWrites.set(recordName(facts), true, clock.monotonic());
		const fits = labels !== undefined && sets.labels().fits(facts);
		const written = await records.write(facts, 'answer', fits);
		if (written === 'recorded' && record?.state !== facts.state) this.#found(facts, repository, askedMs);
	}

	/** An event should have reported it, unless that event is on its way. */
	#found(facts: JobFacts, repository: Repository, askedMs: number): void {
		const { clock, metrics } = this.#dependencies;
		const { state, createdAt, startedAt, completedAt } = facts;
		if (state === 'waiting') return;
		const sinceMs = Date.parse(
			{ queued: createdAt, in_progress: startedAt, completed: completedAt }[state] ?? '',
		);
		const nowMs = clock.monotonic();
		const isMissed = askedMs - sinceMs > missedAfterMs;
		if (isMissed || !this.#repositories.hasWebhook(repository, nowMs)) metrics.autoscale.drift(state);
		if (isMissed) noteMiss(repository, nowMs);
	}
}

const isKnown = ({ state, runnerName }: Job, facts: JobFacts): boolean =>
	state === facts.state && (facts.runnerName === undefined || sameName(facts.runnerName, runnerName));

const checkedOf = ({ status }: Pick<AnsweredJob, 'status'>): Checked =>
	status === 'queued' || status === 'in_progress' || status === 'completed' ? status : 'unknown';
