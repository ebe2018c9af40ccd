import { type OpenStatus, openStatuses } from '../../github/rules/run-status.ts';
import { BoundedMap } from '../../time/bounded-map.ts';
import { hasOurs, isReadSince, listed } from './rules/due.ts';
import {
	hiddenMs,
	hookedForMs,
	mostMisses,
	mostRepositories,
	mostRuns,
	rememberedForMs,
} from './rules/policy.ts';
import type { KnownRun, ListedRun, Repository, RunJob, RunList, Urgency } from './rules/types.ts';

const never = Number.NEGATIVE_INFINITY;

/** The repositories of an owner that had events: where two had some, the webhook is the organization's or an App's. */
interface Owner {
	repositories: Set<string>;
	eventMs: number;
}

/** The repositories that may have jobs for our runners, as long as something mentions them. Times by the monotonic clock. */
export class Repositories {
	/** By name in lower case. */
	readonly #known = new BoundedMap<string, Repository>({
		most: mostRepositories,
		lastsMs: rememberedForMs,
		ownerOf,
	});
	/** By name in lower case; as many as there are repositories at most. */
	readonly #owners = new Map<string, Owner>();

	get(name: string): Repository | undefined {
		return this.#known.get(name.toLowerCase());
	}

	values(): IterableIterator<Repository> {
		return this.#known.values();
	}

	/** Something mentions it: it may have jobs for us. */
	remember(name: string, nowMs: number): Repository {
		const key = name.toLowerCase();
		const repository = this.#known.get(key) ?? unread(key, name, nowMs);
		this.#known.set(key, repository, nowMs);
		return repository;
	}

	/** An event of it was delivered. */
	event(name: string, nowMs: number): void {
		const repository = this.remember(name, nowMs);
		repository.eventMs = nowMs;
		repository.misses = 0;
		repository.activeMs = nowMs;
		const key = ownerOf(repository);
		const owner = this.#owners.get(key) ?? { repositories: new Set<string>(), eventMs: nowMs };
		owner.eventMs = nowMs;
		if (owner.repositories.size < 2) owner.repositories.add(repository.key);
		this.#owners.set(key, owner);
	}

	/** Whether a webhook delivers its events, as far as has been seen. */
	hasWebhook(repository: Repository, nowMs: number): boolean {
		const { eventMs = never, missedMs = never } = repository;
		const owner = this.#owners.get(ownerOf(repository));
		const ownersMs = owner && owner.repositories.size > 1 ? owner.eventMs : never;
		return Math.max(eventMs, missedMs === never ? ownersMs : never) > Math.max(missedMs, nowMs - hookedForMs);
	}

	/** Whether a webhook delivers most of its events. Where `mostMisses` in a row were missed, it has none, or no longer. */
	mostlyHasWebhook(repository: Repository, nowMs: number): boolean {
		return repository.misses < mostMisses && this.hasWebhook({ ...repository, missedMs: undefined }, nowMs);
	}

	/** Forgets what has not been mentioned for `rememberedForMs`. */
	forgetOld(nowMs: number): void {
		this.#known.forgetOld(nowMs);
		const owners = new Set([...this.#known.values()].map(ownerOf));
		for (const key of this.#owners.keys()) if (!owners.has(key)) this.#owners.delete(key);
	}
}

function unread(key: string, name: string, nowMs: number): Repository {
	const list = (): RunList => ({ readMs: never, etag: undefined, runs: [] });
	return {
		key,
		name,
		firstMs: nowMs,
		activeMs: nowMs,
		eventMs: undefined,
		missedMs: undefined,
		misses: 0,
		hidden: undefined,
		wanted: undefined,
		metric: false,
		lists: { queued: list(), in_progress: list(), waiting: list(), pending: list() },
		runs: new Map(),
		ours: new Map(),
	};
}

function ownerOf({ key }: Repository): string {
	return key.split('/')[0] ?? '';
}

/** Everything that is open there is to be read again. */
export function want(repository: Repository, urgency: Urgency, nowMs: number): void {
	const { wanted } = repository;
	repository.wanted = { atMs: nowMs, urgency: wanted && wanted.urgency < urgency ? wanted.urgency : urgency };
}

/** Something was found that an event should have reported long ago. */
export function noteMiss(repository: Repository, nowMs: number): void {
	repository.missedMs = nowMs;
	repository.misses += 1;
}

/** GitHub does not show it, which says nothing about its jobs. */
export function hide(repository: Repository, nowMs: number): void {
	const { times = 0 } = repository.hidden ?? {};
	const waitMs = Math.min(hiddenMs.most, hiddenMs.first * 2 ** times);
	repository.hidden = { untilMs: nowMs + waitMs, times: times + 1 };
}

/** GitHub has listed its runs of a status. `found` undefined: nothing has changed. */
export function noteList(
	repository: Repository,
	status: OpenStatus,
	found: { runs: readonly ListedRun[]; etag: string | undefined } | undefined,
	nowMs: number,
): void {
	const list = repository.lists[status];
	Object.assign(list, { ...found, readMs: nowMs });
	repository.hidden = undefined;
	if (list.runs.length > 0) repository.activeMs = nowMs;
	for (const { id, attempt, updatedAt } of list.runs) {
		if (repository.runs.has(id) || repository.runs.size >= mostRuns) continue;
		const fresh = { attempt, updatedAt, etag: undefined, jobs: [] };
		repository.runs.set(id, { seenMs: nowMs, readMs: never, ...fresh });
	}
	forgetGone(repository, nowMs);
}

/** GitHub has listed the jobs of a run. `found` undefined: nothing has changed. */
export function noteRun(
	repository: Repository,
	runId: number,
	found: { jobs: readonly RunJob[]; etag: string | undefined } | undefined,
	nowMs: number,
): void {
	const run = listed(repository, openStatuses).get(runId);
	const before = repository.runs.get(runId);
	const { attempt = 1, updatedAt = '' } = run ?? before ?? {};
	const known: KnownRun = {
		seenMs: before?.seenMs ?? nowMs,
		etag: found ? found.etag : before?.etag,
		jobs: found?.jobs ?? before?.jobs ?? [],
		attempt,
		updatedAt,
		readMs: nowMs,
	};
	repository.runs.set(runId, known);
	if (hasOurs(known)) repository.activeMs = nowMs;
	forgetGone(repository, nowMs);
}

/** Forgets runs that are no longer listed and have no open jobs of ours, and a request to read everything that is fulfilled. */
function forgetGone(repository: Repository, nowMs: number): void {
	const { runs, ours, wanted } = repository;
	const open = listed(repository, openStatuses);
	for (const [id, run] of runs) if (!open.has(id) && !ours.has(id) && !hasOurs(run)) runs.delete(id);
	if (wanted && isReadSince(repository, wanted.atMs, nowMs)) repository.wanted = undefined;
}
