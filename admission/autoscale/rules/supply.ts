import { knownStarts, lateFirstMs, lateUnknownMs, sickEveryMs, sickPart, startsJudged } from './policy.ts';
import type { Replacements, Runner, StartUps, Supply } from './types.ts';

interface SupplyFacts {
	/** UIDs of runners that GitHub has given a job, though their own pods do not show it yet. */
	taken: ReadonlySet<string>;
	/** UIDs of those that are sick. */
	sick: ReadonlySet<string>;
	/** UIDs of those that are doubted. */
	doubted: ReadonlySet<string>;
	startUpsMs: StartUps;
	/** When the newest runner that has started was created, ms since the epoch; 0: none is known to have started. */
	startedCreatedMs: number;
}

/**
 * Which runners are supply for waiting jobs. Pure.
 *
 * A late one is none where a runner that was made after it has started. Otherwise it may be the cluster that starts nothing:
 * then the oldest alone gets a substitute, so that a cluster without room is not filled with pods.
 */
export function supplyOf(living: readonly Runner[], facts: SupplyFacts, nowMs: number): Supply {
	const supply: Supply = { available: [], late: [], doubted: [], sick: [] };
	const late: Runner[] = [];
	for (const runner of living) {
		const { phase, departing, uid } = runner;
		if (departing || facts.taken.has(uid)) continue;
		if (phase === 'idle')
			supply[
				facts.sick.has(uid) || runner.offline ? 'sick' : facts.doubted.has(uid) ? 'doubted' : 'available'
			].push(runner);
		else if (phase === 'unbound' || phase === 'starting')
			(lateMs(runner, facts.startUpsMs) <= nowMs ? late : supply.available).push(runner);
	}
	late.sort((one, other) => one.createdMs - other.createdMs || (one.name < other.name ? -1 : 1));
	for (const [index, runner] of late.entries()) {
		const overtaken = runner.createdMs < facts.startedCreatedMs;
		(overtaken || index === 0 ? supply.late : supply.available).push(runner);
	}
	supply.sick.sort((one, other) => (one.idleSinceMs ?? 0) - (other.idleSinceMs ?? 0));
	return supply;
}

/** When a runner that has not started is late, ms since the epoch. */
export const lateMs = ({ createdMs, phase }: Runner, startUpsMs: StartUps): number =>
	createdMs +
	(phase === 'unbound' ? Math.max(lateUnknownMs, startsWithin(startUpsMs)) : startsWithin(startUpsMs));

/** How long a start may take, ms: twice what nearly all of the last ones took. */
function startsWithin(startUpsMs: StartUps): number {
	const last = startUpsMs.slice(-startsJudged).sort((one, other) => one - other);
	if (last.length < knownStarts) return lateUnknownMs;
	const p95Ms = last[Math.ceil(0.95 * last.length) - 1] ?? 0;
	return Math.max(lateFirstMs, 2 * p95Ms);
}

/**
 * The sick runner that is to be replaced now, if any, and what is to be remembered of that: one at a time, the longest idle
 * first, and no more than a part of the set in a while, for so many may seem sick because GitHub gives out jobs oddly.
 */
export function replacement(
	{ sick }: Pick<Supply, 'sick'>,
	before: Replacements,
	living: number,
	nowMs: number,
): { runner: Runner | undefined; after: Replacements } {
	const beganMs = before.beganMs.filter((ms) => ms > nowMs - sickEveryMs && ms <= nowMs);
	const inHand = sick.find(({ uid }) => uid === before.uid);
	if (inHand) return { runner: inHand, after: { ...before, beganMs } };
	const [runner] = beganMs.length < Math.max(1, Math.floor(sickPart * living)) ? sick : [];
	return {
		runner,
		after: runner ? { uid: runner.uid, beganMs: [...beganMs, nowMs] } : { uid: undefined, beganMs },
	};
}
