import { longestJobLabels, longestLabel, mostJobLabels } from '../../api/limits.ts';
import { fold } from '../../jobs/records/rules/labels.ts';
import type { Scope } from '../../runner/scope.ts';
import type { IndexedSet, SetIndex } from './set-index.ts';
import type { SetKey } from './set-key.ts';
import type { Job, Places } from './types.ts';

/** The set that a waiting job counts for, or why no set fits. */
export type Routed =
	| { set: SetKey }
	| {
			none: 'no-scope' | 'no-labels' | 'no-group' | 'deleting';
			/** For people: what is missing. */
			why: string;
	  };

/** The sets that may run jobs. */
export interface Sets {
	index: SetIndex;
	placesOf: (set: SetKey) => Places;
	/** Whether the repository may use the set's runner group, as far as is known; every repository may use those of no group. */
	visible: (repository: string, set: IndexedSet) => boolean;
	/**
	 * Whether GitHub gives jobs of this class (repository and labels) to the set's runners, as far as is known; undefined: yes.
	 * It is asked for each job and each set that fits, so it must be quick for a set with no such class.
	 */
	gives?: (set: SetKey, job: Job) => boolean;
}

/**
 * The set that a waiting job counts for. GitHub gives a job to any runner that may have it; this says for which set its
 * runner is made: for one that has room, of the narrowest scope, with the fewest labels that the job does not ask for. One
 * whose starts fail comes after those that have room, and before those that have none; but one job at a time finds out whether
 * it can start runners again. One of which it is not known whether it has the job's architecture comes after all these, and
 * one that GitHub does not give such jobs to after that. A set may name any scope: one of which GitHub has not said that its
 * runners may register there comes after all that it has.
 * It stays with the set that it counts for as long as that has room, so that jobs do not go back and forth.
 *
 * @param current key of the set that the job counted for last
 */
export const route = (job: Job, sets: Sets, current?: SetKey): Routed =>
	choose(job, new Matcher(sets, sets.placesOf).matching(job), sets.gives, current).routed;

/**
 * The same for all waiting jobs, one after the other: those that have a set come before those that have none yet, and the
 * older ones first; each takes a place of its set's room. Whoever takes the steps may do other things between two of them.
 * A step costs no more than one job does.
 */
export function* routeAll(
	jobs: readonly Job[],
	sets: Sets,
	currentOf: (job: Job) => SetKey | undefined,
): Generator<{ job: Job; routed: Routed }> {
	const left = new Map<SetKey, Places>();
	const leftOf = (set: SetKey): Places => {
		const known = left.get(set) ?? { ...sets.placesOf(set) };
		left.set(set, known);
		return known;
	};
	const serves = (set: SetKey | undefined, job: Job) =>
		set !== undefined &&
		sets.index.get(set) !== undefined &&
		failureOf(leftOf(set), job, givenBy(set, job, sets.gives), false) === 0;
	const matcher = new Matcher(sets, leftOf);
	const take = (job: Job, current: SetKey | undefined): { job: Job; routed: Routed } => {
		const { routed, given } = choose(job, matcher.matching(job), sets.gives, current);
		const its = 'set' in routed ? left.get(routed.set) : undefined;
		// A job that the set's runners are not given takes no place of those that they are. Neither does a probe.
		if (its && given) {
			if (probes(its, job)) its.probeAfterMs = undefined;
			else {
				its.room -= 1;
				its.idle -= 1;
			}
		}
		return { job, routed };
	};
	const oldestFirst = jobs.toSorted((one, other) => one.openedMs - other.openedMs || one.id - other.id);
	const displaced: Job[] = [];
	for (const job of oldestFirst) {
		const current = currentOf(job);
		// A job whose set has no room left, or cannot start runners, is routed when all others have their set.
		if (serves(current, job)) yield take(job, current);
		else displaced.push(job);
	}
	for (const job of displaced) yield take(job, currentOf(job));
}

interface Match {
	set: IndexedSet;
	/** What the jobs before have left of it. */
	left: Places;
	/** The lower is the narrower. */
	breadth: number;
	/** Of a job without labels: the lower, the likelier it asks for this set's group. */
	unlikely: number;
	/** The job asks for an architecture that this set's runners may have or not. */
	doubtful: boolean;
}
type None = Extract<Routed, { none: string }>;
type Matching = { matches: ReadonlyMap<SetKey, Match> } | None;

