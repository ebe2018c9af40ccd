import { arc } from '../../admission/api/keys.ts';
import type { Pod } from '../../admission/api/kinds.ts';

/** Environment that makes a container named `runner` a GitHub Actions runner: a scope, or a ready-made registration. */
export const scopeVariables = ['RUNNER_REPO', 'RUNNER_ORG', 'RUNNER_ENTERPRISE'] as const;
export const jitVariable = 'ACTIONS_RUNNER_INPUT_JITCONFIG';

/** Is this pod a runner? By what it is, or by the labels of ARC's two generations, as the guard sees it. */
export function isRunner(pod: Pod): boolean {
	if (!pod.spec?.containers?.some(({ name }) => name === 'runner')) return false;
	const labels = pod.metadata.labels ?? {};
	if (arc.runner in labels || arc.runnerSet in labels || arc.runnerDeployment in labels) return true;
	if (labels[arc.ephemeralRunner] === 'True') return true;
	const env = runnerEnvironment(pod);
	return env.some(({ name }) => name === jitVariable || scopeVariables.some((scope) => scope === name));
}

/** The set that the pod belongs to, by name; undefined for a pod that stands alone. */
export function setOf(pod: Pod): string | undefined {
	const labels = pod.metadata.labels ?? {};
	const named = labels[arc.runnerSet] ?? labels[arc.runnerDeployment] ?? labels[arc.scaleSetName];
	return named || pod.metadata.ownerReferences?.find((owner) => owner.controller)?.name;
}

/** Where on GitHub it takes jobs from: "octo-org/app", "octo-org". ARC's precedence: the narrowest scope wins. */
export function scopeOf(pod: Pod): string | undefined {
	const env = runnerEnvironment(pod);
	for (const variable of scopeVariables) {
		const value = env.find(({ name }) => name === variable)?.value;
		if (value) return value;
	}
	const labels = pod.metadata.labels ?? {};
	const organization = labels[arc.organization];
	const repository = labels[arc.repository];
	if (organization && repository) return `${organization}/${repository}`;
	return organization || labels[arc.enterprise] || undefined;
}

function runnerEnvironment(pod: Pod): { name: string; value?: string }[] {
	return pod.spec?.containers?.find((container) => container.name === 'runner')?.env ?? [];
}
