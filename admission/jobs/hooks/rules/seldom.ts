/** Tells whether something has been said of somebody already, so that a log holds one line of each in so long. */
export class Seldom {
	readonly #everyMs: number;
	readonly #most: number;
	/** When last, by whom; the oldest first. */
	readonly #lastMs = new Map<string, number>();

	/** Of more than `most` at a time nothing is said. */
	constructor(everyMs: number, most: number) {
		this.#everyMs = everyMs;
		this.#most = most;
	}

	/** Whether it is due; if so, it counts as said. */
	isDue(who: string, nowMs: number): boolean {
		for (const [one, lastMs] of this.#lastMs) {
			if (nowMs - lastMs < this.#everyMs) break;
			this.#lastMs.delete(one);
		}
		if (this.#lastMs.has(who) || this.#lastMs.size >= this.#most) return false;
		this.#lastMs.set(who, nowMs);
		return true;
	}
}
