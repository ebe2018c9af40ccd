import { passedAfterMs } from './policy.ts';
import type { GivingOut, Head, Job, JobClass, Runner, Supply, Withheld } from './types.ts';

/** The idle runners that are available, and which jobs all of them have passed by. */
export class Passers {
	/** Of each class the job that waits longest. */
	readonly heads: ReadonlyMap<JobClass, Head>;
	readonly idle: readonly Runner[];
	readonly #byKey: ReadonlyMap<string, Job>;
	/** A runner that has passed nothing by is on its way. */
	readonly #onTheWay: boolean;
	readonly #lastIdleMs: number;
	readonly #seen: ReadonlyMap<string, number>;
	readonly #nowMs: number;

	constructor(
		{ waiting, supply }: { waiting: readonly Job[]; supply: Supply },
		heads: ReadonlyMap<JobClass, Head>,
		seen: ReadonlyMap<string, number>,
		nowMs: number,
	) {
		this.heads = heads;
		this.idle = supply.available.filter(({ phase }) => phase === 'idle');
		this.#byKey = new Map(waiting.map((job) => [job.key, job]));
		this.#onTheWay = this.idle.length < supply.available.length;
		this.#seen = seen;
		this.#nowMs = nowMs;
		this.#lastIdleMs = Math.max(...this.idle.map((runner) => this.#idleMs(runner)));
	}

	jobOf({ job }: Head): Job | undefined {
		return this.#byKey.get(job);
	}

	get longestIdle(): Runner | undefined {
		return this.idle.toSorted((one, other) => this.#idleMs(one) - this.#idleMs(other))[0];
	}

	/** Whether all runners that are available are idle, so that they may have passed something by. */
	get mayHavePassed(): boolean {
		return this.idle.length > 0 && !this.#onTheWay;
	}

	/**
	 * When all will have passed it by, if GitHub still calls it queued then: ms since the epoch.
	 *
	 * @param fromMs what was before then does not count
	 */
	dueMs({ sinceMs }: Head, fromMs = 0): number {
		return Math.max(sinceMs, this.#lastIdleMs, fromMs) + passedAfterMs;
	}

	havePassed(head: Head, fromMs = 0): boolean {
		return this.mayHavePassed && confirmedMs(this.jobOf(head), this.#nowMs) >= this.dueMs(head, fromMs);
	}

	/** Whether one is available that is idle since later than that, or is on its way. */
	hasNewcomer(sinceMs: number): boolean {
		return this.#onTheWay || this.idle.some((runner) => this.#idleMs(runner) > sinceMs);
	}

	/**
	 * The class that is tried next: one that is out and due, the longest due first, or else that of the oldest job that all
	 * have passed by.
	 */
	next(
		withheld: ReadonlyMap<JobClass, Withheld>,
		mayBegin: boolean,
		{ stalledMs }: GivingOut,
	): JobClass | undefined {
		const due = [...withheld]
			.filter(([of, { againMs }]) => againMs <= this.#nowMs && this.heads.has(of))
			.sort(([, one], [, other]) => one.againMs - other.againMs);
		if (due[0] || !mayBegin) return due[0]?.[0];
		return [...this.heads]
			.filter(([of, head]) => !withheld.has(of) && this.havePassed(head, stalledMs))
			.sort(([, one], [, other]) => this.openedMs(one) - this.openedMs(other))[0]?.[0];
	}

	openedMs(head: Head): number {
		return this.jobOf(head)?.openedMs ?? 0;
	}

	#idleMs(runner: Runner): number {
		return idleMs(runner, this.#seen, this.#nowMs);
	}
}

/**
 * Since when it has been idle, ms since the epoch; no later than it was first seen so: our clock may be behind that of its node.
 *
 * @param seen by UID: since when runners have been idle, as far as it was known before
 */
export const idleMs = (
	{ uid, idleSinceMs }: Runner,
	seen: ReadonlyMap<string, number>,
	nowMs: number,
): number => Math.min(idleSinceMs ?? nowMs, seen.get(uid) ?? nowMs, nowMs);

/** When GitHub last called it queued, ms since the epoch. An answer of the future is none: the clock was set back since. */
export function confirmedMs(job: Job | undefined, nowMs: number): number {
	const ms = job?.confirmedMs ?? 0;
	return ms > nowMs ? 0 : ms;
}