/**
 * How unlikely it is that a set starts a runner for one more job, and that the job is given to it; lower is better. Only a
 * start shows that a set's failures are over, so it gets the jobs that no other set has room for: how often it tries is its
 * own affair. One that tries nothing by itself has a job as its probe, for as long as a start may take.
 */
function failureOf(places: Places, job: Job, given: boolean, doubtful: boolean): number {
	const { blocked, room } = places;
	if (blocked === 'ScopeUnconfirmed') return 7;
	if (blocked && blocked !== 'StartsFailing' && blocked !== 'RunnerOutdated') return 8;
	if (!given) return 6;
	const failure = probes(places, job) ? 0 : room <= 0 ? 2 : blocked ? 1 : 0;
	// A runner of the wrong architecture would not get the job: such a set counts where nothing else fits.
	return doubtful ? 3 + failure : failure;
}

/** Whether the job would find out whether the set can start runners again. */
const probes = ({ blocked, probeAfterMs }: Places, { openedMs }: Job): boolean =>
	blocked === 'StartsFailing' && probeAfterMs !== undefined && openedMs > probeAfterMs;

const givenBy = (set: SetKey, job: Job, gives: Sets['gives']): boolean => gives?.(set, job) !== false;

/** `given`: whether the set's runners are given such jobs. */
function choose(
	job: Job,
	found: Matching,
	gives: Sets['gives'],
	current: SetKey | undefined,
): { routed: Routed; given: boolean } {
	if ('none' in found) return { routed: found, given: false };
	const own = current && found.matches.get(current);
	let best: { match: Match; given: boolean; failure: number } | undefined;
	for (const match of found.matches.values()) {
		const given = givenBy(match.set.key, job, gives);
		const failure = failureOf(match.left, job, given, match.doubtful);
		if (match === own && failure === 0) return { routed: { set: own.set.key }, given };
		const nearer = failure - (best?.failure ?? Number.POSITIVE_INFINITY);
		if (!best || nearer < 0 || (nearer === 0 && order(match, best.match, own) < 0))
			best = { match, given, failure };
	}
	const { match, given } = best as NonNullable<typeof best>;
	return { routed: { set: match.set.key }, given };
}

/**
 * Of two sets that are as likely to run the job; below 0: the one comes before the other. All that the job asks for is among a
 * set's labels, so fewer mean fewer unneeded ones.
 */
const order = (one: Match, other: Match, own: Match | undefined): number =>
	Number(other === own) - Number(one === own) ||
	one.unlikely - other.unlikely ||
	one.breadth - other.breadth ||
	one.set.own - other.set.own ||
	free(other) - free(one) ||
	other.left.room - one.left.room ||
	(one.set.key < other.set.key ? -1 : 1);

const free = ({ left }: Match): number => Math.max(0, left.idle);

/** How many sets of how many jobs are remembered together, 10 MB: where jobs are not alike, it is no use to remember more. */
const mostRemembered = 50_000;

/** Finds out whom jobs match. Most jobs are alike, so it does so once for all that are. */
class Matcher {
	readonly #sets: Sets;
	readonly #leftOf: (set: SetKey) => Places;
	/** By scopes and labels: the sets that cover such a job and have its labels, or why there is none. */
	readonly #labelled = new Map<string, IndexedSet[] | string>();
	/** By the same, and by repository where groups matter. */
	readonly #matching = new Map<string, Matching>();
	#remembered = 0;

	constructor(sets: Sets, leftOf: (set: SetKey) => Places) {
		this.#sets = sets;
		this.#leftOf = leftOf;
	}

