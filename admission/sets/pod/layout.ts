import { arc } from '../../api/keys.ts';
import {
	type EnvVar,
	type PodSpec,
	type PodTemplate,
	type RunnerConfig,
	setKeys,
	type TemplateContainer,
	type Volume,
	type WorkVolumeClaimTemplate,
} from '../../api/sets.ts';
import { credentialsSecretOf, scopeOf, type TemplateDefaults } from './defaults.ts';
import { dockerSidecar, withMounts } from './docker-sidecar.ts';

/** A pod template, or what is wrong with the spec: the field, and the message of the condition SpecInvalid. */
export type Layout =
	| { kind: 'template'; template: PodTemplate & { spec: PodSpec } }
	| { kind: 'invalid'; field: string; message: string };

const defaultWorkDir = '/runner/_work';

/** The container that kubectl logs and exec mean where none is named; else it is the first one. */
const defaultContainer = 'kubectl.kubernetes.io/default-container';

/**
 * The pod template of one runner. Env, container names, volumes and paths are those of ARC, because ARC's runner images
 * and GitHub's container hooks expect them. The runner's name and token are added by the pod webhook
 * (sets/inject-pods.ts).
 */
export function layOut(
	config: RunnerConfig & { workVolumeClaimTemplate?: WorkVolumeClaimTemplate },
	written: PodTemplate,
	defaults: TemplateDefaults,
): Layout {
	const kubernetes = config.containerMode === 'kubernetes';
	const dockerInRunner = !kubernetes && config.dockerdWithinRunnerContainer === true;
	const docker = !kubernetes && config.dockerEnabled !== false;
	const sidecarWanted = docker && !dockerInRunner;
	const problem = whatIsWrong(config, written, sidecarWanted);
	if (problem) return { kind: 'invalid', ...problem };

	const spec = structuredClone(written.spec ?? {});
	const containers = spec.containers ?? [];
	const own = containers.find(({ name }) => name === 'runner');
	const image = config.image || own?.image || defaults.runnerImage;
	const workDir = config.workDir || defaultWorkDir;
	const { seLinuxOptions } = spec.securityContext ?? {};
	const sidecar = sidecarWanted
		? dockerSidecar(
				config,
				containers.find(({ name }) => name === 'docker'),
				{ workDir, runnerImage: image, seLinuxOptions },
				defaults,
			)
		: undefined;

	const runner: TemplateContainer = {
		...own,
		name: 'runner',
		image,
		imagePullPolicy: own?.imagePullPolicy || 'Always',
		env: withEnv(own?.env, [
			...environment(config, defaults, workDir, { docker, dockerInRunner }),
			...(kubernetes ? hooks(config.workVolumeClaimTemplate) : []),
			...(sidecar?.runnerEnv ?? []),
		]),
		volumeMounts: withMounts(own?.volumeMounts, [
			...(kubernetes ? [{ name: 'work', mountPath: workDir }] : []),
			...(isZero(config.volumeSizeLimit) ? [] : [{ name: 'runner', mountPath: '/runner' }]),
			...(sidecar?.runnerMounts ?? []),
		]),
	};
	if (dockerInRunner && !seLinuxOptions)
		runner.securityContext = { ...own?.securityContext, privileged: true };

	const others = containers.filter(({ name }) => name !== 'runner' && name !== 'docker');
	const secret = credentialsSecretOf(config);
	return {
		kind: 'template',
		template: {
			metadata: {
				labels: { ...written.metadata?.labels, [arc.runner]: '', [setKeys.injectToken]: 'true' },
				annotations: {
					[defaultContainer]: 'runner',
					...written.metadata?.annotations,
					...(secret ? { [arc.credentialsSecret]: secret } : {}),
				},
			},
			spec: {
				...spec,
				// A kubelet starts them one after the other, and writes the status before that: nothing is pulled after the runner
				// has started, so that the status shows at once that it runs.
				containers: [
					...(sidecar ? [sidecar.container] : dockerAsWritten(containers, kubernetes)),
					...others,
					runner,
				],
				volumes: withVolumes(spec.volumes, [
					...(kubernetes && config.workVolumeClaimTemplate
						? [workVolume(config.workVolumeClaimTemplate)]
						: []),
					...(isZero(config.volumeSizeLimit) ? [] : [runnerVolume(config)]),
					...(sidecar?.volumes ?? []),
				]),
			},
		},
	};
}

