import type { HorizontalRunnerAutoscaler } from '../../../admission/api/autoscale.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { type LogReading, loggedMs } from '../../../admission/jobs/rules/runner-log.ts';
import type { RunnerPod } from '../../../admission/runner/runner-pod.ts';
import type { KubeClient } from '../../kube/client.ts';
import { readPod } from '../../runners/read.ts';
import { jobOf, type RunningJob, type State, stateOf } from '../../runners/state.ts';
import { type Idle, idleOf, readAutoscaler } from './idle.ts';
import { type Owner, readOwner } from './owner.ts';
import { readLog } from './read-log.ts';
import { againstLog, askVerdict, isIdleVerdict, notARunner, type Verdict } from './verdict.ts';

/** All that `why` has found out about a pod. */
export interface Shown {
	pod: Pod;
	/** undefined: it is not a runner pod. */
	runner: RunnerPod | undefined;
	verdict: Verdict;
	/** What its log says; undefined for a pod that is not a runner's. */
	log?: LogReading | undefined;
	owner?: Owner;
	/** What scales its set. */
	autoscaler?: HorizontalRunnerAutoscaler | undefined;
	nowMs: number;
}

/** Asks the guard, and reads the other sources meanwhile. */
export async function look(client: KubeClient, pod: Pod): Promise<Shown> {
	const runner = readPod(pod);
	if (!runner) return { pod, runner, verdict: notARunner, nowMs: Date.now() };
	const [first, log, owner, autoscaler] = await Promise.all([
		askVerdict(client, pod, Date.now()),
		readLog(client, runner),
		readOwner(client, runner),
		readAutoscaler(client, pod),
	]);
	// A job that came while the guard was asked: it is asked once more.
	const early = log.says === 'works' && isIdleVerdict(first);
	const verdict = early ? againstLog(await askVerdict(client, pod, Date.now()), log.job) : first;
	const ephemeralRunner = owner && 'metadata' in owner ? owner : undefined;
	return {
		pod,
		runner: readPod(pod, { ephemeralRunner }),
		verdict,
		log,
		owner,
		autoscaler,
		nowMs: Date.now(),
	};
}

/**
 * The pod's own marks are up to a poll of GitHub's list late. Where the log that was read now or the guard, which reads it
 * as well, says that the runner works, it is busy: `by` says which of the two.
 */
export function stateNow({ pod, runner, verdict, log, nowMs }: Omit<Shown, 'owner'>): {
	state: State;
	by?: 'log' | 'guard';
} {
	const state = stateOf(pod, nowMs, runner);
	if (state === 'busy' || state === 'draining' || state === 'stopped') return { state };
	if (log?.says === 'works') return { state: 'busy', by: 'log' };
	return verdict.reason === 'busy' ? { state: 'busy', by: 'guard' } : { state };
}

/** The job as the pod, the log or the guard names it; undefined: none is known. */
export function jobNowOf({ pod, runner, verdict, log }: Shown): RunningJob | undefined {
	const marked = jobOf(pod, runner);
	if (marked?.name !== undefined) return marked;
	if (log?.says === 'works')
		return { name: log.job, sinceMs: loggedMs(log) ?? marked?.sinceMs, details: undefined };
	if (verdict.reason !== 'busy') return marked;
	const sinceMs = verdict.since === undefined ? marked?.sinceMs : Date.parse(verdict.since);
	return { name: verdict.job, sinceMs, details: undefined };
}

/** Since when it is idle and when it goes; undefined: it is not idle, or nothing scales its set. */
export function idleNow(shown: Shown): Idle | undefined {
	const { pod, runner, autoscaler } = shown;
	if (!runner || !autoscaler || stateNow(shown).state !== 'idle') return undefined;
	return idleOf(pod, runner, autoscaler);
}
