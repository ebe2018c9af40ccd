import { waitsForRunner } from './job-status.ts';
import type { Job } from './types.ts';

/** The open jobs, as the metrics show them. */
interface OpenJobs {
	/** How many there are. */
	open: number;
	byState: Map<string, number>;
	/** How many wait and count for no set. */
	unmatched: number;
	/** When the oldest that waits and counts for a set was opened, ms since the epoch; undefined: none waits. */
	oldestMs: number | undefined;
}

/** Counts the open jobs. Pure. */
export function countOpen(jobs: Iterable<{ job: Job; set: string | undefined }>): OpenJobs {
	const counted: OpenJobs = { open: 0, byState: new Map(), unmatched: 0, oldestMs: undefined };
	for (const { job, set } of jobs) {
		if (job.state === 'completed') continue;
		const state = stateOf(job);
		counted.open += 1;
		counted.byState.set(state, (counted.byState.get(state) ?? 0) + 1);
		if (state !== 'queued') continue;
		if (set === undefined) counted.unmatched += 1;
		else counted.oldestMs = Math.min(counted.oldestMs ?? job.openedMs, job.openedMs);
	}
	return counted;
}

function stateOf(job: Job): 'ended' | 'queued' | 'waiting' | 'running' {
	if (job.endedMs !== undefined) return 'ended';
	if (waitsForRunner(job)) return 'queued';
	return job.state === 'waiting' ? 'waiting' : 'running';
}
