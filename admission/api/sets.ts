/**
 * RunnerSet, RunnerDeployment and Runner (ARC's kinds, group actions.summerwind.dev/v1alpha1) and the StatefulSet of
 * one runner, as they are on the wire, with the keys on them. Fields are named as ARC names them. The types of specs and
 * status follow from the schemas in schema/, of which the definitions in manifests/crds are made as well.
 */
import type { KubeObject, ObjectMeta } from './kinds.ts';
import type { PersistentVolumeClaim, PodTemplate } from './schema/pod-template.ts';
import type {
	LabelSelector,
	RunnerDeploymentSpec,
	RunnerSetSpec,
	RunnerSpec,
	RunnerStatus,
	SetStatus,
} from './schema/sets.ts';

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
	/**
	 * Label on PersistentVolumes of ended runners: the UID of their PersistentVolumeClaim, which is deleted. When it is gone, the
	 * volume is made available again.
	 */
	reusedFrom: 'actions-runner/reused-from',
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
	/** Annotation on these Secrets: our signature, which says that GitHub has given this token for this scope to this credential. */
	tokenProof: 'actions-runner/registration-token-proof',
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

export type {
	EnvVar,
	PersistentVolumeClaim,
	PodSpec,
	PodTemplate,
	TemplateContainer,
	Volume,
	VolumeMount,
} from './schema/pod-template.ts';
export type {
	RunnerConfig,
	RunnerSetSpec,
	RunnerSpec,
	SetCondition,
	SetConditionType,
	SetStatus,
	WorkVolumeClaimTemplate,
} from './schema/sets.ts';

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

/** A set of runners of either kind. */
export type RunnersSet = RunnerSet | RunnerDeployment;

export interface Runner extends KubeObject {
	metadata: SetMeta;
	spec: RunnerSpec;
	status?: RunnerStatus;
}

/** What is read of a PersistentVolumeClaim that exists. */
export interface VolumeClaim extends KubeObject {
	spec?: { volumeName?: string | undefined };
}

/** What is read of a PersistentVolume. */
export interface PersistentVolume extends KubeObject {
	spec?: {
		claimRef?: { namespace?: string; name?: string; uid?: string } | undefined;
		persistentVolumeReclaimPolicy?: string | undefined;
	};
	status?: { phase?: string | undefined };
}

interface StatefulSetSpec {
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
