import type { Scope } from '../../runner/scope.ts';
import type { SetKey } from './set-key.ts';
import type { Candidate, Job } from './types.ts';

/** The set that a waiting job counts for, or why no set fits. */
export type Routed =
	| {
			set: SetKey;
			/** Other sets that could run it as well, the better ones first. */
			others: SetKey[];
	  }
	| {
			none: 'no-scope' | 'no-labels' | 'no-group' | 'deleting';
			/** For people: what is missing. */
			why: string;
	  };

/**
 * The set that a waiting job counts for. GitHub gives a job to any runner that may have it; this says for which set its
 * runner is made: for one that has room, of the narrowest scope, with the fewest labels that the job does not ask for. One
 * whose starts fail comes after those that have room, and before those that have none.
 * It stays with the set that it counts for as long as that has room, so that jobs do not go back and forth.
 *
 * @param current key of the set that the job counted for last
 */
export const route = (job: Job, candidates: readonly Candidate[], current?: SetKey): Routed =>
	choose(matching(job, candidates), current, (candidate) => candidate);

/**
 * The same for all waiting jobs, by key: those that have a set come before those that have none yet, and the older ones
 * first; each takes a place of its set's room.
 */
export function routeAll(
	jobs: readonly Job[],
	candidates: readonly Candidate[],
	currentOf: (job: Job) => SetKey | undefined,
): Map<string, Routed> {
	const left = new Map<SetKey | undefined, Pick<Candidate, 'room' | 'idle' | 'blocked'>>(
		candidates.map(({ key, room, idle, blocked }) => [key, { room, idle, blocked }]),
	);
	const serves = (key: SetKey | undefined) => {
		const { room = 0, blocked } = left.get(key) ?? {};
		return room > 0 && !blocked;
	};
	/** Most jobs are alike: whom they match is found out once for all. */
	const known = new Map<string, Matching>();
	const routed = new Map<string, Routed>();
	const take = (job: Job, current: SetKey | undefined) => {
		const like = likeness(job);
		const matches = known.get(like) ?? matching(job, candidates);
		known.set(like, matches);
		const found = choose(matches, current, (candidate) => left.get(candidate.key) ?? candidate);
		routed.set(job.key, found);
		const its = 'set' in found ? left.get(found.set) : undefined;
		if (!its) return;
		its.room -= 1;
		its.idle -= 1;
	};
	const oldestFirst = jobs.toSorted((one, other) => one.openedMs - other.openedMs || one.id - other.id);
	const displaced: Job[] = [];
	for (const job of oldestFirst) {
		const current = currentOf(job);
		// A job whose set has no room left, or cannot start runners, is routed when all others have their set.
		if (serves(current)) take(job, current);
		else displaced.push(job);
	}
	for (const job of displaced) take(job, currentOf(job));
	return routed;
}

/** What decides whom a job matches. */
const likeness = ({ host, repository, enterprise, labels }: Job): string =>
	JSON.stringify([host, repository, enterprise, labels]).toLowerCase();

interface Match {
	candidate: Candidate;
	/** The lower is the narrower. */
	breadth: number;
	/** Labels that somebody gave it: all that the job asks for are among them, so fewer labels mean fewer unneeded ones. */
	surplus: number;
	/** 1: the job asks for an architecture that this set may have or not. */
	doubtful: number;
}
/** What the jobs before have left of it. */
type Left = Pick<Candidate, 'room' | 'idle'>;
type Matching = { matches: Match[] } | Extract<Routed, { none: string }>;

/**
 * How unlikely it is that a set starts a runner for one more job; lower is better. Only a start shows that its failures are
 * over, so it gets the jobs that no other set has room for: how often it tries is its own affair.
 */
function failureOf({ blocked }: Candidate, { room }: Left): number {
	if (blocked && blocked !== 'StartsFailing') return 3;
	if (room <= 0) return 2;
	return blocked ? 1 : 0;
}

function choose(
	found: Matching,
	current: SetKey | undefined,
	leftOf: (candidate: Candidate) => Left,
): Routed {
	if ('none' in found) return found;
	const failure = ({ candidate }: Match) => failureOf(candidate, leftOf(candidate));
	const free = ({ candidate }: Match) => Math.max(0, leftOf(candidate).idle);
	const order = (one: Match, other: Match) =>
		failure(one) - failure(other) ||
		Number(other.candidate.key === current) - Number(one.candidate.key === current) ||
		one.breadth - other.breadth ||
		one.surplus - other.surplus ||
		one.doubtful - other.doubtful ||
		free(other) - free(one) ||
		leftOf(other.candidate).room - leftOf(one.candidate).room ||
		(one.candidate.key < other.candidate.key ? -1 : 1);
	const [best, ...others] = found.matches.toSorted(order);
	return { set: (best as Match).candidate.key, others: others.map(({ candidate }) => candidate.key) };
}

