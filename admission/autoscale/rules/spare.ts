import { arrivalsLastMs, assumedStartUpMs, mostArrivals, mostStartUps } from './policy.ts';

/** When jobs of a set arrived, as far back as it matters. */
export interface Arrivals {
	/** Since when all of them are known, ms since the epoch. */
	sinceMs: number;
	/** Oldest first. */
	atMs: readonly number[];
}

/** The arrivals with new ones, and without those that are too old. @param newMs when they arrived, ms since the epoch */
export function withArrivals({ sinceMs, atMs }: Arrivals, newMs: readonly number[], nowMs: number): Arrivals {
	const from = nowMs - arrivalsLastMs;
	const kept = [...atMs, ...newMs].filter((ms) => ms > from).sort((one, other) => one - other);
	const tooMany = Math.max(0, kept.length - mostArrivals);
	return { sinceMs: Math.max(sinceMs, from, kept[tooMany - 1] ?? from), atMs: kept.slice(tooMany) };
}

/**
 * How many idle runners would have been enough, during this fraction of the last hour, for the jobs that arrived within one
 * start-up time: as long as it takes to have another one. Pure.
 *
 * @param quantile from 0, which is none, to 1, which is the most that ever arrived
 */
export function spareFor(arrivals: Arrivals, startUpMs: number, quantile: number, nowMs: number): number {
	const fromMs = Math.max(arrivals.sinceMs, nowMs - arrivalsLastMs);
	const spanMs = nowMs - fromMs;
	// Before a start-up time has passed nothing is known of how many come within one.
	if (!(quantile > 0) || spanMs < startUpMs) return 0;
	const changes: [number, 1 | -1][] = [];
	for (const ms of arrivals.atMs) {
		const endMs = ms + startUpMs;
		if (endMs <= fromMs) continue;
		changes.push([Math.max(ms, fromMs), 1]);
		if (endMs < nowMs) changes.push([endMs, -1]);
	}
	changes.sort(([one], [other]) => one - other);
	/** For how long it was each number. */
	const lasted = new Map<number, number>();
	let sinceMs = fromMs;
	let within = 0;
	for (const [ms, by] of [...changes, [nowMs, 1] as const]) {
		lasted.set(within, (lasted.get(within) ?? 0) + ms - sinceMs);
		sinceMs = ms;
		within += by;
	}
	let enough = 0;
	let enoughMs = 0;
	for (const [number, ms] of [...lasted].sort(([one], [other]) => one - other)) {
		// Sums of parts of a second need not be exact.
		if (enoughMs >= spanMs * Math.min(1, quantile) - 0.5) break;
		enough = number;
		enoughMs += ms;
	}
	return enough;
}

/** How long runners of the set take to start: the median of the last ones. @param tookMs newest last */
export function startUpMsOf(tookMs: readonly number[]): number {
	const known = tookMs.filter((ms) => ms > 0).slice(-mostStartUps);
	const sorted = known.sort((one, other) => one - other);
	return sorted[Math.floor(sorted.length / 2)] ?? assumedStartUpMs;
}
