import { type Clock, inLegs, sleepUntil } from '../../../admission/time/clock.ts';

interface Timer {
	atMs: number;
	callback: () => void;
}

/** Timers that fire while a test waits once. Where there are more, something goes round in circles. */
const mostInOneWait = 50_000;

/**
 * A clock whose time passes only when a test says so: `pass` fires every timer in its order, and lets everything that a
 * timer sets going come to rest before the next one fires. Nothing waits for real time, so minutes take milliseconds and
 * every run is the same. What is tested must not do real I/O.
 */
export class SimulatedClock implements Clock {
	#nowMs: number;
	readonly #startMs: number;
	readonly #timers = new Set<Timer>();
	#setMs = 0;
	#seed = 1;
	#fired = 0;
	#mistake: Error | undefined;

	constructor(start: string | number = '2026-11-23T12:00:00Z') {
		this.#startMs = typeof start === 'number' ? start : Date.parse(start);
		this.#nowMs = this.#startMs;
	}

	now = (): number => this.#nowMs + this.#setMs;
	monotonic = (): number => this.#nowMs - this.#startMs;

	/** A fixed sequence (mulberry32). */
	random = (): number => {
		this.#seed = (this.#seed + 0x6d2b79f5) | 0;
		let mixed = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};

	/** A timer of Node's. */
	#timer = (ms: number, callback: () => void): (() => void) => {
		// Node would call back after 1 ms, and most likely again and again. Its caller may not notice, so the test fails.
		if (Number.isNaN(ms + 0)) this.#mistake ??= new Error(`a timer after ${ms} ms`);
		// So it does for more than 31 bits hold.
		const timer = { atMs: this.#nowMs + (ms < 2 ** 31 ? Math.max(0, ms) : 1), callback };
		this.#timers.add(timer);
		return () => void this.#timers.delete(timer);
	};

	after = inLegs(this.#timer);

	sleep = (ms: number, signal?: AbortSignal): Promise<void> => sleepUntil(this.after, ms, signal);

	/** The process stands still for so long (SIGSTOP): time passes, and timers fire late, when it goes on. */
	pause(ms: number): void {
		this.#nowMs += ms;
	}

	/** Somebody sets the wall clock by so much, forwards or backwards. Monotonic time and timers do not notice. */
	set(byMs: number): void {
		this.#setMs += byMs;
	}

	/** RFC 3339, of `agoMs` before now. */
	iso = (agoMs = 0): string => new Date(this.now() - agoMs).toISOString();

	/** How many timers wait: what has been stopped should leave none behind. */
	get waiting(): number {
		return this.#timers.size;
	}

	/** Lets what is under way come to rest, without time passing. */
	async settle(): Promise<void> {
		// An immediate runs when all promise callbacks are done, those included that they add.
		await new Promise((resolve) => setImmediate(resolve));
		if (this.#mistake) throw this.#mistake;
	}

	/** Lets this much time pass. */
	async pass(ms: number): Promise<void> {
		const untilMs = this.#nowMs + ms;
		this.#fired = 0;
		await this.settle();
		for (let next = this.#next(untilMs); next; next = this.#next(untilMs)) {
			await this.#fire(next);
		}
		this.#nowMs = untilMs;
	}

	/** Lets time pass until `check` holds; answers how long that took, ms. Fails after `withinMs` of simulated time. */
	async until(what: string, check: () => unknown, withinMs = 10 * 60_000): Promise<number> {
		const fromMs = this.#nowMs;
		this.#fired = 0;
		await this.settle();
		while (!check()) {
			const next = this.#next(fromMs + withinMs);
			if (!next) throw new Error(`not within ${withinMs / 1000} s of simulated time: ${what}`);
			await this.#fire(next);
		}
		return this.#nowMs - fromMs;
	}

	async #fire(timer: Timer): Promise<void> {
		this.#nowMs = Math.max(this.#nowMs, timer.atMs);
		this.#fired += 1;
		if (this.#fired > mostInOneWait) throw new Error('time hardly passes: timers come without end');
		this.#timers.delete(timer);
		timer.callback();
		await this.settle();
	}

	/** The earliest timer; of two for the same moment the one that was set first. */
	#next(untilMs: number): Timer | undefined {
		let next: Timer | undefined;
		for (const timer of this.#timers)
			if (timer.atMs <= untilMs && (!next || timer.atMs < next.atMs)) next = timer;
		return next;
	}
}
