import type { Clock } from '../../kube/clock.ts';

interface Waiting {
	go: () => void;
	isGone: () => boolean;
}

/**
 * Lets requests of strangers pass at a steady rate, in the order in which they came. Answering them takes time of the same
 * thread that answers reviews; whoever sends more waits, and others wait no longer than for the connections before theirs.
 */
export class Pace {
	readonly #clock: Pick<Clock, 'monotonic' | 'after'>;
	readonly #stepMs: number;
	readonly #burst: number;
	/** As many as there are connections. */
	readonly #waiting: Waiting[] = [];
	/** How many may pass at once, and when that was so, by the monotonic clock. */
	#left: number;
	#leftAtMs: number;
	#timed = false;

	constructor(clock: Pick<Clock, 'monotonic' | 'after'>, perSecond: number, burst: number) {
		this.#clock = clock;
		this.#stepMs = 1_000 / perSecond;
		this.#burst = burst;
		this.#left = burst;
		this.#leftAtMs = clock.monotonic();
	}

	/** Resolves when it is this one's turn. @param isGone whether nobody waits for it any more: then it takes no turn */
	enter(isGone: () => boolean): Promise<void> {
		return new Promise((resolve) => {
			this.#waiting.push({ go: resolve, isGone });
			this.#pass();
		});
	}

	#pass(): void {
		const nowMs = this.#clock.monotonic();
		this.#left = Math.min(this.#burst, this.#left + (nowMs - this.#leftAtMs) / this.#stepMs);
		this.#leftAtMs = nowMs;
		for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
			if (!next.isGone()) {
				if (this.#left < 1) break;
				this.#left -= 1;
			}
			this.#waiting.shift();
			next.go();
		}
		if (this.#waiting.length === 0 || this.#timed) return;
		this.#timed = true;
		this.#clock.after((1 - this.#left) * this.#stepMs, () => {
			this.#timed = false;
			this.#pass();
		});
	}
}
