/**
 * A rate limit: at most `most()` calls in any period of `windowMs`, so that no burst can span a boundary. Where `most`
 * shrinks, the calls that were sent before still count.
 */
export class SlidingWindow {
	readonly #most: () => number;
	readonly #windowMs: number;
	/** When calls were sent, ascending; times in the future are reservations. */
	readonly #timesMs: number[] = [];

	constructor(most: () => number, windowMs: number) {
		this.#most = most;
		this.#windowMs = windowMs;
	}

	/** How many calls lie in the window that ends now, those reserved for later included. */
	count(nowMs: number): number {
		return this.#kept(nowMs).length;
	}

	/** When the next call may be sent: `nowMs` or later. */
	nextMs(nowMs: number): number {
		const blocker = this.#kept(nowMs).at(-this.#whole());
		return blocker === undefined ? nowMs : Math.max(nowMs, blocker + this.#windowMs);
	}

	/** When a call whose reservation was just cancelled may be sent: `nowMs`, unless calls before it were sent late. */
	againMs(nowMs: number): number {
		const kept = this.#kept(nowMs);
		const sent = kept.findLastIndex((timeMs) => timeMs <= nowMs) + 1;
		const blocker = kept[sent - this.#whole()];
		return blocker === undefined ? nowMs : blocker + this.#windowMs;
	}

	/** Reserves `atMs`, which `nextMs` or `againMs` has just returned. */
	reserve(atMs: number): void {
		const after = this.#timesMs.findLastIndex((timeMs) => timeMs <= atMs);
		this.#timesMs.splice(after + 1, 0, atMs);
	}

	/** Cancels a reservation, because its call was not made. */
	cancel(atMs: number): void {
		const index = this.#timesMs.lastIndexOf(atMs);
		if (index >= 0) this.#timesMs.splice(index, 1);
	}

	/** In whole calls, and at least one, so that it never stands still. */
	#whole(): number {
		return Math.max(1, Math.floor(this.#most()));
	}

	/** The times that are still in the window; the others are forgotten. */
	#kept(nowMs: number): readonly number[] {
		const firstKept = this.#timesMs.findIndex((timeMs) => timeMs > nowMs - this.#windowMs);
		this.#timesMs.splice(0, firstKept < 0 ? this.#timesMs.length : firstKept);
		return this.#timesMs;
	}
}
