import { demand } from '../../../admission/autoscale/rules/demand.ts';
import { noDoubts } from '../../../admission/autoscale/rules/experiment.ts';
import { givingOut, noActivity, withReconcile } from '../../../admission/autoscale/rules/giving-out.ts';
import type { Demand, Job, Runner, SupplyDoubts } from '../../../admission/autoscale/rules/types.ts';
import { desired, job, minute, now, runner, second } from './given.ts';

export interface Waiting {
	id: number;
	/** undefined: no runner is ever given it. */
	repository: string;
	labels?: readonly string[];
	unassignable?: boolean;
	/** How long it runs, ms. */
	runsMs?: number;
	openedMs: number;
	runner?: string;
	startedMs?: number;
	over?: boolean;
}

interface Made {
	name: string;
	createdMs: number;
	startsAtMs: number;
	sick: boolean;
	job: Waiting | undefined;
	ended: boolean;
	leaving: boolean;
}

interface Settings {
	max: number;
	delayMs?: number;
	/** How long a start takes, ms; Infinity: it stays pending. */
	startMs?: (nth: number) => number;
	isSick?: (nth: number) => boolean;
	/** GitHub gives out no jobs. */
	stalled?: (ms: number) => boolean;
	/** GitHub answers when it is asked about a job. */
	answers?: boolean;
}

/** One set with ephemeral runners in simulated time: GitHub gives the oldest job to an idle runner that is not sick. */
export class SupplyWorld {
	readonly jobs: Waiting[] = [];
	readonly runners: Made[] = [];
	nowMs = now;
	made = 0;
	replaced = 0;
	asks = 0;
	most = 0;
	demand: Demand | undefined;
	/** When experiments began. */
	readonly experimentsMs: number[] = [];
	readonly #settings: Settings;
	readonly #known = new Map<string, Partial<Job>>();
	#activity = noActivity;
	#doubts: SupplyDoubts = noDoubts;
	readonly #startUpsMs: number[] = [];
	#nextId = 1;

	constructor(settings: Settings) {
		this.#settings = settings;
	}

	queue(more: Partial<Waiting> = {}): Waiting {
		const queued = {
			id: this.#nextId++,
			repository: 'octo/app',
			openedMs: this.nowMs,
			runsMs: minute,
			...more,
		};
		this.jobs.push(queued);
		return queued;
	}

	/** Runners that are there without the rules having asked for them. */
	give(count: number): void {
		for (let each = 0; each < count; each++) this.#make();
	}

	/** @param stepMs how often the set is reconciled */
	pass(ms: number, each?: () => void, stepMs = 5 * second): void {
		const endMs = this.nowMs + ms;
		while (this.nowMs < endMs) {
			this.nowMs += stepMs;
			each?.();
			this.#step();
		}
	}

	get living(): Made[] {
		return this.runners.filter(({ ended }) => !ended);
	}

	#make(): void {
		const nth = ++this.made;
		const { startMs = () => 30 * second, isSick = () => false } = this.#settings;
		this.runners.push({
			name: `r${nth}`,
			createdMs: this.nowMs,
			startsAtMs: this.nowMs + startMs(nth),
			sick: isSick(nth),
			job: undefined,
			ended: false,
			leaving: false,
		});
	}

	#step(): void {
		const { nowMs } = this;
		const { max, delayMs = 10 * minute, stalled = () => false, answers = true } = this.#settings;
		for (const made of this.living) {
			const { job } = made;
			if (job && nowMs - (job.startedMs ?? nowMs) >= (job.runsMs ?? minute)) {
				job.over = true;
				made.ended = true;
			}
			if (made.leaving) made.ended = true;
		}
		const idle = this.living.filter(({ startsAtMs, job, sick }) => startsAtMs <= nowMs && !job && !sick);
		if (!stalled(nowMs - now))
			for (const job of this.jobs) {
				if (idle.length === 0) break;
				if (job.runner || job.unassignable || job.over) continue;
				const made = idle.shift();
				if (!made) break;
				this.#startUpsMs.push(made.startsAtMs - made.createdMs);
				Object.assign(job, { runner: made.name, startedMs: nowMs });
				made.job = job;
			}
		this.#reconcile(max, delayMs, answers);
	}

	#reconcile(max: number, delayMs: number, answers: boolean): void {
		const { nowMs } = this;
		const jobs = this.jobs.filter(({ over }) => !over).map((one) => this.#record(one));
		const runners = this.living.map((one) => this.#view(one));
		const before = this.#doubts.memory.experiment?.startedMs;
		const found = demand(jobs, runners, desired({ max, delayMs }), nowMs, {
			memory: this.#doubts.memory,
			startUpsMs: this.#startUpsMs.slice(-50),
			giving: givingOut(this.#activity),
		});
		this.demand = found;
		this.#doubts = { ...this.#doubts, memory: found.passing.memory };
		this.#activity = withReconcile(this.#activity, 'set', found.passing, nowMs);
		const startedMs = found.passing.memory.experiment?.startedMs;
		if (startedMs !== undefined && startedMs !== before) this.experimentsMs.push(startedMs - now);
		for (const { job, sinceMs } of found.unassigned) this.#know(job, { unassignedMs: sinceMs });
		if (answers)
			for (const key of found.ask) {
				this.asks += 1;
				this.#know(key, { checkedMs: nowMs, confirmedMs: nowMs });
			}
		const living = this.living.length;
		for (let missing = found.desired - living; missing > 0; missing--) this.#make();
		for (const uid of [...found.mayGo.slice(0, Math.max(0, living - found.desired)), ...found.replace]) {
			const made = this.living.find(({ name }) => `uid-${name}` === uid);
			if (!made || made.job || made.leaving) continue;
			made.leaving = true;
			if (found.replace.includes(uid)) this.replaced += 1;
		}
		this.most = Math.max(this.most, this.living.length);
	}

	#know(key: string, more: Partial<Job>): void {
		this.#known.set(key, { ...this.#known.get(key), ...more });
	}

	#record({
		id,
		repository,
		labels = ['self-hosted'],
		openedMs,
		runner: runnerName,
		startedMs,
	}: Waiting): Job {
		return job(id, {
			repository,
			labels,
			createdMs: openedMs,
			openedMs,
			stateMs: startedMs ?? openedMs,
			...(runnerName === undefined ? {} : { state: 'in_progress', runnerName }),
			...this.#known.get(`j${id}`),
		});
	}

	#view({ name, createdMs, startsAtMs, job, leaving }: Made): Runner {
		const started = startsAtMs <= this.nowMs;
		return runner(name, job ? 'busy' : started ? 'idle' : 'unbound', {
			createdMs,
			departing: leaving,
			idleSinceMs: job ? undefined : started ? startsAtMs : createdMs,
			busySinceMs: job?.startedMs,
			worked: job !== undefined,
			job: job && { jobId: job.id },
		});
	}
}
