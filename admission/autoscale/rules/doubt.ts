import type { Holders } from './holders.ts';
import { probeEveryMs, probeForMs, probeUnconfirmedAfterMs, suspectAfterMs } from './policy.ts';
import { isOldNews, suspectMs } from './standing.ts';
import type { Job, Runner, Standing } from './types.ts';

/** Jobs that turned out to be true, though they had waited so long, or were heard of so late, that this could be doubted. */
export interface Proofs {
	/** By labels: when those that had waited for minutes began to wait, and when a runner took them. */
	taken: Map<string, { openedMs: number; takenMs: number }[]>;
	/** Labels of those that an event of long ago opened. */
	oldNews: Set<string>;
}

/** What runners have taken, of the jobs that may have been doubted. Pure. */
export function proofsOf(
	jobs: readonly Job[],
	runners: readonly Runner[],
	{ holders }: Holders,
	nowMs: number,
): Proofs {
	const proofs: Proofs = { taken: new Map(), oldNews: new Set() };
	const busyMs = new Map(runners.map(({ name, busySinceMs }) => [name.toLowerCase(), busySinceMs]));
	for (const job of jobs) {
		const { key, openedMs, state, stateMs, runnerName } = job;
		const holder = holders.get(key);
		const isTaken = holder !== undefined || (runnerName !== undefined && stateMs > openedMs);
		if (isOldNews(job) && isTaken) proofs.oldNews.add(alike(job));
		// Of one that has ended it is not known any more when it was taken.
		const takenMs =
			state === 'in_progress'
				? stateMs
				: holder?.says === 'runs'
					? (busyMs.get(holder.runner.toLowerCase()) ?? nowMs)
					: Number.NEGATIVE_INFINITY;
		if (takenMs - openedMs < suspectAfterMs) continue;
		const like = alike(job);
		const known = proofs.taken.get(like);
		if (known) known.push({ openedMs, takenMs });
		else proofs.taken.set(like, [{ openedMs, takenMs }]);
	}
	return proofs;
}

/** A job that was as doubtful is true: GitHub's events have come late, and so did this one. */
export const isProven = (job: Job, { oldNews }: Proofs): boolean => oldNews.has(alike(job));

/**
 * Since when a job is left, seen that others were taken: one that waited at that time as well was left by the same idle
 * runners, and has got a runner since. So GitHub was slow to give jobs out, and this one says nothing of being over.
 */
function leftAfter(job: Job, sinceMs: number, { taken }: Proofs): number {
	let leftMs = sinceMs;
	for (const { openedMs, takenMs } of taken.get(alike(job)) ?? [])
		if (openedMs <= sinceMs) leftMs = Math.max(leftMs, takenMs);
	return leftMs;
}

/**
 * Since when idle runners leave each waiting job. Each of them casts doubt on one job at a time, on those that wait longest
 * first, and on no further one before the last has become suspect: one runner that takes nothing says little of hundreds
 * that wait behind a maximum.
 */
export function leftSince(
	waiting: readonly Job[],
	supply: readonly Runner[],
	proofs: Proofs,
	nowMs: number,
): Map<string, number> {
	const since = new Map<string, number>();
	let doubtedMs = Number.NEGATIVE_INFINITY;
	const others: Job[] = [];
	for (const job of waiting) {
		// A job that is suspect stays so when the idle runners are gone: else it would be given new ones, again and again.
		const { untakenMs = Number.POSITIVE_INFINITY, confirmedMs } = job;
		const leftMs = suspectMs(job) > nowMs ? Number.POSITIVE_INFINITY : leftAfter(job, untakenMs, proofs);
		const doubtMs = suspectMs({ untakenMs: leftMs, confirmedMs });
		if (doubtMs > nowMs) others.push(job);
		else {
			since.set(job.key, leftMs);
			doubtedMs = Math.max(doubtedMs, doubtMs);
		}
	}
	const idleMs = supply
		.filter(({ phase, idleSinceMs }) => phase === 'idle' && idleSinceMs !== undefined)
		.map(({ idleSinceMs = 0 }) => idleSinceMs)
		.sort((one, other) => one - other);
	if (idleMs.length === 0) return since;
	const oldestFirst = others.sort((one, other) => one.openedMs - other.openedMs || one.id - other.id);
	for (const [index, ms] of idleMs.entries()) {
		const job = oldestFirst[index];
		if (!job) break;
		since.set(job.key, leftAfter(job, Math.max(job.stateMs, job.openedMs, ms, doubtedMs), proofs));
	}
	return since;
}

/**
 * Whether one runner is to find out now whether any of the jobs that do not count is true, and when that changes. Where
 * GitHub can't be asked nobody else tells, and a job that is true would wait for its day to be over.
 */
export function probeOf(
	jobs: readonly Job[],
	standings: ReadonlyMap<string, Standing>,
	untaken: ReadonlyMap<string, number>,
	nowMs: number,
): { now: boolean; changesMs: number } {
	let firstMs = Number.POSITIVE_INFINITY;
	for (const job of jobs) {
		if (job.state !== 'queued') continue;
		const { key, openedMs, confirmedMs } = job;
		const isUnconfirmed = standings.get(key) === 'unconfirmed';
		// Never, unless idle runners leave it.
		const suspectFirstMs = suspectMs({ untakenMs: untaken.get(key), confirmedMs }) + probeEveryMs;
		firstMs = Math.min(firstMs, isUnconfirmed ? openedMs + probeUnconfirmedAfterMs : suspectFirstMs);
	}
	if (firstMs > nowMs) return { now: false, changesMs: firstMs };
	const sinceMs = (nowMs - firstMs) % probeEveryMs;
	const now = sinceMs < probeForMs;
	return { now, changesMs: nowMs - sinceMs + (now ? probeForMs : probeEveryMs) };
}

/** Jobs that ask for the same labels can be run by the same runners. */
const alike = ({ labels }: Job): string =>
	JSON.stringify(labels.map((label) => label.trim().toLowerCase()).sort());
