import { foldedScope, foldName, sameName } from '../runner/github-name.ts';
import { BoundedMap } from '../time/bounded-map.ts';
import type { Clock } from '../time/clock.ts';
import { waitFor } from '../time/deadline.ts';
import { perPage } from './client.ts';
import {
	knownScopes,
	lookupMaxAgeMs,
	maxPages,
	poll,
	removedIds,
	scopeForgottenMs,
	sizeMaxAgeMs,
} from './policy.ts';
import type {
	GitHubFailure,
	ListOutcome,
	ListPage,
	Priority,
	RunnerInfo,
	RunnerPage,
	Scope,
} from './types.ts';
import { isFailure, scopeKey } from './types.ts';

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
	/** By foldName; see runnerNamed. */
	runners: Map<string, RunnerInfo>;
	byId: Map<number, RunnerInfo>;
}

interface LookupLimits {
	signal?: AbortSignal | undefined;
	priority?: Priority | undefined;
}

type Found = 'absent' | { present: RunnerInfo } | GitHubFailure;

interface Known {
	/** Pages with their ETag: an unchanged page costs no quota (304). */
	pages: { etag: string | undefined; page: RunnerPage }[];
	snapshot?: Snapshot;
	flight?: { startedAtMs: number; work: Promise<Snapshot | GitHubFailure> };
	/** How many pages the list had, by its first page or a whole reading. */
	size?: { pages: number; atMs: number };
	sizing?: Promise<number | GitHubFailure> | undefined;
	/** When runners were asked for by name, ms since the epoch: those of the last `lookupMaxAgeMs`. */
	namedMs: number[];
	/** Ids whose DELETE GitHub answered with 204. A list that still shows one is out of date: ids are never reused. */
	removed: BoundedMap<number, true>;
}

/** How often a scope's list should be read, in ms. `fast`: somebody waits for a static runner's job to end. */
export function nextPollMs(pages: number, fast = false): number {
	if (fast) return Math.min(poll.maxMs, poll.fastPerPageMs * Math.max(1, pages));
	return Math.min(poll.maxMs, Math.max(poll.everyMs, poll.perPageMs * pages));
}

