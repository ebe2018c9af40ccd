import { arc } from '../../admission/api/keys.ts';
import type { Pod } from '../../admission/api/kinds.ts';
import type { RunnerPod } from '../../admission/runner/runner-pod.ts';
import { scopeKey } from '../../admission/runner/scope.ts';
import { readPod } from './read.ts';

/** The set that the pod belongs to, by name; undefined for a pod that stands alone. */
export function setOf(pod: Pod): string | undefined {
	const labels = pod.metadata.labels ?? {};
	const named = labels[arc.runnerSet] ?? labels[arc.runnerDeployment] ?? labels[arc.scaleSetName];
	return named || pod.metadata.ownerReferences?.find((owner) => owner.controller)?.name;
}

/** Where on GitHub it takes jobs from ("octo-org/app", "octo-org"); undefined where the guard cannot tell either. */
export function scopeOf(pod: Pod, runner: RunnerPod | undefined = readPod(pod)): string | undefined {
	return runner?.scope && scopeKey(runner.scope);
}
