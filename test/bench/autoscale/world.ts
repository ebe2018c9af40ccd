import { chance } from './chance.ts';
import type { Constants } from './constants.ts';
import { type Action, courseOf } from './course.ts';
import { Timeline } from './timeline.ts';
import { startUpMs, type TraceJob } from './trace.ts';
import { Waiting } from './waiting.ts';

export interface Job extends TraceJob {
	state: 'queued' | 'in_progress' | 'completed';
	/** The runner that has or had it. */
	pod: Pod | undefined;
	startedMs: number | undefined;
	endedMs: number | undefined;
}

/** A pod with an ephemeral runner. */
export interface Pod {
	nth: number;
	name: string;
	createdMs: number;
	/** When its container starts, and when GitHub has its runner. */
	runsMs: number;
	registersMs: number;
	/** ended: its container has exited. gone: nothing is left of it, or it was removed without a job. */
	state: 'starting' | 'idle' | 'busy' | 'ended' | 'gone';
	job: Job | undefined;
	/** When it stopped being idle, by a job or a removal. */
	idleUntilMs: number | undefined;
	/** It hangs: it is idle, and takes no job. */
	sick: boolean;
	/** Its log or hook has said that it works. */
	signalled: boolean;
}

/** A workflow_job event. */
export interface JobEvent {
	action: Action;
	job: Job;
	/** When GitHub sent it. */
	sentMs: number;
	runner: string | undefined;
	conclusion: 'success' | 'cancelled' | undefined;
}

/** What scales the runners of the world, and what it is notified of. */
export interface Scaler {
	/** An event has arrived. */
	eventReceived?(event: JobEvent): void;
	/** GitHub has a job, or has one no longer. Only what is all-knowing acts on this. */
	jobChanged?(): void;
	/** What the cluster's watch shows: a container started or exited, or a runner registered, or its source has reported its job. */
	podChanged?(pod: Pod): void;
}

/** GitHub and the cluster: jobs arrive, runners register, take the oldest job, and end with it. */
export class World {
	readonly time = new Timeline();
	readonly constants: Constants;
	readonly jobs: Job[];
	/** Those that exist, also ended ones until they are removed. */
	readonly pods = new Set<Pod>();
	readonly all: Pod[] = [];
	/** Events whose delivery failed and that GitHub shows as failed, in order. */
	readonly failed: JobEvent[] = [];
	/** GitHub's runners without a job, the first registered first. */
	readonly #idle = new Set<Pod>();
	readonly waiting: Waiting<Job>;
	readonly #open = new Set<Job>();
	readonly #runs: Map<number, Job[]>;
	readonly #seed: number;
	#scaler: Scaler = {};
	#starting = 0;
	/** Pods that count for the maximum: those that have not ended. */
	living = 0;
	mostLiving = 0;
	/** Removals of a runner that had a job: GitHub refuses them. */
	refusals = 0;

