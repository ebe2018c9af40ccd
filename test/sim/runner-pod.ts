/** What a pod says about the runner in it, read from env and status as actions/runner and its images do. */
import type { KubeItem } from './kube.ts';
import { type Scope, scopeOfConfigUrl, scopeOfEnv } from './scope.ts';

interface ContainerStatus {
	name: string;
	ready?: boolean;
	restartCount?: number;
	state?: { waiting?: object; running?: object; terminated?: object };
	[field: string]: unknown;
}

export interface ProjectedSource {
	downwardAPI?: { items?: { path: string; mode?: number; fieldRef?: { fieldPath: string } }[] };
	serviceAccountToken?: { audience?: string; expirationSeconds?: number; path: string };
}

export interface VolumeMount {
	name: string;
	mountPath: string;
	subPath?: string;
}

export interface PodItem extends KubeItem {
	spec: {
		nodeName?: string;
		restartPolicy?: string;
		terminationGracePeriodSeconds?: number;
		initContainers?: { name: string; image?: string; restartPolicy?: string }[];
		serviceAccountName?: string;
		nodeSelector?: Record<string, string>;
		volumes?: { name: string; projected?: { defaultMode?: number; sources?: ProjectedSource[] } }[];
		containers: {
			name: string;
			image?: string;
			volumeMounts?: VolumeMount[];
			env?: { name: string; value?: string; valueFrom?: { secretKeyRef?: { name: string; key: string } } }[];
		}[];
	};
	status?: {
		phase?: string;
		startTime?: string;
		containerStatuses?: ContainerStatus[];
		conditions?: { type: string; status: string; lastTransitionTime?: string }[];
	};
}

export interface EphemeralRunnerItem extends KubeItem {
	spec?: { githubConfigUrl?: string };
	status?: { runnerId?: number };
}

export interface RunnerFacts {
	kind: 'classic' | 'scale-set';
	name: string;
	ephemeral: boolean;
	labels: string[];
	/** Of the nodes that it asks for. */
	arch: 'X64' | 'ARM64';
	/** undefined: the default runner group. */
	group?: string | undefined;
	/** Missing for a scale-set pod: its owner has it. */
	scope?: Scope;
	/** Name of the EphemeralRunner that owns a scale-set pod. */
	owner?: string;
	/** A plain RUNNER_TOKEN, or where it is kept. */
	token?: string;
	tokenSecret?: { name: string; key: string };
	/** ACTIONS_RUNNER_PRINT_LOG_TO_STDOUT: its trace is printed as well. */
	traced: boolean;
	/** Its image `refused-runner:VERSION` has a version that GitHub refuses; whether it was asked for the exit code 7. */
	refused?: { version: string; asked: boolean } | undefined;
}

export const runnerContainer = 'runner';
export const noRegisterAnnotation = 'test.runners/no-register';

/** undefined: not a runner pod. */
export function factsOf(pod: PodItem): RunnerFacts | undefined {
	const container = pod.spec.containers.find((candidate) => candidate.name === runnerContainer);
	if (container === undefined) return undefined;
	const env = new Map((container.env ?? []).map(({ name, value }) => [name, value ?? '']));
	const traced = /^(?:1|\$?true)$/i.test(env.get('ACTIONS_RUNNER_PRINT_LOG_TO_STDOUT') ?? '');
	const arch = pod.spec.nodeSelector?.['kubernetes.io/arch'] === 'arm64' ? 'ARM64' : 'X64';
	const [, version] = /(?:^|\/)refused-runner:(\d+\.\d+\.\d+)$/.exec(container.image ?? '') ?? [];
	const asked = env.get('ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE') === '1';
	const refused = version === undefined ? undefined : { version, asked };
	const owner = pod.metadata.ownerReferences?.find((reference) => reference.kind === 'EphemeralRunner');
	if (owner !== undefined && env.has('ACTIONS_RUNNER_INPUT_JITCONFIG')) {
		const { name } = pod.metadata;
		return { kind: 'scale-set', name, ephemeral: true, labels: [], arch, owner: owner.name, traced, refused };
	}
	const scope = scopeOfEnv(env);
	if (scope === undefined) return undefined;
	const token = env.get('RUNNER_TOKEN');
	const tokenSecret = container.env?.find(({ name }) => name === 'RUNNER_TOKEN')?.valueFrom?.secretKeyRef;
	return {
		kind: 'classic',
		name: env.get('RUNNER_NAME') || pod.metadata.name,
		ephemeral: env.get('RUNNER_EPHEMERAL') === 'true',
		labels: (env.get('RUNNER_LABELS') ?? '').split(',').filter(Boolean),
		arch,
		group: env.get('RUNNER_GROUP') || undefined,
		scope,
		traced,
		refused,
		...(token ? { token } : {}),
		...(tokenSecret === undefined ? {} : { tokenSecret }),
	};
}

export function scopeOfOwner(owner: EphemeralRunnerItem): Scope | undefined {
	const url = owner.spec?.githubConfigUrl;
	return url === undefined ? undefined : scopeOfConfigUrl(url);
}

type ContainerState = 'none' | 'waiting' | 'running' | 'terminated';

export function containerState(pod: PodItem): { state: ContainerState; restarts: number } {
	const status = pod.status?.containerStatuses?.find((candidate) => candidate.name === runnerContainer);
	const restarts = status?.restartCount ?? 0;
	if (status?.state?.terminated) return { state: 'terminated', restarts };
	if (status?.state?.running) return { state: 'running', restarts };
	return { state: status === undefined ? 'none' : 'waiting', restarts };
}
