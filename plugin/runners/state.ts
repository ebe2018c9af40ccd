import { arc, busy, record } from '../../admission/api/keys.ts';
import type { Pod } from '../../admission/api/kinds.ts';
import { printable } from '../../admission/api/printable.ts';
import { jobNow } from '../../admission/jobs/rules/job-signals.ts';
import type { DeletionRecord } from '../../admission/runner/guarded-pod.ts';
import type { Job } from '../../admission/runner/job-signals.ts';
import type { RunnerPod } from '../../admission/runner/runner-pod.ts';
import { readPod } from './read.ts';

/**
 * What a runner is doing, for people. It is read from the pod alone, by the guard's own rules: the server writes
 * GitHub's answers on the pod, so users need no GitHub credentials to see them.
 *
 * - pending: not on a node yet
 * - starting: on a node, and GitHub has not listed its runner yet
 * - idle: waits for a job
 * - busy: runs a job
 * - draining: its deletion is asked for (recorded) or under way
 * - stopped: its runner has ended; only the pod is left
 * - unknown: the runner runs, but nobody says whether it is busy: the server is not installed or cannot ask GitHub
 */
export type State = 'pending' | 'starting' | 'idle' | 'busy' | 'draining' | 'stopped' | 'unknown';

/** The server sees a registered runner within seconds: one that has run longer without being seen is not "starting". */
const registrationMs = 120_000;

/** `runner` is what the rules read from the pod; the caller passes it if it has read it already. */
export function stateOf(pod: Pod, nowMs: number, runner: RunnerPod | undefined = readPod(pod)): State {
	if (!runner) return 'unknown';
	const { process } = runner;
	if (process.state === 'exited') return 'stopped';
	// When ARC scales down, it writes only the time: that is a requested deletion as well, though not one of our
	// server's.
	const asked = [record.requestedAt, arc.requestedAt].some(
		(key) => pod.metadata.annotations?.[key] !== undefined,
	);
	if (runner.terminating || asked) return 'draining';
	if (runsJob(runner)) return 'busy';
	if (!runner.nodeName) return 'pending';
	if (process.state === 'starting') return 'starting';
	if (isKnownIdle(pod, runner)) return 'idle';
	const runsForMs = process.sinceMs === undefined ? 0 : nowMs - process.sinceMs;
	return runsForMs < registrationMs ? 'starting' : 'unknown';
}

export function isTerminating({ metadata }: Pick<Pod, 'metadata'>): boolean {
	return metadata.deletionTimestamp !== undefined;
}

/** The deletion that was denied and recorded, and that our server completes when the job ends. */
export function deletionRecord(pod: Pod): DeletionRecord | undefined {
	return readPod(pod)?.record;
}

/** Whether the runner is known to run a job, by anything that would make the guard answer "busy". */
export function isBusy(pod: Pod): boolean {
	const runner = readPod(pod);
	return runner !== undefined && runsJob(runner);
}

/** Whether the runner runs, is registered and has no job. Its deletion may be recorded. */
export function isIdle(pod: Pod): boolean {
	const runner = readPod(pod);
	if (runner?.process.state !== 'running' || runner.terminating || runsJob(runner)) return false;
	return isKnownIdle(pod, runner);
}

/** A job that is running. */
export interface RunningJob {
	/** For people: "build (octo-org/app, run 42)"; undefined: it is not known which job it is. */
	name: string | undefined;
	sinceMs: number | undefined;
	/** What the best-informed source has reported about it; undefined: no source has described it. */
	details: Job | undefined;
}

/** The job that the runner runs; undefined if it runs none. */
export function jobOf(pod: Pod, runner: RunnerPod | undefined = readPod(pod)): RunningJob | undefined {
	if (!runner || !runsJob(runner)) return undefined;
	const { name, sinceMs, job } = jobNow(runner) ?? {};
	return { name: name === undefined ? undefined : printable(name), sinceMs, details: job };
}

/** By the same rule as in `decide`: a container that has ended has no job, whatever the pod's marks say. */
function runsJob(runner: RunnerPod): boolean {
	const { process, busyAnswer, ephemeral } = runner;
	const answered = busyAnswer !== undefined && ephemeral;
	return (
		(process.state === 'running' || process.state === 'starting') &&
		(jobNow(runner) !== undefined || answered)
	);
}

/** Registered and without a job: GitHub's id is on the pod, or the server says "not busy". */
function isKnownIdle(pod: Pod, { runnerId }: RunnerPod): boolean {
	const condition = pod.status?.conditions?.find(({ type }) => type === busy.condition);
	return condition?.status === 'False' || runnerId !== undefined;
}
