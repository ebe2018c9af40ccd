import type { Clock } from './clock.ts';

interface Waiting {
	enter: () => void;
	isGone: () => boolean;
}

/**
 * A rate limit: `perSecond` callers a second in the order of their arrival, and up to `burst` at once after a time without any.
 * Whoever comes sooner waits. It keeps one entry for each caller that waits: the caller limits how many there are.
 */
export class TokenBucket {
	readonly #clock: Pick<Clock, 'monotonic' | 'after'>;
	readonly #stepMs: number;
	readonly #burst: number;
	readonly #waiting: Waiting[] = [];
	/** Tokens in the bucket at `#countedMs`, by the monotonic clock. */
	#tokens: number;
	#countedMs: number;
	/** A timer is set for the next token. */
	#timed = false;

	constructor(clock: Pick<Clock, 'monotonic' | 'after'>, perSecond: number, burst: number) {
		this.#clock = clock;
		this.#stepMs = 1_000 / perSecond;
		this.#burst = burst;
		this.#tokens = burst;
		this.#countedMs = clock.monotonic();
	}

	/** Resolves when it is this caller's turn. @param isGone whether the caller no longer waits: then it takes no token */
	enter(isGone: () => boolean): Promise<void> {
		return new Promise((resolve) => {
			this.#waiting.push({ enter: resolve, isGone });
			this.#admit();
		});
	}

	#admit(): void {
		const nowMs = this.#clock.monotonic();
		this.#tokens = Math.min(this.#burst, this.#tokens + (nowMs - this.#countedMs) / this.#stepMs);
		this.#countedMs = nowMs;
		for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
			if (!next.isGone()) {
				if (this.#tokens < 1) break;
				this.#tokens -= 1;
			}
			this.#waiting.shift();
			next.enter();
		}
		if (this.#waiting.length === 0 || this.#timed) return;
		this.#timed = true;
		this.#clock.after((1 - this.#tokens) * this.#stepMs, () => {
			this.#timed = false;
			this.#admit();
		});
	}
}
