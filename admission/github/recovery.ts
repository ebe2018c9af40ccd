import { outageBackoff, probeLostMs, refusedBackoff, unknownRateLimitMs } from './policy.ts';
import type { GitHubFailure } from './types.ts';

/**
 * Back-off of an account, or of one scope of it. After a failure no call is sent for a while; then one call at a time
 * is sent as a probe, and its first good answer permits all calls again. Pure: time and randomness are passed in.
 */
export class Recovery {
	failure: GitHubFailure | undefined;
	#notBeforeMs = 0;
	#failures = 0;
	#probeSinceMs: number | undefined;
	#healthySinceMs = Number.NEGATIVE_INFINITY;
	readonly #random: () => number;

	constructor(random: () => number) {
		this.#random = random;
	}

	/** When the next probe may be sent, ms since the epoch. */
	get notBeforeMs(): number {
		return this.#notBeforeMs;
	}

	/** The next probe may not be sent before this either. */
	postpone(notBeforeMs: number): void {
		this.#notBeforeMs = Math.max(this.#notBeforeMs, notBeforeMs);
	}

	/** Why no call may be sent now; undefined: one may be sent, after a failure as the probe. */
	refusal(nowMs: number): GitHubFailure | undefined {
		if (!this.failure) return undefined;
		if (nowMs < this.#notBeforeMs) return { ...this.failure, retryAtMs: this.#notBeforeMs };
		const probing = this.#probeSinceMs !== undefined && nowMs - this.#probeSinceMs < probeLostMs;
		return probing ? { ...this.failure, retryAtMs: nowMs + 1_000 } : undefined;
	}

	/** A call that `refusal` permitted is being sent. Returns whether it is the probe. */
	start(nowMs: number): boolean {
		if (!this.failure) return false;
		this.#probeSinceMs = nowMs;
		return true;
	}

	/** The probe ended without an answer that says anything. */
	endProbe(): void {
		this.#probeSinceMs = undefined;
	}

	/**
	 * A call failed. If fifty concurrent calls meet one outage, only the first of them and later probes lengthen the
	 * back-off. A rate limit always counts, whichever call met it.
	 */
	failed(failure: GitHubFailure, call: { probe: boolean; startedAtMs: number }, nowMs: number): void {
		if (call.probe) this.#probeSinceMs = undefined;
		if (failure.kind === 'rate-limited') {
			const untilMs = failure.retryAtMs ?? nowMs + unknownRateLimitMs;
			const longer = this.failure?.kind !== 'rate-limited' || untilMs > this.#notBeforeMs;
			this.#notBeforeMs = Math.max(this.#notBeforeMs, untilMs);
			if (longer) this.failure = failure;
			return;
		}
		if (this.failure && !call.probe) return;
		// It was sent before the answer that ended the last failure, so it says nothing new.
		if (!this.failure && call.startedAtMs < this.#healthySinceMs) return;

		this.#failures = this.failure && familyOf(this.failure) === familyOf(failure) ? this.#failures + 1 : 1;
		const { firstMs, maxMs } = familyOf(failure) === 'refused' ? refusedBackoff : outageBackoff;
		const backoffMs = Math.min(maxMs, firstMs * 2 ** Math.min(this.#failures - 1, 20));
		const jitteredMs = backoffMs * (0.75 + 0.25 * this.#random());
		// Counted from the start of the call: one that timed out after 30 s has waited long enough already.
		this.#notBeforeMs = Math.max(call.startedAtMs + jitteredMs, nowMs + Math.min(jitteredMs, firstMs));
		this.failure = failure;
	}

	/** A call got a good answer. After a failure only the probe's counts: the others were sent before the failure. */
	succeeded(probe: boolean, nowMs: number): void {
		if (!probe) return;
		this.#probeSinceMs = undefined;
		this.#failures = 0;
		this.failure = undefined;
		this.#healthySinceMs = nowMs;
	}
}

/** Groups the kinds of failure: one outage may show as 502, connection reset and timeout in turn, and is one state. */
export function familyOf(failure: GitHubFailure): 'outage' | 'refused' | 'limited' {
	switch (failure.kind) {
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
