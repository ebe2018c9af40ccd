import {
	annotations,
	asInPods,
	count,
	flag,
	labels,
	list,
	namedAsInPods,
	object,
	type Properties,
	quantity,
	type Rule,
	rules,
	type Schema,
	selector,
	text,
	time,
} from './schema.ts';

/** Names at GitHub are made of these; whatever else would be another path of its API. */
const githubName = '[A-Za-z0-9_.-]{1,100}';

/** ARC's RunnerConfig: what RunnerSets say beside the StatefulSet's fields, and Runners beside the pod's. */
export const runnerConfig: Properties = {
	repository: text('OWNER/NAME of the repository that the runners are registered in.', {
		pattern: `^(${githubName}/${githubName})?$`,
	}),
	organization: text('The organization that the runners are registered in.', {
		pattern: `^(${githubName})?$`,
	}),
	enterprise: text('The enterprise that the runners are registered in.', { pattern: `^(${githubName})?$` }),
	labels: list('Labels at GitHub, for runs-on.', { type: 'string' }),
	group: text('Runner group at GitHub; needs an organization or an enterprise.'),
	ephemeral: flag('Each runner runs one job and is gone. Default true.'),
	image: text('Image of the container `runner`.'),
	workDir: text('Where jobs are run. Default /runner/_work.'),
	dockerdWithinRunnerContainer: flag('The image of the runner starts dockerd itself.'),
	dockerEnabled: flag('Jobs can use docker; a sidecar runs dockerd unless the runner does. Default true.'),
	dockerMTU: { type: 'integer', format: 'int64', description: "MTU of docker's networks." },
	dockerRegistryMirror: text('URL of a mirror that dockerd pulls through.'),
	dockerVarRunVolumeSizeLimit: quantity("Size limit of the volume with docker's socket. Default 1M."),
	volumeSizeLimit: quantity('Size limit of the volume /runner; 0: no such volume.'),
	volumeStorageMedium: text('Medium of the volume /runner: Memory, or the default of the node.'),
	containerMode: text('`kubernetes`: each job runs in a pod of its own, started by the runner.', {
		enum: ['', 'kubernetes'],
	}),
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
		accessModes: list('Its access modes.', { type: 'string' }),
		resources: asInPods('Its size.'),
	},
	{ required: ['storageClassName', 'accessModes', 'resources'] },
);

