import type { Clock } from '../time/clock.ts';
import { mostWaitingTurns } from './rules/policy.ts';

/**
 * Lets one caller go on at a time, each in a turn of the event loop of its own, and between two as much time passes as the
 * first has taken. So what may be asked by anybody takes at most half of the time, in small pieces, and handshakes and reviews
 * of others come in between.
 */
export class Turns {
	readonly #clock: Pick<Clock, 'monotonic' | 'sleep'>;
	readonly #waiting: (() => void)[] = [];
	#running = false;

	constructor(clock: Pick<Clock, 'monotonic' | 'sleep'>) {
		this.#clock = clock;
	}

	/** Resolves with true when it is this caller's turn; false: too many wait. */
	async take(): Promise<boolean> {
		if (this.#waiting.length >= mostWaitingTurns) return false;
		const turn = new Promise<true>((resolve) => this.#waiting.push(() => resolve(true)));
		void this.#run();
		return turn;
	}

	async #run(): Promise<void> {
		if (this.#running) return;
		this.#running = true;
		for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
			const startedMs = this.#clock.monotonic();
			next();
			await this.#clock.sleep(0); // whoever was let in has done by then what it does without waiting
			await this.#clock.sleep(this.#clock.monotonic() - startedMs);
		}
		this.#running = false;
	}
}
