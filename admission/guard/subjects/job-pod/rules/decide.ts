import { worksBy } from '../../../../jobs/rules/job-signals.ts';
import type { LogReading } from '../../../../jobs/rules/runner-log.ts';
import type { JobPod } from '../../../../runner/job-pod.ts';
import type { RunnerPod } from '../../../../runner/runner-pod.ts';
import type { BoundPod } from '../../../rules/bound-pod.ts';
import type { JobPodReason } from '../../../rules/denials.ts';
import { clockSkewMs } from '../../../rules/policy.ts';
import { allow, deny, type Verdict } from '../../../rules/verdict.ts';
import { currentBusyAnswer } from '../../runner/rules/decide.ts';

/** Only the runner's log, read now, can tell. */
type ReadLog = { kind: 'read-log' };

/**
 * May the pod of a runner's job be deleted now? Not while its runner works, or may: the job would end with the pod. Pure:
 * everything it knows is in its arguments.
 *
 * A label proves nothing, but it can only hold up a pod, and nothing is asked of GitHub here. So whoever puts one on a pod
 * of theirs wins nothing; that none is taken away is the business of `jobPodEdits`.
 *
 * @param runner the pod that the label names; undefined: there is none, or it is no runner's
 * @param caller who asks, where it runs in a pod; a service account alone is no identity, many runners share one
 * @param reading what the runner's log says; undefined: it has not been read
 */
export function decideJobPod(
	jobPod: JobPod,
	runner: RunnerPod | undefined,
	caller: BoundPod | undefined,
	nowMs: number,
	reading?: LogReading,
): Verdict<JobPodReason> | ReadLog {
	if (jobPod.terminating) return allow('already-terminating'); // the kubelet's last DELETE is reviewed too
	if (jobPod.breakGlass) return allow('break-glass');
	if (jobPod.ended) return allow('job-pod-ended');
	// The name of a runner's pod may be used again, and a job's pod is always younger than its runner's.
	if (!runner || (jobPod.createdMs > 0 && runner.createdMs > jobPod.createdMs + clockSkewMs))
		return allow('runner-gone');
	if (isSame(caller, runner)) return allow('own-runner');

	if (runner.process.state === 'unbound') return allow('never-started');
	if (runner.process.state === 'exited') return allow('runner-exited');
	if (runner.nodeGone) return allow('node-gone');

	if (worksBy(runner.signals) || runner.busyHint || currentBusyAnswer(runner, nowMs)) return deny('busy');
	switch (reading?.says) {
		case undefined:
			return { kind: 'read-log' };
		case 'works':
			return deny('busy', reading.job);
		case 'unknown':
			return deny('job-unknown', reading.why);
		case 'idle':
			return allow('job-over');
	}
}

const isSame = (caller: BoundPod | undefined, { namespace, name, uid }: RunnerPod): boolean =>
	caller?.namespace === namespace && caller.name === name && caller.uid === uid;
