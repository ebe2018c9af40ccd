/** What we read of the pods, containers and volume claims in the templates of sets. Other fields are kept as they are. */
import type { ObjectMeta } from '../kinds.ts';

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
	args?: string[];
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

export interface PersistentVolumeClaim {
	metadata?: Partial<ObjectMeta>;
	spec?: unknown;
}
