/**
 * RunnerSet, RunnerDeployment and Runner (ARC's kinds, group actions.summerwind.dev/v1alpha1) and the StatefulSet of
 * one runner, as they are on the wire, with the keys on them. Fields are named as ARC names them; what the CRDs in
 * manifests/crds refuse can not be here.
 */
import type { Condition, KubeObject, ObjectMeta } from './kinds.ts';

export const group = 'actions.summerwind.dev';
export const apiVersion = 'actions.summerwind.dev/v1alpha1';

/** Kind and plural (the resource in URLs, rules and RBAC) of each; paths.ts makes URLs of them. */
export const setKinds = {
	runnerSet: { apiVersion, kind: 'RunnerSet', resource: 'runnersets' },
	runnerDeployment: { apiVersion, kind: 'RunnerDeployment', resource: 'runnerdeployments' },
	runner: { apiVersion, kind: 'Runner', resource: 'runners' },
} as const;

/** ARC's, between a RunnerDeployment and its Runners. We make none, and bring no definition of it. */
export const arcReplicaSet = {
	apiVersion,
	kind: 'RunnerReplicaSet',
	resource: 'runnerreplicasets',
} as const;

/**
 * Labels and annotations of sets, their owners (StatefulSet, Runner) and their pods. The labels by which a pod is
 * recognised as a runner's (`actions-runner`, `runnerset-name`, `runner-deployment-name`) are in keys.ts, `arc`.
 */
export const setKeys = {
	/** Label on owners and pods: which template made them; see sets/template.ts. ARC's key. */
	templateHash: 'runner-template-hash',
	/** Label, value "true": the pod webhook fills in name, token and restart policy. ARC's key. */
	injectToken: 'actions-runner-controller/inject-registration-token',
	/** Label on PersistentVolumeClaims: the StatefulSet they were made for. ARC's key. */
	claimOwner: 'runner-statefulset-name',
	/** Label on the pods of jobs in containerMode kubernetes: the runner pod they belong to. Set by GitHub's hooks. */
	jobPodOf: 'runner-pod',
	/** Annotation on owners: creation time, RFC 3339 (ARC reads it; we write it so that a way back stays open). */
	syncTime: 'sync-time',
	/**
	 * Annotation on sets that an HPA or KEDA drives, a duration as "10m" or "90s": how long the place of a completed
	 * runner is held for the autoscaler's next word. Without it, and without a HorizontalRunnerAutoscaler: 0.
	 */
	recreationDelay: 'actions-runner/recreation-delay',
	/** Annotation on sets: most runners above the wanted number during a rollout, "3" or "25%". */
	maxSurge: 'actions-runner/max-surge',
	/** Annotation on pods and Runners: the Secret that RUNNER_TOKEN comes from, for people. */
	tokenSecret: 'actions-runner/registration-token-secret',
	/** Label on the Secrets with registration tokens, value "true". */
	tokenSecretMark: 'actions-runner/registration-token',
	/** Annotation on these Secrets: the scope that the token registers runners in, as `octo-org/app`, for people. */
	tokenScope: 'actions-runner/scope',
	/** Annotation on these Secrets: when the token expires, RFC 3339. ARC's key (there on pods). */
	tokenExpiresAt: 'actions-runner-controller/token-expires-at',
} as const;

/** Finalizer of RunnerSets, RunnerDeployments and Runners: held until the last busy runner is done. */
export const drainFinalizer = 'actions-runner/drain';

/** ARC's finalizers: on pods, and on Runners. Where ARC is gone nobody else takes them away. */
export const arcFinalizers = {
	pod: ['actions.summerwind.dev/runner-pod', 'actions.summerwind.dev/linked-resources'],
	runner: ['runner.actions.summerwind.dev'],
} as const;

/** Key of the token in the Secret that the pods' RUNNER_TOKEN refers to. */
export const tokenSecretKey = 'token';

