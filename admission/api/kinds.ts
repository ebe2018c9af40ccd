/**
 * The parts of Kubernetes objects that this project reads, as they are on the wire: times are RFC 3339 strings,
 * and what may be absent is optional.
 */

export interface ObjectMeta {
	name: string;
	namespace?: string;
	uid?: string;
	resourceVersion?: string;
	creationTimestamp?: string;
	deletionTimestamp?: string;
	labels?: Record<string, string>;
	annotations?: Record<string, string>;
	ownerReferences?: OwnerReference[];
	finalizers?: string[];
}

export interface OwnerReference {
	apiVersion: string;
	kind: string;
	name: string;
	uid: string;
	controller?: boolean;
	blockOwnerDeletion?: boolean;
}

export interface KubeObject {
	apiVersion?: string;
	kind?: string;
	metadata: ObjectMeta;
}

export interface ContainerState {
	waiting?: { reason?: string; message?: string };
	running?: { startedAt?: string };
	terminated?: {
		exitCode?: number;
		reason?: string;
		message?: string;
		startedAt?: string;
		finishedAt?: string;
	};
}

export interface ContainerStatus {
	name: string;
	restartCount?: number;
	state?: ContainerState;
	lastState?: ContainerState;
}

export interface Condition {
	type: string;
	status: string;
	reason?: string;
	message?: string;
	lastTransitionTime?: string;
}

export interface EnvVar {
	name: string;
	value?: string;
	valueFrom?: {
		fieldRef?: { fieldPath?: string };
		secretKeyRef?: { name?: string; key?: string };
		configMapKeyRef?: object;
		resourceFieldRef?: object;
	};
}

export interface Resources {
	requests?: Record<string, string>;
	limits?: Record<string, string>;
}

export interface Container {
	name: string;
	image?: string;
	command?: string[];
	args?: string[];
	env?: EnvVar[];
	/** Sets variables from a ConfigMap or Secret, each name with `prefix` in front. */
	envFrom?: { prefix?: string }[];
	resources?: Resources;
	/** What a change of a resource in place does to the container: NotRequired, RestartContainer. */
	resizePolicy?: { resourceName: string; restartPolicy: string }[];
	/** Its own policy, in place of the pod's. */
	restartPolicy?: string;
	/** When it, or all containers of the pod (action RestartAllContainers), are started again. */
	restartPolicyRules?: { action?: string }[];
	lifecycle?: { postStart?: object };
	volumeMounts?: VolumeMount[];
}

export interface VolumeMount {
	name: string;
	mountPath: string;
	subPath?: string;
	readOnly?: boolean;
}

export interface Pod extends KubeObject {
	spec?: {
		nodeName?: string;
		restartPolicy?: string;
		activeDeadlineSeconds?: number;
		/** Of the pod as a whole, beside those of its containers. */
		resources?: Resources;
		containers?: Container[];
		initContainers?: Container[];
		hostNetwork?: boolean;
		dnsPolicy?: string;
		os?: { name?: string };
		nodeSelector?: Record<string, string>;
		volumes?: { name: string }[];
	};
	status?: {
		phase?: string;
		reason?: string;
		message?: string;
		conditions?: Condition[];
		containerStatuses?: ContainerStatus[];
		initContainerStatuses?: ContainerStatus[];
	};
}

/** ARC's EphemeralRunner (actions.github.com/v1alpha1), the owner of a scale-set pod. */
export interface EphemeralRunner extends KubeObject {
	spec?: { githubConfigUrl?: string; githubConfigSecret?: string };
	status?: {
		runnerId?: number;
		runnerName?: string;
		jobId?: string;
		jobDisplayName?: string;
		jobRepositoryName?: string;
		workflowRunId?: number;
	};
}

/** Value of the annotation `record.options`: the caller's options, used again when the deletion is carried out. */
export interface RecordedOptions {
	/** An eviction is carried out as an eviction, so that a user's own PodDisruptionBudget is respected. */
	via: 'delete' | 'eviction';
	gracePeriodSeconds?: number;
	propagationPolicy?: string;
	/** The caller showed the API server's client certificate: only then is the user name certain. */
	certified?: boolean;
}
