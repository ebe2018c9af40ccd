import type { Demand, Job } from '../../rules/types.ts';
import { driftAgainMs, driftEveryMs } from './policy.ts';

/** What comparing the busy runners of a set with its running jobs has shown so far. Times by the monotonic clock. */
export interface DriftState {
	comparedMs: number;
	/** They differed at the last comparison. */
	differed: boolean;
	/** GitHub is not asked about the difference before this, and how often in a row it was. */
	notBeforeMs: number;
	times: number;
}

export const noDrift: DriftState = {
	comparedMs: Number.NEGATIVE_INFINITY,
	differed: false,
	notBeforeMs: Number.NEGATIVE_INFINITY,
	times: 0,
};

/** Busy runners of a set, and its jobs that run. */
export interface Working {
	busy: number;
	jobs: number;
}

/** How many jobs run. One whose runner has ended does not, even before GitHub says so. @param ended what this reconcile has found */
export function runningJobs(jobs: readonly Job[], ended: Demand['ended']): number {
	const over = new Set(ended.map(({ job }) => job));
	return jobs.filter(({ key, state }) => state === 'in_progress' && !over.has(key)).length;
}

/**
 * One comparison. `search`: they have differed twice in a row, so GitHub is to be asked. A difference that its answers do not
 * explain is asked about less and less often.
 */
export function compare(
	before: DriftState,
	working: Working | undefined,
	nowMs: number,
): { state: DriftState; search: boolean } {
	if (nowMs - before.comparedMs < driftEveryMs) return { state: before, search: false };
	if (!working || working.busy === working.jobs)
		return { state: { ...noDrift, comparedMs: nowMs }, search: false };
	const search = before.differed && nowMs >= before.notBeforeMs;
	const waitMs = Math.min(driftAgainMs.most, driftAgainMs.first * 2 ** before.times);
	return {
		state: {
			comparedMs: nowMs,
			differed: true,
			notBeforeMs: search ? nowMs + waitMs : before.notBeforeMs,
			times: before.times + (search ? 1 : 0),
		},
		search,
	};
}
