import type { WaitReason, WorkflowJob } from '../../admission/api/autoscale.ts';
import { humanSpan } from '../../admission/api/duration.ts';

/**
 * What becomes of a job, for people.
 *
 * - waiting: for an approval: nobody can run it before
 * - queued: for a runner
 * - running: a runner has it, by GitHub's word or by the runner's own
 * - ended: its runner has ended, and GitHub has not said so yet
 * - completed
 */
export type ShownJobState = 'queued' | 'waiting' | 'running' | 'ended' | 'completed';

export function jobStateOf({ spec, status }: WorkflowJob): ShownJobState {
	if (spec.state === 'completed') return 'completed';
	if (status?.endedAt) return 'ended';
	if (spec.state === 'in_progress') return 'running';
	if (spec.state === 'queued' && status?.runner) return 'running';
	return spec.state;
}

/** Of a job that was over when it was first heard of only a mark is kept, so that a late event does not open it again. */
export function isOpen(job: WorkflowJob): boolean {
	return jobStateOf(job) !== 'completed';
}

export function sinceOf({ spec }: WorkflowJob): string | undefined {
	return spec.stateSince ?? spec.openedAt ?? spec.createdAt;
}

export function runnerOf({ spec, status }: WorkflowJob): string | undefined {
	return spec.runnerName || status?.runner || undefined;
}

const inWords: Record<WaitReason, string> = {
	NoMatchingSet: 'no matching set',
	AtMaximum: 'set at its maximum',
	RunnerStarting: 'runner starting',
	RunnerIdle: 'idle runners, GitHub has not assigned it yet',
	StartsFailing: 'starts failing',
	CredentialsMissing: 'credentials missing',
	RateLimited: "GitHub's rate limit",
	Approval: 'approval',
	ConcurrencyGroup: 'concurrency group',
	Unconfirmed: 'not confirmed by GitHub, does not count',
	Suspect: 'idle runners leave it and GitHub does not confirm it, does not count',
	NotAutoscaled: 'no autoscaler counts jobs for the set',
};

/** Why it waits, in the server's words; undefined where it does not wait. */
export function waitsFor(job: WorkflowJob, nowMs: number): string | undefined {
	const state = jobStateOf(job);
	if (state !== 'queued' && state !== 'waiting') return undefined;
	const { reason = '', message } = job.status ?? {};
	if (message) return message;
	if (reason) return (inWords as Record<string, string>)[reason] ?? reason;
	if (state === 'waiting') return inWords.Approval;
	if (!job.status) {
		const since = Date.parse(sinceOf(job) ?? '');
		const age = Number.isNaN(since) ? '' : ` for ${humanSpan(nowMs - since)}`;
		return `no leader has looked at it${age}`;
	}
	return job.status.set ? undefined : inWords.NoMatchingSet;
}

const order: readonly ShownJobState[] = ['queued', 'waiting', 'running', 'ended', 'completed'];

/** What waits comes first, and of that what has waited longest. */
export function byUrgency(left: WorkflowJob, right: WorkflowJob): number {
	const byState = order.indexOf(jobStateOf(left)) - order.indexOf(jobStateOf(right));
	if (byState !== 0) return byState;
	const times = [sinceOf(left) ?? '', sinceOf(right) ?? ''] as const;
	if (times[0] !== times[1]) return times[0] < times[1] ? -1 : 1;
	return left.metadata.name < right.metadata.name ? -1 : 1;
}
