import type { RunnersSet } from '../api/sets.ts';

interface Known<T> {
	generation: number;
	/** Runners get the labels of their set, whose change is none of the spec. */
	labels: string;
	found: T;
}

/**
 * What follows from the spec and the labels of a set, found out once for each version of them: a spec may have a megabyte, and a
 * set is reconciled whenever one of its runners changes.
 */
export class BySpec<S extends RunnersSet, T> {
	readonly #find: (set: S) => T;
	/** By the set's UID. */
	readonly #known = new Map<string, Known<T>>();

	constructor(find: (set: S) => T) {
		this.#find = find;
	}

	of(set: S): T {
		const { uid, generation } = set.metadata;
		if (uid === undefined || generation === undefined) return this.#find(set);
		const labels = JSON.stringify(set.metadata.labels ?? {});
		const before = this.#known.get(uid);
		if (before?.generation === generation && before.labels === labels) return before.found;
		const found = this.#find(set);
		this.#known.set(uid, { generation, labels, found });
		return found;
	}

	forget(uid: string): void {
		this.#known.delete(uid);
	}
}
