import { clockSkewMs, quietMs } from './policy.ts';

/**
 * How long ago that was, in ms. A time in the future counts as never, as a missing one does: somebody's clock, or somebody,
 * is wrong. Clocks of two replicas differ a little.
 */
export function agoMs(atMs: number | undefined, nowMs: number): number {
	return atMs === undefined || atMs > nowMs + clockSkewMs ? Infinity : Math.max(0, nowMs - atMs);
}

/** How much of the quiet period is left, in ms. A time in the future, by a clock that is wrong, makes it no longer. */
export const quietLeftMs = (sinceMs: number, nowMs: number): number =>
	Math.max(0, Math.min(quietMs, sinceMs + quietMs - nowMs));
