/**
 * GitHub's rate limits, per caller. Primary: a number of requests an hour. Secondary: points a minute (a read costs
 * 1, a write 5) and requests at the same time. Source: GitHub's documentation, "Rate limits for the REST API".
 */

interface LimitOptions {
	/** Requests an hour; 5000 for a personal token. */
	limit: number;
	/** 900 on GitHub.com, which is 180 DELETE a minute. */
	pointsPerMinute: number;
	/** 100 on GitHub.com. */
	concurrent: number;
}

export interface PrimaryState {
	limit: number;
	remaining: number;
	used: number;
	resetAtMs: number;
}

/** Callers without valid credentials share 60 requests an hour with all others at the same address. */
export const anonymousId = 'unknown';
const anonymousLimit = 60;

const hourMs = 3_600_000;
const minuteMs = 60_000;

interface Book {
	primary: PrimaryState;
	/** Times and costs of the last minute. */
	spent: { atMs: number; points: number }[];
	inFlight: number;
}

export class Limits {
	readonly #options: LimitOptions;
	readonly #books = new Map<string, Book>();
	#override: Partial<PrimaryState> = {};

	constructor(options: LimitOptions) {
		this.#options = options;
	}

	/** Sets the primary limit of every caller, including future ones. */
	set(state: { limit?: number; remaining?: number; resetAtMs?: number }): void {
		this.#override = { ...this.#override, ...state };
		for (const book of this.#books.values()) book.primary = settle({ ...book.primary, ...state });
	}

	/** The same for one caller. */
	setOne(callerId: string, state: { remaining: number; resetAtMs: number }, nowMs: number): void {
		const book = this.#book(callerId, nowMs);
		book.primary = settle({ ...book.primary, ...state });
	}

	/** All quotas are full again. */
	reset(): void {
		this.#override = {};
		this.#books.clear();
	}

	/** Quota of a caller now; a new hour starts by itself. */
	primary(callerId: string, nowMs: number): PrimaryState {
		return this.#book(callerId, nowMs).primary;
	}

	/** Seconds to wait if the secondary limit refuses this request, else undefined (and the request is counted). */
	enter(callerId: string, points: number, nowMs: number): number | undefined {
		const book = this.#book(callerId, nowMs);
		book.spent = book.spent.filter((entry) => entry.atMs > nowMs - minuteMs);
		const sum = book.spent.reduce((total, entry) => total + entry.points, 0);
		if (sum + points > this.#options.pointsPerMinute || book.inFlight >= this.#options.concurrent) return 60;
		book.spent.push({ atMs: nowMs, points });
		book.inFlight++;
		return undefined;
	}

	leave(callerId: string): void {
		const book = this.#books.get(callerId);
		if (book !== undefined && book.inFlight > 0) book.inFlight--;
	}

	/** Counts one request against the primary limit. */
	spend(callerId: string, nowMs: number): void {
		const { primary } = this.#book(callerId, nowMs);
		if (primary.remaining > 0) primary.remaining--;
		primary.used++;
	}

	#book(callerId: string, nowMs: number): Book {
		let book = this.#books.get(callerId);
		if (book === undefined) {
			book = { primary: this.#full(callerId, nowMs), spent: [], inFlight: 0 };
			book.primary = settle({ ...book.primary, ...this.#override });
			this.#books.set(callerId, book);
		}
		if (nowMs >= book.primary.resetAtMs) {
			this.#override = {};
			book.primary = this.#full(callerId, nowMs);
		}
		return book;
	}

	#full(callerId: string, nowMs: number): PrimaryState {
		const limit = callerId === anonymousId ? anonymousLimit : this.#options.limit;
		return { limit, remaining: limit, used: 0, resetAtMs: nowMs + hourMs };
	}
}

function settle(state: PrimaryState): PrimaryState {
	const remaining = Math.min(state.remaining, state.limit);
	return { ...state, remaining, used: state.limit - remaining };
}
