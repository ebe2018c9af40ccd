import type { JobState, WorkflowJobSpec } from '../../../api/autoscale.ts';
import type { JobFacts } from './facts.ts';

/**
 * Events come in any order, twice, and late, and different replicas write them: what is known of a job depends on which
 * facts have come, and not on when. A state of a higher rank is never taken back. Between `waiting` and `queued`, which
 * follow each other either way, the one that was sent later counts.
 */
const rank: Record<JobState, number> = { waiting: 0, queued: 0, in_progress: 1, completed: 2 };

/** Where facts come from: an event, or GitHub's answer to a call. */
export type Source = 'event' | 'answer';

/** The spec of a job of which nothing was known. @param nowMs by our clock, ms since the epoch */
export function opened(facts: JobFacts, nowMs: number): WorkflowJobSpec {
	const now = new Date(nowMs).toISOString();
	// A job that has completed leaves a record without openedAt, so that an event of its start that comes late opens nothing.
	return { ...facts, stateSince: now, ...(facts.state === 'completed' ? {} : { openedAt: now }) };
}

/** Whether a job of which nothing is known needs a record. One that is skipped is never queued: it has this one event. */
export const leavesTrace = ({ state, conclusion }: JobFacts): boolean =>
	state !== 'completed' || conclusion !== 'skipped';

/**
 * What changes in the spec of a job; undefined: nothing.
 *
 * - Of a higher rank, or of the same and sent later: what is said counts, except for what is not said.
 * - Else only what was missing is filled in.
 */
export function changeOf(
	spec: WorkflowJobSpec,
	facts: JobFacts,
	source: Source,
	nowMs: number,
): Partial<WorkflowJobSpec> | undefined {
	const { deliveredAt, state, ...said } = facts;
	const higher = rank[state] - rank[spec.state];
	const newer = higher > 0 || (higher === 0 && msOf(deliveredAt) > msOf(spec.deliveredAt));
	const changed = Object.entries(said).filter(([field, value]) => {
		const before = spec[field as keyof typeof said];
		if (Array.isArray(value)) return value.length > 0 && !same(value, before) && (newer || isEmpty(before));
		return value !== undefined && value !== before && (newer || before === undefined);
	});
	const change: Partial<WorkflowJobSpec> = Object.fromEntries(changed);
	if (newer && state !== spec.state) {
		change.state = state;
		change.stateSince = new Date(nowMs).toISOString();
	}
	// The time of a `queued` that follows another counts by itself: a `waiting` of between them may be on its way.
	const orders = newer && source === 'event' && rank[state] === 0;
	if (Object.keys(change).length === 0 && !orders) return undefined;
	return newer ? { ...change, deliveredAt } : change;
}

const msOf = (time: string | undefined): number =>
	time === undefined ? Number.NEGATIVE_INFINITY : Date.parse(time);

const isEmpty = (value: unknown): boolean => !Array.isArray(value) || value.length === 0;

const same = (one: readonly unknown[], other: unknown): boolean =>
	Array.isArray(other) && one.length === other.length && one.every((value, index) => value === other[index]);
