import type { Scope } from '../../runner/scope.ts';
import type { Organizations } from './organizations.ts';
import { type Repositories, want } from './repositories.ts';
import { isReadSince } from './rules/due.ts';
import { startWithinMs } from './rules/policy.ts';
import { covers } from './rules/targets.ts';
import { urgency } from './rules/types.ts';

/** The first look at what a set may have to run. Times by the monotonic clock. */
interface Start {
	scope: Scope;
	sinceMs: number;
	/** Repositories that are not read yet; undefined: it is not known which there are. */
	pending: { keys: Set<string>; sinceMs: number } | undefined;
}

/** How a first look has ended: all was read that GitHub shows, or it took too long. */
export type Started = 'read' | 'late';

/**
 * The first looks at the repositories of sets. Before it has ended, nobody may conclude from what is not known.
 *
 * Repositories that GitHub does not show count as read: to wait for them would be to wait for ever.
 */
export class Starts {
	readonly #repositories: Repositories;
	readonly #organizations: Organizations;
	/** By the set's key. */
	readonly #starts = new Map<string, Start>();
	readonly #done = new Set<string>();

	constructor(repositories: Repositories, organizations: Organizations) {
		this.#repositories = repositories;
		this.#organizations = organizations;
	}

	isDone(key: string): boolean {
		return this.#done.has(key);
	}

	/** Organizations whose repositories a first look waits for, in lower case. */
	get organizations(): Set<string> {
		const starts = [...this.#starts.values()].filter(({ pending }) => pending === undefined);
		return new Set(
			starts.flatMap(({ scope }) => (scope.kind === 'organization' ? [scope.name.toLowerCase()] : [])),
		);
	}

	/** These sets there are now. */
	note(sets: readonly { key: string; scope: Scope }[], nowMs: number): void {
		const keys = new Set(sets.map(({ key }) => key));
		for (const key of this.#starts.keys()) if (!keys.has(key)) this.#starts.delete(key);
		for (const key of this.#done) if (!keys.has(key)) this.#done.delete(key);
		for (const { key, scope } of sets)
			if (!this.#done.has(key) && !this.#starts.has(key))
				this.#starts.set(key, { scope, sinceMs: nowMs, pending: undefined });
	}

	/** @returns the sets whose first look has ended now */
	advance(nowMs: number): { key: string; how: Started }[] {
		const ended: { key: string; how: Started }[] = [];
		for (const [key, start] of this.#starts) {
			const how = this.#isRead(start, nowMs)
				? 'read'
				: nowMs - start.sinceMs >= startWithinMs
					? 'late'
					: undefined;
			if (!how) continue;
			this.#starts.delete(key);
			this.#done.add(key);
			ended.push({ key, how });
		}
		return ended;
	}

	#isRead(start: Start, nowMs: number): boolean {
		const { scope, sinceMs } = start;
		if (!start.pending) {
			if (scope.kind === 'organization' && !this.#organizations.isReadSince(scope.name, sinceMs, nowMs))
				return false;
			const covered = [...this.#repositories.values()].filter(({ key }) => covers(scope, key));
			for (const repository of covered) want(repository, urgency.start, nowMs);
			start.pending = { keys: new Set(covered.map(({ key }) => key)), sinceMs: nowMs };
		}
		const { keys, sinceMs: wantedMs } = start.pending;
		for (const key of keys) {
			const repository = this.#repositories.get(key);
			if (!repository || isReadSince(repository, wantedMs, nowMs)) keys.delete(key);
		}
		return keys.size === 0;
	}
}
