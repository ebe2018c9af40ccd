import type { Run } from './architectures.ts';
import { allGiven, type NotGiven } from './experiment.ts';
import { isLiving } from './holders.ts';
import { startsWithinMs } from './policy.ts';
import type { Desired, FixedPart, Runner } from './types.ts';
import type { WaitedFor } from './waits.ts';

/** What is known of a set that may run jobs. */
export interface SetFacts extends Omit<WaitedFor, 'key' | 'blockedMessage'> {
	/** undefined: its spec does not say where its runners register. */
	fixed: FixedPart | undefined;
	/** Where the newest of its runners have run. */
	ran: readonly Run[];
	/** For how many waiting jobs there is a place, without regard to those that there are. */
	places: number;
	/** The same while a quota refuses further runners: only those that have their pod. */
	placesUnderQuota: number;
	/** Jobs that wait for its runners. */
	waiting: number;
	/** Runners that are on their way. */
	starting: number;
	/** UIDs of its runners that had started at the last reconcile; undefined: there was none. */
	started: ReadonlySet<string> | undefined;
	/** Since when runners have been starting and none has started, ms since the epoch; undefined: that is not so. */
	startsNoneSinceMs: number | undefined;
	/** That has lasted for startsWithinMs. It is so until one starts, also when none is tried any longer. */
	stuck: boolean;
	/** Jobs that GitHub does not give to its runners. */
	notGiven: NotGiven;
	/** Names of its runners at the last reconcile, in lower case. */
	runners: ReadonlySet<string>;
}

/** Of a set that has not been reconciled yet. */
export const unreconciled: Omit<SetFacts, 'fixed'> = {
	ran: [],
	places: 0,
	placesUnderQuota: 0,
	waiting: 0,
	notGiven: allGiven,
	runners: new Set(),
	blocked: 'ScopeUnconfirmed',
	autoscaled: false,
	max: 0,
	living: 0,
	idle: 0,
	startingSinceMs: undefined,
	starting: 0,
	started: undefined,
	startsNoneSinceMs: undefined,
	stuck: false,
};

/**
 * The facts after a reconcile of the set. Pure.
 *
 * @param desired undefined: it has no autoscaler
 * @param waiting jobs that wait for its runners
 */
export function afterReconcile(
	facts: SetFacts,
	runners: readonly Runner[],
	desired: Desired | undefined,
	waiting: number,
	nowMs: number,
): SetFacts {
	const living = runners.filter(isLiving);
	const idle = living.filter(({ phase, departing }) => phase === 'idle' && !departing).length;
	const starting = living.filter(isStarting);
	const others = living.filter(({ phase }) => phase !== 'busy').length - starting.length;
	const started = new Set(runners.filter(hasStarted).map(({ uid }) => uid));
	const startsNoneSinceMs = startsNoneSince(facts, starting, started, waiting, nowMs);
	const isLate = startsNoneSinceMs !== undefined && nowMs - startsNoneSinceMs >= startsWithinMs;
	return {
		...facts,
		runners: new Set(runners.map(({ name }) => name.toLowerCase())),
		idle,
		living: living.length,
		waiting,
		starting: starting.length,
		startingSinceMs:
			starting.length > 0 ? Math.min(...starting.map(({ createdMs }) => createdMs)) : undefined,
		autoscaled: desired?.countsJobs === true,
		max: desired?.max ?? living.length,
		// Without an autoscaler that counts jobs, only who is idle will take one.
		places: desired?.countsJobs ? desired.max - living.filter(isOccupied).length : idle,
		placesUnderQuota: living.filter((runner) => !isOccupied(runner) && !runner.withoutPod).length,
		started,
		startsNoneSinceMs,
		stuck: isLate && others === 0 && (facts.stuck || starting.length > 0),
	};
}

/** A new runner does not make it any later, and neither does the end of one that was given up: only a start ends it. */
function startsNoneSince(
	before: SetFacts,
	starting: readonly Runner[],
	started: ReadonlySet<string>,
	waiting: number,
	nowMs: number,
): number | undefined {
	const createdMs = starting.map((runner) => runner.createdMs);
	// What has started and ended before the first reconcile is not known: it counts from the newest.
	if (!before.started) return starting.length > 0 ? Math.max(...createdMs) : undefined;
	if ([...started].some((uid) => !before.started?.has(uid))) return starting.length > 0 ? nowMs : undefined;
	if (starting.length === 0 && waiting === 0 && !before.stuck) return undefined;
	if (before.startsNoneSinceMs !== undefined) return Math.min(before.startsNoneSinceMs, nowMs);
	return starting.length > 0 ? Math.min(...createdMs) : undefined;
}

/** Whether jobs may now be routed to other sets: whether this one has room or is stuck has changed, or more of its jobs have no place. */
export const bearsOnOthers = (before: SetFacts, after: SetFacts): boolean =>
	hasRoom(before) !== hasRoom(after) ||
	before.stuck !== after.stuck ||
	missingIn(after) > missingIn(before) ||
	before.notGiven.tries !== after.notGiven.tries ||
	differ(before.notGiven.classes, after.notGiven.classes);

const differ = (one: ReadonlySet<string>, other: ReadonlySet<string>): boolean =>
	one.size !== other.size || [...one].some((each) => !other.has(each));

/** For how many waiting jobs there is a place now. */
export const placesIn = ({ blocked, places, placesUnderQuota }: SetFacts): number =>
	blocked === 'QuotaExceeded' ? Math.min(places, placesUnderQuota) : places;

const hasRoom = (facts: SetFacts): boolean => placesIn(facts) > facts.waiting;

/** Jobs that it has no place for. */
const missingIn = (facts: SetFacts): number => Math.max(0, facts.waiting - placesIn(facts));

/** It can take no further job. */
const isOccupied = ({ phase, departing }: Runner): boolean => phase === 'busy' || departing;

const isStarting = ({ phase }: Runner): boolean => phase === 'unbound' || phase === 'starting';

/** It could take a job, or has had one. */
const hasStarted = ({ phase, worked }: Runner): boolean => phase === 'idle' || phase === 'busy' || worked;
