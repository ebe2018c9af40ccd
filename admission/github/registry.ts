import { perPage } from './client.ts';
import { maxPages, poll } from './policy.ts';
import type { ListOutcome, ListPage, Priority, RunnerInfo, RunnerPage, Scope, Trouble } from './types.ts';
import { isTrouble, scopeKey } from './types.ts';
import { waitFor } from './wait.ts';

/** A scope's runners, as GitHub listed them. */
export interface Snapshot {
	/** When the reading began, ms since the epoch: the list shows GitHub as it was then or later. */
	startedAtMs: number;
	/**
	 * All runners came in one page. Only then does a missing name prove that the runner is absent: pages are read one
	 * after the other, and a runner can move from one to another between two reads.
	 */
	complete: boolean;
	pages: number;
	runners: Map<string, RunnerInfo>;
	byId: Map<number, RunnerInfo>;
}

export interface LookupLimits {
	signal?: AbortSignal | undefined;
	priority?: Priority | undefined;
}

interface Known {
	/** Pages with their ETag: an unchanged page costs no quota (304). */
	pages: { etag: string | undefined; page: RunnerPage }[];
	snapshot?: Snapshot;
	flight?: { startedAtMs: number; work: Promise<Snapshot | Trouble> };
	/** Ids whose DELETE GitHub answered with 204. A list that still shows one is out of date: ids are never reused. */
	removed: Set<number>;
}

/** At most this many removed ids are remembered for a scope. */
const mostRemoved = 10_000;

/** How often a scope's list should be read, in ms. `fast`: somebody waits for a static runner's job to end. */
export function nextPollMs(pages: number, fast = false): number {
	if (fast) return Math.min(poll.maxMs, poll.fastPerPageMs * Math.max(1, pages));
	return Math.min(poll.maxMs, Math.max(poll.everyMs, poll.perPageMs * pages));
}

/** Knows each scope's runners from one paged list with ETags, in place of one call for each runner. */
export class Registry {
	readonly #list: ListPage;
	readonly #now: () => number;
	readonly #known = new Map<string, Known>();

	constructor(options: { list: ListPage; now: () => number }) {
		this.#list = options.list;
		this.#now = options.now;
	}

	/** The newest snapshot, without a call. Good for hints only. */
	latest(scope: Scope): Snapshot | undefined {
		return this.#known.get(scopeKey(scope))?.snapshot;
	}

	/** A snapshot whose reading began less than `maxAgeMs` ago. Concurrent callers share one reading. */
	async refresh(scope: Scope, options: LookupLimits & { maxAgeMs: number }): Promise<Snapshot | Trouble> {
		return this.#notBefore(scope, this.#now() - options.maxAgeMs, options);
	}

	/**
	 * Whether GitHub has no runner of this name, judged by a list whose reading began at `notBeforeMs` or later. Names
	 * are compared as GitHub does, without regard to case.
	 */
	async confirmAbsent(
		scope: Scope,
		name: string,
		options: LookupLimits & { notBeforeMs: number },
	): Promise<'absent' | { present: RunnerInfo } | Trouble> {
		const latest = this.latest(scope);
		if (!latest || latest.pages === 1) {
			// Reading the whole scope costs one call, as one name would, and serves all concurrent callers.
			const snapshot = await this.#notBefore(scope, options.notBeforeMs, options);
			if (isTrouble(snapshot)) return snapshot;
			const present = findByName(snapshot.runners.values(), name);
			if (present) return { present };
			if (snapshot.complete) return 'absent';
		}
		const answer = await this.#list(scope, { page: 1, name }, limitsOf(options));
		if (answer.kind === 'not-modified') return brokenList(scope, 'a 304 to a call without ETag');
		if (answer.kind !== 'page') return answer;
		const { runners, totalCount } = answer.page;
		const present = findByName(runners, name);
		if (present) return { present };
		if (runners.length === 0 && totalCount === 0) return 'absent';
		// It lists other names, so this server ignores the filter: this is its first page of all runners.
		if (runners.length === totalCount && runners.length < perPage) return 'absent';
		return this.#readTwice(scope, name, options);
	}

	/** GitHub has answered 204: the runner is absent from now on, without waiting for the next list. */
	forget(scope: Scope, runnerId: number): void {
		const { removed, snapshot } = this.#of(scope);
		for (const oldest of removed) {
			if (removed.size < mostRemoved) break;
			removed.delete(oldest);
		}
		removed.add(runnerId);
		const gone = snapshot?.byId.get(runnerId);
		if (!snapshot || !gone) return;
		snapshot.byId.delete(runnerId);
		if (snapshot.runners.get(gone.name)?.id === runnerId) snapshot.runners.delete(gone.name);
	}

