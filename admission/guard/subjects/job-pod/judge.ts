import type { Pod } from '../../../api/kinds.ts';
import type { RunnerPods } from '../../../cluster/runner-pods.ts';
import { believed } from '../../../jobs/rules/job-signals.ts';
import type { LogReading } from '../../../jobs/rules/runner-log.ts';
import type { JobPod } from '../../../runner/job-pod.ts';
import type { RunnerPod } from '../../../runner/runner-pod.ts';
import type { Clock } from '../../../time/clock.ts';
import type { BoundPod } from '../../rules/bound-pod.ts';
import type { JobPodReason } from '../../rules/denials.ts';
import { deny, type Verdict } from '../../rules/verdict.ts';
import { decideJobPod } from './rules/decide.ts';

interface JudgeDependencies {
	pods: Pick<RunnerPods, 'get' | 'from' | 'beginningWith'>;
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
	dependencies: JudgeDependencies,
	read?: Promise<Pod | undefined>,
): Promise<Judgement> {
	const { pods } = dependencies;
	if (!pod.cut)
		return judgeFor(pod, await (read ?? pods.get(pod.namespace, pod.runner)), caller, dependencies);
	const found = await pods.beginningWith(pod.namespace, pod.runner, mostCandidates);
	if (found === 'too-many') {
		const why = `which runner it is of cannot be found out: too many pods, or more than ${mostCandidates} whose names begin alike`;
		return { verdict: deny('job-unknown', why), runnerPod: undefined };
	}
	// Whichever of them works may be its runner.
	const judged = await Promise.all(found.map((object) => judgeFor(pod, object, caller, dependencies)));
	return (
		judged.find(({ verdict }) => verdict.kind === 'deny') ??
		judged[0] ??
		judgeFor(pod, undefined, caller, dependencies)
	);
}

/** More runners than this, whose names begin alike, are not read one by one. */
const mostCandidates = 20;

interface Judgement {
	verdict: Verdict<JobPodReason>;
	runnerPod: RunnerPod | undefined;
}

/** As if its runner were that of this pod. */
async function judgeFor(
	pod: JobPod,
	object: Pod | undefined,
	caller: BoundPod | undefined,
	{ pods, readLog, clock }: JudgeDependencies,
): Promise<Judgement> {
	const runnerPod = object && (await pods.from(object));
	const decision = decideJobPod(pod, runnerPod, caller, clock.now());
	if (decision.kind !== 'read-log' || !runnerPod) return { verdict: settled(decision), runnerPod };
	const reading = believed(runnerPod.signals, await readLog(runnerPod));
	return { verdict: settled(decideJobPod(pod, runnerPod, caller, clock.now(), reading)), runnerPod };
}

function settled(decision: ReturnType<typeof decideJobPod>): Verdict<JobPodReason> {
	if (decision.kind === 'read-log') throw new Error('internal error: no verdict on a job pod');
	return decision;
}
