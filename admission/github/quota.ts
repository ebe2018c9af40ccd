import { backgroundShare } from './policy.ts';
import type { Quota } from './types.ts';

/** Rounding and clocks may make two readings of one window's reset time differ by less than this. */
const sameWindowMs = 60_000;

/**
 * GitHub's primary quota (5,000 calls an hour for most credentials), read from the headers of its answers. Without
 * such headers no limit is assumed (F10).
 */
export class QuotaWindow {
	#window:
		| { limit: number | undefined; remaining: number; resetAtMs: number; backgroundLeft: number }
		| undefined;
	/** Calls that were sent and not answered: the headers do not count them yet. */
	#onTheWay = 0;

	/** The quota of the current window; undefined while none is known. */
	current(nowMs: number): Quota | undefined {
		if (this.#window && nowMs >= this.#window.resetAtMs) this.#window = undefined;
		return this.#window;
	}

	/** Whether the quota, as far as it is known, has room for one more call. */
	hasRoom(nowMs: number): boolean {
		const quota = this.current(nowMs);
		return !quota || quota.remaining - this.#onTheWay > 0;
	}

	/** Whether a background call may be sent: they get half of what was left when the window was first seen (F6). */
	hasBackgroundRoom(nowMs: number): boolean {
		this.current(nowMs);
		return !this.#window || this.#window.backgroundLeft >= 1;
	}

	/** A call was sent. */
	sent(background: boolean): void {
		this.#onTheWay++;
		if (background && this.#window) this.#window.backgroundLeft--;
	}

	/** A call ended. `quota`: from the answer's headers, if any. `free`: the call cost nothing (GitHub answered 304). */
	answered(quota: Quota | undefined, call: { background: boolean; free: boolean }, nowMs: number): void {
		this.#onTheWay--;
		const known = this.current(nowMs) && this.#window;
		if (known && call.free && call.background) known.backgroundLeft++;
		if (!quota || quota.resetAtMs <= nowMs) return;
		if (known && Math.abs(known.resetAtMs - quota.resetAtMs) < sameWindowMs) {
			// Answers may arrive in another order than they were counted: the lowest number is the newest.
			known.remaining = Math.min(known.remaining, quota.remaining);
			known.limit = quota.limit;
			return;
		}
		// A late answer about the previous window.
		if (known && quota.resetAtMs < known.resetAtMs) return;
		this.#window = {
			limit: quota.limit,
			remaining: quota.remaining,
			resetAtMs: quota.resetAtMs,
			backgroundLeft: Math.floor(quota.remaining * backgroundShare),
		};
	}
}
