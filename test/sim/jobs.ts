/** The workflow jobs that GitHub knows, by id: its database. No HTTP here. */

/** The states that an event can have. */
export type JobAction = 'waiting' | 'queued' | 'in_progress' | 'completed';

/** 'waiting': for an approval. 'pending': behind another one of its concurrency group, for which there is no event. */
export type JobStatus = JobAction | 'pending';

export interface NewWorkflowJob {
	/** OWNER/NAME */
	repository: string;
	runId: number;
	runAttempt: number;
	workflow: string;
	/** Its display name; for a job of a matrix this is more than its key. */
	name: string;
	labels?: readonly string[];
	/** That its organization belongs to. */
	enterprise?: string;
	/** Default 'queued'. */
	status?: 'queued' | 'waiting' | 'pending';
}

export interface WorkflowJob extends Omit<Required<NewWorkflowJob>, 'status' | 'enterprise'> {
	id: number;
	enterprise: string | null;
	status: JobStatus;
	conclusion: 'success' | 'failure' | 'cancelled' | null;
	createdAtMs: number;
	startedAtMs: number | null;
	completedAtMs: number | null;
	runnerId: number | null;
	runnerName: string | null;
}

/** The oldest are forgotten: a test that runs for hours must not fill the memory. */
const kept = 10_000;

export class Jobs {
	readonly #jobs = new Map<number, WorkflowJob>();
	readonly #listeners = new Set<(job: WorkflowJob, action: JobAction) => void>();
	#nextId = 41_000_000_001;

	add(fresh: NewWorkflowJob, nowMs: number): WorkflowJob {
		const { status = 'queued', enterprise = null } = fresh;
		const job: WorkflowJob = {
			labels: ['self-hosted'],
			...fresh,
			id: this.#nextId++,
			enterprise,
			status,
			conclusion: null,
			createdAtMs: nowMs,
			startedAtMs: null,
			completedAtMs: null,
			runnerId: null,
			runnerName: null,
		};
		this.#jobs.set(job.id, job);
		if (this.#jobs.size > kept) this.#forgetOldest();
		if (status !== 'pending') this.#tell(job, status);
		return job;
	}

	/** It no longer has to wait: it has been approved, or its concurrency group is free. */
	release(id: number): void {
		const { status } = this.#must(id);
		if (status !== 'waiting' && status !== 'pending') throw new Error(`job ${id} is ${status}`);
		this.#change(id, 'queued', {});
	}

	/** Before a runner has it. `silently`: without an event. */
	cancel(id: number, nowMs: number, silently = false): void {
		const { status } = this.#must(id);
		if (status === 'in_progress' || status === 'completed') throw new Error(`job ${id} is ${status}`);
		this.complete(id, 'cancelled', nowMs, silently);
	}

	start(id: number, runner: { id: number | null; name: string }, nowMs: number): void {
		this.#change(id, 'in_progress', {
			startedAtMs: nowMs,
			runnerId: runner.id,
			runnerName: runner.name,
		});
	}

	/** `silently`: without an event, as it sometimes happens (actions/runner #4309). */
	complete(id: number, conclusion: WorkflowJob['conclusion'], nowMs: number, silently = false): void {
		this.#change(id, 'completed', { conclusion, completedAtMs: nowMs }, silently);
	}

	get(id: number): WorkflowJob | undefined {
		return this.#jobs.get(id);
	}

	/** In the order in which they were made. */
	list(): WorkflowJob[] {
		return [...this.#jobs.values()];
	}

	/** Of one attempt, or of the last one, in the order in which they were made. */
	ofRun(repository: string, runId: number, attempt?: number): WorkflowJob[] {
		const all = [...this.#jobs.values()].filter(
			(job) => job.runId === runId && job.repository.toLowerCase() === repository.toLowerCase(),
		);
		const wanted = attempt ?? Math.max(...all.map((job) => job.runAttempt));
		return all.filter((job) => job.runAttempt === wanted);
	}

	onChange(listener: (job: WorkflowJob, action: JobAction) => void): void {
		this.#listeners.add(listener);
	}

	/** Never one that has not ended. */
	#forgetOldest(): void {
		for (const { id, status } of this.#jobs.values()) {
			if (status !== 'completed') continue;
			this.#jobs.delete(id);
			return;
		}
	}

	#change(id: number, status: JobAction, more: Partial<WorkflowJob>, silently = false): void {
		const job = this.#must(id);
		Object.assign(job, { status, ...more });
		if (!silently) this.#tell(job, status);
	}

	#must(id: number): WorkflowJob {
		const job = this.#jobs.get(id);
		if (job === undefined) throw new Error(`GitHub has no job ${id}`);
		return job;
	}

	#tell(job: WorkflowJob, action: JobAction): void {
		for (const listener of this.#listeners) listener(job, action);
	}
}
