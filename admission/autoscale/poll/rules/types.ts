/** What is known of repositories that may have jobs for our runners. Times in ms by the monotonic clock. */
import type { OpenStatus } from '../../../github/rules/run-status.ts';
import type { ListedRun } from '../../../github/workflow-runs.ts';

export type { OpenStatus } from '../../../github/rules/run-status.ts';
export type { ListedRun } from '../../../github/workflow-runs.ts';

/** The runs of a repository that had a status when they were last listed. */
export interface RunList {
	/** Negative infinity: never. */
	readMs: number;
	etag: string | undefined;
	runs: readonly ListedRun[];
}

export interface RunJob {
	id: number;
	status: string;
	/** undefined: too many to tell which runner may have it. */
	labels: readonly string[] | undefined;
	/** One of our sets could run it, or people should see that none can. */
	ours: boolean;
}

/** An open run. */
export interface KnownRun {
	/** When it was first listed. */
	seenMs: number;
	/** When its jobs were last listed. Negative infinity: never. */
	readMs: number;
	/** As its list said when its jobs were listed. */
	attempt: number;
	updatedAt: string;
	etag: string | undefined;
	jobs: readonly RunJob[];
}

/** Why something is asked, the most urgent first. `run`: one that is new, or a runner group that a job is routed by. */
export const urgency = { ask: 0, initial: 1, drift: 2, run: 3, round: 4 } as const;
export type Urgency = (typeof urgency)[keyof typeof urgency];

export interface Repository {
	/** In lower case. */
	key: string;
	/** OWNER/NAME. */
	name: string;
	/** When it was first mentioned: by a job, a push, or a metric that names it. */
	firstMs: number;
	/** When something was last known to be open there. */
	activeMs: number;
	/** The last event of it that was delivered. */
	eventMs: number | undefined;
	/** When something was last found that events should have reported. */
	missedMs: number | undefined;
	/** How often that was so since the last event. */
	misses: number;
	/** GitHub does not show it: not asked about before, and how often in a row. */
	hidden: { untilMs: number; times: number } | undefined;
	/** Everything that is open there is to be read again. */
	wanted: { atMs: number; urgency: Urgency } | undefined;
	/** A metric counts its runs. */
	metric: boolean;
	lists: Record<OpenStatus, RunList>;
	runs: Map<number, KnownRun>;
	/** Runs with jobs that are open by our records, and when that was first seen. */
	ours: ReadonlyMap<number, number>;
}

export type Query =
	| { kind: 'job'; repository: string; job: string; id: number }
	| { kind: 'list'; repository: string; status: OpenStatus }
	| { kind: 'run'; repository: string; runId: number }
	| { kind: 'groups'; repository: string }
	| { kind: 'repositories'; organization: string };

export interface Due {
	query: Query;
	urgency: Urgency;
	/** May be in the future. */
	dueMs: number;
}

/** The more urgent of two, of those that are due; then what has been due for longer. */
export function moreUrgent(one: Due | undefined, other: Due | undefined, nowMs: number): Due | undefined {
	const first = one && one.dueMs <= nowMs ? one : undefined;
	const second = other && other.dueMs <= nowMs ? other : undefined;
	if (!first || !second) return first ?? second;
	return (second.urgency - first.urgency || second.dueMs - first.dueMs) < 0 ? second : first;
}
