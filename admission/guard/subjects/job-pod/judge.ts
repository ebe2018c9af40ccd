import type { RunnerPods } from '../../../cluster/runner-pods.ts';
import type { LogReading } from '../../../jobs/rules/runner-log.ts';
import type { JobPod } from '../../../runner/job-pod.ts';
import type { RunnerPod } from '../../../runner/runner-pod.ts';
import type { Clock } from '../../../time/clock.ts';
import type { BoundPod } from '../../rules/bound-pod.ts';
import type { JobPodReason } from '../../rules/denials.ts';
import type { Verdict } from '../../rules/verdict.ts';
import { decideJobPod } from './rules/decide.ts';

interface JudgeDependencies {
	pods: Pick<RunnerPods, 'get' | 'from'>;
	/** What the log of the runner says now; never fails. */
	readLog(runner: RunnerPod): Promise<LogReading>;
	clock: Pick<Clock, 'now'>;
}

/**
 * Whether a job pod may be deleted now. Its runner's pod is read from the API server, and the runner's log only where
 * nothing on the pod says that it works.
 *
 * @param read the pod that the label names, where it is being read already
 */
export async function judgeJobPod(
	pod: JobPod,
	caller: BoundPod | undefined,
	{ pods, readLog, clock }: JudgeDependencies,
	read = pods.get(pod.namespace, pod.runner),
): Promise<{ verdict: Verdict<JobPodReason>; runnerPod: RunnerPod | undefined }> {
	const object = await read;
	const runnerPod = object && (await pods.from(object));
	const decision = decideJobPod(pod, runnerPod, caller, clock.now());
	if (decision.kind !== 'read-log' || !runnerPod) return { verdict: settled(decision), runnerPod };
	const reading = await readLog(runnerPod);
	return { verdict: settled(decideJobPod(pod, runnerPod, caller, clock.now(), reading)), runnerPod };
}

function settled(decision: ReturnType<typeof decideJobPod>): Verdict<JobPodReason> {
	if (decision.kind === 'read-log') throw new Error('internal error: no verdict on a job pod');
	return decision;
}
