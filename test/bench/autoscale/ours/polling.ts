import {
	hide,
	noteList,
	noteRun,
	Repositories,
	want,
} from '../../../../admission/autoscale/poll/repositories.ts';
import { mayAsk } from '../../../../admission/autoscale/poll/rules/allowance.ts';
import { compare, type DriftState, noDrift } from '../../../../admission/autoscale/poll/rules/drift.ts';
import { nextOf } from '../../../../admission/autoscale/poll/rules/due.ts';
import {
	askedAgainMs,
	mostAsked,
	refreshMs,
	tickMs,
} from '../../../../admission/autoscale/poll/rules/policy.ts';
import {
	type Due,
	moreUrgent,
	type OpenStatus,
	type Query,
	type Repository,
	urgency,
} from '../../../../admission/autoscale/poll/rules/types.ts';
import { BoundedMap } from '../../../../admission/time/bounded-map.ts';
import type { Job, World } from '../world.ts';
import type { Records } from './records.ts';

const minuteMs = 60_000;

type JobQuery = Exclude<Query, { kind: 'repositories' | 'groups' }>;

/** What the server's set knows of how much works. */
export interface Working {
	/** Runners that work, by their job signals, and jobs that are in progress by their records. */
	busy: number;
	jobs: number;
}

/**
 * The poll of the server, with its own rules of what is asked and when, and a simulated GitHub that answers. What the
 * server's loop does beside the rules (admission/autoscale/poll/poll.ts) is repeated here without its promises.
 */
export class Polling {
	/** Answers that count for GitHub's limit, and those that say that nothing has changed. */
	readonly calls = { asks: 0, lists: 0, runs: 0, notModified: 0 };
	readonly #world: World;
	readonly #records: Records;
	readonly #working: () => Working;
	readonly #changed: () => void;
	readonly #repositories = new Repositories();
	readonly #askedJobs = new BoundedMap<string, true>({ most: mostAsked, lastsMs: askedAgainMs });
	/** What an ETag stands for. */
	readonly #seen = new Map<string, string>();
	#asks: readonly string[] = [];
	#spent: { atMs: number; charged: boolean }[] = [];
	#drift: DriftState = noDrift;
	/** Repositories of which no webhook delivers events. */
	#withoutWebhook = 0;
	#refreshedMs = Number.NEGATIVE_INFINITY;
	/** When a repository is looked at again: nothing is due there before. */
	#lookMs = 0;

	/** @param changed is called when records may have changed */
	constructor(world: World, records: Records, working: () => Working, changed: () => void) {
		this.#world = world;
		this.#records = records;
		this.#working = working;
		this.#changed = changed;
		world.time.in(tickMs, () => this.#tick());
	}

	/** The jobs that GitHub is to be asked about now. */
	ask(keys: readonly string[]): void {
		this.#asks = keys;
	}

	/** An event of a repository was delivered. */
	event(repository: string): void {
		this.#repositories.event(repository, this.#nowMs);
	}

	get #nowMs(): number {
		return this.#world.time.nowMs;
	}