/** Knows each scope's runners from one paged list with ETags, in place of one call for each runner. */
export class Registry {
	readonly #list: ListPage;
	readonly #clock: Pick<Clock, 'now' | 'after'>;
	/** By foldedScope. Of those that nobody waits for now, the ones that were never listed go first. */
	readonly #known = new BoundedMap<string, Known>({
		most: knownScopes,
		lastsMs: scopeForgottenMs,
		isPinned: ({ flight }) => flight !== undefined,
		rank: ({ snapshot }) => (snapshot ? 1 : 0),
	});

	constructor(options: { list: ListPage; clock: Pick<Clock, 'now' | 'after'> }) {
		this.#list = options.list;
		this.#clock = options.clock;
	}

	/** How many scopes it knows something about. */
	get remembered(): number {
		return this.#known.size;
	}

	/** The newest snapshot, without a call. Good for hints only. */
	latest(scope: Scope): Snapshot | undefined {
		return this.#known.get(foldedScope(scope))?.snapshot;
	}

	/** A snapshot whose reading began less than `maxAgeMs` ago. Concurrent callers share one reading. */
	async refresh(
		scope: Scope,
		options: LookupLimits & { maxAgeMs: number },
	): Promise<Snapshot | GitHubFailure> {
		return this.#notBefore(scope, this.#clock.now() - options.maxAgeMs, options);
	}

	/**
	 * The runner of this name. It may come from a list that was begun up to `maxAgeMs` ago; an absence is always proven
	 * anew. Where the list has several pages GitHub is asked for the name, unless so many names are asked for that reading
	 * the pages costs less.
	 */
	async find(scope: Scope, name: string, options: LookupLimits & { maxAgeMs: number }): Promise<Found> {
		const notBeforeMs = this.#clock.now();
		const known = this.#of(scope);
		const { snapshot } = known;
		if (snapshot && snapshot.startedAtMs >= notBeforeMs - options.maxAgeMs) {
			const present = runnerNamed(snapshot, name);
			if (present) return { present };
		}
		const pages = await this.#pages(scope, known, options);
		if (isFailure(pages)) return pages;
		known.namedMs = known.namedMs.filter((atMs) => atMs > notBeforeMs - lookupMaxAgeMs);
		if (pages === 1 || known.namedMs.length >= pages) {
			const list = await this.refresh(scope, options);
			if (isFailure(list)) return list;
			const present = runnerNamed(list, name);
			if (present) return { present };
		}
		known.namedMs.push(notBeforeMs);
		return this.confirmAbsent(scope, name, { ...options, notBeforeMs });
	}

	/**
	 * Whether GitHub has no runner of this name, judged by a list whose reading began at `notBeforeMs` or later. Names
	 * are compared as GitHub does, without regard to case.
	 */
	async confirmAbsent(
		scope: Scope,
		name: string,
		options: LookupLimits & { notBeforeMs: number },
	): Promise<Found> {
		const known = this.#of(scope);
		const pages = await this.#pages(scope, known, options);
		if (isFailure(pages)) return pages;
		if (pages === 1) {
			// Reading the whole scope costs one call, as one name would, and serves all concurrent callers.
			const snapshot = await this.#notBefore(scope, options.notBeforeMs, options);
			if (isFailure(snapshot)) return snapshot;
			const present = runnerNamed(snapshot, name);
			if (present) return { present };
			if (snapshot.complete) return 'absent';
		}
		const answer = await this.#list(scope, { page: 1, name }, limitsOf(options));
		if (answer.kind === 'not-modified') return brokenList(scope, 'a 304 to a call without ETag');
		if (answer.kind !== 'page') return answer;
		const { runners, totalCount } = answer.page;
		const present = runners.find((one) => sameName(name, one.name) && !known.removed.has(one.id));
		if (present) return { present };
		// All that it lists is on this page: nothing, or other names, where an old server ignores the filter.
		if (runners.length === totalCount && runners.length < perPage) return 'absent';
		return this.#readTwice(scope, name, options);
	}

	/** GitHub has answered 204: the runner is absent from now on, without waiting for the next list. */
	forget(scope: Scope, runnerId: number): void {
		const { removed, snapshot } = this.#of(scope);
		removed.set(runnerId, true, this.#clock.now());
		const gone = snapshot?.byId.get(runnerId);
		if (!snapshot || !gone) return;
		snapshot.byId.delete(runnerId);
		const name = foldName(gone.name);
		if (snapshot.runners.get(name)?.id === runnerId) snapshot.runners.delete(name);
	}

	/** How many pages the list has. Where that is not known or old, only its first page is read, once for all callers. */
	async #pages(scope: Scope, known: Known, limits: LookupLimits): Promise<number | GitHubFailure> {
		for (;;) {
			if (known.size && this.#clock.now() - known.size.atMs < sizeMaxAgeMs) return known.size.pages;
			const joined = known.sizing;
			known.sizing ??= this.#readFirst(scope, known, limits.priority).finally(() => {
				known.sizing = undefined;
			});
			const result = await waitFor(this.#clock, known.sizing, signalOf(limits), () => stillListing(scope));
			// The call of a caller with less priority may have failed for a reason that is only its own.
			const others = joined && isFailure(result) && result.kind === 'budget-spent';
			if (!others || limits.priority !== 'request' || limits.signal?.aborted) return result;
		}
	}

	async #readFirst(
		scope: Scope,
		known: Known,
		priority: Priority | undefined,
	): Promise<number | GitHubFailure> {
		const startedAtMs = this.#clock.now();
		const before = known.pages[0];
		const answer = await this.#list(scope, { page: 1, etag: before?.etag }, { priority });
		if (isFailure(answer)) return answer;
		const first = answer.kind === 'not-modified' ? before : { etag: answer.etag, page: answer.page };
		if (!first) return brokenList(scope, 'a 304 to a call without ETag');
		const { runners, totalCount } = first.page;
		known.size = {
			pages: Math.max(1, Math.ceil(totalCount / Math.max(1, runners.length))),
			atMs: startedAtMs,
		};
		const list = snapshotOf([first], startedAtMs, known.removed);
		if (list.complete) {
			known.pages = [first];
			known.snapshot = list;
		}
		return known.size.pages;
	}

	/** A snapshot whose reading began at `notBeforeMs` or later: the known one, one that is being read, or a new one. */
	async #notBefore(
		scope: Scope,
		notBeforeMs: number,
		limits: LookupLimits,
	): Promise<Snapshot | GitHubFailure> {
		const known = this.#of(scope);
		for (;;) {
			if (known.snapshot && known.snapshot.startedAtMs >= notBeforeMs) return known.snapshot;
			const joined = known.flight;
			const flight = joined ?? this.#startReading(scope, known, limits.priority);
			const result = await waitFor(this.#clock, flight.work, signalOf(limits), () => stillListing(scope));
			if (!joined || limits.signal?.aborted) return result;
			// This reading was already under way: it may be too old, or have failed for a reason of its own caller only.
			const others = isFailure(result) && result.kind === 'budget-spent' && limits.priority === 'request';
			if (isFailure(result) ? !others : flight.startedAtMs >= notBeforeMs) return result;
		}
	}

	#startReading(scope: Scope, known: Known, priority: Priority | undefined): NonNullable<Known['flight']> {
		const startedAtMs = this.#clock.now();
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
	): Promise<Snapshot | GitHubFailure> {
		const pages: Known['pages'] = [];
		const ids = new Set<number>();
		let seen = 0;
		for (let number = 1; ; number++) {
			if (number > maxPages) return brokenList(scope, `more than ${maxPages} pages`);
			const cached = known.pages[number - 1];
			const answer: ListOutcome = await this.#list(scope, { page: number, etag: cached?.etag }, { priority });
			if (isFailure(answer)) return answer;
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
		known.size = { pages: known.snapshot.pages, atMs: startedAtMs };
		return known.snapshot;
	}

	/** A list of several pages is not read at one moment: only two readings in a row that agree prove an absence. */
	async #readTwice(
		scope: Scope,
		name: string,
		options: LookupLimits & { notBeforeMs: number },
	): Promise<Found> {
		let before: string | undefined;
		let notBeforeMs = options.notBeforeMs;
		for (let reading = 0; reading < 4; reading++) {
			const snapshot = await this.#notBefore(scope, notBeforeMs, options);
			if (isFailure(snapshot)) return snapshot;
			const present = runnerNamed(snapshot, name);
			if (present) return { present };
			const ids = [...snapshot.byId.keys()].sort((a, b) => a - b).join();
			if (snapshot.complete || ids === before) return 'absent';
			before = ids;
			notBeforeMs = snapshot.startedAtMs + 1;
		}
		return brokenList(scope, 'it keeps changing while it is read');
	}

	#of(scope: Scope): Known {
		const key = foldedScope(scope);
		const known = this.#known.get(key) ?? {
			pages: [],
			namedMs: [],
			removed: new BoundedMap({ most: removedIds.most, lastsMs: removedIds.maxAgeMs }),
		};
		this.#known.set(key, known, this.#clock.now());
		return known;
	}
}