/** Condition types in the status of RunnerSets and RunnerDeployments. */
export type SetConditionType =
	/** True: as many runners as wanted, all of the newest template. */
	| 'Settled'
	/** True: no usable GitHub credentials, so nothing is created and nothing is deleted. */
	| 'CredentialsMissing'
	/** True: runners end before they register; new ones are started more and more slowly. */
	| 'StartsFailing'
	/** True: places of completed runners are held for the autoscaler. */
	| 'Holding'
	/** True: runners of an older template are being replaced. */
	| 'RollingOut'
	/** True: runners above the wanted number still run their jobs. */
	| 'Draining'
	/** True: the set is being deleted and waits for busy runners. */
	| 'Deleting'
	/** True: the spec can not be carried out; the message names the field. */
	| 'SpecInvalid';

export interface SetCondition extends Condition {
	type: SetConditionType;
	status: 'True' | 'False' | 'Unknown';
	observedGeneration?: number;
}

/** What the holder of a set's name, token and containers may say; on RunnerSets beside the StatefulSet's fields. */
export interface RunnerConfig {
	enterprise?: string;
	organization?: string;
	repository?: string;
	labels?: string[];
	group?: string;
	/** Default true. */
	ephemeral?: boolean;
	image?: string;
	workDir?: string;
	dockerdWithinRunnerContainer?: boolean;
	/** Default true. */
	dockerEnabled?: boolean;
	dockerMTU?: number;
	dockerRegistryMirror?: string;
	dockerVarRunVolumeSizeLimit?: string | number;
	volumeSizeLimit?: string | number;
	volumeStorageMedium?: string;
	/** "kubernetes", or absent. */
	containerMode?: string;
	githubAPICredentialsFrom?: { secretRef?: { name?: string } };
}

export interface EnvVar {
	name: string;
	value?: string;
	valueFrom?: unknown;
}

export interface VolumeMount {
	name: string;
	mountPath: string;
	[field: string]: unknown;
}

export interface Volume {
	name: string;
	[source: string]: unknown;
}

/** A container as a template has it; fields that nobody here reads are carried along. */
export interface TemplateContainer {
	name: string;
	image?: string;
	imagePullPolicy?: string;
	env?: EnvVar[];
	volumeMounts?: VolumeMount[];
	securityContext?: Record<string, unknown>;
	[field: string]: unknown;
}

/** A pod spec as a template has it; fields that nobody here reads are carried along. */
export interface PodSpec {
	containers?: TemplateContainer[];
	initContainers?: TemplateContainer[];
	volumes?: Volume[];
	restartPolicy?: string;
	serviceAccountName?: string;
	securityContext?: Record<string, unknown>;
	[field: string]: unknown;
}

export interface PodTemplate {
	metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
	spec?: PodSpec;
}

export interface WorkVolumeClaimTemplate {
	storageClassName: string;
	accessModes: string[];
	resources: unknown;
}

/** ARC's RunnerSpec: RunnerConfig and the pod's fields side by side. */
export interface RunnerSpec extends RunnerConfig {
	dockerdContainerResources?: unknown;
	dockerVolumeMounts?: VolumeMount[];
	dockerEnv?: EnvVar[];
	/** Overrides: a `runner` and a `docker` container are merged with ours, others are added. */
	containers?: TemplateContainer[];
	sidecarContainers?: TemplateContainer[];
	initContainers?: TemplateContainer[];
	imagePullPolicy?: string;
	env?: EnvVar[];
	envFrom?: unknown[];
	resources?: unknown;
	volumeMounts?: VolumeMount[];
	volumes?: Volume[];
	serviceAccountName?: string;
	securityContext?: Record<string, unknown>;
	workVolumeClaimTemplate?: WorkVolumeClaimTemplate;
	/** Carried into the pod spec as they are. */
	affinity?: unknown;
	automountServiceAccountToken?: boolean;
	dnsConfig?: unknown;
	dnsPolicy?: string;
	enableServiceLinks?: boolean;
	/** Ignored, with a warning: a pod can not be created with these. */
	ephemeralContainers?: unknown;
	hostAliases?: unknown;
	imagePullSecrets?: unknown;
	nodeSelector?: Record<string, string>;
	priorityClassName?: string;
	runtimeClassName?: string;
	terminationGracePeriodSeconds?: number;
	tolerations?: unknown;
	topologySpreadConstraints?: unknown;
}

export interface LabelSelector {
	matchLabels?: Record<string, string>;
	matchExpressions?: unknown[];
}

export interface PersistentVolumeClaim {
	metadata?: Partial<ObjectMeta>;
	spec?: unknown;
}

