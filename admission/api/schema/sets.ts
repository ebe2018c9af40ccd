/**
 * The spec and status of RunnerSets, RunnerDeployments and Runners, declared once: their TypeScript types follow at the
 * end, and scripts/crds makes the custom resource definitions of the schemas. Only types may be imported from here by
 * the server and the plugin, so that typebox is in no bundle; scripts/build.ts refuses anything else.
 */
import { type Static, Type } from 'typebox';
import {
	longestGroup,
	longestLabelEntry,
	longestObjectName,
	mostAccessModes,
	mostRunnerLabels,
	mostVolumeClaims,
} from '../limits.ts';
import {
	annotations,
	asInPods,
	containersAsInPods,
	flag,
	int32,
	int64,
	labels,
	list,
	listAsInPods,
	listsInPods,
	nullable,
	object,
	oneOf,
	quantity,
	type Rule,
	rules,
	selector,
	text,
	time,
} from './parts.ts';
import type {
	EnvVar,
	PersistentVolumeClaim,
	PodTemplate,
	TemplateContainer,
	Volume,
	VolumeMount,
} from './pod-template.ts';

/** Names at GitHub are made of these; whatever else would be another path of its API. */
const githubName = '[A-Za-z0-9_.-]{1,100}';

/** ARC's RunnerConfig: what RunnerSets say beside the StatefulSet's fields, and Runners beside the pod's. */
export const runnerConfig = {
	repository: text('OWNER/NAME of the repository that the runners are registered in.', {
		pattern: `^(${githubName}/${githubName})?$`,
	}),
	organization: text('The organization that the runners are registered in.', {
		pattern: `^(${githubName})?$`,
	}),
	enterprise: text('The enterprise that the runners are registered in.', { pattern: `^(${githubName})?$` }),
	labels: list(
		'Labels of the runners at GitHub, for runs-on of jobs.',
		Type.String({ maxLength: longestLabelEntry }),
		{ maxItems: mostRunnerLabels },
	),
	group: text('Runner group at GitHub. Requires organization or enterprise.', { maxLength: longestGroup }),
	ephemeral: flag('Whether each runner runs one job only and is removed after it. Default true.'),
	image: text('Image of the container `runner`.'),
	workDir: text('Directory in which jobs run. Default /runner/_work.'),
	dockerdWithinRunnerContainer: flag('Whether the runner image starts dockerd itself.'),
	dockerEnabled: flag(
		'Whether jobs can use docker. A sidecar runs dockerd, unless the runner image does. Default true.',
	),
	dockerMTU: int64("MTU of docker's networks."),
	dockerRegistryMirror: text('URL of a mirror that dockerd pulls through.'),
	dockerVarRunVolumeSizeLimit: quantity("Size limit of the volume with docker's socket. Default 1M."),
	volumeSizeLimit: quantity('Size limit of the volume /runner. With 0 there is no such volume.'),
	volumeStorageMedium: text('Medium of the volume /runner: Memory, or the default of the node.'),
	containerMode: oneOf('With `kubernetes` each job runs in a pod of its own, which the runner starts.', [
		'',
		'kubernetes',
	]),
	githubAPICredentialsFrom: object('GitHub credentials of these runners. Default: those of the server.', {
		secretRef: object(
			'A Secret in the same namespace with github_token, or github_app_id, github_app_installation_id and github_app_private_key.',
			{ name: text('Name of the Secret.', { maxLength: longestObjectName }) },
			{ required: ['name'] },
		),
	}),
};

const workVolumeClaimTemplate = object(
	"The PersistentVolumeClaim of each runner's work volume. Required for containerMode kubernetes.",
	{
		storageClassName: text('Storage class of the volume.'),
		accessModes: list('Access modes of the volume.', Type.String(), { maxItems: mostAccessModes }),
		resources: asInPods('Size of the volume.'),
	},
	{ required: ['storageClassName', 'accessModes', 'resources'] },
);

