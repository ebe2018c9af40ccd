import type { VisibleGroup } from '../../github/organizations.ts';
import { foldName } from '../../runner/github-name.ts';
import type { Scope } from '../../runner/scope.ts';
import { BoundedMap } from '../../time/bounded-map.ts';
import { hiddenMs, mostRepositories, visibleForMs } from './rules/policy.ts';
import { type Due, moreUrgent, urgency } from './rules/types.ts';

interface Known {
	/** OWNER/NAME. */
	name: string;
	/** undefined: GitHub has not said, or does not show them. */
	groups: readonly VisibleGroup[] | undefined;
	etag: string | undefined;
	/** Not asked before. */
	dueMs: number;
	/** Somebody has asked since GitHub answered. */
	wanted: boolean;
	/** How often in a row GitHub did not show them. */
	hidden: number;
}

/** Which runner groups' runners a repository may use, as GitHub says it. Times by the monotonic clock. */
export class Visibility {
	/** By OWNER/NAME in lower case. */
	readonly #known = new BoundedMap<string, Known>({
		most: mostRepositories,
		ownerOf: ({ name }) => foldName(name.split('/')[0] ?? ''),
	});

	/** Whether a repository may use the runners of a group, as far as is known: until GitHub says otherwise it may, as in ARC. GitHub is asked soon after. */
	may(repository: string, scope: Scope, group: string | undefined, nowMs: number): boolean {
		// The default group is nearly always for all, and a repository's own runners are in no group.
		if (group === undefined || scope.kind === 'repository') return true;
		const key = repository.toLowerCase();
		const fresh = { name: repository, groups: undefined, etag: undefined, dueMs: nowMs, hidden: 0 };
		const known = this.#known.get(key) ?? { ...fresh, wanted: true };
		known.wanted = true;
		this.#known.set(key, known);
		const inherited = scope.kind === 'enterprise';
		const named = (one: VisibleGroup) =>
			one.inherited === inherited && one.name.toLowerCase() === group.toLowerCase();
		return known.groups?.some(named) ?? true;
	}

	/** What is to be asked first. */
	next(covered: (repository: string) => boolean, nowMs: number): Due | undefined {
		let next: Due | undefined;
		for (const [key, { wanted, dueMs }] of this.#known) {
			if (!wanted || !covered(key)) continue;
			next = moreUrgent(
				next,
				{ query: { kind: 'groups', repository: key }, urgency: urgency.run, dueMs },
				nowMs,
			);
		}
		return next;
	}

	get(key: string): Pick<Known, 'name' | 'etag'> | undefined {
		return this.#known.get(key);
	}

	/** GitHub has answered. `found`: undefined if nothing has changed, 'hidden' if it does not show them. @returns whether the groups changed */
	note(
		key: string,
		found: { groups: readonly VisibleGroup[]; etag: string | undefined } | 'hidden' | undefined,
		nowMs: number,
	): boolean {
		const known = this.#known.get(key);
		if (!known) return false;
		const before = JSON.stringify(known.groups);
		known.wanted = false;
		if (found === 'hidden') {
			known.dueMs = nowMs + Math.min(hiddenMs.most, hiddenMs.first * 2 ** known.hidden);
			known.hidden += 1; // what it said before is the best guess
		} else Object.assign(known, { ...found, hidden: 0, dueMs: nowMs + visibleForMs });
		return JSON.stringify(known.groups) !== before;
	}
}