function snapshotOf(pages: Known['pages'], startedAtMs: number, removed: BoundedMap<number, true>): Snapshot {
	const all = pages.flatMap(({ page }) => page.runners);
	const there = all.filter(({ id }) => !removed.has(id));
	const first = pages[0]?.page;
	return {
		startedAtMs,
		// A full page is not taken for the whole list, whatever its total_count says.
		complete: pages.length === 1 && all.length === first?.totalCount && all.length < perPage,
		pages: pages.length,
		runners: new Map(there.map((runner) => [foldName(runner.name), runner])),
		byId: new Map(there.map((runner) => [runner.id, runner])),
	};
}

/** The runner that the list shows under this name. */
export const runnerNamed = ({ runners }: Pick<Snapshot, 'runners'>, name: string): RunnerInfo | undefined =>
	runners.get(foldName(name));

const limitsOf = ({ signal, priority }: LookupLimits): LookupLimits => ({ signal, priority });

const signalOf = ({ signal }: LookupLimits) => ({ signal });

function stillListing(scope: Scope): GitHubFailure {
	return { kind: 'github-slow', detail: `list runners of ${scopeKey(scope)}: GitHub has not answered yet` };
}

function brokenList(scope: Scope, why: string): GitHubFailure {
	return { kind: 'github-unavailable', detail: `list runners of ${scopeKey(scope)}: ${why}` };
}
