import type { Holders } from './holders.ts';
import { isOldNews, suspectMs } from './job-status.ts';
import { probeEveryMs, probeForMs, probeUnconfirmedAfterMs, suspectAfterMs } from './policy.ts';
import type { Job, JobStatus, Runner } from './types.ts';

/** Jobs that turned out to be true, though they had waited so long, or were reported so late, that this could be doubted. */
export interface Proofs {
	/** By labels: when those that had waited for minutes began to wait, and when a runner took them. */
	taken: Map<string, { openedMs: number; takenMs: number }[]>;
	/** Labels of those that an event of long ago opened. */
	oldNews: Set<string>;
}

/** Which of the jobs that may have been doubted runners have taken. Pure. */
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
		// Of a job that has ended it is no longer known when it was taken.
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

/** A job that was as doubtful turned out to be true: GitHub's events came late, and so did the event of this one. */
export const isProven = (job: Job, { oldNews }: Proofs): boolean => oldNews.has(alike(job));

/**
 * Since when a job is left unassigned, in view of those that were taken: one that waited at that time as well was left by the
 * same idle runners, and has a runner by now. So GitHub was slow to assign jobs, and this one need not be over.
 */
function leftAfter(job: Job, sinceMs: number, { taken }: Proofs): number {
	let leftMs = sinceMs;
	for (const { openedMs, takenMs } of taken.get(alike(job)) ?? [])
		if (openedMs <= sinceMs) leftMs = Math.max(leftMs, takenMs);
	return leftMs;
}

/**
 * Since when each waiting job is unassigned though runners are idle. Each idle runner casts doubt on one job at a time, on
 * those that wait longest first, and on no further one before the last has become suspect: one runner that takes nothing says
 * little about hundreds that wait behind a maximum.
 */
export function unassignedSince(
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
		const { unassignedMs = Number.POSITIVE_INFINITY, confirmedMs } = job;
		const leftMs = suspectMs(job) > nowMs ? Number.POSITIVE_INFINITY : leftAfter(job, unassignedMs, proofs);
		const doubtMs = suspectMs({ unassignedMs: leftMs, confirmedMs });
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
 * GitHub can't be asked there is no other way, and a job that is true would wait for a day, until GitHub fails it.
 */
export function probeOf(
	jobs: readonly Job[],
	statuses: ReadonlyMap<string, JobStatus>,
	unassigned: ReadonlyMap<string, number>,
	nowMs: number,
): { now: boolean; changesMs: number } {
	let firstMs = Number.POSITIVE_INFINITY;
	for (const job of jobs) {
		if (job.state !== 'queued') continue;
		const { key, openedMs, confirmedMs } = job;
		const isUnconfirmed = statuses.get(key) === 'unconfirmed';
		// Never, unless it is unassigned though runners are idle.
		const suspectFirstMs = suspectMs({ unassignedMs: unassigned.get(key), confirmedMs }) + probeEveryMs;
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
