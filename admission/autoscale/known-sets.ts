import { fold, type KnownLabels } from '../jobs/records/rules/labels.ts';
import { type FixedPart, type SetFacts, unreconciled } from './rules/set-facts.ts';
import type { SetKey } from './rules/set-key.ts';
import type { Job } from './rules/types.ts';

/** The sets that may run jobs, as their last reconcile has found them, and the set of each runner. */
export class KnownSets {
	readonly #facts = new Map<SetKey, SetFacts>();
	/** By a runner's name, in lower case. Of those runners that sets had at their last reconcile. */
	readonly #setOfRunner = new Map<string, SetKey>();

	has(set: SetKey): boolean {
		return this.#facts.has(set);
	}

	get(set: SetKey | undefined): SetFacts | undefined {
		return set === undefined ? undefined : this.#facts.get(set);
	}

	entries(): IterableIterator<[SetKey, SetFacts]> {
		return this.#facts.entries();
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
		return true;
	}

	deleted(set: SetKey): void {
		for (const name of this.#facts.get(set)?.runners ?? []) this.#setOfRunner.delete(name);
		this.#facts.delete(set);
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

	/** Labels of a set's runners, with those that GitHub gives. */
	labelsOf(set: SetKey): string[] {
		const fixed = this.#facts.get(set)?.fixed;
		return fixed ? [...fixed.labels, ...fixed.implicit] : [];
	}

	/** Labels that the sets have. */
	labels(): KnownLabels {
		const sets = [...this.#facts.values()].flatMap(({ fixed }) => (fixed ? [fixed.labels.map(fold)] : []));
		return {
			labels: new Set(sets.flat()),
			any: sets.length > 0,
			unlabelled: sets.some((labels) => labels.length === 0),
		};
	}
}
