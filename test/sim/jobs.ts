/** The workflow jobs that GitHub knows, by id: its database, so to speak. No HTTP here. */

export type JobAction = 'queued' | 'in_progress' | 'completed';

export interface NewWorkflowJob {
	/** OWNER/NAME */
	repository: string;
	runId: number;
	runAttempt: number;
	workflow: string;
	/** As it is shown; for a job of a matrix more than its key. */
	name: string;
	labels?: readonly string[];
}

export interface WorkflowJob extends Required<NewWorkflowJob> {
	id: number;
	status: JobAction;
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
		const job: WorkflowJob = {
			labels: ['self-hosted'],
			...fresh,
			id: this.#nextId++,
			status: 'queued',
			conclusion: null,
			createdAtMs: nowMs,
			startedAtMs: null,
			completedAtMs: null,
			runnerId: null,
			runnerName: null,
		};
		this.#jobs.set(job.id, job);
		if (this.#jobs.size > kept) this.#forgetOldest();
		this.#tell(job, 'queued');
		return job;
	}

	start(id: number, runner: { id: number | null; name: string }, nowMs: number): void {
		this.#change(id, 'in_progress', {
			startedAtMs: nowMs,
			runnerId: runner.id,
			runnerName: runner.name,
		});
	}

	/** `silently`: without an event, as it is seen at times (actions/runner #4309). */
	complete(id: number, conclusion: WorkflowJob['conclusion'], nowMs: number, silently = false): void {
		this.#change(id, 'completed', { conclusion, completedAtMs: nowMs }, silently);
	}

	get(id: number): WorkflowJob | undefined {
		return this.#jobs.get(id);
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

	/** Never one that somebody will still end. */
	#forgetOldest(): void {
		for (const { id, status } of this.#jobs.values()) {
			if (status !== 'completed') continue;
			this.#jobs.delete(id);
			return;
		}
	}

	#change(id: number, status: JobAction, more: Partial<WorkflowJob>, silently = false): void {
		const job = this.#jobs.get(id);
		if (job === undefined) throw new Error(`GitHub has no job ${id}`);
		Object.assign(job, { status, ...more });
		if (!silently) this.#tell(job, status);
	}

	#tell(job: WorkflowJob, action: JobAction): void {
		for (const listener of this.#listeners) listener(job, action);
	}
}
