import { confirmedMs } from './job-status.ts';
import { passedAfterMs } from './policy.ts';
import type { Given, GivingOut, Head, Job, JobClass, Runner, Supply, Withheld } from './types.ts';

/** The idle runners that are available or doubted, and which jobs all of them have passed by. */
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
		const idle = supply.available.filter(({ phase }) => phase === 'idle');
		this.#onTheWay = idle.length < supply.available.length;
		this.idle = [...idle, ...supply.doubted];
		this.#byKey = new Map(waiting.map((job) => [job.key, job]));
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
	 * The class that is tried next: that of the oldest job that all have passed by, of one that was given before; else one
	 * that is out and due, the longest due first; else that of the oldest job.
	 *
	 * @param mayTry whether one of the class may be begun: the jobs of others must not wait until it may
	 */
	next(
		{ withheld, given }: { withheld: ReadonlyMap<JobClass, Withheld>; given: ReadonlyMap<JobClass, Given> },
		mayBegin: boolean,
		{ stalledMs }: GivingOut,
		mayTry: (of: JobClass) => boolean,
	): JobClass | undefined {
		const due = [...withheld]
			.filter(([of, { againMs }]) => againMs <= this.#nowMs && this.heads.has(of) && mayTry(of))
			.sort(([, one], [, other]) => one.againMs - other.againMs)
			.map(([of]) => of);
		const passed = [...this.heads]
			.filter(([of, head]) => !withheld.has(of) && mayTry(of) && this.havePassed(head, stalledMs))
			.sort(([, one], [, other]) => this.openedMs(one) - this.openedMs(other))
			.map(([of]) => of);
		const first = passed.find((of) => given.has(of));
		if (!mayBegin) return first === undefined ? due[0] : undefined;
		return first ?? due[0] ?? passed[0];
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
