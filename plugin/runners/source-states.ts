import type { Pod } from '../../admission/api/kinds.ts';
import type { Job, JobSignal } from '../../admission/runner/job-signals.ts';
import type { RunnerPod } from '../../admission/runner/runner-pod.ts';
import type { SignalSource } from '../../admission/runner/signal-sources.ts';
import { jobOf } from './state.ts';

/** What shows whether a runner works: the sources of job signals, GitHub's list, its last answer to DELETE runner. */
export type SourceName = SignalSource | 'list' | 'delete' | 'ephemeral-runner';

/** What a source says, as data. */
export interface SourceState {
	by: SourceName;
	/**
	 * - working, finishing, over: of a job, as in JobSignal
	 * - idle: the runner waits for a job
	 * - removed, absent: GitHub has unregistered the runner, or its list lacks it
	 * - unknown: the source does not show it, or cannot be read: `detail` says why
	 * - nothing: it has reported nothing, which is no evidence
	 */
	state: JobSignal['state'] | 'idle' | 'removed' | 'absent' | 'unknown' | 'nothing';
	/** Since when, RFC 3339. */
	since?: string | undefined;
	job?: Partial<Job> | undefined;
	detail?: string | undefined;
}

/** RFC 3339, UTC; undefined where it is not known. */
export const timeOf = (ms: number | undefined): string | undefined =>
	ms === undefined || !(Math.abs(ms) <= 8.64e15) ? undefined : new Date(ms).toISOString();

/** A job signal on the pod. */
export const sourceStateOf = ({ by, state, sinceMs, job }: JobSignal): SourceState => ({
	by,
	state,
	since: timeOf(sinceMs),
	job,
});

/** The runner's job, as data; undefined if it runs none. */
export function jobData(pod: Pod, runner: RunnerPod | undefined): object | undefined {
	const job = jobOf(pod, runner);
	return job && { ...job.details, name: job.name, since: timeOf(job.sinceMs) };
}
