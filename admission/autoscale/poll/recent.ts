/** What happened lately: at most `most` of them, for `forMs` each. Times by the monotonic clock. */
export class Recent<Key> {
	readonly #forMs: number;
	readonly #most: number;
	/** The oldest first. */
	readonly #atMs = new Map<Key, number>();

	constructor(forMs: number, most: number) {
		this.#forMs = forMs;
		this.#most = most;
	}

	add(key: Key, nowMs: number): void {
		this.#atMs.delete(key);
		for (const [oldest, atMs] of this.#atMs) {
			if (nowMs - atMs < this.#forMs && this.#atMs.size < this.#most) break;
			this.#atMs.delete(oldest);
		}
		this.#atMs.set(key, nowMs);
	}

	has(key: Key, nowMs: number): boolean {
		const atMs = this.#atMs.get(key);
		return atMs !== undefined && nowMs - atMs < this.#forMs;
	}
}
