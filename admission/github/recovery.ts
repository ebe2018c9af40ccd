import { outageBackoff, probeLostMs, refusedBackoff, unknownRateLimitMs } from './policy.ts';
import type { Trouble } from './types.ts';

/**
 * Back-off of an account, or of one scope of it: after a trouble nobody calls for a while, then one call at a time
 * probes, and the first good answer releases everybody. Pure: time and chance are passed in.
 */
export class Recovery {
	trouble: Trouble | undefined;
	#notBeforeMs = 0;
	#failures = 0;
	#probeSinceMs: number | undefined;
	#healthySinceMs = Number.NEGATIVE_INFINITY;
	readonly #random: () => number;

	constructor(random: () => number) {
		this.#random = random;
	}

	/** Why a call may not go now; undefined: it may, as a probe if there is a trouble. */
	refusal(nowMs: number): Trouble | undefined {
		if (!this.trouble) return undefined;
		if (nowMs < this.#notBeforeMs) return { ...this.trouble, retryAtMs: this.#notBeforeMs };
		const probing = this.#probeSinceMs !== undefined && nowMs - this.#probeSinceMs < probeLostMs;
		return probing ? { ...this.trouble, retryAtMs: nowMs + 1_000 } : undefined;
	}

	/** A call that `refusal` let through is on its way. True: it is the probe. */
	start(nowMs: number): boolean {
		if (!this.trouble) return false;
		this.#probeSinceMs = nowMs;
		return true;
	}

	/** The probe ended without telling anything. */
	endProbe(): void {
		this.#probeSinceMs = undefined;
	}

	/**
	 * A call failed. One outage met by fifty calls at once counts once: only the first and the probes move the
	 * back-off. A rate limit always counts, whoever met it.
	 */
	failed(trouble: Trouble, call: { probe: boolean; startedAtMs: number }, nowMs: number): void {
		if (call.probe) this.#probeSinceMs = undefined;
		if (trouble.kind === 'rate-limited') {
			const untilMs = trouble.retryAtMs ?? nowMs + unknownRateLimitMs;
			const longer = this.trouble?.kind !== 'rate-limited' || untilMs > this.#notBeforeMs;
			this.#notBeforeMs = Math.max(this.#notBeforeMs, untilMs);
			if (longer) this.trouble = trouble;
			return;
		}
		if (this.trouble && !call.probe) return;
		// Sent before the last recovery: older news than the answer that ended the trouble.
		if (!this.trouble && call.startedAtMs < this.#healthySinceMs) return;

		this.#failures = this.trouble && familyOf(this.trouble) === familyOf(trouble) ? this.#failures + 1 : 1;
		const { firstMs, maxMs } = familyOf(trouble) === 'refused' ? refusedBackoff : outageBackoff;
		const backoffMs = Math.min(maxMs, firstMs * 2 ** Math.min(this.#failures - 1, 20));
		const jitteredMs = backoffMs * (0.75 + 0.25 * this.#random());
		// From the start of the call: one that timed out after 30 s has waited long enough already.
		this.#notBeforeMs = Math.max(call.startedAtMs + jitteredMs, nowMs + Math.min(jitteredMs, firstMs));
		this.trouble = trouble;
	}

	/** A call got a good answer. While there is trouble only the probe's answer counts: others are older. */
	succeeded(probe: boolean, nowMs: number): void {
		if (!probe) return;
		this.#probeSinceMs = undefined;
		this.#failures = 0;
		this.trouble = undefined;
		this.#healthySinceMs = nowMs;
	}
}

/** One outage may show as 502, reset and timeout in turn: that is one state, not three. */
export function familyOf(trouble: Trouble): 'outage' | 'refused' | 'limited' {
	switch (trouble.kind) {
		case 'github-unavailable':
		case 'github-slow':
			return 'outage';
		case 'credentials-invalid':
		case 'forbidden':
			return 'refused';
		default:
			return 'limited';
	}
}
