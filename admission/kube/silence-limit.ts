import type { Clock } from '../time/clock.ts';

/**
 * Ends its signal once nothing has come for a time. The timer is set again only when it is due, not at each event: of
 * those there are thousands a second.
 */
export class SilenceLimit {
	readonly #clock: Pick<Clock, 'after' | 'monotonic'>;
	readonly #afterMs: number;
	readonly #stop = new AbortController();
	#lastMs: number;
	#cancel: () => void;

	/** @param afterMs how long it may be silent, from now on */
	constructor(clock: Pick<Clock, 'after' | 'monotonic'>, afterMs: number) {
		this.#clock = clock;
		this.#afterMs = afterMs;
		this.#lastMs = clock.monotonic();
		this.#cancel = clock.after(afterMs, () => this.#due());
	}

	get signal(): AbortSignal {
		return this.#stop.signal;
	}

	/** Something came. */
	interrupted(): void {
		this.#lastMs = this.#clock.monotonic();
	}

	/** Silence no longer matters. */
	end(): void {
		this.#cancel();
	}

	#due(): void {
		const leftMs = this.#lastMs + this.#afterMs - this.#clock.monotonic();
		if (leftMs <= 0) this.#stop.abort();
		else this.#cancel = this.#clock.after(Math.ceil(leftMs), () => this.#due());
	}
}
