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

/** ARC's kind between a RunnerDeployment and its Runners. This project creates none and ships no CRD for it. */
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
	/** Label on owners and pods: hash of the template that they were made from; see sets/pod/template-hash.ts. ARC's key. */
	templateHash: 'runner-template-hash',
	/** Label, value "true": the pod webhook fills in name, token and restart policy. ARC's key. */
	injectToken: 'actions-runner-controller/inject-registration-token',
	/** Label on PersistentVolumeClaims: the StatefulSet they were made for. ARC's key. */
	claimOwner: 'runner-statefulset-name',
	/** Label on the pods of jobs in containerMode kubernetes: the runner pod they belong to. Set by GitHub's hooks. */
	jobPodOf: 'runner-pod',
	/** Annotation on owners: creation time, RFC 3339. ARC reads it, so it is written to keep a return to ARC possible. */
	syncTime: 'sync-time',
	/**
	 * Annotation on sets that an HPA or KEDA scales, a duration such as "10m" or "90s": a completed runner is replaced
	 * only when the autoscaler has decided again, or after this long. Without the annotation: at once.
	 */
	recreationDelay: 'actions-runner/recreation-delay',
	/** Annotation on sets: how many runners above the wanted number a rollout may create, "3" or "25%". */
	maxSurge: 'actions-runner/max-surge',
	/** Annotation on pods and Runners, for people: the Secret that RUNNER_TOKEN comes from. */
	tokenSecret: 'actions-runner/registration-token-secret',
	/** Label on the Secrets with registration tokens, value "true". */
	tokenSecretMark: 'actions-runner/registration-token',
	/** Annotation on these Secrets, for people: the scope in which the token registers runners, such as `octo-org/app`. */
	tokenScope: 'actions-runner/scope',
	/** Annotation on these Secrets: when the token expires, RFC 3339. ARC's key (there on pods). */
	tokenExpiresAt: 'actions-runner-controller/token-expires-at',
} as const;

/** Finalizer of RunnerSets and RunnerDeployments: it stays until the last busy runner is done. */
export const drainFinalizer = 'actions-runner/drain';

/** ARC's finalizers on pods and on Runners. Where ARC no longer runs, nobody else removes them. */
export const arcFinalizers = {
	pod: ['actions.summerwind.dev/runner-pod', 'actions.summerwind.dev/linked-resources'],
	runner: ['runner.actions.summerwind.dev'],
} as const;

/** Key of the token in the Secret that the pods' RUNNER_TOKEN refers to. */
export const tokenSecretKey = 'token';

/** Condition types in the status of RunnerSets and RunnerDeployments. */
export type SetConditionType =
	/** True: the set has as many runners as wanted, all made from the newest template. */
	| 'Settled'
	/** True: there are no usable GitHub credentials, so no runner is created and none is deleted. */
	| 'CredentialsMissing'
	/** True: runners end before they register, so new ones are started more and more slowly. */
	| 'StartsFailing'
	/** True: completed runners are not replaced until the autoscaler decides again. */
	| 'Holding'
	/** True: runners made from an older template are being replaced. */
	| 'RollingOut'
	/** True: runners above the wanted number still run their jobs. */
	| 'Draining'
	/** True: the set is being deleted and waits for busy runners. */
	| 'Deleting'
	/** True: the spec is invalid; the message names the field. */
	| 'SpecInvalid';

export interface SetCondition extends Condition {
	type: SetConditionType;
	status: 'True' | 'False' | 'Unknown';
	observedGeneration?: number;
}

/** Where and how runners register, and their containers. In a RunnerSet these fields stand beside the StatefulSet's. */
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

/** A container of a template. Fields that this project does not read are kept as they are. */
export interface TemplateContainer {
	name: string;
	image?: string;
	imagePullPolicy?: string;
	env?: EnvVar[];
	volumeMounts?: VolumeMount[];
	securityContext?: Record<string, unknown>;
	[field: string]: unknown;
}

/** A pod spec of a template. Fields that this project does not read are kept as they are. */
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
	/** When `replicas` was last decided, RFC 3339; with milliseconds if the webhook or the reconciler set it. */
	effectiveTime?: string | null;
	/** The pods' service account, unless the template names one. */
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

/** The status of a set. It holds what must survive a change of leader (invariant 10). Counts are runners. */
export interface SetStatus {
	observedGeneration?: number;
	/** spec.replicas at the last reconcile. */
	desiredReplicas?: number;
	/** All runners that are not completed, also those that are leaving. */
	replicas?: number;
	/** Their container runs. */
	readyReplicas?: number;
	/** Registered at GitHub and running. */
	availableReplicas?: number;
	/** Made from the newest template. */
	updatedReplicas?: number;
	idleReplicas?: number;
	busyReplicas?: number;
	/** Busy runners above the wanted number, of an older template, or on their way out. */
	drainingReplicas?: number;
	/** The pods' label selector as text, for the scale subresource. */
	selector?: string;
	/** Bookkeeping about completed and failed runners; see sets/rules/plan.ts. */
	accounting?: {
		/** The newest spec.effectiveTime, or time of a change of spec.replicas, that was acted on. Never goes back. RFC 3339, ms. */
		effectiveTime?: string;
		/** spec.replicas at that time: if it changed without a newer effectiveTime, the change came by the scale subresource. */
		replicas?: number;
		/** When runners completed since then: each is not replaced for the time being. RFC 3339, ms, oldest first. */
		completions?: string[];
		/** How many starts in a row ended before the runner registered, and when the next may be tried. */
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
