/**
 * The spec and status of RunnerSets, RunnerDeployments and Runners, declared once: their TypeScript types follow at the
 * end, and scripts/crds makes the custom resource definitions of the schemas. Only types may be imported from here by
 * the server and the plugin, so that typebox is in no bundle; scripts/build.ts refuses anything else.
 */
import { type Static, Type } from 'typebox';
import {
	annotations,
	asInPods,
	flag,
	int32,
	int64,
	labels,
	list,
	listAsInPods,
	namedAsInPods,
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
	labels: list('Labels at GitHub, for runs-on.', Type.String()),
	group: text('Runner group at GitHub; needs an organization or an enterprise.'),
	ephemeral: flag('Each runner runs one job and is gone. Default true.'),
	image: text('Image of the container `runner`.'),
	workDir: text('Where jobs are run. Default /runner/_work.'),
	dockerdWithinRunnerContainer: flag('The image of the runner starts dockerd itself.'),
	dockerEnabled: flag('Jobs can use docker; a sidecar runs dockerd unless the runner does. Default true.'),
	dockerMTU: int64("MTU of docker's networks."),
	dockerRegistryMirror: text('URL of a mirror that dockerd pulls through.'),
	dockerVarRunVolumeSizeLimit: quantity("Size limit of the volume with docker's socket. Default 1M."),
	volumeSizeLimit: quantity('Size limit of the volume /runner; 0: no such volume.'),
	volumeStorageMedium: text('Medium of the volume /runner: Memory, or the default of the node.'),
	containerMode: oneOf('`kubernetes`: each job runs in a pod of its own, started by the runner.', [
		'',
		'kubernetes',
	]),
	githubAPICredentialsFrom: object('GitHub credentials of these runners; default: those of the server.', {
		secretRef: object(
			'A Secret in the same namespace with github_token, or github_app_id, github_app_installation_id and github_app_private_key.',
			{ name: text('Its name.') },
			{ required: ['name'] },
		),
	}),
};

const workVolumeClaimTemplate = object(
	"The claim of each runner's work volume, in containerMode kubernetes.",
	{
		storageClassName: text('Its storage class.'),
		accessModes: list('Its access modes.', Type.String()),
		resources: asInPods('Its size.'),
	},
	{ required: ['storageClassName', 'accessModes', 'resources'] },
);

/** ARC's RunnerPodSpec. */
const runnerPodSpec = {
	containers: namedAsInPods<TemplateContainer>(
		'Containers `runner` and `docker` are merged with those we add; others are added.',
	),
	sidecarContainers: namedAsInPods<TemplateContainer>('More containers.'),
	initContainers: namedAsInPods<TemplateContainer>('As in pods.'),
	env: listAsInPods<EnvVar>('Env of the container `runner`.'),
	envFrom: listAsInPods('Env sources of the container `runner`.'),
	imagePullPolicy: text('Of the container `runner`. Default Always.'),
	resources: asInPods('Of the container `runner`.'),
	volumeMounts: listAsInPods<VolumeMount>('Of the container `runner`.'),
	volumes: listAsInPods<Volume>('Of the pod; one named `work` replaces the default work volume.'),
	workVolumeClaimTemplate,
	dockerEnv: listAsInPods<EnvVar>('Env of the container `docker`.'),
	dockerVolumeMounts: listAsInPods<VolumeMount>('Of the container `docker`.'),
	dockerdContainerResources: asInPods('Of the container `docker`.'),
	serviceAccountName: text('Of the pod.'),
	automountServiceAccountToken: flag('As in pods.'),
	securityContext: asInPods<Record<string, unknown>>('Of the pod.'),
	affinity: asInPods('As in pods.'),
	nodeSelector: annotations('As in pods.'),
	tolerations: listAsInPods('As in pods.'),
	topologySpreadConstraints: listAsInPods('As in pods.'),
	priorityClassName: text('As in pods.'),
	runtimeClassName: text('As in pods.'),
	terminationGracePeriodSeconds: int64('As in pods.'),
	imagePullSecrets: listAsInPods('As in pods.'),
	hostAliases: listAsInPods('As in pods.'),
	dnsPolicy: text('As in pods.'),
	dnsConfig: asInPods('As in pods.'),
	enableServiceLinks: flag('As in pods.'),
	ephemeralContainers: listAsInPods('Ignored: a pod can not be created with these.'),
};

