import { demand } from '../../../admission/autoscale/rules/demand.ts';
import { noDoubts } from '../../../admission/autoscale/rules/experiment.ts';
import { givingOut, noActivity, withReconcile } from '../../../admission/autoscale/rules/giving-out.ts';
import type { Demand, Runner, SupplyDoubts } from '../../../admission/autoscale/rules/types.ts';
import { isOffline, type OfflineLists, withList } from '../../../admission/guard/rules/offline.ts';
import type { Scope } from '../../../admission/runner/scope.ts';
import { desired, minute, now, runner, second } from './given.ts';
import { keyOf, type SignedEvent, SignedEvents } from './signed-events.ts';

export interface Waiting {
	id: number;
	repository: string;
	labels?: readonly string[];
	/** GitHub gives it to no runner. */
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
	/** It hangs, and GitHub's lists show it offline. */
	offline: boolean;
	lists: OfflineLists | undefined;
	/** An event that is not GitHub's for it was believed: it looks busy. */
	pinned: boolean;
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
	isOffline?: (nth: number) => boolean;
	/** GitHub's lists show all runners offline. */
	incident?: () => boolean;
	/** Where its runners register. */
	scope?: Scope;
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
	readonly #events: SignedEvents;
	readonly #byKey = new Map<string, Waiting>();
	#listedMs = 0;
	#activity = noActivity;
	#doubts: SupplyDoubts = noDoubts;
	readonly #startUpsMs: number[] = [];
	#nextId = 1;

	constructor(settings: Settings) {
		this.#settings = settings;
		this.#events = new SignedEvents(
			settings.scope ?? { kind: 'organization', name: 'octo' },
			() => this.clockMs,
		);
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
		this.#byKey.set(keyOf(queued.id, queued.repository), queued);
		this.#receive(queued, 'queued');
		return queued;
	}

	/** An event that another owner has signed. */
	foreign(event: Omit<SignedEvent, 'by' | 'createdMs' | 'sentMs'>): void {
		const times = { createdMs: this.nowMs - second, sentMs: this.nowMs };
		const isBelieved = this.#events.receive({ by: 'evil', ...event, ...times });
		for (const made of this.living) if (isBelieved && made.name === event.runner) made.pinned = true;
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
		const {
			startMs = () => 30 * second,
			isSick = () => false,
			isOffline: loses = () => false,
		} = this.#settings;
		const offline = loses(nth);
		this.runners.push({
			name: `r${nth}`,
			createdMs: this.nowMs,
			startsAtMs: this.nowMs + startMs(nth),
			sick: isSick(nth) || offline,
			offline,
			lists: undefined,
			pinned: false,
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
				this.#receive(job, 'completed');
				this.#events.forget(job.id, job.repository);
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
				this.#receive(job, 'in_progress');
			}
		if (nowMs - this.#listedMs >= minute) {
			this.#listedMs = nowMs;
			this.#list();
		}
		this.#reconcile(max, delayMs, answers);
	}

	#reconcile(max: number, delayMs: number, answers: () => boolean): void {
		const nowMs = this.clockMs;
		const { jobs } = this.#events;
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
			if (unassignedMs !== unassigned.get(key))
				this.#events.learn(key, { unassignedMs: unassigned.get(key) });
		if (answers())
			for (const key of found.ask) {
				this.asks += 1;
				this.#events.answered(key, this.#stateOf(key));
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

	#receive(job: Waiting, action: SignedEvent['action']): void {
		const { id, repository, labels = ['self-hosted'], openedMs: createdMs, runner } = job;
		const enterprise =
			this.#settings.scope?.kind === 'enterprise' ? { enterprise: this.#settings.scope.name } : {};
		const sentMs = this.nowMs;
		this.#events.receive({
			by: 'octo',
			action,
			id,
			repository,
			labels,
			runner,
			createdMs,
			sentMs,
			...enterprise,
		});
	}

	/** One of GitHub's lists of runners. */
	#list(): void {
		const all = this.living.filter(({ startsAtMs }) => startsAtMs <= this.nowMs);
		const offline = new Set(all.filter((one) => !one.job && (one.offline || this.#settings.incident?.())));
		const others = { offline: offline.size, all: all.length };
		for (const one of all) one.lists = withList(one.lists, offline.has(one), others, this.nowMs);
	}

	/** What GitHub answers. */
	#stateOf(key: string): 'queued' | 'in_progress' | 'unknown' {
		const found = this.#byKey.get(key);
		if (!found) return 'unknown';
		return found.runner === undefined ? 'queued' : 'in_progress';
	}

	#view({ name, createdMs, startsAtMs, job, leaving, lists, pinned }: Made): Runner {
		const started = startsAtMs <= this.nowMs;
		return runner(name, job || pinned ? 'busy' : started ? 'idle' : 'unbound', {
			createdMs,
			departing: leaving,
			offline: isOffline(lists),
			idleSinceMs: job ? undefined : started ? startsAtMs : createdMs,
			busySinceMs: job?.startedMs,
			worked: job !== undefined,
			job: job && { jobId: job.id },
		});
	}
}
