import type { KnownLabels } from '../jobs/records/rules/labels.ts';
import { type SetFacts, unreconciled } from './rules/set-facts.ts';
import { SetIndex } from './rules/set-index.ts';
import type { SetKey } from './rules/set-key.ts';
import type { FixedPart, Job } from './rules/types.ts';

/** The sets that may run jobs, as their last reconcile has found them, and the set of each runner. */
export class KnownSets {
	readonly index = new SetIndex();
	readonly #facts = new Map<SetKey, SetFacts>();
	/** By a runner's name, in lower case. Of those runners that sets had at their last reconcile. */
	readonly #setOfRunner = new Map<string, SetKey>();
	/** Absent: sets have changed since it was made. */
	#labels: KnownLabels | undefined;

	has(set: SetKey): boolean {
		return this.#facts.has(set);
	}

	get(set: SetKey | undefined): SetFacts | undefined {
		return set === undefined ? undefined : this.#facts.get(set);
	}

	/** The set of the runner that GitHub has named for a job. */
	ofRunnerOf({ runnerName }: Job): SetKey | undefined {
		return runnerName === undefined ? undefined : this.#setOfRunner.get(runnerName.toLowerCase());
	}

	/** The set is new or has changed. @returns whether that matters for which jobs it can run */
	specChanged(set: SetKey, fixed: FixedPart | undefined): boolean {
		const before = this.#facts.get(set);
		if (before && JSON.stringify(before.fixed) === JSON.stringify(fixed)) return false;
		this.#facts.set(set, { ...(before ?? unreconciled), fixed });
		this.#labels = undefined;
		if (fixed) this.index.set(fixed);
		else this.index.delete(set);
		return true;
	}

	deleted(set: SetKey): void {
		for (const name of this.#facts.get(set)?.runners ?? []) this.#setOfRunner.delete(name);
		this.#facts.delete(set);
		this.#labels = undefined;
		this.index.delete(set);
	}

	/** These are the runners of the set now, by name in lower case. @returns those that no set had before */
	runnersSeen(set: SetKey, names: ReadonlySet<string>): string[] {
		for (const name of this.#facts.get(set)?.runners ?? [])
			if (!names.has(name)) this.#setOfRunner.delete(name);
		const appeared = [...names].filter((name) => !this.#setOfRunner.has(name));
		for (const name of names) this.#setOfRunner.set(name, set);
		return appeared;
	}

	reconciled(set: SetKey, facts: SetFacts): void {
		this.#facts.set(set, facts);
	}

	/** Labels of a set's runners, with those that GitHub gives, folded. */
	labelsOf(set: SetKey): ReadonlySet<string> {
		return this.index.get(set)?.has ?? none;
	}

	/** Labels that the sets have. */
	labels(): KnownLabels {
		this.#labels ??= labelsOf([...this.#facts.values()].flatMap(({ fixed }) => fixed ?? []));
		return this.#labels;
	}
}

const none: ReadonlySet<string> = new Set();

const labelsOf = (sets: readonly FixedPart[]): KnownLabels => ({
	labels: new Set(sets.flatMap(({ labels }) => labels)),
	any: sets.length > 0,
	unlabelled: sets.some(({ labels }) => labels.length === 0),
});
