import { reportsWork } from '../../../../jobs/rules/job-signals.ts';
import type { LogReading } from '../../../../jobs/rules/runner-log.ts';
import { idleMs, registrationTimeoutMs } from '../../../../runner/policy.ts';
import { cannotStart } from '../../../../runner/process.ts';
import type { RunnerPod } from '../../../../runner/runner-pod.ts';
import { sourceOf } from '../../../../runner/signal-sources.ts';
import type { RunnerReason } from '../../../rules/denials.ts';
import { agoMs } from '../../../rules/elapsed.ts';
import {
	absenceMs,
	arcsAnswerMs,
	attemptMs,
	finishingRetryMs,
	staticRetryMs,
} from '../../../rules/policy.ts';
import { allow, type Deny, deny, type Verdict } from '../../../rules/verdict.ts';

/**
 * Only GitHub's answer to DELETE proves that no job can arrive, and it is sent only where the runner's log does not say
 * that it works. `listFirst`: GitHub's list is read first, because it probably lacks the runner, or GitHub has just
 * answered 422 to ARC, so that a DELETE would be one call more.
 */
export type Ask = { kind: 'ask'; listFirst: boolean };
/** GitHub's list must lack it: where its pod's status lags, it may be running although it looks as if it could not start. */
type List = { kind: 'list' };
/** GitHub has answered 204, which is one source. After the quiet period the others are read once more, and then the pod may go. */
type Settle = { kind: 'settle' };

type Decision = Verdict<RunnerReason> | Ask | List | Settle;

/**
 * May this pod be deleted now? Pure: everything it knows is in its arguments. `self` names this replica.
 *
 * @param brief the deletion gives its containers 1 s: only so may a runner go that is on a node and cannot start. If an
 *   attempt of the kubelet's wins after all, the runner lives for less time than it takes to register and get a job
 */
export function decide(pod: RunnerPod, nowMs: number, self: string, brief = false): Decision {
	if (pod.terminating) return allow('already-terminating'); // the kubelet's last DELETE is reviewed too
	if (pod.breakGlass) return allow('break-glass');

	if (pod.process.state === 'unbound') return allow('never-started');
	if (pod.process.state === 'exited') return allow('runner-exited'); // nothing can be running; its registration is removed later

	if (pod.nodeGone) return allow('node-gone');
	const signalled = signalsNow(pod);
	if (signalled === 'denies') return deny('busy');
	if (signalled === 'none' && pod.process.state === 'starting' && pod.busyHint) return deny('busy');
	const start = decideStart(pod, nowMs, brief);
	if (start) return start;
	if (pod.unregistered) return { kind: 'settle' };
	const answer = currentBusyAnswer(pod, nowMs);
	// Only the log can tell that such a job has ended: it is read, whatever was known before.
	if (signalled === 'none') {
		if (pod.busyHint) return deny('busy');
		// An ephemeral runner ends with its job: its container's end is awaited.
		if (answer && (pod.ephemeral || nowMs - answer.atMs < staticRetryMs)) return deny('busy');
	} else if (answer && refusedWhileEnding(pod, answer.atMs, nowMs)) return deny('busy');
	if (!pod.scope) return deny('scope-unknown');

	const attempt = pod.attempt;
	const attemptAgeMs = agoMs(attempt?.atMs, nowMs);
	if (attempt?.by !== self && !answer && attemptAgeMs < attemptMs) return deny('unregistering');
	const absentForMs = agoMs(pod.absentSinceMs, nowMs);
	const fixed = pod.registered && !pod.ephemeral;
	// A list that is read now would prove nothing yet.
	if (absentForMs < absenceMs && !fixed && !pod.saidToBeGone) return denyAbsent(pod);
	// ARC's own DELETE may have been first.
	return {
		kind: 'ask',
		listFirst: pod.saidToBeGone !== undefined || pod.leavingByArc || absentForMs < Infinity,
	};
}

/**
 * A runner that is on a node and has not been seen to run: what it registers with may still be used by the container that
 * starts, so nothing that GitHub answers now is proof. A scale set's runner is registered before its pod is made: GitHub can
 * be asked about it at once (ephemeralrunner_controller.go of ARC). undefined: it is decided as for any other runner.
 */
function decideStart(
	{ process, kind, registered }: RunnerPod,
	nowMs: number,
	brief: boolean,
): Verdict<RunnerReason> | List | undefined {
	if (process.state !== 'starting' || kind === 'scale-set') return undefined;
	if (!brief || !cannotStart(process, nowMs))
		return deny('starting', process.failing ?? 'on its node, not seen to run');
	// Between two runs of its container a static runner stays registered.
	if (registered) return undefined;
	return process.statusLags ? { kind: 'list' } : allow('cannot-start');
}

/**
 * What the open job signals mean for the deletion. Those of an ephemeral runner end with its container. On a static runner, a
 * job that has completed, or that only its log has shown, ends by the log, which is read again then.
 */
function signalsNow({ signals, ephemeral }: RunnerPod): 'none' | 'denies' | 'log-tells' {
	const open = signals.filter(({ state }) => state !== 'over');
	if (open.length === 0) return 'none';
	const certain = ephemeral || open.some(reportsWork);
	return certain ? 'denies' : 'log-tells';
}