/** ARC's RunnerPodSpec. */
const runnerPodSpec: Properties = {
	containers: namedAsInPods(
		'Containers `runner` and `docker` are merged with those we add; others are added.',
	),
	sidecarContainers: namedAsInPods('More containers.'),
	initContainers: namedAsInPods('As in pods.'),
	env: asInPods('Env of the container `runner`.', 'array'),
	envFrom: asInPods('Env sources of the container `runner`.', 'array'),
	imagePullPolicy: text('Of the container `runner`. Default Always.'),
	resources: asInPods('Of the container `runner`.'),
	volumeMounts: asInPods('Of the container `runner`.', 'array'),
	volumes: asInPods('Of the pod; one named `work` replaces the default work volume.', 'array'),
	workVolumeClaimTemplate,
	dockerEnv: asInPods('Env of the container `docker`.', 'array'),
	dockerVolumeMounts: asInPods('Of the container `docker`.', 'array'),
	dockerdContainerResources: asInPods('Of the container `docker`.'),
	serviceAccountName: text('Of the pod.'),
	automountServiceAccountToken: flag('As in pods.'),
	securityContext: asInPods('Of the pod.'),
	affinity: asInPods('As in pods.'),
	nodeSelector: annotations('As in pods.'),
	tolerations: asInPods('As in pods.', 'array'),
	topologySpreadConstraints: asInPods('As in pods.', 'array'),
	priorityClassName: text('As in pods.'),
	runtimeClassName: text('As in pods.'),
	terminationGracePeriodSeconds: { type: 'integer', format: 'int64', description: 'As in pods.' },
	imagePullSecrets: asInPods('As in pods.', 'array'),
	hostAliases: asInPods('As in pods.', 'array'),
	dnsPolicy: text('As in pods.'),
	dnsConfig: asInPods('As in pods.'),
	enableServiceLinks: flag('As in pods.'),
	ephemeralContainers: asInPods('Ignored: a pod can not be created with these.', 'array'),
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

export const runnerSpec: Schema = object(
	'What the runner is and how its pod looks.',
	{ ...runnerConfig, ...runnerPodSpec },
	rules(...configRules),
);

const replicas = count('How many runners are wanted.', { minimum: 0, default: 1 });
const effectiveTime = time(
	'Since when `replicas` is what is wanted. Written by autoscalers, else by the server at each change of replicas; it never goes back.',
	{ nullable: true },
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

export const runnerSetSpec: Schema = object(
	'The runners wanted. One StatefulSet with one pod is made for each.',
	{
		replicas,
		effectiveTime,
		...runnerConfig,
		workVolumeClaimTemplate,
		serviceAccountName: text('Of the pods, unless the template names one.'),
		selector: selector('Labels of the pods; among those of the template.'),
		template: object('The pods.', {
			metadata,
			spec: object(
				'As in pods. A container `runner` is added where there is none.',
				{
					containers: namedAsInPods('Containers `runner` and `docker` are merged with those we add.'),
					initContainers: namedAsInPods('As in pods.'),
				},
				{ 'x-kubernetes-preserve-unknown-fields': true },
			),
		}),
		serviceName: text('Handed on to the StatefulSets.'),
		volumeClaimTemplates: asInPods('Handed on to the StatefulSets: the volumes of each runner.', 'array'),
		persistentVolumeClaimRetentionPolicy: object(
			'Handed on to the StatefulSets. A runner that is done takes its StatefulSet along: whenDeleted counts.',
			{
				whenDeleted: text('Retain or Delete.', { enum: ['Retain', 'Delete'] }),
				whenScaled: text('Retain or Delete.', { enum: ['Retain', 'Delete'] }),
			},
		),
		updateStrategy: asInPods('Ignored: idle runners are replaced first, busy ones finish.'),
		podManagementPolicy: text('Ignored: each StatefulSet has one pod.'),
		revisionHistoryLimit: count('Ignored: each StatefulSet has one revision.'),
		minReadySeconds: count('Ignored: a runner counts from its registration.'),
		ordinals: asInPods('Ignored: each StatefulSet has one pod, number 0.'),
	},
	{ required: ['template'], ...rules(...configRules, selectorMatches('self.template')) },
);

export const runnerDeploymentSpec: Schema = object(
	'The runners wanted. One Runner with one pod is made for each.',
	{
		replicas: { ...replicas, nullable: true },
		effectiveTime,
		selector: { ...selector('Labels of the pods; among those of the template.'), nullable: true },
		template: object('The runners.', { metadata, spec: runnerSpec }, { required: ['spec'] }),
	},
	{ required: ['template'], ...rules(selectorMatches('self.template')) },
);

const conditions = list(
	'What is being waited for, and what is wrong.',
	object(
		'One of them.',
		{
			type: text(
				'Settled, CredentialsMissing, StartsFailing, Holding, RollingOut, Draining, Deleting, SpecInvalid.',
			),
			status: text('True, False or Unknown.', { enum: ['True', 'False', 'Unknown'] }),
			reason: text('One word, for programs.'),
			message: text('For people.'),
			lastTransitionTime: time('When status changed.'),
			observedGeneration: { type: 'integer', format: 'int64', description: 'The generation it is about.' },
		},
		{ required: ['type', 'status'] },
	),
	{ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] },
);

export const setStatus: Schema = object('What there is. Written by the server.', {
	observedGeneration: { type: 'integer', format: 'int64', description: 'The generation that was acted on.' },
	desiredReplicas: count('Runners wanted, as last seen.'),
	replicas: count('Runners there are, completed ones not counted.'),
	readyReplicas: count('Runners whose pod is ready.'),
	availableReplicas: count('Runners that are registered and run.'),
	updatedReplicas: count('Runners of the newest template.'),
	idleReplicas: count('Runners without a job.'),
	busyReplicas: count('Runners with a job.'),
	drainingReplicas: count('Busy runners that go when their job is done.'),
	selector: text('Label selector of the pods, for the scale subresource.'),
	accounting: object('How the number of runners came about; must not be lost.', {
		effectiveTime: time('The newest effectiveTime acted on; it never goes back.'),
		replicas: count('spec.replicas that belongs to it.'),
		completions: list('When runners completed since; each holds one place back.', time('One completion.')),
		failedStarts: count('Runners in a row that ended before they registered.'),
		nextStartAt: time('When the next runner may be started after that.'),
	}),
	conditions,
});

export const runnerStatus: Schema = object(
	'What there is. Written by the server, and by ARC runner images.',
	{
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
		lastRegistrationCheckTime: time("ARC's; not written.", { nullable: true }),
		conditions,
	},
);