const configRules: Rule[] = [
	{
		rule: "[has(self.repository) && self.repository != '', has(self.organization) && self.organization != '', has(self.enterprise) && self.enterprise != ''].filter(given, given).size() == 1",
		message: 'exactly one of repository, organization and enterprise says where the runners are registered',
	},
	{
		rule: "!has(self.containerMode) || self.containerMode != 'kubernetes' || has(self.workVolumeClaimTemplate)",
		message: 'containerMode kubernetes needs workVolumeClaimTemplate',
		fieldPath: '.workVolumeClaimTemplate',
	},
];

export const runnerSpec = object(
	'What the runner is and how its pod looks.',
	{ ...runnerConfig, ...runnerPodSpec },
	rules(...configRules),
);

const replicas = int32('How many runners are wanted.', { minimum: 0, default: 1 });
const effectiveTime = nullable(
	time(
		'Since when `replicas` is what is wanted. Written by autoscalers, else by the server at each change of replicas; it never goes back.',
	),
);
const metadata = object(
	'Labels and annotations of the pods.',
	{ labels: labels('Of the pods.'), annotations: annotations('Of the pods.') },
	{ 'x-kubernetes-preserve-unknown-fields': true },
);

/** Labels that the server adds to the template itself may be selected as well. */
const selectorMatches = (template: string): Rule => ({
	rule:
		'!has(self.selector) || !has(self.selector.matchLabels) || self.selector.matchLabels.all(key, ' +
		"key in ['runnerset-name', 'runner-deployment-name', 'actions-runner', 'actions-runner-controller/inject-registration-token'] || " +
		`(has(${template}.metadata) && has(${template}.metadata.labels) && key in ${template}.metadata.labels && ` +
		`${template}.metadata.labels[key] == self.selector.matchLabels[key]))`,
	message: 'selector.matchLabels must be among template.metadata.labels, with the same values',
	fieldPath: '.selector',
});

export const runnerSetSpec = object(
	'The runners wanted. One StatefulSet with one pod is made for each.',
	{
		replicas,
		effectiveTime,
		...runnerConfig,
		workVolumeClaimTemplate,
		serviceAccountName: text('Of the pods, unless the template names one.'),
		selector: selector('Labels of the pods; among those of the template.'),
		template: Type.Unsafe<PodTemplate>(
			object('The pods.', {
				metadata,
				spec: object(
					'As in pods. A container `runner` is added where there is none.',
					{
						containers: namedAsInPods<TemplateContainer>(
							'Containers `runner` and `docker` are merged with those we add.',
						),
						initContainers: namedAsInPods<TemplateContainer>('As in pods.'),
					},
					{ 'x-kubernetes-preserve-unknown-fields': true },
				),
			}),
		),
		serviceName: text('Handed on to the StatefulSets.'),
		volumeClaimTemplates: listAsInPods<PersistentVolumeClaim>(
			'Handed on to the StatefulSets: the volumes of each runner.',
		),
		persistentVolumeClaimRetentionPolicy: object(
			'Handed on to the StatefulSets. A runner that is done takes its StatefulSet along: whenDeleted counts.',
			{
				whenDeleted: oneOf('Retain or Delete.', ['Retain', 'Delete']),
				whenScaled: oneOf('Retain or Delete.', ['Retain', 'Delete']),
			},
		),
		updateStrategy: asInPods('Ignored: idle runners are replaced first, busy ones finish.'),
		podManagementPolicy: text('Ignored: each StatefulSet has one pod.'),
		revisionHistoryLimit: int32('Ignored: each StatefulSet has one revision.'),
		minReadySeconds: int32('Ignored: a runner counts from its registration.'),
		ordinals: asInPods('Ignored: each StatefulSet has one pod, number 0.'),
	},
	{ required: ['template'], ...rules(...configRules, selectorMatches('self.template')) },
);