	#tick(): void {
		const nowMs = this.#nowMs;
		this.#world.time.in(tickMs, () => this.#tick());
		if (nowMs - this.#refreshedMs >= refreshMs) this.#refresh(nowMs);
		const due = this.#next(nowMs);
		if (!due) return;
		this.#spent = this.#spent.filter(({ atMs }) => atMs > nowMs - minuteMs);
		const charged = this.#spent.filter((call) => call.charged).length;
		const spending = { calls: this.#spent.length, charged, used: 0, withoutWebhook: this.#withoutWebhook };
		if (mayAsk(spending, due.urgency)) this.#ask(due, nowMs);
	}

	#refresh(nowMs: number): void {
		this.#refreshedMs = nowMs;
		const open = Map.groupBy(
			this.#records.jobs.filter(({ state }) => state !== 'completed'),
			({ repository }) => repository,
		);
		// Without a webhook the repositories of the organization that were pushed to lately are listed.
		if (!this.#world.constants.webhook)
			for (const { repository } of this.#world.jobs.slice(0, 500))
				this.#repositories.remember(repository, nowMs);
		for (const name of open.keys()) this.#repositories.remember(name, nowMs).activeMs = nowMs;
		for (const repository of this.#repositories.values()) {
			const runs = (open.get(repository.name) ?? []).map(({ runId = 0 }) => runId);
			repository.ours = new Map(runs.map((id) => [id, repository.ours.get(id) ?? nowMs]));
		}
		this.#repositories.forgetOld(nowMs);
		this.#withoutWebhook = [...this.#repositories.values()].filter(
			(repository) => !this.#repositories.mostlyHasWebhook(repository, nowMs),
		).length;
		const { state, search } = compare(this.#drift, this.#working(), nowMs);
		this.#drift = state;
		if (search)
			for (const name of open.keys()) want(this.#repositories.remember(name, nowMs), urgency.drift, nowMs);
	}

	#next(nowMs: number): Due | undefined {
		const fresh = this.#asks.filter((key) => !this.#askedJobs.has(key, nowMs));
		const [first] = fresh.map((key) => this.#jobOf(key));
		if (first) {
			const siblings = fresh.filter((key) => this.#jobOf(key).runId === first.runId);
			for (const key of siblings) this.#askedJobs.set(key, true, nowMs);
			const repository = this.#repositories.remember(first.repository, nowMs).key;
			const query: Query =
				siblings.length > 1
					? { kind: 'run', repository, runId: first.runId }
					: { kind: 'job', repository, job: String(first.id), id: first.id };
			return { query, urgency: urgency.ask, dueMs: nowMs };
		}
		// Looking at all repositories each second would be most of the simulation's time; what is due there is so by minutes.
		if (nowMs < this.#lookMs) return undefined;
		let next: Due | undefined;
		for (const repository of this.#repositories.values()) {
			const hasWebhook = this.#repositories.hasWebhook(repository, nowMs);
			next = moreUrgent(next, nextOf(repository, hasWebhook, nowMs), nowMs);
		}
		if (!next) this.#lookMs = nowMs + 30 * tickMs;
		return next;
	}

	#ask({ query, urgency: why }: Due, nowMs: number): void {
		// Which repositories and runner groups there are is not part of the simulation.
		if (query.kind === 'repositories' || query.kind === 'groups') return;
		const repository = this.#repositories.get(query.repository);
		if (!repository) return;
		const asked = why === urgency.ask ? new Set(this.#asks) : new Set<string>();
		const { callMs, mayReadJobs } = this.#world.constants;
		const isNew = mayReadJobs ? this.#answer(query, repository, asked) : this.#refuse(query, repository);
		this.#spent.push({ atMs: nowMs, charged: isNew });
		if (!isNew) this.calls.notModified += 1;
		else this.calls[query.kind === 'job' ? 'asks' : query.kind === 'run' ? 'runs' : 'lists'] += 1;
		if (isNew) this.#world.time.in(callMs, () => this.#changed());
	}

	/** @returns whether GitHub says anything else than the last time */
	#answer(query: JobQuery, repository: Repository, asked: ReadonlySet<string>): boolean {
		const nowMs = this.#nowMs;
		switch (query.kind) {
			case 'job': {
				const job = this.#jobOf(query.job);
				this.#records.tell(job, nowMs);
				this.#records.checked(job, job.state);
				return true;
			}
			case 'list': {
				const runs = this.#runsOf(repository.name, query.status);
				const isNew = this.#isNew(`${repository.key} ${query.status}`, JSON.stringify(runs));
				noteList(repository, query.status, isNew ? { runs, etag: 'known' } : undefined, nowMs);
				return isNew;
			}
			case 'run': {
				const jobs = this.#world.jobsOfRun(query.runId);
				const isNew = this.#isNew(`run ${query.runId}`, jobs.map(({ id, state }) => `${id} ${state}`).join());
				for (const job of isNew ? jobs : [])
					if (job.state !== 'completed' || this.#records.has(job)) this.#records.tell(job, nowMs);
				for (const job of jobs) if (asked.has(String(job.id))) this.#records.checked(job, job.state);
				const listed = jobs.map(({ id, state }) => ({ id, status: state, labels: [], ours: true }));
				noteRun(repository, query.runId, isNew ? { jobs: listed, etag: 'known' } : undefined, nowMs);
				return isNew;
			}
		}
	}

	/** GitHub answers 403 or 404, which proves nothing. */
	#refuse(query: JobQuery, repository: Repository): true {
		if (query.kind === 'job') this.#records.checked(this.#jobOf(query.job), 'unknown');
		else hide(repository, this.#nowMs);
		return true;
	}

	#runsOf(repository: string, status: OpenStatus) {
		const open = new Set(this.#world.openJobs(repository).map(({ runId }) => runId));
		return [...open].flatMap((id) => {
			const jobs = this.#world.jobsOfRun(id);
			const is = jobs.every(({ state }) => state === 'queued') ? 'queued' : 'in_progress';
			return is === status ? [{ id, attempt: 1, updatedAt: String(Math.max(...jobs.map(changedMs))) }] : [];
		});
	}

	#jobOf(key: string): Job {
		return this.#world.jobs[Number(key) - 1]!;
	}

	#isNew(what: string, value: string): boolean {
		const before = this.#seen.get(what);
		this.#seen.set(what, value);
		return before !== value;
	}
}

const changedMs = ({ createdMs, startedMs = createdMs, endedMs = startedMs }: Job): number => endedMs;
