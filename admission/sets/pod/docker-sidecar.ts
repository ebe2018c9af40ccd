import type { EnvVar, RunnerConfig, TemplateContainer, Volume, VolumeMount } from '../../api/sets.ts';
import type { TemplateDefaults } from './defaults.ts';

/** dockerd listens on a socket in this volume, which both containers mount. */
const socketVolume = 'var-run';
const socketFolder = '/run';
const socket = 'unix:///run/docker.sock';

/**
 * Group that owns the socket: the one that the user in GitHub's and ARC's images belongs to, by Ubuntu's release
 * (ARC's issue 2490).
 */
const dockerGroup = (runnerImage: string): string => (runnerImage.includes('20.04') ? '1001' : '121');

/** Shell command of the preStop hook: if the pod is stopped during a job, dockerd runs until the runner has cleaned up. */
const outliveRunner =
	'timeout "$' + '{RUNNER_GRACEFUL_STOP_TIMEOUT:-15}" sh -c "while [ -f /runner/.runner ]; do sleep 1; done"';

interface Sidecar {
	container: TemplateContainer;
	volumes: Volume[];
	/** For the container `runner`. */
	runnerMounts: VolumeMount[];
	runnerEnv: EnvVar[];
}

/** The container `docker` with dockerd. It shares the runner's work folder and the docker socket by volumes. */
export function dockerSidecar(
	config: RunnerConfig,
	written: TemplateContainer | undefined,
	pod: { workDir: string; runnerImage: string; seLinuxOptions: unknown },
	defaults: TemplateDefaults,
): Sidecar {
	const work = { name: 'work', mountPath: pod.workDir };
	const sockets = { name: socketVolume, mountPath: socketFolder };
	const env = [...(written?.env ?? [])];
	if (!env.some(({ name }) => name === 'DOCKER_GROUP_GID'))
		env.push({ name: 'DOCKER_GROUP_GID', value: dockerGroup(pod.runnerImage) });
	if (config.dockerMTU !== undefined)
		env.push({ name: 'DOCKERD_ROOTLESS_ROOTLESSKIT_MTU', value: `${config.dockerMTU}` });
	const args = ['dockerd', `--host=${socket}`, ...(written?.args ?? [])];
	args.push('--group=$(DOCKER_GROUP_GID)');
	if (config.dockerMTU !== undefined) args.push('--mtu', `${config.dockerMTU}`);
	if (config.dockerRegistryMirror) args.push(`--registry-mirror=${config.dockerRegistryMirror}`);

	return {
		container: {
			...written,
			name: 'docker',
			image: written?.image || defaults.dockerImage,
			args,
			env,
			securityContext: written?.securityContext ?? {
				privileged: !pod.seLinuxOptions,
				...(pod.seLinuxOptions ? { seLinuxOptions: pod.seLinuxOptions } : {}),
			},
			volumeMounts: withMounts(written?.volumeMounts, [
				{ name: 'runner', mountPath: '/runner' },
				sockets,
				work,
			]),
			lifecycle: written?.lifecycle ?? { preStop: { exec: { command: ['sh', '-c', outliveRunner] } } },
		},
		volumes: [
			{ name: 'work', emptyDir: {} },
			{
				name: socketVolume,
				emptyDir: { medium: 'Memory', sizeLimit: config.dockerVarRunVolumeSizeLimit ?? '1M' },
			},
		],
		runnerMounts: [work, sockets],
		runnerEnv: [{ name: 'DOCKER_HOST', value: socket }],
	};
}

/** The mounts as written, and those of ours whose volume is not mounted yet: a user's own mount path is kept. */
export function withMounts(written: VolumeMount[] | undefined, ours: VolumeMount[]): VolumeMount[] {
	const mounts = written ?? [];
	return [...mounts, ...ours.filter(({ name }) => !mounts.some((mount) => mount.name === name))];
}
