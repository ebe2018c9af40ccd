import { briefEnd, startBackoff } from './policy.ts';

/** When the next runner may be started, after those that came to nothing. */
export interface StartPace {
	/** How many starts in a row failed: they ended before the runner registered, or were brief ends too many. */
	failedStarts: number;
	/** How many starts in a row ended briefly, without having shown a job. */
	briefEnds: number;
	/** No runner is started before this, ms since the epoch. */
	nextStartMs: number;
}

export const freshPace: StartPace = { failedStarts: 0, briefEnds: 0, nextStartMs: 0 };

/** The next start waits, longer after each failure. */
export function afterFailedStart(pace: StartPace, nowMs: number): StartPace {
	const failedStarts = pace.failedStarts + 1;
	const delayMs = Math.min(startBackoff.mostMs, startBackoff.firstMs * 2 ** (failedStarts - 1));
	return { ...pace, failedStarts, nextStartMs: nowMs + delayMs };
}

/** One too many brief ends is a failed start; until then the next start need not wait. */
export function afterBriefEnd(pace: StartPace, nowMs: number): StartPace {
	const counted = { ...pace, briefEnds: pace.briefEnds + 1 };
	return counted.briefEnds > briefEnd.tolerated
		? afterFailedStart(counted, nowMs)
		: { ...counted, nextStartMs: nowMs };
}
