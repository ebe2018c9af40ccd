/**
 * Runner pods and what belongs to them, laid out as actions-runner-controller (ARC) makes them: labels, env and
 * containers. Plain objects to be applied.
 *
 * No legacy pod has an ownerReference unless the test gives one: the garbage collector deletes a pod whose owner does
 * not exist.
 */

import type { OwnerReference } from '../../admission/api/kinds.ts';

export interface LegacyPodOptions {
	name: string;
	namespace?: string;
	/** One of these; default organization octo-org. */
	repository?: string;
	organization?: string;
	enterprise?: string;
	/** Default true. */
	ephemeral?: boolean;
	/** Default the pod's name. */
	runnerName?: string;
	runnerLabels?: string[];
	/** Name of the RunnerSet or RunnerDeployment. */
	set?: string;
	/** No scheduler ever chooses a node for it. */
	unbound?: boolean;
	/** Pins the pod to a node, past the scheduler. */
	nodeName?: string;
	labels?: Record<string, string>;
	annotations?: Record<string, string>;
	owner?: OwnerReference;
	/** With ARC's docker-in-docker sidecar, which keeps running when the runner has ended. Default false. */
	dockerSidecar?: boolean;
	/** With the finalizers that a running ARC puts on its pods. Default false. */
	arcFinalizers?: boolean;
	/** Name of the Secret in the pod's namespace with this set's GitHub credentials. */
	credentialsSecret?: string;
	terminationGracePeriodSeconds?: number;
	priorityClassName?: string;
}

export interface PodManifest {
	apiVersion: 'v1';
	kind: 'Pod';
	metadata: {
		name: string;
		namespace: string;
		labels: Record<string, string>;
		annotations: Record<string, string>;
		ownerReferences?: OwnerReference[];
		finalizers?: string[];
	};
	spec: Record<string, unknown>;
}

const legacyImage = 'summerwind/actions-runner:latest';

/** A pod of an ARC RunnerSet, as its StatefulSet and ARC's mutating webhook leave it. */
export function runnerSetPod(options: LegacyPodOptions): PodManifest {
	const set = options.set ?? 'example-runnerset';
	return legacyPod(options, {
		'runnerset-name': set,
		'apps.kubernetes.io/pod-index': '0',
		'controller-revision-hash': `${set}-6b7f9c5d4f`,
		'statefulset.kubernetes.io/pod-name': options.name,
	});
}

/** A pod of an ARC RunnerDeployment (by way of a RunnerReplicaSet and a Runner). */
export function runnerDeploymentPod(options: LegacyPodOptions): PodManifest {
	return legacyPod(options, {
		'runner-deployment-name': options.set ?? 'example-runnerdeploy',
		'pod-template-hash': '7c6d54b8f9',
	});
}

/** A RunnerSet's pod whose runner stays registered from job to job. */
export function staticRunnerPod(options: LegacyPodOptions): PodManifest {
	return runnerSetPod({ ...options, ephemeral: false });
}

function legacyPod(options: LegacyPodOptions, labels: Record<string, string>): PodManifest {
	const { name, namespace = 'default', repository = '', enterprise = '' } = options;
	const organization = options.organization ?? (repository || enterprise ? '' : 'octo-org');
	const env = {
		RUNNER_ORG: organization,
		RUNNER_REPO: repository,
		RUNNER_ENTERPRISE: enterprise,
		RUNNER_LABELS: (options.runnerLabels ?? []).join(','),
		RUNNER_GROUP: '',
		DOCKER_ENABLED: String(options.dockerSidecar ?? false),
		DOCKERD_IN_RUNNER: 'false',
		GITHUB_URL: 'https://github.com/',
		RUNNER_WORKDIR: '/runner/_work',
		RUNNER_EPHEMERAL: String(options.ephemeral ?? true),
		RUNNER_STATUS_UPDATE_HOOK: 'false',
		GITHUB_ACTIONS_RUNNER_EXTRA_USER_AGENT: 'actions-runner-controller/v0.27.6',
		RUNNER_NAME: options.runnerName ?? name,
	};
	const runner = {
		name: 'runner',
		image: legacyImage,
		imagePullPolicy: 'Always',
		env: Object.entries(env).map(([key, value]) => ({ name: key, value })),
		securityContext: { privileged: false },
	};
	const docker = {
		name: 'docker',
		image: 'docker:dind',
		args: ['dockerd', '--host=unix:///run/docker.sock'],
		env: [{ name: 'DOCKER_GROUP_GID', value: '1001' }],
		securityContext: { privileged: true },
	};
	const credentials = options.credentialsSecret;
	return {
		apiVersion: 'v1',
		kind: 'Pod',
		metadata: {
			name,
			namespace,
			labels: {
				'actions-runner': '',
				'actions-runner-controller/inject-registration-token': 'true',
				'runner-template-hash': '5f4d8c7b9d',
				...labels,
				...options.labels,
			},
			annotations: {
				...(credentials === undefined ? {} : { 'actions-runner/github-api-creds-secret': credentials }),
				...options.annotations,
			},
			...(options.owner === undefined ? {} : { ownerReferences: [options.owner] }),
			...(options.arcFinalizers ? { finalizers: ['actions.summerwind.dev/runner-pod'] } : {}),
		},
		spec: {
			...placement(options),
			restartPolicy: 'Never',
			containers: options.dockerSidecar ? [runner, docker] : [runner],
		},
	};
}

/** Where and how a pod runs. */
export function placement(options: {
	nodeName?: string;
	terminationGracePeriodSeconds?: number;
	priorityClassName?: string;
	unbound?: boolean;
}): Record<string, unknown> {
	const { nodeName, terminationGracePeriodSeconds, priorityClassName, unbound } = options;
	return {
		...(unbound ? { schedulerName: 'nobody' } : {}),
		...(nodeName === undefined ? {} : { nodeName }),
		...(priorityClassName === undefined ? {} : { priorityClassName }),
		...(terminationGracePeriodSeconds === undefined ? {} : { terminationGracePeriodSeconds }),
	};
}
