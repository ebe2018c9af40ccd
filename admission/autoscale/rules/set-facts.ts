import { isLiving } from './holders.ts';
import type { Desired, FixedPart, Runner } from './types.ts';
import type { WaitedFor } from './waits.ts';

/** What is known of a set that may run jobs. */
export interface SetFacts extends Omit<WaitedFor, 'key' | 'blockedMessage'> {
	/** undefined: its spec does not say where its runners register. */
	fixed: FixedPart | undefined;
	/** For how many waiting jobs there is a place, without regard to those that there are. */
	places: number;
	/** Jobs that wait for its runners. */
	waiting: number;
	/** Runners that are on their way. */
	starting: number;
	/** None of them has started for startsWithinMs. */
	stuck: boolean;
	/** Names of its runners at the last reconcile, in lower case. */
	runners: ReadonlySet<string>;
}

/** Of a set that has not been reconciled yet. */
export const unreconciled: Omit<SetFacts, 'fixed'> = {
	places: 0,
	waiting: 0,
	runners: new Set(),
	blocked: undefined,
	autoscaled: false,
	max: 0,
	living: 0,
	idle: 0,
	startingSinceMs: undefined,
	starting: 0,
	stuck: false,
};

/** A set that has started no runner for this long can't be relied on: no node has room, or its image can't be pulled. */
const startsWithinMs = 10 * 60_000;

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
	const started = living.filter(({ phase }) => phase === 'unbound' || phase === 'starting');
	const createdMs = started.map((runner) => runner.createdMs);
	const others = living.filter(({ phase }) => phase !== 'busy').length - started.length;
	const newestMs = Math.max(...createdMs);
	return {
		...facts,
		runners: new Set(runners.map(({ name }) => name.toLowerCase())),
		idle,
		living: living.length,
		waiting,
		starting: started.length,
		startingSinceMs: started.length > 0 ? Math.min(...createdMs) : undefined,
		autoscaled: desired?.countsJobs === true,
		max: desired?.max ?? living.length,
		// Without an autoscaler that counts jobs, only who is idle will take one.
		places: desired?.countsJobs ? desired.max - living.filter(isOccupied).length : idle,
		stuck: started.length > 0 && others === 0 && nowMs - newestMs >= startsWithinMs,
	};
}

/** Whether jobs may now be routed to other sets: whether this one has room or is stuck has changed, or more of its jobs have no place. */
export const bearsOnOthers = (before: SetFacts, after: SetFacts): boolean =>
	hasRoom(before) !== hasRoom(after) || before.stuck !== after.stuck || missingIn(after) > missingIn(before);

const hasRoom = ({ places, waiting }: SetFacts): boolean => places > waiting;

/** Jobs that it has no place for. */
const missingIn = ({ places, waiting }: SetFacts): number => Math.max(0, waiting - places);

/** It can take no further job. */
const isOccupied = ({ phase, departing }: Runner): boolean => phase === 'busy' || departing;