/** ARC's RunnerPodSpec. */
const runnerPodSpec = {
	containers: containersAsInPods<TemplateContainer>(
		'Containers of the pod. Those named `runner` and `docker` are merged with the ones that the server adds.',
	),
	sidecarContainers: containersAsInPods<TemplateContainer>('Further containers of the pod.'),
	initContainers: containersAsInPods<TemplateContainer>('As in the spec of a Pod.'),
	env: listAsInPods<EnvVar>('Environment variables of the container `runner`.'),
	envFrom: listAsInPods('Sources of environment variables of the container `runner`.'),
	imagePullPolicy: text('Image pull policy of the container `runner`. Default Always.'),
	resources: asInPods('Compute resources of the container `runner`.'),
	volumeMounts: listAsInPods<VolumeMount>('Volume mounts of the container `runner`.'),
	volumes: listAsInPods<Volume>('Volumes of the pod. One named `work` replaces the default work volume.'),
	workVolumeClaimTemplate,
	dockerEnv: listAsInPods<EnvVar>('Environment variables of the container `docker`.'),
	dockerVolumeMounts: listAsInPods<VolumeMount>('Volume mounts of the container `docker`.'),
	dockerdContainerResources: asInPods('Compute resources of the container `docker`.'),
	serviceAccountName: text('Service account of the pod.'),
	automountServiceAccountToken: flag('As in the spec of a Pod.'),
	securityContext: asInPods<Record<string, unknown>>('Security context of the pod.'),
	affinity: asInPods('As in the spec of a Pod.'),
	nodeSelector: annotations('As in the spec of a Pod.'),
	tolerations: listAsInPods('As in the spec of a Pod.'),
	topologySpreadConstraints: listAsInPods('As in the spec of a Pod.'),
	priorityClassName: text('As in the spec of a Pod.'),
	runtimeClassName: text('As in the spec of a Pod.'),
	terminationGracePeriodSeconds: int64('As in the spec of a Pod.'),
	imagePullSecrets: listAsInPods('As in the spec of a Pod.'),
	hostAliases: listAsInPods('As in the spec of a Pod.'),
	dnsPolicy: text('As in the spec of a Pod.'),
	dnsConfig: asInPods('As in the spec of a Pod.'),
	enableServiceLinks: flag('As in the spec of a Pod.'),
	ephemeralContainers: listAsInPods('Ignored: a pod cannot be created with these.'),
};

const configRules: Rule[] = [
	{
		rule: "[has(self.repository) && self.repository != '', has(self.organization) && self.organization != '', has(self.enterprise) && self.enterprise != ''].filter(given, given).size() == 1",
		message: 'exactly one of repository, organization and enterprise must be set',
	},
	{
		rule: "!has(self.containerMode) || self.containerMode != 'kubernetes' || has(self.workVolumeClaimTemplate)",
		message: 'workVolumeClaimTemplate is required for containerMode kubernetes',
		fieldPath: '.workVolumeClaimTemplate',
	},
];

export const runnerSpec = object(
	'Where the runner is registered, and how its pod is built.',
	{ ...runnerConfig, ...runnerPodSpec },
	rules(...configRules),
);

const replicas = int32('Number of runners that are wanted. Default 1.', { minimum: 0, default: 1 });
const effectiveTime = nullable(
	time(
		'Time since which `replicas` applies. Written by autoscalers, otherwise by the server at each change of replicas. It never goes back.',
	),
);
const metadata = object(
	'Labels and annotations of the pods.',
	{ labels: labels('Labels of the pods.'), annotations: annotations('Annotations of the pods.') },
	{ 'x-kubernetes-preserve-unknown-fields': true },
);

/** Labels that the server adds to the template itself may be selected as well. */
const selectorMatches = (template: string): Rule => ({
	rule:
		'!has(self.selector) || !has(self.selector.matchLabels) || self.selector.matchLabels.all(key, ' +
		"key in ['runnerset-name', 'runner-deployment-name', 'actions-runner', 'actions-runner-controller/inject-registration-token'] || " +
		`(has(${template}.metadata) && has(${template}.metadata.labels) && key in ${template}.metadata.labels && ` +
		`${template}.metadata.labels[key] == self.selector.matchLabels[key]))`,
	message: 'selector.matchLabels must match template.metadata.labels',
	fieldPath: '.selector',
});

