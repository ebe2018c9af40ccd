import { demand } from '../../../admission/autoscale/rules/demand.ts';
import { noDoubts } from '../../../admission/autoscale/rules/experiment.ts';
import { givingOut, noActivity, withReconcile } from '../../../admission/autoscale/rules/giving-out.ts';
import type { Demand, Job, Runner, SupplyDoubts } from '../../../admission/autoscale/rules/types.ts';
import { desired, job, minute, now, runner, second } from './given.ts';

export interface Waiting {
	id: number;
	repository: string;
	labels?: readonly string[];
	/** GitHub gives it to no runner. */
	unassignable?: boolean;
	/** How long it runs, ms. */
	runsMs?: number;
	openedMs: number;
	/** The same by the leader's clock. */
	seenMs: number;
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
	answers?: () => boolean;
	/** How many pods may exist: a quota. */
	room?: () => number;
	/** How far the leader's clock is off, ms. */
	clockMs?: () => number;
}

/** One set with ephemeral runners in simulated time: GitHub gives the oldest job to an idle runner that is not sick. */
export class SupplyWorld {
	readonly jobs: Waiting[] = [];
	readonly runners: Made[] = [];
	nowMs = now;
	made = 0;
	replaced = 0;
	/** Runners that were removed while they had a job. */
	killed = 0;
	asks = 0;
	most = 0;
	demand: Demand | undefined;
	/** When experiments began. */
	readonly experimentsMs: number[] = [];
	readonly #settings: Settings;
	readonly #known = new Map<string, Partial<Job>>();
	readonly #records = new Map<string, Job>();
	#activity = noActivity;
	#doubts: SupplyDoubts = noDoubts;
	readonly #startUpsMs: number[] = [];
	#nextId = 1;

	constructor(settings: Settings) {
		this.#settings = settings;
	}

	queue(more: Partial<Omit<Waiting, 'seenMs'>> = {}): Waiting {
		const queued = {
			id: this.#nextId++,
			repository: 'octo/app',
			openedMs: this.nowMs,
			seenMs: this.clockMs,
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

	/** What pended starts. */
	startAll(): void {
		for (const made of this.living)
			if (made.startsAtMs === Number.POSITIVE_INFINITY) made.startsAtMs = this.nowMs + 30 * second;
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

	/** The leader's clock, ms since the epoch. */
	get clockMs(): number {
		return this.nowMs + (this.#settings.clockMs?.() ?? 0);
	}

	/** Whether it looks as if GitHub gave out no jobs at all. */
	get stalled(): boolean {
		return givingOut(this.#activity).stalled;
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
		const { max, delayMs = 10 * minute, stalled = () => false, answers = () => true } = this.#settings;
		for (const made of this.living) {
			const { job } = made;
			if (job && nowMs - (job.startedMs ?? nowMs) >= (job.runsMs ?? minute)) {
				job.over = true;
				made.ended = true;
			}
			if (made.leaving && job) this.killed += 1;
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

	#reconcile(max: number, delayMs: number, answers: () => boolean): void {
		const nowMs = this.clockMs;
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
		const unassigned = new Map(found.unassigned.map(({ job, sinceMs }) => [job, sinceMs]));
		for (const { key, unassignedMs } of jobs)
			if (unassignedMs !== unassigned.get(key)) this.#know(key, { unassignedMs: unassigned.get(key) });
		if (answers())
			for (const key of found.ask) {
				this.asks += 1;
				this.#know(key, { checkedMs: nowMs, confirmedMs: nowMs });
			}
		const living = this.living.length;
		const room = this.#settings.room?.() ?? Number.POSITIVE_INFINITY;
		for (let wanted = found.desired; this.living.length < Math.min(wanted, room); ) this.#make();
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
		this.#records.delete(key);
	}

	/** The same object for as long as nothing is new. */
	#record(one: Waiting): Job {
		const { id, repository, labels = ['self-hosted'], seenMs, runner: runnerName } = one;
		const key = `j${id}`;
		const before = this.#records.get(key);
		if (before && before.runnerName === runnerName) return before;
		const record = job(id, {
			repository,
			labels,
			createdMs: seenMs,
			openedMs: seenMs,
			stateMs: runnerName === undefined ? seenMs : this.clockMs,
			...(runnerName === undefined ? {} : { state: 'in_progress', runnerName }),
			...this.#known.get(key),
		});
		this.#records.set(key, record);
		return record;
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
