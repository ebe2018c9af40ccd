import { backgroundShare } from './policy.ts';
import type { Quota } from './types.ts';

/** Two readings of one window's reset time may differ by this, through rounding and clocks. */
const sameWindowMs = 60_000;

/**
 * GitHub's primary quota (5,000 calls an hour for most) as its headers tell it. Without headers there is no window
 * and nothing is assumed (F10).
 */
export class QuotaWindow {
	#window:
		| { limit: number | undefined; remaining: number; resetAtMs: number; backgroundLeft: number }
		| undefined;
	/** Calls on the way: each may cost one, which the headers do not show yet. */
	#onTheWay = 0;

	current(nowMs: number): Quota | undefined {
		if (this.#window && nowMs >= this.#window.resetAtMs) this.#window = undefined;
		return this.#window;
	}

	/** May one more call go, as far as the quota is known? */
	hasRoom(nowMs: number): boolean {
		const quota = this.current(nowMs);
		return !quota || quota.remaining - this.#onTheWay > 0;
	}

	/** Background calls never take more than half of what was left when the window was first seen (F6). */
	hasBackgroundRoom(nowMs: number): boolean {
		this.current(nowMs);
		return !this.#window || this.#window.backgroundLeft >= 1;
	}

	sent(background: boolean): void {
		this.#onTheWay++;
		if (background && this.#window) this.#window.backgroundLeft--;
	}

	/** `free`: the call cost nothing (a 304, or it never reached GitHub). */
	answered(quota: Quota | undefined, call: { background: boolean; free: boolean }, nowMs: number): void {
		this.#onTheWay--;
		const known = this.current(nowMs) && this.#window;
		if (known && call.free && call.background) known.backgroundLeft++;
		if (!quota || quota.resetAtMs <= nowMs) return;
		if (known && Math.abs(known.resetAtMs - quota.resetAtMs) < sameWindowMs) {
			// Answers overtake each other: the lowest is the newest.
			known.remaining = Math.min(known.remaining, quota.remaining);
			known.limit = quota.limit;
			return;
		}
		// An answer of the window before, late.
		if (known && quota.resetAtMs < known.resetAtMs) return;
		this.#window = {
			limit: quota.limit,
			remaining: quota.remaining,
			resetAtMs: quota.resetAtMs,
			backgroundLeft: Math.floor(quota.remaining * backgroundShare),
		};
	}
}