	/** A snapshot whose reading began at `notBeforeMs` or later: the known one, one that is being read, or a new one. */
	async #notBefore(scope: Scope, notBeforeMs: number, limits: LookupLimits): Promise<Snapshot | Trouble> {
		const known = this.#of(scope);
		for (;;) {
			if (known.snapshot && known.snapshot.startedAtMs >= notBeforeMs) return known.snapshot;
			const joined = known.flight;
			const flight = joined ?? this.#startReading(scope, known, limits.priority);
			const result = await waitFor(flight.work, limits, () => stillListing(scope));
			if (!joined || limits.signal?.aborted) return result;
			// This reading was already under way: it may be too old, or have failed for a reason of its own caller only.
			const others = isTrouble(result) && result.kind === 'budget-spent' && limits.priority === 'request';
			if (isTrouble(result) ? !others : flight.startedAtMs >= notBeforeMs) return result;
		}
	}

	#startReading(scope: Scope, known: Known, priority: Priority | undefined): NonNullable<Known['flight']> {
		const startedAtMs = this.#now();
		const work = this.#readAll(scope, known, startedAtMs, priority).finally(() => {
			delete known.flight;
		});
		known.flight = { startedAtMs, work };
		return known.flight;
	}

	async #readAll(
		scope: Scope,
		known: Known,
		startedAtMs: number,
		priority?: Priority,
	): Promise<Snapshot | Trouble> {
		const pages: Known['pages'] = [];
		const ids = new Set<number>();
		let seen = 0;
		for (let number = 1; ; number++) {
			if (number > maxPages) return brokenList(scope, `more than ${maxPages} pages`);
			const cached = known.pages[number - 1];
			const answer: ListOutcome = await this.#list(scope, { page: number, etag: cached?.etag }, { priority });
			if (isTrouble(answer)) return answer;
			const current = answer.kind === 'not-modified' ? cached : { etag: answer.etag, page: answer.page };
			if (!current) return brokenList(scope, 'a 304 to a call without ETag');
			const fresh = current.page.runners.filter(({ id }) => !ids.has(id));
			if (fresh.length === 0 && current.page.runners.length > 0) {
				return brokenList(scope, `page ${number} repeats the pages before it`);
			}
			for (const { id } of fresh) ids.add(id);
			pages.push(current);
			seen += current.page.runners.length;
			// The end is found by counting, because the Link header may be wrong. The last page's count is used, since the
			// first page may be an old one (304).
			if (current.page.runners.length === 0 || seen === current.page.totalCount) break;
		}
		known.pages = pages;
		known.snapshot = snapshotOf(pages, startedAtMs, known.removed);
		return known.snapshot;
	}

	/** A list of several pages is not read at one moment: only two readings in a row that agree prove an absence. */
	async #readTwice(
		scope: Scope,
		name: string,
		options: LookupLimits & { notBeforeMs: number },
	): Promise<'absent' | { present: RunnerInfo } | Trouble> {
		let before: string | undefined;
		let notBeforeMs = options.notBeforeMs;
		for (let reading = 0; reading < 4; reading++) {
			const snapshot = await this.#notBefore(scope, notBeforeMs, options);
			if (isTrouble(snapshot)) return snapshot;
			const present = findByName(snapshot.runners.values(), name);
			if (present) return { present };
			const ids = [...snapshot.byId.keys()].sort((a, b) => a - b).join();
			if (snapshot.complete || ids === before) return 'absent';
			before = ids;
			notBeforeMs = snapshot.startedAtMs + 1;
		}
		return brokenList(scope, 'it keeps changing while it is read');
	}

	#of(scope: Scope): Known {
		const key = scopeKey(scope);
		const known = this.#known.get(key) ?? { pages: [], removed: new Set() };
		this.#known.set(key, known);
		return known;
	}
}

function snapshotOf(pages: Known['pages'], startedAtMs: number, removed: Set<number>): Snapshot {
	const all = pages.flatMap(({ page }) => page.runners);
	const there = all.filter(({ id }) => !removed.has(id));
	const first = pages[0]?.page;
	return {
		startedAtMs,
		// A full page is not taken for the whole list, whatever its total_count says.
		complete: pages.length === 1 && all.length === first?.totalCount && all.length < perPage,
		pages: pages.length,
		runners: new Map(there.map((runner) => [runner.name, runner])),
		byId: new Map(there.map((runner) => [runner.id, runner])),
	};
}

function findByName(runners: Iterable<RunnerInfo>, name: string): RunnerInfo | undefined {
	const wanted = name.toLowerCase();
	for (const runner of runners) if (runner.name.toLowerCase() === wanted) return runner;
	return undefined;
}

function limitsOf({ signal, priority }: LookupLimits): LookupLimits {
	return { signal, priority };
}

function stillListing(scope: Scope): Trouble {
	return { kind: 'github-slow', detail: `list runners of ${scopeKey(scope)}: GitHub has not answered yet` };
}

function brokenList(scope: Scope, why: string): Trouble {
	return { kind: 'github-unavailable', detail: `list runners of ${scopeKey(scope)}: ${why}` };
}