/**
 * Whether GitHub refused to remove a runner whose job is ending, so recently that it is not asked again yet: that is after
 * 1, 2, 4 s and so on.
 */
function refusedWhileEnding({ signals }: RunnerPod, refusedMs: number, nowMs: number): boolean {
	const ending = signals.filter(({ state }) => state === 'finishing').map(({ sinceMs }) => sinceMs);
	const endsForMs = refusedMs - Math.max(...ending);
	const pauseMs = Math.min(finishingRetryMs.most, Math.max(finishingRetryMs.first, endsForMs));
	return endsForMs >= 0 && nowMs - refusedMs < pauseMs;
}

/**
 * GitHub's 422, if it still counts. One that ARC received counts for `arcsAnswerMs`: this server may not remove what ARC
 * wrote.
 */
export function currentBusyAnswer({ busyAnswer }: RunnerPod, nowMs: number): { atMs: number } | undefined {
	const lastsMs = busyAnswer?.to === 'arc' ? arcsAnswerMs : Infinity;
	return agoMs(busyAnswer?.atMs, nowMs) < lastsMs ? busyAnswer : undefined;
}

/**
 * The verdict if GitHub knows no runner of this pod's name; one that allows counts only after the quiet period, when the log
 * and the signals have been read once more. Absence proves little: a new runner may not be listed yet, an
 * ephemeral one is no longer listed when it has been given a job, and lists have lacked runners that then took one. So the
 * log counts as well: an ephemeral runner, or one that was never listed, is let go only where its log says that it is idle.
 *
 * - One that this server has seen registered, and that ARC has unregistered (or whoever may write so): its absence now is
 *   enough.
 * - A static runner that this server has seen registered: its registration is gone.
 * - An ephemeral one counts as gone when two lists, begun at least `absenceMs` apart, lack it. So does a static one whose
 *   log cannot be read.
 * - One that was never listed: the same, and both lists were begun after the time in which a runner registers (A7).
 *
 * - One of a scale set that is starting: its container may have connected unseen, so only one that cannot start goes.
 *
 * @param begunMs when the reading of the list began, ms since the epoch
 * @param answeredMs when it was complete
 * @param brief see decide
 * @returns `sinceMs`: from when on its absence counts, to be noted on the pod; undefined: nothing is to be noted
 */
export function decideAbsent(
	pod: RunnerPod,
	reading: LogReading,
	begunMs: number,
	answeredMs: number,
	brief = false,
): { verdict: Verdict<RunnerReason>; sinceMs?: number | undefined } {
	if (pod.process.state === 'starting') {
		const isVain = brief && cannotStart(pod.process, answeredMs);
		return { verdict: isVain ? allow('cannot-start') : denyAbsent(pod) };
	}
	const { registered, ephemeral, absentSinceMs } = pod;
	// If it is not known since when it runs, it may just have started.
	const startedMs = pod.process.sinceMs ?? Number.POSITIVE_INFINITY;
	const countsFromMs = registered ? 0 : startedMs + registrationTimeoutMs;
	const absentForMs = begunMs - (absentSinceMs ?? Infinity);
	const noted = absentForMs >= 0 && absentForMs <= begunMs - countsFromMs;
	const sinceMs = noted || begunMs < countsFromMs ? undefined : answeredMs;
	const idle = reading.says === 'idle';
	// Where each try reads a list, nothing is noted: each write on the pod has its DELETE reviewed again.
	if (idle && registered && pod.saidToBeGone) return { verdict: allow('unregistered') };
	// Otherwise the note makes the next review read a list as well, instead of sending a DELETE.
	if (idle && registered && !ephemeral) return { verdict: allow('unregistered'), sinceMs };
	const longAbsent = noted && absentForMs >= absenceMs;
	if (longAbsent && (idle || (registered && !ephemeral)))
		return { verdict: allow(registered ? 'unregistered' : 'never-registered'), sinceMs };
	const why = reading.says === 'unknown' ? reading.why : undefined;
	return { verdict: longAbsent ? deny('unlisted', why) : denyAbsent(pod), sinceMs };
}

/**
 * Whether GitHub's list, which shows the runner as idle, is enough to have it unregistered although its log cannot be read: it
 * is if a list that was begun `idleMs` before showed it as idle too, or if GitHub itself has reported that its job completed.
 *
 * @returns `sinceMs`: from when on it counts as idle, to be noted on the pod; undefined: nothing is to be noted
 */
export function confirmIdle(
	{ signals, idleSinceMs }: RunnerPod,
	begunMs: number,
	answeredMs: number,
): { confirmed: boolean; sinceMs?: number } {
	if (signals.some(({ by, state }) => state === 'finishing' && sourceOf(by).completedIsFinal))
		return { confirmed: true };
	const idleForMs = begunMs - (idleSinceMs ?? Infinity);
	if (idleForMs < 0) return { confirmed: false, sinceMs: answeredMs }; // never noted, or in the future
	return { confirmed: idleForMs >= idleMs };
}

/** The denial while GitHub's lists lack the runner. */
export function denyAbsent({ registered, process }: RunnerPod): Deny<RunnerReason> {
	if (process.state === 'starting') return deny('starting', 'GitHub does not list it');
	return registered
		? deny('unregistering', 'GitHub no longer lists it: it may be finishing a job')
		: deny('registering');
}