	constructor(constants: Constants, trace: readonly TraceJob[], seed: number) {
		this.constants = constants;
		this.#seed = seed;
		this.waiting = new Waiting<Job>(trace.length);
		this.jobs = trace.map((job) => ({
			...job,
			state: 'queued',
			pod: undefined,
			startedMs: undefined,
			endedMs: undefined,
		}));
		this.#runs = Map.groupBy(this.jobs, ({ runId }) => runId);
		for (const job of this.jobs) this.time.at(job.createdMs, () => this.#arrive(job));
	}

	run(scaler: Scaler): void {
		this.#scaler = scaler;
		this.time.run(this.constants.endMs);
		this.#count();
	}

	get supply(): number {
		return this.#starting + this.#idle.size;
	}

	create(): Pod {
		const nth = this.all.length + 1;
		const { nowMs } = this.time;
		const { startUp, registersMs } = this.constants;
		const registered = nowMs + startUpMs(startUp, this.#seed, nth);
		const pod: Pod = {
			nth,
			name: `runner-${nth}`,
			createdMs: nowMs,
			runsMs: Math.max(nowMs, registered - registersMs),
			registersMs: registered,
			state: 'starting',
			job: undefined,
			idleUntilMs: undefined,
			sick: chance(this.#seed, 'sick', nth)() < this.constants.sick,
			signalled: false,
		};
		this.all.push(pod);
		this.pods.add(pod);
		this.#starting += 1;
		this.living += 1;
		this.mostLiving = Math.max(this.mostLiving, this.living);
		this.#count();
		this.time.at(pod.runsMs, () => this.#changed(pod));
		this.time.at(registered, () => this.#register(pod));
		return pod;
	}

	/** Unregisters a runner and removes its pod; false: it has a job, and stays. What has ended is cleared away. */
	remove(pod: Pod): boolean {
		if (pod.state === 'busy') {
			this.refusals += 1;
			return false;
		}
		if (pod.state === 'starting') this.#starting -= 1;
		// One that has not registered was never idle.
		if (pod.state === 'starting' || pod.state === 'idle') pod.idleUntilMs = this.time.nowMs;
		if (pod.state === 'starting' || pod.state === 'idle') this.living -= 1;
		this.#idle.delete(pod);
		pod.state = 'gone';
		this.pods.delete(pod);
		this.#count();
		return true;
	}

	/** Jobs of a repository that are queued or run. */
	openJobs(repository: string): Job[] {
		return [...this.#open].filter((job) => job.repository === repository);
	}

	/** Of a run, those that have arrived. */
	jobsOfRun(runId: number): Job[] {
		return (this.#runs.get(runId) ?? []).filter(({ createdMs }) => createdMs <= this.time.nowMs);
	}

	#arrive(job: Job): void {
		this.#open.add(job);
		this.waiting.push(job, this.time.nowMs);
		this.#emit(job, 'queued');
		if (job.cancelAfterMs !== undefined) this.time.in(job.cancelAfterMs, () => this.#cancel(job));
		this.#assign();
		this.#scaler.jobChanged?.();
	}

	#cancel(job: Job): void {
		if (job.state === 'in_progress') this.#complete(job, 'cancelled');
		if (job.state !== 'queued') return;
		job.state = 'completed';
		this.#open.delete(job);
		this.waiting.delete(job, this.time.nowMs);
		this.#count();
		this.#emit(job, 'completed', 'cancelled');
		this.#scaler.jobChanged?.();
	}

	#register(pod: Pod): void {
		if (pod.state !== 'starting') return;
		pod.state = 'idle';
		this.#starting -= 1;
		if (!pod.sick) this.#idle.add(pod);
		this.#assign();
		this.#changed(pod);
	}

	/** GitHub gives the oldest jobs to any runners without one. */
	#assign(): void {
		while (this.#idle.size > 0) {
			const job = this.waiting.oldest;
			if (!job) break;
			const turn = Math.floor(chance(this.#seed, 'turn', job.id)() * this.#idle.size);
			const pod = [...this.#idle][turn]!;
			this.#idle.delete(pod);
			this.waiting.delete(job, this.time.nowMs);
			this.#begin(job, pod);
		}
		this.#count();
	}

	#begin(job: Job, pod: Pod): void {
		const { nowMs } = this.time;
		Object.assign(job, { state: 'in_progress', pod, startedMs: nowMs });
		Object.assign(pod, { state: 'busy', job, idleUntilMs: nowMs });
		this.#emit(job, 'in_progress');
		this.time.in(this.constants.signalMs, () => {
			pod.signalled = true;
			this.#changed(pod);
		});
		this.time.in(job.durationMs, () => this.#complete(job, 'success'));
		this.#scaler.jobChanged?.();
	}

	#complete(job: Job, conclusion: 'success' | 'cancelled'): void {
		if (job.state === 'completed') return;
		job.state = 'completed';
		job.endedMs = this.time.nowMs;
		this.#open.delete(job);
		this.#emit(job, 'completed', conclusion);
		this.time.in(this.constants.exitMs, () => {
			job.pod!.state = 'ended';
			this.living -= 1;
			this.#changed(job.pod!);
		});
	}

	#changed(pod: Pod): void {
		if (this.pods.has(pod)) this.#scaler.podChanged?.(pod);
	}

	#count(): void {
		this.waiting.count(this.supply, this.time.nowMs);
	}

	/** Sends an event, with the fate that it has in every run of this seed. */
	#emit(job: Job, action: Action, conclusion?: JobEvent['conclusion']): void {
		const { events, webhook } = this.constants;
		if (!webhook) return;
		const event = { action, job, sentMs: this.time.nowMs, runner: job.pod?.name, conclusion };
		const { delayMs, lost, againAfterMs } = courseOf(events, this.#seed, action, job.id);
		if (lost === 'failed') this.time.in(delayMs, () => this.failed.push(event));
		if (lost) return;
		this.time.in(delayMs, () => this.#scaler.eventReceived?.(event));
		if (againAfterMs !== undefined)
			this.time.in(delayMs + againAfterMs, () => this.#scaler.eventReceived?.(event));
	}
}
