import { chance } from '../chance.ts';
import type { Job, World } from '../world.ts';
import type { Records } from './records.ts';

/** Calls to GitHub that autoscaling adds. */
export interface Calls {
	/** Lists of failed deliveries, and reads of those that were lost. */
	deliveries: number;
	/** Questions about one job. */
	asks: number;
	/** The slow round: lists of runs, and of the jobs of a run. Those that say "not modified" cost nothing of the limit. */
	round: number;
	notModified: number;
}

/** queued, in_progress, waiting, pending: each is a list of its own. */
const statuses = 4;

/** What the server does about events that do not come: failed deliveries, questions about jobs, the slow round. */
export class Recovery {
	readonly calls: Calls = { deliveries: 0, asks: 0, round: 0, notModified: 0 };
	readonly #world: World;
	readonly #records: Records;
	readonly #changed: () => void;
	readonly #asked = new Set<string>();
	readonly #seen = new Map<string, string>();
	#read = 0;
	#turn = 0;

	/** @param changed is called when records may have changed */
	constructor(world: World, records: Records, seed: number, changed: () => void) {
		this.#world = world;
		this.#records = records;
		this.#changed = changed;
		const { deliveriesEveryMs, roundStepMs, mayReadJobs } = world.constants;
		const next = chance(seed, 'recovery');
		world.time.at(next() * deliveriesEveryMs, () => this.#readFailed());
		if (mayReadJobs) world.time.at(next() * roundStepMs, () => this.#round());
	}

	ask(keys: readonly string[]): void {
		for (const key of keys) {
			if (this.#asked.has(key)) continue;
			this.#asked.add(key);
			this.calls.asks += 1;
			const askedMs = this.#world.time.nowMs;
			const job = this.#world.jobs[Number(key) - 1]!;
			this.#later(() => {
				this.#asked.delete(key);
				if (this.#world.constants.mayReadJobs) this.#records.answered(job, askedMs);
				else this.#records.refused(job, askedMs);
			});
		}
	}

	#readFailed(): void {
		const found = this.#world.failed.slice(this.#read);
		this.#read += found.length;
		this.calls.deliveries += 1 + found.length;
		this.#later(() => {
			for (const event of found) this.#records.hear(event);
		});
		this.#world.time.in(this.#world.constants.deliveriesEveryMs, () => this.#readFailed());
	}

	#round(): void {
		this.#world.time.in(this.#world.constants.roundStepMs, () => this.#round());
		const repositories = [...this.#records.repositories];
		const repository = repositories[this.#turn++ % repositories.length];
		if (repository === undefined) return;
		const open = this.#world.openJobs(repository);
		const runs = Map.groupBy(open, ({ runId }) => runId);
		const byStatus = { queued: '', in_progress: '' };
		for (const [runId, jobs] of runs)
			byStatus[jobs.some(({ state }) => state === 'in_progress') ? 'in_progress' : 'queued'] += ` ${runId}`;
		const modified = Object.entries(byStatus).filter(([status, list]) =>
			this.#isNew(repository + status, list),
		);
		this.calls.round += modified.length;
		this.calls.notModified += statuses - modified.length;
		for (const [runId, jobs] of runs) {
			if (!this.#isNew(`run ${runId}`, jobs.map(({ id, state }) => `${id}${state}`).join())) continue;
			this.calls.round += 1;
			const askedMs = this.#world.time.nowMs;
			this.#later(() => this.#learn(jobs, askedMs));
		}
	}

	#learn(jobs: readonly Job[], askedMs: number): void {
		for (const job of jobs) if (!this.#records.knows(job)) this.#records.answered(job, askedMs);
	}

	#isNew(what: string, value: string): boolean {
		const before = this.#seen.get(what) ?? '';
		this.#seen.set(what, value);
		return before !== value;
	}

	#later(act: () => void): void {
		this.#world.time.in(this.#world.constants.callMs, () => {
			act();
			this.#changed();
		});
	}
}
