import { jobLabels } from '../../../api/keys.ts';
import { foldName } from '../../../runner/github-name.ts';
import type { JobFacts } from './facts.ts';
import { mostRecords, mostWithoutSet, ownersPart } from './policy.ts';

/** Whose a record is, and whether some set could run its job, as it was when the record was made. */
export interface Pot {
	/** In lower case; empty: an earlier version has made the record. */
	owner: string;
	fits: boolean;
}

export const potOf = ({ repository }: Pick<JobFacts, 'repository'>, fits: boolean): Pot => ({
	owner: foldName(repository.split('/')[0] ?? ''),
	fits,
});

/** Labels are what a list without specs shows. An owner whose name may be no label's value shares the place of records without the label. */
export const labelsOfPot = ({ owner, fits }: Pot): Record<string, string> => ({
	...(/^[a-z0-9](?:[\w.-]{0,61}[a-z0-9])?$/.test(owner) ? { [jobLabels.owner]: owner } : {}),
	...(fits ? {} : { [jobLabels.noSet]: 'true' }),
});

export const potOfLabels = (labels: Readonly<Record<string, string>> = {}): Pot => ({
	owner: labels[jobLabels.owner] ?? '',
	fits: labels[jobLabels.noSet] === undefined,
});

/** How many records there are of whom. */
export class Tally {
	readonly #counts = new Map<string, number>();
	readonly #all = { true: 0, false: 0 };

	get size(): number {
		return this.#all.true + this.#all.false;
	}

	add({ owner, fits }: Pot): void {
		const key = `${fits} ${owner}`;
		this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
		this.#all[`${fits}`] += 1;
	}

	/**
	 * Whether there is room for one more. An owner may have a multiple of what is left free, so that there is always something left
	 * for the next owner, however few or many there are (dynamic thresholds, as switches share their memory). Jobs that no set
	 * could run have a small part to themselves, and take nothing from the others.
	 */
	hasRoom({ owner, fits }: Pot): boolean {
		const most = fits ? mostRecords - mostWithoutSet : mostWithoutSet;
		const free = most - this.#all[`${fits}`];
		const own = this.#counts.get(`${fits} ${owner}`) ?? 0;
		return own < free * (fits ? ownersPart.fitting : ownersPart.withoutSet);
	}
}
