import { fitting, fold, type KnownLabels } from '../jobs/records/rules/labels.ts';
import { scopeKey } from '../runner/scope.ts';

import { type SetFacts, unreconciled } from './rules/set-facts.ts';
import { SetIndex } from './rules/set-index.ts';
import type { SetKey } from './rules/set-key.ts';
import type { FixedPart, Job } from './rules/types.ts';

/** The sets that may run jobs, as their last reconcile has found them, and the set of each runner. */
export class KnownSets {
	readonly index = new SetIndex();
	readonly #facts = new Map<SetKey, SetFacts>();
	/** By a runner's name, in lower case. Of those runners that sets had at their last reconcile: sets of different owners may use the same names. */
	readonly #setsOfRunner = new Map<string, Set<SetKey>>();
	/** Absent: sets have changed since it was made. */
	#labels: KnownLabels | undefined;

	has(set: SetKey): boolean {
		return this.#facts.has(set);
	}

	get(set: SetKey | undefined): SetFacts | undefined {
		return set === undefined ? undefined : this.#facts.get(set);
	}

	/**
	 * The set of the runner that GitHub has named for a job. A set whose runners are not registered for the job's repository has
	 * no such runner: whoever reports jobs of another owner may name any.
	 */
	ofRunnerOf(job: Job): SetKey | undefined {
		if (job.runnerName === undefined) return undefined;
		const sets = this.#setsOfRunner.get(job.runnerName.toLowerCase()) ?? [];
		return [...sets].find((set) => this.index.covers(set, job));
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
		for (const name of this.#facts.get(set)?.runners ?? []) this.#forgetRunner(name, set);
		this.#facts.delete(set);
		this.#labels = undefined;
		this.index.delete(set);
	}

	/** These are the runners of the set now, by name in lower case. @returns those that it did not have before */
	runnersSeen(set: SetKey, names: ReadonlySet<string>): string[] {
		for (const name of this.#facts.get(set)?.runners ?? [])
			if (!names.has(name)) this.#forgetRunner(name, set);
		const appeared = [...names].filter((name) => !this.#setsOfRunner.get(name)?.has(set));
		for (const name of appeared)
			this.#setsOfRunner.set(name, (this.#setsOfRunner.get(name) ?? new Set<SetKey>()).add(set));
		return appeared;
	}

	#forgetRunner(name: string, set: SetKey): void {
		const sets = this.#setsOfRunner.get(name);
		sets?.delete(set);
		if (sets?.size === 0) this.#setsOfRunner.delete(name);
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
	scopes: new Set(sets.map(({ scope }) => fold(scopeKey(scope)))),
	fits: fitting(sets.map(({ scope, labels }) => ({ scope: fold(scopeKey(scope)), labels }))),
});
