import {
	endedLapsesMs,
	longestGateMs,
	longestQueuedMs,
	longestRunMs,
	oldNewsMs,
	suspectAfterMs,
} from './policy.ts';
import type { Job, JobStatus } from './types.ts';

/** What is known of the runner that has a job; undefined: no runner of this set is known to have it. */
type Holder = 'runs' | 'ended' | undefined;

/** How a job counts, without the doubt that idle runners cast on it; see suspectMs. Pure. */
export function jobStatus(job: Job, holder: Holder, nowMs: number): Exclude<JobStatus, 'suspect'> {
	if (endMs(job) <= nowMs) return 'over';
	if (holder === 'runs') return 'running';
	if (holder === 'ended' && !isReopened(job, nowMs)) return 'ended';
	// GitHub has said that it runs: somewhere else, then, unless it has said since that it is queued.
	const { confirmedMs = 0 } = job;
	if (job.state === 'in_progress' && holder === undefined && confirmedMs <= job.stateMs)
		// A job that is read back after its record has gone would otherwise count as running for five days.
		return isOldNews(job) ? 'unconfirmed' : 'running';
	if (job.state === 'waiting') return 'gated';
	return isOldNews(job) ? 'unconfirmed' : 'waiting';
}

/** The time, ms since the epoch; 0 where there is none, or where it is in the future: the clock was set back since. */
export const unlessFuture = (ms: number | undefined, nowMs: number): number =>
	ms === undefined || ms > nowMs ? 0 : ms;

/** When GitHub last called the job queued, ms since the epoch; see unlessFuture. */
export const confirmedMs = (job: Job | undefined, nowMs: number): number =>
	unlessFuture(job?.confirmedMs, nowMs);

/** Whether a job waits for a runner, as far as is known: whether that is still true is another question. */
export const waitsForRunner = ({ state, boundTo, endedMs }: Job): boolean =>
	state === 'queued' && boundTo === undefined && endedMs === undefined;

/** When a job is over whatever happens, ms since the epoch. */
export function endMs({ state, stateMs, confirmedMs = 0 }: Job): number {
	switch (state) {
		case 'completed':
			return Number.NEGATIVE_INFINITY;
		case 'in_progress':
			return stateMs + longestRunMs;
		case 'queued':
			return Math.max(stateMs, confirmedMs) + longestQueuedMs;
		case 'waiting':
			return stateMs + longestGateMs;
	}
}

/** When a job becomes suspect that is unassigned though runners are idle, ms since the epoch. */
export const suspectMs = ({
	unassignedMs = Number.POSITIVE_INFINITY,
	confirmedMs = 0,
}: Pick<Job, 'unassignedMs' | 'confirmedMs'>): number => Math.max(unassignedMs, confirmedMs) + suspectAfterMs;

/**
 * When a job waits again whose runner has ended. GitHub reopens it by saying, after that, that it is queued. Where only our
 * job signals have said that it ran, it waits again by itself after a while; ms since the epoch, Infinity: not by itself.
 */
export const reopenedMs = ({ state, endedMs }: Job): number =>
	endedMs === undefined || state === 'in_progress' ? Number.POSITIVE_INFINITY : endedMs + endedLapsesMs;

/** Whether a job whose runner has ended waits again. */
export function isReopened(job: Job, nowMs: number): boolean {
	const { endedMs = Number.POSITIVE_INFINITY, confirmedMs = 0 } = job;
	return confirmedMs > endedMs || reopenedMs(job) <= nowMs;
}

/** Whether the event that opened it came long after GitHub had created it, and GitHub has not confirmed it since. */
export const isOldNews = ({ openedMs, createdMs = openedMs, confirmedMs }: Job): boolean =>
	confirmedMs === undefined && openedMs - createdMs > oldNewsMs;
