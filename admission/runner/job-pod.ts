import { jobPods } from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import { type GuardedPod, readGuardedPod } from './guarded-pod.ts';
import type { RunnerPod } from './runner-pod.ts';
import type { Verify } from './statements.ts';

/** A pod in which a runner runs its job (containerMode kubernetes), as plain data. */
export interface JobPod extends GuardedPod {
	/** Name of the runner's pod, in the same namespace. */
	runner: string;
	/** That pod, where it has been read. */
	runnerPod?: RunnerPod | undefined;
	/** All its containers have stopped, or none was ever started and none will be. */
	ended: boolean;
}

/**
 * Whether this is the pod of a runner's job: it has the label of actions/runner-container-hooks, and a container `job`.
 * The webhook configurations' matchConditions say the same in CEL: change both together.
 */
export const isJobPod = ({ metadata, spec }: Pod): boolean =>
	Boolean(metadata.labels?.[jobPods.label]) &&
	(spec?.containers ?? []).some(({ name }) => name === jobPods.container);

/**
 * The pod as a JobPod; undefined: it is not a job pod.
 *
 * @param verify checks this server's signatures; without it no record counts
 */
export function readJobPod(pod: Pod, verify: Verify = () => false): JobPod | undefined {
	if (!isJobPod(pod)) return undefined;
	return {
		...readGuardedPod(pod, verify),
		runner: pod.metadata.labels?.[jobPods.label] ?? '',
		ended: hasEnded(pod),
	};
}

/** As for a runner, the phase alone proves nothing: the pod garbage collector writes Failed before its DELETE is refused. */
function hasEnded({ status = {} }: Pod): boolean {
	if (status.phase !== 'Succeeded' && status.phase !== 'Failed') return false;
	return (status.containerStatuses ?? []).every(({ state }) => state?.terminated !== undefined);
}