/** Whom the job matches; of those that do not, what the nearest lacks. */
function matching(job: Job, candidates: readonly Candidate[]): Matching {
	const covering = candidates.filter((candidate) => covers(candidate, job));
	if (covering.length === 0) return { none: 'no-scope', why: noScope(job, candidates) };
	const labelled = covering.filter(
		(candidate) => lacking(job, candidate).length === 0 && mayTakeUnlabelled(job, candidate),
	);
	if (labelled.length === 0) return { none: 'no-labels', why: noLabels(job, covering) };
	const visible = labelled.filter((candidate) => candidate.visible(job.repository));
	if (visible.length === 0) return { none: 'no-group', why: noGroup(job, labelled) };
	const staying = visible.filter(({ blocked }) => blocked !== 'Deleting');
	if (staying.length === 0)
		return { none: 'deleting', why: `${namesOf(visible)} could run it, but is being deleted` };
	return {
		matches: staying.map((candidate) => ({
			candidate,
			breadth: breadth[candidate.scope.kind],
			surplus: custom(candidate).length,
			doubtful: Number(wanted(job).some((label) => architectures.has(label)) && !candidate.exactArchitecture),
		})),
	};
}

const breadth: Record<Scope['kind'], number> = { repository: 0, organization: 1, enterprise: 2 };

/** Labels that GitHub gives runners by their architecture. */
const architectures: ReadonlySet<string> = new Set(['x64', 'x86', 'arm64', 'arm']);

/** GitHub compares names and labels without regard to case. */
const fold = (text: string): string => text.trim().toLowerCase();
const same = (one: string, other: string): boolean => fold(one) === fold(other);

const wanted = ({ labels }: Job): string[] => labels.map(fold);

/** Labels that somebody gave the set, without those that GitHub gives anyway. */
function custom({ labels, implicit }: Candidate): string[] {
	const given = new Set(['self-hosted', ...implicit.map(fold)]);
	return [...new Set(labels.map(fold))].filter((label) => label !== '' && !given.has(label));
}

/** Labels of the job that no runner of the set has. */
function lacking(job: Job, { labels, implicit }: Candidate): string[] {
	const has = new Set(['self-hosted', ...implicit.map(fold), ...labels.map(fold)]);
	return wanted(job).filter((label) => !has.has(label));
}

/** A job without labels would match every set (ARC #1370): it is given to those that have none of their own either. */
const mayTakeUnlabelled = (job: Job, candidate: Candidate): boolean =>
	job.labels.length > 0 || custom(candidate).length === 0;

/** Whether runners that are registered there may be given jobs of this repository. */
function covers({ scope, host }: Candidate, job: Job): boolean {
	if (!same(host, job.host)) return false;
	const [owner = '', name = ''] = job.repository.split('/');
	switch (scope.kind) {
		case 'repository':
			return same(scope.owner, owner) && same(scope.name, name);
		case 'organization':
			return same(scope.name, owner);
		case 'enterprise':
			// GitHub Enterprise Server has one enterprise, which its events need not name; nor do answers of GitHub's.
			return job.enterprise === undefined || same(scope.name, job.enterprise);
	}
}

function noScope({ host, repository }: Job, candidates: readonly Candidate[]): string {
	const there = candidates.filter((candidate) => same(candidate.host, host));
	return there.length === 0
		? `no set has runners at ${host}`
		: `no set has runners for ${repository}, its organization or its enterprise`;
}

function noLabels(job: Job, covering: readonly Candidate[]): string {
	if (job.labels.length === 0)
		return `it has no labels, and every set of ${job.repository} has labels of its own`;
	const nearest = covering
		.toSorted((one, other) => (one.key < other.key ? -1 : 1))
		.reduce((best, one) => (lacking(job, one).length < lacking(job, best).length ? one : best));
	const labels = [...new Set(lacking(job, nearest))];
	return `no set has all of its labels: ${nearest.key} lacks ${labels.join(', ')}`;
}

const noGroup = ({ repository }: Job, labelled: readonly Candidate[]): string =>
	`${repository} may not use the runner group of ${namesOf(labelled)}`;

/** The first few, for people. */
function namesOf(candidates: readonly Candidate[]): string {
	const names = candidates
		.map(({ key, group }) => (group === undefined ? key : `${key} (group ${group})`))
		.sort();
	const rest = names.length - 3;
	return `${names.slice(0, 3).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
