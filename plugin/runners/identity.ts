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

/**
 * Where on GitHub it takes jobs from ("octo-org/app", "octo-org"). For a scale set's pod, its labels are good enough to
 * be shown, although the guard does not trust them. Otherwise undefined if the guard cannot determine it either.
 */
export function scopeOf(pod: Pod, runner: RunnerPod | undefined = readPod(pod)): string | undefined {
	if (runner?.scope) return scopeKey(runner.scope);
	return runner?.kind === 'scale-set' ? labelledScope(pod.metadata.labels ?? {}) : undefined;
}

/** ARC cuts labels at 63 characters, so a value of that length is not shown. */
function labelledScope(labels: Record<string, string>): string | undefined {
	const label = (key: string) => ((labels[key]?.length ?? 63) < 63 ? labels[key] : undefined);
	const organization = label(arc.organization);
	const repository = label(arc.repository);
	const enterprise = label(arc.enterprise);
	if (organization && repository) return `${organization}/${repository}`;
	if (organization && !(arc.repository in labels)) return organization;
	return enterprise && `enterprises/${enterprise}`;
}
