/**
 * Allows each key at most `most` in a window of `windowMs`, and forgets all keys when the next window begins. Two windows
 * that meet may let twice as many through in a short time; in return it keeps only a number for each key.
 */
export class FixedWindow<Key = undefined> {
	readonly #most: number;
	readonly #windowMs: number;
	#sinceMs = Number.NEGATIVE_INFINITY;
	readonly #counts = new Map<Key, number>();

	constructor(most: number, windowMs: number) {
		this.#most = most;
		this.#windowMs = windowMs;
	}

	/** Counts one more; false: it is too many. */
	allows(key: Key, nowMs: number): boolean {
		if (nowMs - this.#sinceMs >= this.#windowMs) {
			this.#sinceMs = nowMs;
			this.#counts.clear();
		}
		const count = (this.#counts.get(key) ?? 0) + 1;
		this.#counts.set(key, count);
		return count <= this.#most;
	}
}
