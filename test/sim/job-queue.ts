/**
 * Jobs that wait at GitHub for a runner. GitHub assigns a job at once to any idle, online runner that may run it and
 * has its labels; so with a full queue a static runner is idle only for an instant.
 */
import type { Jobs, NewWorkflowJob, WorkflowJob } from './jobs.ts';
import type { RunnerGroups } from './runner-groups.ts';
import { repositoryOf, type Scope, scopeKey, scopeKind } from './scope.ts';

export interface QueuedJob extends Partial<NewWorkflowJob> {
	/** Only for runners of this scope; default: any that GitHub would choose from for the job's repository. */
	scope?: Scope;
	/** How long it runs; undefined: until ended. */
	durationMs?: number;
}

export interface QueuedJobs {
	/** Default any. */
	scope?: Scope;
	/** That the runner must have; default none. */
	labels?: readonly string[];
	count: number;
	/** How long each runs; undefined: until ended. */
	durationMs?: number;
}

/** A runner's scope, its custom labels, and the labels that GitHub added. */
export interface Registration {
	scope: Scope | undefined;
	/** undefined: the default runner group. */
	group: string | undefined;
	labels: readonly string[];
	implicit: readonly string[];
}

/** A simulated runner. */
export interface Taker {
	readonly online: boolean;
	/** It takes no job, though GitHub shows it as online and idle. */
	readonly hangs: boolean;
	readonly job: object | undefined;
	readonly registration: Registration;
	startJob(options: { made: WorkflowJob; durationMs?: number }): unknown;
}

interface Waiting {
	job: WorkflowJob;
	scope: Scope | 'any' | undefined;
	durationMs: number | undefined;
	/** The owner whose runners may take it; undefined: any. */
	owner: object | undefined;
}

let nextRun = 9_000_001;

export class JobQueue {
	readonly #jobs: Jobs;
	readonly #groups: RunnerGroups;
	readonly #now: () => number;
	/** By the job's id, oldest first. */
	readonly #waiting = new Map<number, Waiting>();
	readonly #listeners = new Set<() => void>();

	constructor(jobs: Jobs, groups: RunnerGroups, now: () => number) {
		this.#jobs = jobs;
		this.#groups = groups;
		this.#now = now;
		jobs.onChange(({ id }, action) => {
			if (action === 'in_progress' || action === 'completed') this.#waiting.delete(id);
			else if (this.#waiting.has(id)) this.#tell();
		});
	}

	/** Every job is one that GitHub knows, with its events: it is queued before any runner has it. */
	add(fresh: QueuedJob): WorkflowJob {
		const { scope, durationMs, ...rest } = fresh;
		return this.#add(rest, { scope, durationMs, owner: undefined });
	}

	addMany({ count, scope, durationMs, labels }: QueuedJobs, owner: object): void {
		for (let i = 0; i < count; i++)
			this.#add(labels === undefined ? {} : { labels }, { scope: scope ?? 'any', durationMs, owner });
	}

	waiting(owner: object): number {
		return [...this.#waiting.values()].filter((waiting) => waiting.owner === owner).length;
	}

	/** They are cancelled. */
	clear(owner: object): void {
		for (const [id, waiting] of this.#waiting)
			if (waiting.owner === owner) this.#jobs.cancel(id, this.#now());
	}

	/** Calls back when there is a job that could start. Returns a function that stops this. */
	onReady(listener: () => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	/** Assigns as many jobs as possible, oldest first, of those for any owner or for one of these. */
	dispatch(agents: Iterable<Taker>, owners: ReadonlySet<object | undefined>): void {
		if (this.#waiting.size === 0) return;
		const ready = [...this.#waiting.values()].filter(({ job, owner }) => {
			return job.status === 'queued' && owners.has(owner);
		});
		for (const agent of agents) {
			if (ready.length === 0) return;
			if (!agent.online || agent.hangs || agent.job !== undefined) continue;
			const index = ready.findIndex((waiting) => fits(waiting, agent, this.#groups));
			if (index < 0) continue;
			const [{ job, durationMs } = ready[0]!] = ready.splice(index, 1);
			this.#waiting.delete(job.id);
			agent.startJob({ made: job, ...(durationMs === undefined ? {} : { durationMs }) });
		}
	}

	#add(fresh: Partial<NewWorkflowJob>, how: Omit<Waiting, 'job'>): WorkflowJob {
		const defaults = { runId: nextRun++, runAttempt: 1, workflow: 'CI', name: 'build' };
		const repository = fresh.repository ?? repositoryOf(how.scope === 'any' ? undefined : how.scope);
		const job = this.#jobs.add({ ...defaults, ...fresh, repository }, this.#now());
		this.#waiting.set(job.id, { job, ...how });
		this.#tell();
		return job;
	}

	#tell(): void {
		for (const listener of this.#listeners) listener();
	}
}

function fits({ job, scope: wanted }: Waiting, agent: Taker, groups: RunnerGroups): boolean {
	const { scope, group, labels, implicit } = agent.registration;
	if (scope === undefined || !covers(scope, wanted, job)) return false;
	if (wanted === undefined && !groups.isVisible(scope, group, job.repository)) return false;
	const own = new Set([...labels, ...implicit].map((label) => label.toLowerCase()));
	return job.labels.every((label) => own.has(label.toLowerCase()));
}

function covers(scope: Scope, wanted: Waiting['scope'], job: WorkflowJob): boolean {
	if (wanted === 'any') return true;
	if (wanted !== undefined) return scopeKey(wanted) === scopeKey(scope);
	const [, name = ''] = scopeKey(scope).split('/');
	switch (scopeKind(scope)) {
		case 'repos':
			return scopeKey(scope) === `repos/${job.repository.toLowerCase()}`;
		case 'orgs':
			return name === job.repository.split('/')[0]?.toLowerCase();
		case 'enterprises':
			return name === job.enterprise?.toLowerCase();
	}
}
