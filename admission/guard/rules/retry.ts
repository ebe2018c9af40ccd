import { progress } from '../../api/keys.ts';
import type { Pod } from '../../api/kinds.ts';
import { reportsWork } from '../../jobs/rules/job-signals.ts';
import { idleMs } from '../../runner/policy.ts';
import { cannotStartFromMs } from '../../runner/process.ts';
import type { RunnerPod } from '../../runner/runner-pod.ts';
import { quietLeftMs } from './elapsed.ts';
import {
	absenceMs,
	attemptMs,
	finishingRetryMs,
	logRetryMs,
	registeringRetryMs,
	secondLookMs,
	staticRetryMs,
	unreadRetryMs,
} from './policy.ts';
import type { Allow } from './verdict.ts';

/**
 * After how many ms a denied deletion is tried again if nothing happens before that would start a try: a change of the
 * pod, of GitHub's list or of the account. undefined: only such a change can help.
 *
 * @param random returns at least 0 and less than 1: tries are spread, so that many waiting pods do not try all at once
 */
export type Retry<Pod> = (pod: Pod, nowMs: number, random: () => number) => number | undefined;

export const onlyAfterAChange: Retry<unknown> = () => undefined;

export const every =
	(ms: number): Retry<unknown> =>
	() =>
		ms;

/** A quarter earlier or later. */
export const about =
	(ms: number): Retry<unknown> =>
	(_pod, _nowMs, random) =>
		ms * spread(random);

const spread = (random: () => number) => 0.75 + random() * 0.5;

/** An ephemeral runner ends with its job. A static one is asked about as soon as its job may have ended. */
export const whenItsJobEnds: Retry<RunnerPod> = (pod, nowMs, random) => {
	// Its container stops when the job ends; but the job may have been cancelled before it came (mayAskAgain).
	if (pod.ephemeral) return pod.busyAnswer?.to === 'us' && !pod.leavingByArc ? secondLookMs : undefined;
	const endingMs = untilJobsEndMs(pod, nowMs);
	if (endingMs !== undefined) return endingMs;
	// Counted from GitHub's last answer, not from the last try: a new leader and every change of the pod cause a try.
	const pauseMs = staticRetryMs * (1 + random() * 0.2);
	const dueMs = Math.min(nowMs, pod.busyAnswer?.atMs ?? 0) + pauseMs;
	return dueMs > nowMs ? dueMs - nowMs : pauseMs;
};

/** The kubelet's next word is a change of the pod. Without one, after a while it counts as a runner that cannot start. */
export const whenItCannotStart: Retry<RunnerPod> = ({ process }, nowMs) =>
	process.state === 'starting' ? Math.max(1_000, cannotStartFromMs(process, nowMs) - nowMs) : undefined;

/** While GitHub's lists lack the runner: when one can prove its absence. */
export const whenItRegisters: Retry<RunnerPod> = (pod, nowMs) =>
	untilAbsenceProvesMs(pod, nowMs) ?? registeringRetryMs;

/** After GitHub's 204: at the end of the quiet period. Else when the attempt of another replica must have ended. */
export const whenGitHubConfirms: Retry<RunnerPod> = (pod, nowMs) =>
	pod.unregistered
		? Math.max(100, quietLeftMs(Date.parse(pod.unregistered.at), nowMs))
		: (untilAbsenceProvesMs(pod, nowMs) ?? attemptMs);

/** Its log may be readable again; GitHub's lists may have shown it idle for long enough. */
export const whenLogOrListTells: Retry<RunnerPod> = ({ idleSinceMs }, nowMs, random) =>
	Math.max(1_000, Math.min(unreadRetryMs * spread(random), (idleSinceMs ?? nowMs) + idleMs - nowMs));

const untilAbsenceProvesMs = ({ absentSinceMs }: RunnerPod, nowMs: number): number | undefined =>
	absentSinceMs === undefined ? undefined : Math.max(registeringRetryMs, absentSinceMs + absenceMs - nowMs);

/**
 * After how many ms a static runner may have become idle, by its open signals: soon after its job has completed, and
 * less and less often while its end is awaited. undefined: nobody but GitHub knows of its job.
 */
function untilJobsEndMs({ signals, leavingByArc }: RunnerPod, nowMs: number): number | undefined {
	if (leavingByArc) return undefined; // each try writes on the pod, and ARC asks GitHub at each write
	const open = signals.filter(({ state }) => state !== 'over');
	if (open.some(reportsWork)) return undefined;
	const finishing = open.filter(({ state }) => state === 'finishing').map(({ sinceMs }) => sinceMs);
	const { first, most } = finishingRetryMs;
	if (finishing.length > 0) return Math.min(most, Math.max(first, nowMs - Math.max(...finishing)));
	return open.length > 0 ? logRetryMs : undefined;
}

/**
 * Whether nothing has changed on the pod but the attempt ("this replica asks GitHub now"). Every try writes one: if that
 * started the next try, one that ends in "still registering" would be repeated without end.
 */
export function changesOnlyAttempt(before: Pod, after: Pod): boolean {
	const split = ({ metadata, spec, status }: Pod) => {
		const { [progress.attempt]: attempt, ...annotations } = metadata.annotations ?? {};
		const rest = JSON.stringify([{ ...metadata, resourceVersion: '', annotations }, spec, status]);
		return { attempt, rest };
	};
	const [was, is] = [split(before), split(after)];
	return was.attempt !== is.attempt && was.rest === is.rest;
}

/** Whether the verdict comes from a call to GitHub, which another replica may have made. Other verdicts need no call. */
export const isGitHubsAnswer = ({ reason }: Allow): boolean =>
	reason === 'unregistered' || reason === 'never-registered';
