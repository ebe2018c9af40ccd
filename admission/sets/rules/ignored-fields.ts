import type { RunnerDeployment, RunnerSet, RunnerSpec } from '../../api/sets.ts';

/** One sentence for the user for each field of the spec that has no effect. */
export function ignoredFields(set: RunnerSet | RunnerDeployment): string[] {
	return set.kind === 'RunnerSet'
		? ofRunnerSet(set as RunnerSet)
		: ofRunnerDeployment(set as RunnerDeployment);
}

function ofRunnerSet({ spec }: RunnerSet): string[] {
	const podSpec = spec.template.spec ?? {};
	const containers = podSpec.containers ?? [];
	const warnings: (string | false)[] = [
		spec.updateStrategy !== undefined &&
			'spec.updateStrategy is ignored: idle runners are replaced first, busy ones finish (annotation actions-runner/max-surge)',
		spec.podManagementPolicy !== undefined &&
			'spec.podManagementPolicy is ignored: each runner has a StatefulSet of its own, and they start in parallel',
		spec.revisionHistoryLimit !== undefined &&
			'spec.revisionHistoryLimit is ignored: a StatefulSet of one runner has one revision',
		spec.minReadySeconds !== undefined &&
			'spec.minReadySeconds is ignored: a runner is available when it is registered at GitHub',
		spec.ordinals !== undefined && 'spec.ordinals is ignored: each StatefulSet has one pod, number 0',
		podSpec.restartPolicy !== undefined &&
			podSpec.restartPolicy !== 'Never' &&
			`spec.template.spec.restartPolicy: ${podSpec.restartPolicy} is ignored: a runner's pod is never restarted in place`,
		'ephemeralContainers' in podSpec &&
			'spec.template.spec.ephemeralContainers is ignored: a pod cannot be created with these',
		needsServiceAccount(spec.containerMode, podSpec.serviceAccountName ?? spec.serviceAccountName) &&
			`spec.serviceAccountName ${serviceAccountAdvice}`,
		dockerLeftOver(spec) && 'spec.dockerMTU and spec.dockerRegistryMirror are ignored: docker is not enabled',
		groupLeftOver(spec) && 'spec.group is ignored: runners of a repository are in no group',
		containers.some(({ name, image }) => name === 'docker' && !image) &&
			(spec.dockerdWithinRunnerContainer === true || spec.containerMode === 'kubernetes') &&
			'spec.template.spec.containers: docker is ignored: dockerd does not run in a container of its own',
	];
	return warnings.filter((warning) => warning !== false);
}

function ofRunnerDeployment({ spec }: RunnerDeployment): string[] {
	const runner = spec.template.spec;
	const warnings: (string | false)[] = [
		runner.ephemeralContainers !== undefined &&
			'spec.template.spec.ephemeralContainers is ignored: a pod cannot be created with these',
		needsServiceAccount(runner.containerMode, runner.serviceAccountName) &&
			`spec.template.spec.serviceAccountName ${serviceAccountAdvice}`,
		dockerLeftOver(runner) &&
			'spec.template.spec.dockerMTU and dockerRegistryMirror are ignored: docker is not enabled',
		groupLeftOver(runner) && 'spec.template.spec.group is ignored: runners of a repository are in no group',
	];
	return warnings.filter((warning) => warning !== false);
}

/** ARC creates a service account and role for each runner. That would need the permission to grant permissions, so it is left to the user. */
const serviceAccountAdvice =
	'is not set: in containerMode kubernetes the runner starts pods, and its service account needs the rights for that';

const needsServiceAccount = (mode: string | undefined, account: string | undefined): boolean =>
	mode === 'kubernetes' && !account;

const dockerLeftOver = (spec: RunnerSpec): boolean =>
	(spec.dockerEnabled === false || spec.containerMode === 'kubernetes') &&
	spec.dockerdWithinRunnerContainer !== true &&
	(spec.dockerMTU !== undefined || Boolean(spec.dockerRegistryMirror));

const groupLeftOver = ({ group, repository }: RunnerSpec): boolean => Boolean(group && repository);