export const runnerDeploymentSpec = object(
	'The runners wanted. One Runner with one pod is made for each.',
	{
		replicas: nullable(replicas),
		effectiveTime,
		selector: nullable(selector('Labels of the pods; among those of the template.')),
		template: object('The runners.', { metadata, spec: runnerSpec }, { required: ['spec'] }),
	},
	{ required: ['template'], ...rules(selectorMatches('self.template')) },
);

/** What each says when it is True. */
const setConditionTypes = [
	/** The set has as many runners as wanted, all made from the newest template. */
	'Settled',
	/** There are no usable GitHub credentials, so no runner is created and none is deleted. */
	'CredentialsMissing',
	/** Runners end before they register, so new ones are started more and more slowly. */
	'StartsFailing',
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
		'What is being waited for, and what is wrong.',
		object(
			'One of them.',
			{
				type: Type.Unsafe<T>(text(`${types.join(', ')}.`)),
				status: oneOf('True, False or Unknown.', ['True', 'False', 'Unknown']),
				reason: text('One word, for programs.'),
				message: text('For people.'),
				lastTransitionTime: time('When status changed.'),
				observedGeneration: int64('The generation it is about.'),
			},
			{ required: ['type', 'status'] },
		),
		{ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] },
	);
const conditions = conditionsOf(setConditionTypes);

export const setStatus = object('What there is. Written by the server.', {
	observedGeneration: int64('The generation that was acted on.'),
	desiredReplicas: int32('Runners wanted, as last seen.'),
	replicas: int32('Runners there are, completed ones not counted.'),
	readyReplicas: int32('Runners whose pod is ready.'),
	availableReplicas: int32('Runners that are registered and run.'),
	updatedReplicas: int32('Runners of the newest template.'),
	idleReplicas: int32('Runners without a job.'),
	busyReplicas: int32('Runners with a job.'),
	drainingReplicas: int32('Busy runners that go when their job is done.'),
	selector: text('Label selector of the pods, for the scale subresource.'),
	/** Bookkeeping that must survive a change of leader (invariant 10); see sets/rules/plan.ts. Times have milliseconds. */
	accounting: object('How the number of runners came about; must not be lost.', {
		effectiveTime: time('The newest effectiveTime acted on; it never goes back.'),
		replicas: int32('spec.replicas that belongs to it.'),
		completions: list('When runners completed since; each holds one place back.', time('One completion.')),
		failedStarts: int32('Starts in a row that failed.'),
		briefEnds: int32('Runners in a row that ended within seconds without a job.'),
		nextStartAt: time('When the next runner may be started after that.'),
	}),
	conditions,
});

export const runnerStatus = object('What there is. Written by the server, and by ARC runner images.', {
	ready: flag('The pod is ready.'),
	phase: text("The pod's phase."),
	reason: text("The pod's reason."),
	message: text("The pod's message."),
	workflow: object('The job, written by runner images with RUNNER_STATUS_UPDATE_HOOK.', {
		name: text('GITHUB_WORKFLOW'),
		repository: text('GITHUB_REPOSITORY'),
		repositoryOwner: text('GITHUB_REPOSITORY_OWNER'),
		runNumber: text('GITHUB_RUN_NUMBER'),
		runID: text('GITHUB_RUN_ID'),
		job: text('GITHUB_JOB'),
		action: text('GITHUB_ACTION'),
	}),
	registration: asInPods("ARC's; not written."),
	lastRegistrationCheckTime: nullable(time("ARC's; not written.")),
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
