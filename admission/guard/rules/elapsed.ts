import { clockSkewMs, quietMs } from './policy.ts';

/**
 * How long ago that was, in ms. A time in the future counts as never, as a missing one does: somebody's clock, or somebody,
 * is wrong. Clocks of two replicas differ a little.
 */
export function agoMs(atMs: number | undefined, nowMs: number): number {
	return atMs === undefined || atMs > nowMs + clockSkewMs ? Infinity : Math.max(0, nowMs - atMs);
}

/**
 * About how much of the quiet period is left, in ms, where two clocks may differ: for what only counts runners, or says when to
 * try again. What lets a pod go is measured (QuietPeriods). A time in the future makes it no longer.
 */
export const quietLeftMs = (sinceMs: number, nowMs: number): number =>
	Math.max(0, Math.min(quietMs, sinceMs + quietMs - nowMs));
