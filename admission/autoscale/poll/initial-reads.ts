import type { Scope } from '../../runner/scope.ts';
import type { SetKey } from '../rules/set-key.ts';
import type { Organizations } from './organizations.ts';
import { type Repositories, want } from './repositories.ts';
import { isReadSince } from './rules/due.ts';
import { initialReadWithinMs, repositoriesFreshMs } from './rules/policy.ts';
import { urgency } from './rules/types.ts';

/** The first read of what a set may have to run. Times by the monotonic clock. */
interface InitialRead {
	scope: Scope;
	sinceMs: number;
	/** Repositories that are not read yet; undefined: it is not known which there are. */
	pending: { keys: Set<string>; sinceMs: number } | undefined;
}

/** How an initial read has ended: all was read that GitHub shows, or it took too long. */
type InitialReadEnd = 'read' | 'late';

/**
 * The initial reads of the repositories of sets. Before it has ended, a job that is not known may still exist.
 *
 * Repositories that GitHub does not show count as read: to wait for them would be to wait for ever.
 */
export class InitialReads {
	readonly #repositories: Repositories;
	readonly #organizations: Organizations;
	readonly #covers: (scope: Scope, repository: string) => boolean;
	readonly #initialReads = new Map<SetKey, InitialRead>();
	readonly #done = new Set<SetKey>();

	/** @param covers whether a scope's runners may have jobs of a repository, by its name in lower case */
	constructor(
		repositories: Repositories,
		organizations: Organizations,
		covers: (scope: Scope, repository: string) => boolean,
	) {
		this.#covers = covers;
		this.#repositories = repositories;
		this.#organizations = organizations;
	}

	isDone(key: SetKey): boolean {
		return this.#done.has(key);
	}

	/** Organizations whose repositories an initial read waits for, in lower case, and since when. */
	get organizations(): Map<string, number> {
		const waiting = new Map<string, number>();
		for (const { scope, sinceMs, pending } of this.#initialReads.values()) {
			const name = scope.kind === 'organization' && !pending ? scope.name.toLowerCase() : undefined;
			if (name !== undefined && !waiting.has(name)) waiting.set(name, sinceMs);
		}
		return waiting;
	}

	/** Begins to read for sets that are new, and forgets those that are gone. */
	note(sets: readonly { key: SetKey; scope: Scope }[], nowMs: number): void {
		const keys = new Set(sets.map(({ key }) => key));
		for (const key of this.#initialReads.keys()) if (!keys.has(key)) this.#initialReads.delete(key);
		for (const key of this.#done) if (!keys.has(key)) this.#done.delete(key);
		for (const { key, scope } of sets)
			if (!this.#done.has(key) && !this.#initialReads.has(key))
				this.#initialReads.set(key, { scope, sinceMs: nowMs, pending: undefined });
	}

	/** @returns the sets whose initial read has ended now */
	advance(nowMs: number): { key: SetKey; how: InitialReadEnd }[] {
		const ended: { key: SetKey; how: InitialReadEnd }[] = [];
		for (const [key, initial] of this.#initialReads) {
			const how = this.#isRead(initial, nowMs)
				? 'read'
				: nowMs - initial.sinceMs >= initialReadWithinMs
					? 'late'
					: undefined;
			if (!how) continue;
			this.#initialReads.delete(key);
			this.#done.add(key);
			ended.push({ key, how });
		}
		return ended;
	}

	#isRead(initial: InitialRead, nowMs: number): boolean {
		const { scope, sinceMs } = initial;
		if (!initial.pending) {
			const listedSinceMs = sinceMs - repositoriesFreshMs;
			if (scope.kind === 'organization' && !this.#organizations.isReadSince(scope.name, listedSinceMs, nowMs))
				return false;
			const covered = [...this.#repositories.values()].filter(({ key }) => this.#covers(scope, key));
			for (const repository of covered) want(repository, urgency.initial, nowMs);
			initial.pending = { keys: new Set(covered.map(({ key }) => key)), sinceMs: nowMs };
		}
		const { keys, sinceMs: wantedMs } = initial.pending;
		for (const key of keys) {
			const repository = this.#repositories.get(key);
			if (!repository || isReadSince(repository, wantedMs, nowMs)) keys.delete(key);
		}
		return keys.size === 0;
	}
}
