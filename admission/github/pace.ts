/** At most `most` calls in any `windowMs`: a sliding window, so that no two minutes' worth meet at a boundary. */
export class Pace {
	readonly #most: number;
	readonly #windowMs: number;
	/** When calls were sent, or will be: times in the future are reservations. Ascending. */
	readonly #timesMs: number[] = [];

	constructor(most: number, windowMs: number) {
		this.#most = most;
		this.#windowMs = windowMs;
	}

	/** When the next call may go: `nowMs` or later. */
	nextMs(nowMs: number): number {
		this.#forget(nowMs);
		const blocker = this.#timesMs.at(-this.#most);
		return blocker === undefined ? nowMs : Math.max(nowMs, blocker + this.#windowMs);
	}

	/** When a call whose reservation was just cancelled may really go: `nowMs`, unless others came late before it. */
	againMs(nowMs: number): number {
		this.#forget(nowMs);
		const sent = this.#timesMs.findLastIndex((timeMs) => timeMs <= nowMs) + 1;
		const blocker = this.#timesMs[sent - this.#most];
		return blocker === undefined ? nowMs : blocker + this.#windowMs;
	}

	/** Takes the place at `atMs`, which `nextMs` has just named. */
	reserve(atMs: number): void {
		const after = this.#timesMs.findLastIndex((timeMs) => timeMs <= atMs);
		this.#timesMs.splice(after + 1, 0, atMs);
	}

	/** Gives a reserved place back: the call was not made. */
	cancel(atMs: number): void {
		const index = this.#timesMs.lastIndexOf(atMs);
		if (index >= 0) this.#timesMs.splice(index, 1);
	}

	#forget(nowMs: number): void {
		const firstKept = this.#timesMs.findIndex((timeMs) => timeMs > nowMs - this.#windowMs);
		this.#timesMs.splice(0, firstKept < 0 ? this.#timesMs.length : firstKept);
	}
}
