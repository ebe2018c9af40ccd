import type { WaitReason, WorkflowJob } from '../../admission/api/autoscale.ts';
import { humanSpan } from '../../admission/api/duration.ts';

/**
 * The state of a job, for people.
 *
 * - waiting: for an approval: no runner gets it before
 * - queued: for a runner
 * - running: a runner has it, as GitHub or the runner itself says
 * - ended: its runner has ended, and GitHub has not said so yet
 * - completed
 */
type ShownJobState = 'queued' | 'waiting' | 'running' | 'ended' | 'completed';

export function jobStateOf({ spec, status }: WorkflowJob): ShownJobState {
	if (spec.state === 'completed') return 'completed';
	if (status?.endedAt) return 'ended';
	if (spec.state === 'in_progress') return 'running';
	if (spec.state === 'queued' && status?.runner) return 'running';
	return spec.state;
}

/** A job that was over when it was first reported has a record as well, so that a late event does not open it again. */
export function isOpen(job: WorkflowJob): boolean {
	return jobStateOf(job) !== 'completed';
}

export function sinceOf({ spec }: WorkflowJob): string | undefined {
	return spec.stateSince ?? spec.openedAt ?? spec.createdAt;
}

export function runnerOf({ spec, status }: WorkflowJob): string | undefined {
	return spec.runnerName || status?.runner || undefined;
}

const texts: Record<WaitReason, string> = {
	NoMatchingSet: 'no matching set',
	AtMaximum: 'set at its maximum',
	RunnerStarting: 'runner starting',
	RunnerIdle: 'runners are idle, but GitHub has not assigned it yet',
	RunnerOutdated: 'GitHub refuses the version of the runners',
	StartsFailing: 'runners fail to start',
	QuotaExceeded: 'a quota refuses further runners',
	CredentialsMissing: 'no GitHub credentials',
	RateLimited: "GitHub's rate limit",
	Approval: 'approval',
	ConcurrencyGroup: 'concurrency group',
	Unconfirmed: 'not confirmed by GitHub, does not count',
	Suspect: 'not taken by idle runners and not confirmed by GitHub, does not count',
	NotGivenToRunners: "not given to the set's runners by GitHub, does not count",
	NotAutoscaled: 'no autoscaler counts jobs for the set',
};

/** Why it waits, as the server says it; undefined: it does not wait. */
export function waitsFor(job: WorkflowJob, nowMs: number): string | undefined {
	const state = jobStateOf(job);
	if (state !== 'queued' && state !== 'waiting') return undefined;
	const { reason = '', message } = job.status ?? {};
	if (message) return message;
	if (reason) return (texts as Record<string, string>)[reason] ?? reason;
	if (state === 'waiting') return texts.Approval;
	if (!job.status) {
		const since = Date.parse(sinceOf(job) ?? '');
		const age = Number.isNaN(since) ? '' : ` for ${humanSpan(nowMs - since)}`;
		return `no leader has processed it${age}`;
	}
	return job.status.set ? undefined : texts.NoMatchingSet;
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
