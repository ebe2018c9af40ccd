import { jobPods } from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import { type GuardedPod, readGuardedPod } from './guarded-pod.ts';
import type { RunnerPod } from './runner-pod.ts';
import type { Verify } from './statements.ts';

/** A pod in which a runner runs its job (containerMode kubernetes), as plain data. */
export interface JobPod extends GuardedPod {
	/** Name of the runner's pod, in the same namespace; where `cut`, how it begins. */
	runner: string;
	/** Its runner's name may be longer: several runners can be meant. */
	cut: boolean;
	/** That pod, where it has been read. */
	runnerPod?: RunnerPod | undefined;
	/** All its containers have stopped, or none was ever started and none will be. */
	ended: boolean;
}

/**
 * Whether this is the pod of a runner's job. The webhook configurations' matchConditions say the same in CEL: change both
 * together.
 */
export const isJobPod = (pod: Pod): boolean => runnerOf(pod) !== undefined;

/** How much of its runner's name the name of a step's Job holds: `RUNNER-step-XXXXXXXX` has 63 characters at most. */
export const longestPrefix = 49;
const stepName = /^(.{1,49})-step-[0-9a-f]{8}$/;

/**
 * The runner that a pod is of: by the label of actions/runner-container-hooks; or, for the container action of a step, whose
 * pod carries no label of theirs up to version 0.7, by the name of its Job (getStepPodName in packages/k8s/src/hooks), which
 * the Job controller writes on it. With either, it has a container `job`. undefined: it is no job pod.
 */
export function runnerOf({
	metadata: { labels = {} },
	spec,
}: Pod): Pick<JobPod, 'runner' | 'cut'> | undefined {
	if (!(spec?.containers ?? []).some(({ name }) => name === jobPods.container)) return undefined;
	const named = labels[jobPods.label];
	if (named) return { runner: named, cut: false };
	const [, runner] = stepName.exec(labels[jobPods.job] ?? '') ?? [];
	return runner === undefined ? undefined : { runner, cut: runner.length === longestPrefix };
}

/**
 * The pod as a JobPod; undefined: it is not a job pod.
 *
 * @param verify checks this server's signatures; without it no record counts
 */
export function readJobPod(pod: Pod, verify: Verify = () => false): JobPod | undefined {
	const runner = runnerOf(pod);
	return (
		runner && {
			...readGuardedPod(pod, verify),
			...runner,
			ended: hasEnded(pod),
		}
	);
}

/** As for a runner, the phase alone proves nothing: the pod garbage collector writes Failed before its DELETE is refused. */
function hasEnded({ status = {} }: Pod): boolean {
	if (status.phase !== 'Succeeded' && status.phase !== 'Failed') return false;
	return (status.containerStatuses ?? []).every(({ state }) => state?.terminated !== undefined);
}
