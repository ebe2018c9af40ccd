import type { WorkflowJob } from '../../api/autoscale.ts';
import { longestGateMs, oldNewsMs } from './policy.ts';

/** How long a record is kept. Times in ms. */
export const kept = {
	/** A job that has completed: people see how it ended. */
	completedMs: 5 * 60_000,
	/**
	 * And for this long after GitHub created it: an event of its start that comes late, or is read back, opens nothing. One that
	 * comes later still is old news, and does not count by itself.
	 */
	afterCreationMs: oldNewsMs + 60_000,
	/** One that was unknown before it completed: its opening events may still come, reordered or read back. */
	tombstoneMs: 30 * 60_000,
	/** GitHub ends a job that has been queued for 24 h, and one that has run for 5 days on a self-hosted runner. */
	queuedMs: 24 * 60 * 60_000,
	runningMs: 5 * 24 * 60 * 60_000,
	/** One that waits for an approval: without its record the job would be old news once it is approved. */
	gatedMs: longestGateMs,
} as const;

/** How long the record is still needed, in ms; 0: it can go. */
export function keptMs({ metadata, spec }: WorkflowJob, nowMs: number): number {
	const sinceMs = timeOf(spec.stateSince) ?? timeOf(metadata.creationTimestamp) ?? nowMs;
	// A time that has not come counts as now: whoever wrote it had another clock.
	const ageMs = Math.max(0, nowMs - sinceMs);
	return Math.max(0, lastsMs(spec) - ageMs, mayOpenAgainMs(spec, nowMs));
}

/** For how long an event of its start would still count if nobody knew that the job has completed. */
function mayOpenAgainMs({ state, createdAt }: WorkflowJob['spec'], nowMs: number): number {
	const createdMs = timeOf(createdAt);
	if (state !== 'completed' || createdMs === undefined) return 0;
	return kept.afterCreationMs - Math.max(0, nowMs - createdMs);
}

function lastsMs({ state, openedAt }: WorkflowJob['spec']): number {
	if (state === 'completed') return openedAt === undefined ? kept.tombstoneMs : kept.completedMs;
	// Somewhat longer than GitHub's own limit: it says the end itself, mostly.
	return (
		{ waiting: kept.gatedMs, queued: kept.queuedMs, in_progress: kept.runningMs }[state] + kept.tombstoneMs
	);
}

function timeOf(text: string | undefined): number | undefined {
	const ms = Date.parse(text ?? '');
	return Number.isNaN(ms) ? undefined : ms;
}
