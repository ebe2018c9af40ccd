import type { Pod } from '../../../admission/api/kinds.ts';
import { isRunnerPod } from '../../../admission/runner/runner-pod.ts';
import { exitCode } from '../../errors.ts';
import type { KubeClient } from '../../kube/client.ts';
import { listWholePods, type PodQuery } from '../../kube/pods.ts';
import { type DataFormat, formatObjects } from '../../print/data.ts';
import { print } from '../../print/out.ts';
import { readPod } from '../../runners/read.ts';
import { jobData, sourceStateOf } from '../../runners/source-states.ts';
import { stateOf } from '../../runners/state.ts';
import { getRunner } from '../../runners/targets.ts';

/**
 * `list -o json` and `-o yaml`: the pods as the API server has them, each with what the sources say about its runner.
 */
export async function listObjects(
	client: KubeClient,
	query: PodQuery,
	names: readonly string[],
	format: DataFormat,
): Promise<number> {
	const runners =
		names.length > 0
			? await Promise.all(names.map((name) => getRunner(client, name)))
			: (await listWholePods(client, query, isRunnerPod)).pods;
	const nowMs = Date.now();
	const shown = runners.map((pod) => ({ ...pod, runner: runnerData(pod, nowMs) }));
	print(formatObjects(shown, format, names.length === 1));
	return exitCode.done;
}

/** What the pod says about its runner, added to metadata, spec and status. */
export function runnerData(pod: Pod, nowMs: number): object | undefined {
	const runner = readPod(pod);
	return (
		runner && {
			state: stateOf(pod, nowMs, runner),
			job: jobData(pod, runner),
			sources: runner.signals.map(sourceStateOf),
		}
	);
}