/** The fields of a StatefulSet's spec that are handed on to each runner's StatefulSet. */
export interface RunnerSetSpec extends RunnerConfig {
	replicas?: number;
	/** RFC 3339, with milliseconds where we stamp it: since when `replicas` is what is wanted. */
	effectiveTime?: string | null;
	/** Of the pods, unless the template says it itself. */
	serviceAccountName?: string;
	workVolumeClaimTemplate?: WorkVolumeClaimTemplate;
	/** Default, as in ARC: the label `runnerset-name` with the set's name. */
	selector?: LabelSelector;
	template: PodTemplate;
	serviceName?: string;
	volumeClaimTemplates?: PersistentVolumeClaim[];
	persistentVolumeClaimRetentionPolicy?: { whenDeleted?: string; whenScaled?: string };
	/** Ignored, with a warning, as all of these: one StatefulSet holds one pod. */
	updateStrategy?: unknown;
	podManagementPolicy?: string;
	revisionHistoryLimit?: number;
	minReadySeconds?: number;
	ordinals?: unknown;
}

export interface RunnerDeploymentSpec {
	replicas?: number | null;
	/** As on RunnerSets. */
	effectiveTime?: string | null;
	selector?: LabelSelector | null;
	template: {
		metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
		spec: RunnerSpec;
	};
}

/** What a set has learnt and must not forget (invariant 10); counts are runners. */
export interface SetStatus {
	observedGeneration?: number;
	/** As spec.replicas was at the last look. */
	desiredReplicas?: number;
	/** All that are not completed, those that leave included. */
	replicas?: number;
	/** Pod is ready. */
	readyReplicas?: number;
	/** Registered at GitHub and running. */
	availableReplicas?: number;
	/** Of the newest template. */
	updatedReplicas?: number;
	idleReplicas?: number;
	busyReplicas?: number;
	/** Busy runners above the wanted number, of an older template, or on their way out. */
	drainingReplicas?: number;
	/** For the scale subresource: the pods' label selector as text. */
	selector?: string;
	/** How the number of runners wanted came about; see runner/plan.ts. */
	accounting?: {
		/** The newest spec.effectiveTime (or our own stamp) that was acted on; never goes back. RFC 3339, ms. */
		effectiveTime?: string;
		/** spec.replicas that belongs to it: a change of spec.replicas without a newer stamp came through /scale. */
		replicas?: number;
		/** When runners completed since then: each holds one place back. RFC 3339, ms, oldest first. */
		completions?: string[];
		/** Runners in a row that ended before they registered, and when the next may be started. */
		failedStarts?: number;
		nextStartAt?: string;
	};
	conditions?: SetCondition[];
}

/** Metadata of a set also has a generation. */
export interface SetMeta extends ObjectMeta {
	generation?: number;
}

export interface RunnerSet extends KubeObject {
	metadata: SetMeta;
	spec: RunnerSetSpec;
	status?: SetStatus;
}

export interface RunnerDeployment extends KubeObject {
	metadata: SetMeta;
	spec: RunnerDeploymentSpec;
	status?: SetStatus;
}

export interface Runner extends KubeObject {
	metadata: SetMeta;
	spec: RunnerSpec;
	status?: {
		ready?: boolean;
		/** The pod's phase. ARC's status hook writes it as well. */
		phase?: string;
		reason?: string;
		message?: string;
		/** Written by ARC's runner image when RUNNER_STATUS_UPDATE_HOOK is set. */
		workflow?: {
			name?: string;
			repository?: string;
			repositoryOwner?: string;
			runNumber?: string;
			runID?: string;
			job?: string;
			action?: string;
		};
		conditions?: SetCondition[];
	};
}

export interface StatefulSetSpec {
	replicas: number;
	selector: LabelSelector;
	template: PodTemplate;
	serviceName?: string;
	volumeClaimTemplates?: PersistentVolumeClaim[];
	persistentVolumeClaimRetentionPolicy?: { whenDeleted?: string; whenScaled?: string };
	podManagementPolicy?: string;
	revisionHistoryLimit?: number;
}

export interface StatefulSet extends KubeObject {
	metadata: SetMeta;
	spec: StatefulSetSpec;
	status?: { replicas?: number; readyReplicas?: number; observedGeneration?: number };
}
