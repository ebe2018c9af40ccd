import { type GitHubFailure, isFailure, type Read, type ReadOutcome } from '../../github/types.ts';
import { BoundedMap } from '../../time/bounded-map.ts';
import type { Clock } from '../../time/clock.ts';
import type { Spending } from './rules/allowance.ts';
import { backoffMs, mostRefused, refusedForMs } from './rules/policy.ts';

const minuteMs = 60_000;

/** What GitHub is asked with: an Account is one. */
export interface PollAccount {
	read: Read;
	/** The same object for all accounts with the same credential. */
	connection: { used(): number };
}

/** One credential: the calls of the last minute with it, and until when none is made. Times by the monotonic clock. */
export class Credential {
	account: PollAccount;
	/** A query is under way: one at a time. */
	busy = false;
	/** How many repositories are asked about with it of which no webhook delivers events. */
	withoutWebhook = 0;
	/** What GitHub does not show it: repositories and organizations, in lower case. */
	readonly #refused = new BoundedMap<string, true>({ most: mostRefused, lastsMs: refusedForMs });
	readonly #clock: Pick<Clock, 'now' | 'monotonic'>;
	#calls: { atMs: number; charged: boolean }[] = [];
	#notBeforeMs = Number.NEGATIVE_INFINITY;
	#failures = 0;

	constructor(account: PollAccount, clock: Pick<Clock, 'now' | 'monotonic'>) {
		this.account = account;
		this.#clock = clock;
	}

	get ready(): boolean {
		return !this.busy && this.#clock.monotonic() >= this.#notBeforeMs;
	}

	/** In the last minute. */
	spent(): Spending {
		const sinceMs = this.#clock.monotonic() - minuteMs;
		this.#calls = this.#calls.filter(({ atMs }) => atMs > sinceMs);
		const charged = this.#calls.filter((call) => call.charged).length;
		const { withoutWebhook, account } = this;
		return { calls: this.#calls.length, charged, used: account.connection.used(), withoutWebhook };
	}

	/** Counts the calls. */
	readonly read: Read = async (what, request, options) => {
		const outcome = await this.account.read(what, request, options);
		if (outcome.kind !== 'budget-spent')
			this.#calls.push({ atMs: this.#clock.monotonic(), charged: outcome.kind !== 'not-modified' });
		return outcome;
	};

	/** Its last query failed: it may be invalid. */
	get failing(): boolean {
		return this.#failures > 0;
	}

	/** GitHub does not show it this repository or organization, by name in lower case. */
	refused(name: string): void {
		this.#refused.set(name, true, this.#clock.monotonic());
	}

	isRefused(name: string): boolean {
		return this.#refused.has(name, this.#clock.monotonic());
	}

	/** GitHub has answered a query, whatever the answer was. */
	worked(): void {
		this.#failures = 0;
	}

	/** A query failed, or its answer could not be written. */
	failed(failure?: GitHubFailure): void {
		const { first, most } = backoffMs;
		const waitMs = Math.min(most, first * 2 ** this.#failures);
		const askedMs = failure?.retryAtMs === undefined ? 0 : failure.retryAtMs - this.#clock.now();
		this.#notBeforeMs = this.#clock.monotonic() + Math.max(waitMs, askedMs);
		// A rate limit that is reached for a moment is no failure.
		if (failure?.kind !== 'budget-spent') this.#failures += 1;
	}
}

/** The failure in an outcome, if it is one. */
export const failureIn = (outcome: { kind: string } | ReadOutcome): GitHubFailure | undefined =>
	isFailure(outcome) ? outcome : undefined;