export const runnerSetSpec = object(
	'The runners that are wanted. Each of them is a StatefulSet with one pod.',
	{
		replicas,
		effectiveTime,
		...runnerConfig,
		workVolumeClaimTemplate,
		serviceAccountName: text('Service account of the pods, unless the template names one.'),
		selector: selector('Label selector of the pods. It must match the labels of the template.'),
		template: Type.Unsafe<PodTemplate>(
			object('The template of the pods.', {
				metadata,
				spec: object(
					'As in the spec of a Pod. A container `runner` is added if there is none.',
					{
						containers: containersAsInPods<TemplateContainer>(
							'Containers of the pod. Those named `runner` and `docker` are merged with the ones that the server adds.',
						),
						initContainers: containersAsInPods<TemplateContainer>('As in the spec of a Pod.'),
						...listsInPods,
					},
					{ 'x-kubernetes-preserve-unknown-fields': true },
				),
			}),
		),
		serviceName: text('Passed on to the StatefulSets.'),
		volumeClaimTemplates: listAsInPods<PersistentVolumeClaim>(
			'Passed on to the StatefulSets: the volumes of each runner.',
			mostVolumeClaims,
		),
		persistentVolumeClaimRetentionPolicy: object(
			'Passed on to the StatefulSets. The StatefulSet of a runner is deleted after its job, so whenDeleted applies. Without this field the volumes are given to later runners.',
			{
				whenDeleted: oneOf('Retain or Delete.', ['Retain', 'Delete']),
				whenScaled: oneOf('Retain or Delete.', ['Retain', 'Delete']),
			},
		),
		updateStrategy: asInPods('Ignored: idle runners are replaced first, busy ones finish their jobs.'),
		podManagementPolicy: text('Ignored: each StatefulSet has one pod.'),
		revisionHistoryLimit: int32('Ignored: each StatefulSet has one revision.'),
		minReadySeconds: int32('Ignored: a runner is available once it is registered.'),
		ordinals: asInPods('Ignored: each StatefulSet has one pod, number 0.'),
	},
	{ required: ['template'], ...rules(...configRules, selectorMatches('self.template')) },
);

export const runnerDeploymentSpec = object(
	'The runners that are wanted. Each of them is a Runner with one pod.',
	{
		replicas: nullable(replicas),
		effectiveTime,
		selector: nullable(selector('Label selector of the pods. It must match the labels of the template.')),
		template: object('The template of the runners.', { metadata, spec: runnerSpec }, { required: ['spec'] }),
	},
	{ required: ['template'], ...rules(selectorMatches('self.template')) },
);

/** The meaning of each condition when it is True. */
const setConditionTypes = [
	/** The set has as many runners as wanted, all made from the newest template. */
	'Settled',
	/** There are no usable GitHub credentials, so no runner is created and none is deleted. */
	'CredentialsMissing',
	/** GitHub refuses the version of the runners, so none gets a job: a newer image is needed. */
	'RunnerOutdated',
	/** Runners end before they register, so new ones are started more and more slowly. */
	'StartsFailing',
	/** Pods have not started their runners, and say why: image, scheduling, configuration. The message names one. */
	'RunnersWaiting',
	/** A ResourceQuota of the namespace refuses further runners; the message says which, and how much of it is used. */
	'QuotaExceeded',
	/** Completed runners are not replaced until the autoscaler decides again. */
	'Holding',
	/** Runners made from an older template are being replaced. */
	'RollingOut',
	/** Runners above the wanted number still run their jobs. */
	'Draining',
	/** The set is being deleted and waits for busy runners. */
	'Deleting',
	/** The spec is invalid; the message names the field. */
	'SpecInvalid',
] as const;
export type SetConditionType = (typeof setConditionTypes)[number];

