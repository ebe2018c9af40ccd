/**
 * Pods of gha-runner-scale-set (ARC's newer mode) and the EphemeralRunner objects behind them, laid out as ARC makes
 * them.
 */
import { crdWithAnyFields } from './crd.ts';
import { type LegacyPodOptions, type PodManifest, placement } from './pods.ts';

type CommonOptions = Pick<
	LegacyPodOptions,
	| 'name'
	| 'namespace'
	| 'nodeName'
	| 'labels'
	| 'annotations'
	| 'terminationGracePeriodSeconds'
	| 'priorityClassName'
>;

export interface ScaleSetOptions extends CommonOptions {
	/** Default https://github.com/octo-org/app */
	githubConfigUrl?: string;
	/** Default 'example-github-secret' */
	githubConfigSecret?: string;
	scaleSet?: string;
}

/** The EphemeralRunner behind a scale-set pod; the pod has its name. Apply it first: the pod needs its UID. */
export function ephemeralRunner(options: ScaleSetOptions) {
	return {
		apiVersion: 'actions.github.com/v1alpha1',
		kind: 'EphemeralRunner',
		metadata: {
			name: options.name,
			namespace: options.namespace ?? 'default',
			labels: scaleSetLabels(options),
		},
		spec: {
			githubConfigUrl: options.githubConfigUrl ?? 'https://github.com/octo-org/app',
			githubConfigSecret: options.githubConfigSecret ?? 'example-github-secret',
			runnerScaleSetId: 1,
		},
	};
}

/** A gha-runner-scale-set runner pod. `ownerUid`: of its EphemeralRunner, as the API server gave it. */
export function scaleSetPod(options: ScaleSetOptions & { ownerUid: string }): PodManifest {
	const { name, namespace = 'default', scaleSet = 'example-scale-set' } = options;
	return {
		apiVersion: 'v1',
		kind: 'Pod',
		metadata: {
			name,
			namespace,
			labels: {
				...scaleSetLabels(options),
				'actions-ephemeral-runner': 'True',
				'pod-template-hash': '6d5f7b8c9f',
				...options.labels,
			},
			annotations: {
				'actions.github.com/patch-id': '0',
				'actions.github.com/runner-group-name': 'default',
				'actions.github.com/runner-scale-set-name': scaleSet,
				...options.annotations,
			},
			ownerReferences: [
				{
					apiVersion: 'actions.github.com/v1alpha1',
					kind: 'EphemeralRunner',
					name,
					uid: options.ownerUid,
					controller: true,
					blockOwnerDeletion: true,
				},
			],
		},
		spec: {
			...placement(options),
			restartPolicy: 'Never',
			containers: [
				{
					name: 'runner',
					image: 'ghcr.io/actions/actions-runner:latest',
					command: ['/home/runner/run.sh'],
					env: [
						{
							name: 'ACTIONS_RUNNER_INPUT_JITCONFIG',
							valueFrom: { secretKeyRef: { name, key: 'jitToken' } },
						},
						{ name: 'GITHUB_ACTIONS_RUNNER_EXTRA_USER_AGENT', value: 'actions-runner-controller/0.14.2' },
					],
				},
			],
		},
	};
}

function scaleSetLabels(options: ScaleSetOptions): Record<string, string> {
	const { namespace = 'default', scaleSet = 'example-scale-set' } = options;
	const url = new URL(options.githubConfigUrl ?? 'https://github.com/octo-org/app');
	const [first = '', second = ''] = url.pathname.split('/').filter(Boolean);
	const scope: Record<string, string> =
		first === 'enterprises'
			? { 'actions.github.com/enterprise': second.slice(0, 63) }
			: {
					'actions.github.com/organization': first.slice(0, 63),
					...(second ? { 'actions.github.com/repository': second.slice(0, 63) } : {}),
				};
	return {
		'app.kubernetes.io/component': 'runner',
		'app.kubernetes.io/part-of': 'gha-runner-scale-set',
		'app.kubernetes.io/version': '0.14.2',
		'actions.github.com/scale-set-name': scaleSet,
		'actions.github.com/scale-set-namespace': namespace,
		...scope,
	};
}

/** ARC's definition of EphemeralRunners, as far as tests need it. */
export const ephemeralRunnerCrd = crdWithAnyFields('actions.github.com', 'EphemeralRunner');
/** ARC's definitions of a scale set's objects. */
export const scaleSetCrds = [
	ephemeralRunnerCrd,
	crdWithAnyFields('actions.github.com', 'AutoscalingRunnerSet'),
];