	matching(job: Job): Matching {
		const scopes = this.#sets.index.scopesOf(job);
		if (scopes.length === 0) return { none: 'no-scope', why: noScope(job, this.#sets.index) };
		if (job.labelsTruncated) return { none: 'no-labels', why: tooManyLabels };
		const wanted = [...new Set(job.labels.map(fold))].sort();
		const like = JSON.stringify([scopes, wanted]);
		const labelled = this.#labelled.get(like) ?? withLabels(wanted, this.#sets.index.within(scopes));
		this.#remember(this.#labelled, like, labelled, Array.isArray(labelled) ? labelled.length : 0);
		if (typeof labelled === 'string') return { none: 'no-labels', why: labelled };
		const grouped = labelled.some(({ group }) => group !== undefined);
		const key = grouped ? `${like} ${fold(job.repository)}` : like;
		const found = this.#matching.get(key) ?? this.#match(job, wanted, labelled);
		this.#remember(this.#matching, key, found, labelled.length);
		return found;
	}

	#remember<T>(found: Map<string, T>, key: string, value: T, sets: number): void {
		if (found.has(key)) return;
		if (this.#remembered > mostRemembered) {
			this.#labelled.clear();
			this.#matching.clear();
			this.#remembered = 0;
		}
		this.#remembered += sets + 1;
		found.set(key, value);
	}

	#match(job: Job, wanted: readonly string[], labelled: readonly IndexedSet[]): Matching {
		const visible = labelled.filter((set) => this.#sets.visible(job.repository, set));
		if (visible.length === 0) return { none: 'no-group', why: noGroup(job, labelled) };
		const matches = new Map<SetKey, Match>();
		for (const set of visible) {
			const left = this.#leftOf(set.key);
			const doubtful = set.possible.some((label) => wanted.includes(label));
			const unlikely = wanted.length > 0 ? 0 : unlikelihood(set);
			if (left.blocked !== 'Deleting')
				matches.set(set.key, { set, left, breadth: breadth[set.scope.kind], unlikely, doubtful });
		}
		if (matches.size > 0) return { matches };
		return { none: 'deleting', why: `${namesOf(visible)} could run it, but is being deleted` };
	}
}

/**
 * The sets that have all labels of a job, or what the nearest lacks. A job without labels asks for a runner group, but no
 * event names that group. So it may be for any set, as in ARC (#1370), and it counts for one of them.
 */
function withLabels(wanted: readonly string[], covering: readonly IndexedSet[]): IndexedSet[] | string {
	const labelled = covering.filter(({ has }) => wanted.every((label) => has.has(label)));
	if (labelled.length > 0) return labelled;
	return `no set has all of its labels: ${whatNearestLacks(wanted, covering)}`;
}

/** Who names a group and no labels needs none; and is likelier to mean one that somebody has made than the default group. */
const unlikelihood = ({ own, group }: IndexedSet): number =>
	(own > 0 ? 2 : 0) + (group === undefined ? 1 : 0);

const breadth: Record<Scope['kind'], number> = { repository: 0, organization: 1, enterprise: 2 };

const tooManyLabels = `its labels are not certain: at most ${mostJobLabels} of at most ${longestLabel} characters are read, ${longestJobLabels} in all, without control characters`;

const noScope = ({ host, repository }: Job, index: SetIndex): string =>
	index.isServed(host)
		? `no set has runners for ${repository}, its organization or its enterprise`
		: `no set has runners at ${host}`;

/** Of several that are as near the first by name. */
function whatNearestLacks(wanted: readonly string[], covering: readonly IndexedSet[]): string {
	let nearest: { key: SetKey; lacking: string[] } | undefined;
	for (const { key, has } of covering) {
		const lacking = wanted.filter((label) => !has.has(label));
		const more = lacking.length - (nearest?.lacking.length ?? Number.POSITIVE_INFINITY);
		if (!nearest || more < 0 || (more === 0 && key < nearest.key)) nearest = { key, lacking };
	}
	return `${nearest?.key} lacks ${nearest?.lacking.join(', ')}`;
}

const noGroup = ({ repository }: Job, labelled: readonly IndexedSet[]): string =>
	`${repository} may not use the runner group of ${namesOf(labelled)}`;

/** The first few, for people. */
function namesOf(sets: readonly IndexedSet[]): string {
	const names = sets.map(({ key, group }) => (group === undefined ? key : `${key} (group ${group})`)).sort();
	const rest = names.length - 3;
	return `${names.slice(0, 3).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
