import { driftAgainMs, driftEveryMs } from './policy.ts';

/** What comparing the busy runners of a set with its running jobs has shown so far. Times by the monotonic clock. */
export interface DriftState {
	lookedMs: number;
	/** The last look has found them to differ. */
	differed: boolean;
	/** Not looked for what made them differ before this, and how often in a row it was. */
	notBeforeMs: number;
	times: number;
}

export const noDrift: DriftState = {
	lookedMs: Number.NEGATIVE_INFINITY,
	differed: false,
	notBeforeMs: Number.NEGATIVE_INFINITY,
	times: 0,
};

/**
 * One look. `search`: they have differed at two looks in a row, so GitHub is to be asked. What it does not explain is asked
 * about ever more seldom.
 */
export function lookForDrift(
	before: DriftState,
	working: { busy: number; jobs: number } | undefined,
	nowMs: number,
): { state: DriftState; search: boolean } {
	if (nowMs - before.lookedMs < driftEveryMs) return { state: before, search: false };
	if (!working || working.busy === working.jobs)
		return { state: { ...noDrift, lookedMs: nowMs }, search: false };
	const search = before.differed && nowMs >= before.notBeforeMs;
	const waitMs = Math.min(driftAgainMs.most, driftAgainMs.first * 2 ** before.times);
	return {
		state: {
			lookedMs: nowMs,
			differed: true,
			notBeforeMs: search ? nowMs + waitMs : before.notBeforeMs,
			times: before.times + (search ? 1 : 0),
		},
		search,
	};
}