function whatIsWrong(
	config: RunnerConfig & { workVolumeClaimTemplate?: WorkVolumeClaimTemplate },
	written: PodTemplate,
	sidecarWanted: boolean,
): { field: string; message: string } | undefined {
	if (!scopeOf(config))
		return {
			field: 'repository',
			message: 'exactly one of repository, organization and enterprise must be set',
		};
	if (sidecarWanted && isZero(config.volumeSizeLimit))
		return {
			field: 'volumeSizeLimit',
			message:
				'volumeSizeLimit: 0 leaves no volume /runner, which the docker sidecar shares; set dockerEnabled: false',
		};
	if (config.containerMode !== 'kubernetes') return undefined;
	if (!config.workVolumeClaimTemplate)
		return {
			field: 'workVolumeClaimTemplate',
			message: 'workVolumeClaimTemplate is required for containerMode kubernetes',
		};
	if (written.spec?.volumes?.some(({ name }) => name === 'work'))
		return {
			field: 'volumes',
			message: 'in containerMode kubernetes the volume work comes from workVolumeClaimTemplate alone',
		};
	return undefined;
}

/** Variables that the entrypoint of ARC's runner images reads. */
function environment(
	config: RunnerConfig,
	defaults: TemplateDefaults,
	workDir: string,
	{ docker, dockerInRunner }: { docker: boolean; dockerInRunner: boolean },
): EnvVar[] {
	const variables: Record<string, string> = {
		RUNNER_ORG: config.organization ?? '',
		RUNNER_REPO: config.repository ?? '',
		RUNNER_ENTERPRISE: config.enterprise ?? '',
		RUNNER_LABELS: (config.labels ?? []).join(','),
		RUNNER_GROUP: config.group ?? '',
		DOCKER_ENABLED: `${docker || dockerInRunner}`,
		DOCKERD_IN_RUNNER: `${dockerInRunner}`,
		GITHUB_URL: defaults.githubUrl,
		RUNNER_WORKDIR: workDir,
		RUNNER_EPHEMERAL: `${config.ephemeral !== false}`,
		RUNNER_STATUS_UPDATE_HOOK: 'false',
	};
	if (dockerInRunner && config.dockerMTU !== undefined) variables.MTU = `${config.dockerMTU}`;
	if (dockerInRunner && config.dockerRegistryMirror)
		variables.DOCKER_REGISTRY_MIRROR = config.dockerRegistryMirror;
	return Object.entries(variables).map(([name, value]) => ({ name, value }));
}

/** Variables that the container hooks in ARC's runner images read. With them each job runs in a pod of its own. */
function hooks(work: WorkVolumeClaimTemplate | undefined): EnvVar[] {
	const field = (fieldPath: string) => ({ fieldRef: { apiVersion: 'v1', fieldPath } });
	return [
		{ name: 'ACTIONS_RUNNER_CONTAINER_HOOKS', value: '/runner/k8s/index.js' },
		{ name: 'ACTIONS_RUNNER_REQUIRE_JOB_CONTAINER', value: 'true' },
		{ name: 'ACTIONS_RUNNER_POD_NAME', valueFrom: field('metadata.name') },
		{ name: 'ACTIONS_RUNNER_JOB_NAMESPACE', valueFrom: field('metadata.namespace') },
		// A volume that only one node can mount binds the job's pod to the runner's node.
		{
			name: 'ACTIONS_RUNNER_REQUIRE_SAME_NODE',
			value: `${work?.accessModes.includes('ReadWriteOnce') !== false}`,
		},
	];
}

/** The user's own container `docker`, where there is no sidecar. Without an image it can't run and is left out. */
const dockerAsWritten = (containers: TemplateContainer[], kubernetes: boolean): TemplateContainer[] =>
	kubernetes ? [] : containers.filter(({ name, image }) => name === 'docker' && image);

/** The volume /runner. At its start ARC's image copies /runnertmp into it. */
function runnerVolume(config: RunnerConfig): Volume {
	const emptyDir: Record<string, unknown> = {};
	if (config.volumeStorageMedium) emptyDir.medium = config.volumeStorageMedium;
	if (config.volumeSizeLimit !== undefined) emptyDir.sizeLimit = config.volumeSizeLimit;
	return { name: 'runner', emptyDir };
}

const workVolume = ({ storageClassName, accessModes, resources }: WorkVolumeClaimTemplate): Volume => ({
	name: 'work',
	ephemeral: { volumeClaimTemplate: { spec: { accessModes, storageClassName, resources } } },
});

/** Our variables win over the user's, as in ARC. No name may occur twice, or server-side apply would refuse the pod. */
function withEnv(written: EnvVar[] | undefined, ours: EnvVar[]): EnvVar[] {
	const kept = (written ?? []).filter(({ name }) => !ours.some((variable) => variable.name === name));
	return [...kept, ...ours];
}

function withVolumes(written: Volume[] | undefined, ours: Volume[]): Volume[] {
	const volumes = written ?? [];
	return [...volumes, ...ours.filter(({ name }) => !volumes.some((volume) => volume.name === name))];
}

const isZero = (quantity: string | number | undefined): boolean =>
	quantity !== undefined && Number.parseFloat(`${quantity}`) === 0;
