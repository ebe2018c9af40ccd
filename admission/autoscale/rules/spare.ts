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
 * start-up time: as long as it takes to have another one. Pure, and linear in the number of arrivals.
 *
 * @param quantile from 0, which is none, to 1, which is the most that ever arrived
 */
export function spareFor(arrivals: Arrivals, startUpMs: number, quantile: number, nowMs: number): number {
	const fromMs = Math.max(arrivals.sinceMs, nowMs - arrivalsLastMs);
	const spanMs = nowMs - fromMs;
	// Before a start-up time has passed nothing is known of how many come within one.
	if (!(quantile > 0) || spanMs < startUpMs) return 0;
	const atMs = arrivals.atMs.filter((ms) => ms + startUpMs > fromMs && ms < nowMs);
	/** By number of arrivals within a start-up time: for how long it was that number, ms. */
	const lastedMs: number[] = [];
	let sinceMs = fromMs;
	/** Those that have arrived so far, and those whose start-up time is over. */
	let [come, over] = [0, 0];
	const passUntil = (ms: number) => {
		lastedMs[come - over] = (lastedMs[come - over] ?? 0) + ms - sinceMs;
		sinceMs = ms;
	};
	while (come < atMs.length || over < come) {
		const nextMs = Math.max(atMs[come] ?? Number.POSITIVE_INFINITY, fromMs);
		const endMs = (atMs[over] as number) + startUpMs;
		if (Math.min(nextMs, endMs) >= nowMs) break;
		passUntil(Math.min(nextMs, endMs));
		if (nextMs <= endMs) come += 1;
		else over += 1;
	}
	passUntil(nowMs);
	let enough = 0;
	let enoughMs = 0;
	for (const [number, ms = 0] of lastedMs.entries()) {
		// Sums of parts of a second need not be exact.
		if (enoughMs >= spanMs * Math.min(1, quantile) - 0.5) break;
		if (ms === 0) continue;
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
