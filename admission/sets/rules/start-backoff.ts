import { briefEnd, startBackoff } from './policy.ts';

/** When the next runner may be started, after failed starts. */
export interface StartBackoff {
	/** How many starts in a row failed: the runner ended before it registered, or ended briefly once too often. */
	failedStarts: number;
	/** How many runners in a row ended briefly, without having shown a job. */
	briefEnds: number;
	/** No runner is started before this, ms since the epoch. */
	nextStartMs: number;
}

export const noBackoff: StartBackoff = { failedStarts: 0, briefEnds: 0, nextStartMs: 0 };

/** The next start waits, longer after each failure. */
export function afterFailedStart(backoff: StartBackoff, nowMs: number): StartBackoff {
	const failedStarts = backoff.failedStarts + 1;
	const delayMs = Math.min(startBackoff.mostMs, startBackoff.firstMs * 2 ** (failedStarts - 1));
	return { ...backoff, failedStarts, nextStartMs: nowMs + delayMs };
}

/** More brief ends than tolerated count as a failed start; until then the next start need not wait. */
export function afterBriefEnd(backoff: StartBackoff, nowMs: number): StartBackoff {
	const counted = { ...backoff, briefEnds: backoff.briefEnds + 1 };
	return counted.briefEnds > briefEnd.tolerated
		? afterFailedStart(counted, nowMs)
		: { ...counted, nextStartMs: nowMs };
}