export const conditionsOf = <T extends string>(types: readonly T[]) =>
	list(
		'Conditions: what is waited for, and what is wrong.',
		object(
			'One condition.',
			{
				type: Type.Unsafe<T>(text(`${types.join(', ')}.`)),
				status: oneOf('True, False or Unknown.', ['True', 'False', 'Unknown']),
				reason: text('Why the condition has this status: one word for programs.'),
				message: text('Why the condition has this status, for people.'),
				lastTransitionTime: time('When the status last changed.'),
				observedGeneration: int64('The generation of the object to which the condition applies.'),
			},
			{ required: ['type', 'status'] },
		),
		{ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] },
	);
const conditions = conditionsOf(setConditionTypes);

export const setStatus = object('The current state. Written by the server.', {
	observedGeneration: int64('The latest generation that the server has acted on.'),
	desiredReplicas: int32('Number of runners that were wanted at the last reconcile.'),
	replicas: int32('Number of runners, without those that have completed.'),
	readyReplicas: int32('Number of runners whose pod is ready.'),
	availableReplicas: int32('Number of runners that run and are registered.'),
	updatedReplicas: int32('Number of runners that were made from the newest template.'),
	idleReplicas: int32('Number of runners without a job.'),
	busyReplicas: int32('Number of runners with a job.'),
	drainingReplicas: int32('Number of busy runners that will be removed after their job.'),
	selector: text('Label selector of the pods, for the scale subresource.'),
	/** Bookkeeping that must survive a change of leader (invariant 10); see sets/rules/plan.ts. Times have milliseconds. */
	accounting: object('Bookkeeping of the server, which must not be lost.', {
		effectiveTime: time('The latest effectiveTime that was acted on. It never goes back.'),
		replicas: int32('Value of spec.replicas at that effectiveTime.'),
		completions: list(
			'When runners completed since then. None of them is replaced yet.',
			time('One completion.'),
		),
		failedStarts: int32('Number of starts in a row that failed.'),
		briefEnds: int32('Number of runners in a row that ended within seconds without a job.'),
		nextStartAt: time('Earliest time at which the next runner is started after such failures.'),
		outdated: object('GitHub refuses the version of the runners.', {
			version: text('The version.'),
			image: text('Its image.'),
			since: time('Since when.'),
			templateHash: text('Of the template that the runners are made from.'),
		}),
	}),
	conditions,
});

export const runnerStatus = object("The current state. Written by the server, and by ARC's runner images.", {
	ready: flag('Whether the pod is ready.'),
	phase: text("The pod's phase."),
	reason: text("The pod's reason."),
	message: text("The pod's message."),
	workflow: object('The current job, written by runner images with RUNNER_STATUS_UPDATE_HOOK.', {
		name: text('GITHUB_WORKFLOW'),
		repository: text('GITHUB_REPOSITORY'),
		repositoryOwner: text('GITHUB_REPOSITORY_OWNER'),
		runNumber: text('GITHUB_RUN_NUMBER'),
		runID: text('GITHUB_RUN_ID'),
		job: text('GITHUB_JOB'),
		action: text('GITHUB_ACTION'),
	}),
	registration: asInPods('A field of ARC, which is never written.'),
	lastRegistrationCheckTime: nullable(time('A field of ARC, which is never written.')),
	conditions,
});

export type RunnerSpec = Static<typeof runnerSpec>;
export type RunnerSetSpec = Static<typeof runnerSetSpec>;
export type RunnerDeploymentSpec = Static<typeof runnerDeploymentSpec>;
export type SetStatus = Static<typeof setStatus>;
export type RunnerStatus = Static<typeof runnerStatus>;

/** Where and how runners register, and their containers. In a RunnerSet these fields stand beside the StatefulSet's. */
export type RunnerConfig = Pick<RunnerSpec, keyof typeof runnerConfig>;
export type WorkVolumeClaimTemplate = Static<typeof workVolumeClaimTemplate>;
export type LabelSelector = NonNullable<RunnerSetSpec['selector']>;
export type SetCondition = NonNullable<SetStatus['conditions']>[number];
