import { fits, type Holders } from './holders.ts';
import { confirmedMs as lastConfirmedMs, unlessFuture } from './job-status.ts';
import {
	askAgainMs,
	askBeforeSuspectMs,
	askEndedAfterMs,
	askUnknownAfterMs,
	longestCheckMs,
	suspectAfterMs,
	unknownAmong,
} from './policy.ts';
import type { Job, JobStatus, Runner } from './types.ts';

/** A job that GitHub is to be asked about. */
interface Ask {
	job: string;
	/** ms since the epoch. */
	dueMs: number;
	/** The lower comes first. */
	urgency: number;
}

/** What it depends on when GitHub is asked. */
interface AskFacts {
	statuses: ReadonlyMap<string, JobStatus>;
	holders: Holders['holders'];
	unknown: Holders['unknown'];
	/** By the job's key: since when it is unassigned though runners are idle. */
	unassigned: ReadonlyMap<string, number>;
	/** By the job's key: when idle runners will have passed it by, if GitHub still calls it queued then. */
	passed: ReadonlyMap<string, number>;
	runners: readonly Runner[];
	checkAfterMs: number;
}

/** When GitHub is to be asked about each job whose record may no longer be true. Pure. */
export function asksFor(jobs: readonly Job[], facts: AskFacts, nowMs: number): Ask[] {
	const names = facts.runners.filter(({ phase }) => phase === 'idle').map(({ name }) => name.toLowerCase());
	const idle = new Set(names);
	const doubted = doubtedMs(jobs, facts);
	return jobs.flatMap((job) => {
		const ask = askAt(job, facts, idle, nowMs);
		if (!ask) return [];
		// One that idle runners have passed by is asked about at once: whether they are any good depends on the answer.
		const passedMs = facts.passed.get(job.key) ?? Number.POSITIVE_INFINITY;
		const dueMs = passedMs <= nowMs ? passedMs : doubted.get(job.key);
		if (dueMs === undefined) return { ...ask, dueMs: Math.min(passedMs, ask.dueMs) };
		return { ...ask, urgency: 1, dueMs: Math.min(dueMs, ask.dueMs) };
	});
}

/**
 * Waiting jobs that a runner may have whose job is not known, and when GitHub is asked about them: without an event nothing
 * else reports which. For each such runner a few at a time, those that wait longest, until it is known or none is left.
 */
function doubtedMs(jobs: readonly Job[], { unknown, statuses }: AskFacts): Map<string, number> {
	const doubted = new Map<string, number>();
	if (unknown.length === 0) return doubted;
	const waiting = jobs
		.filter(({ key }) => statuses.get(key) === 'waiting')
		.toSorted((one, other) => one.openedMs - other.openedMs);
	for (const run of unknown) {
		let left = unknownAmong;
		for (const job of waiting) {
			const { key, createdMs = job.openedMs, checkedMs = 0 } = job;
			const may = createdMs <= run.sinceMs + askUnknownAfterMs && checkedMs <= run.sinceMs;
			if (!may || doubted.has(key) || !fits(run, job)) continue;
			doubted.set(key, run.sinceMs + askUnknownAfterMs);
			left -= 1;
			if (left === 0) break;
		}
	}
	return doubted;
}

function askAt(job: Job, facts: AskFacts, idle: ReadonlySet<string>, nowMs: number): Ask | undefined {
	const { key, openedMs, stateMs } = job;
	const confirmedMs = lastConfirmedMs(job, nowMs);
	const checkedMs = unlessFuture(job.checkedMs, nowMs);
	const openMs = Math.max(openedMs, stateMs);
	switch (facts.statuses.get(key)) {
		case 'unconfirmed': {
			// Nothing waits for the answer about a job that runs, or ran, somewhere else.
			const againMs =
				job.state === 'queued'
					? checkedMs + facts.checkAfterMs
					: checkAgainMs(openMs, checkedMs, facts.checkAfterMs);
			return { job: key, urgency: 0, dueMs: checkedMs === 0 ? nowMs : againMs };
		}
		case 'ended': {
			const endedMs = job.endedMs ?? nowMs;
			return {
				job: key,
				urgency: 1,
				dueMs: checkedMs > endedMs ? checkedMs + askAgainMs : endedMs + askEndedAfterMs,
			};
		}
		case 'waiting': {
			const oldMs = checkAgainMs(openMs, Math.max(confirmedMs, checkedMs), facts.checkAfterMs);
			const leftMs = Math.max(facts.unassigned.get(key) ?? Number.POSITIVE_INFINITY, confirmedMs);
			const beforeSuspectMs = leftMs + suspectAfterMs - askBeforeSuspectMs;
			const soonMs = checkedMs > leftMs ? Math.max(beforeSuspectMs, checkedMs + askAgainMs) : beforeSuspectMs;
			return { job: key, urgency: 2, dueMs: Math.min(oldMs, soonMs) };
		}
		case 'withheld':
			return { job: key, urgency: 4, dueMs: checkAgainMs(openMs, checkedMs, facts.checkAfterMs) };
		case 'suspect':
			return { job: key, urgency: 3, dueMs: checkedMs + askAgainMs };
		case 'running': {
			// A runner of ours that works is the best source; a static one that is idle again has ended the job.
			const holder = facts.holders.get(key);
			if (holder && !idle.has(holder.runner.toLowerCase())) return undefined;
			return { job: key, urgency: 4, dueMs: checkAgainMs(openMs, checkedMs, facts.checkAfterMs) };
		}
		default:
			return undefined;
	}
}

/** After `firstMs`, and then less and less often: after as long again as it has been known to be true. */
function checkAgainMs(openMs: number, lastMs: number, firstMs: number): number {
	const knownMs = Math.max(0, lastMs - openMs);
	return Math.max(openMs, lastMs) + Math.max(firstMs, Math.min(knownMs, longestCheckMs));
}
