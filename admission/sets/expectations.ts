import { expectations as policy } from './rules/policy.ts';

/** An owner that was asked for, and that no watch has shown yet. */
interface Expected {
	templateHash: string;
	/** When it is to be read by its name, by the monotonic clock. */
	readAtMs: number;
}

/**
 * The owners that were created, or may have been, and that the watch has not shown yet. Each counts until the watch shows it
 * or a read says that it is not there, however long that takes: a watch may be silent for minutes while creations succeed
 * (invariant 7). There are as many as were created and not shown, so no more than their sets want.
 */
export class Expectations {
	/** By the set's UID, then the owner's name. */
	readonly #sets = new Map<string, Map<string, Expected>>();

	/** An owner of this name is going to be created. */
	add(setUid: string, name: string, templateHash: string, nowMs: number): void {
		const known = this.#sets.get(setUid) ?? new Map<string, Expected>();
		this.#sets.set(setUid, known.set(name, { templateHash, readAtMs: nowMs + policy.shownWithinMs }));
	}

	/** The watch has shown it, or it is certainly not there. */
	remove(setUid: string, name: string): void {
		const known = this.#sets.get(setUid);
		known?.delete(name);
		if (known?.size === 0) this.#sets.delete(setUid);
	}

	/** It was read and is there, or it could not be read: it counts, and is read again later. */
	keep(setUid: string, name: string, nowMs: number): void {
		const known = this.#sets.get(setUid)?.get(name);
		if (known) known.readAtMs = nowMs + policy.readEveryMs;
	}

	of(setUid: string): Iterable<[string, Expected]> {
		return this.#sets.get(setUid) ?? [];
	}

	/** Names of those that are to be read now. */
	due(setUid: string, nowMs: number): string[] {
		return [...this.of(setUid)].filter(([, { readAtMs }]) => readAtMs <= nowMs).map(([name]) => name);
	}

	forget(setUid: string): void {
		this.#sets.delete(setUid);
	}
}
