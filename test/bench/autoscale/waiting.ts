import type { TraceJob } from './trace.ts';

/**
 * GitHub's queue, the oldest job first, and for how long each job has waited while no runner was on its way for it: while
 * as many older jobs waited as runners started or were idle. This is what is left of a wait without the start-up time.
 */
export class Waiting<Job extends TraceJob> {
	readonly #jobs = new Map<number, Job>();
	/** By job id. */
	readonly #uncoveredMs: Float64Array;
	#sinceMs = 0;
	/** How many jobs, the oldest, had a runner on its way at the last count. */
	#covered = 0;

	constructor(jobs: number) {
		this.#uncoveredMs = new Float64Array(jobs + 1);
	}

	get oldest(): Job | undefined {
		return this.#jobs.values().next().value;
	}

	get size(): number {
		return this.#jobs.size;
	}

	get jobs(): Iterable<Job> {
		return this.#jobs.values();
	}

	uncoveredMs(job: Job): number {
		return this.#uncoveredMs[job.id] ?? 0;
	}

	/** To be followed by `count` before time passes; so is `delete`. */
	push(job: Job, nowMs: number): void {
		this.#pass(nowMs);
		this.#jobs.set(job.id, job);
	}

	delete(job: Job, nowMs: number): void {
		this.#pass(nowMs);
		this.#jobs.delete(job.id);
	}

	/** @param supply how many runners start or are idle from now on */
	count(supply: number, nowMs: number): void {
		this.#pass(nowMs);
		this.#covered = supply;
	}

	#pass(nowMs: number): void {
		const passedMs = nowMs - this.#sinceMs;
		this.#sinceMs = nowMs;
		if (passedMs <= 0 || this.#jobs.size <= this.#covered) return;
		let rank = 0;
		for (const id of this.#jobs.keys()) {
			rank += 1;
			if (rank > this.#covered) this.#uncoveredMs[id]! += passedMs;
		}
	}
}
