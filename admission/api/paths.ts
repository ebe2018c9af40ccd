/**
 * Paths of Kubernetes objects in the API server's URLs. Everything that is put into a path is encoded, so that a name
 * which somebody else wrote (an annotation, an owner reference, an argument) never leads to another object.
 */

/** What the API server serves under one name: `{ apiVersion: 'apps/v1', resource: 'statefulsets' }`. */
export interface Resource {
	apiVersion: string;
	resource: string;
}

const pods: Resource = { apiVersion: 'v1', resource: 'pods' };

const scaleSetApiVersion = 'actions.github.com/v1alpha1';

/** The resources that this project reads and writes. RunnerSet and its kin are in sets.ts and autoscale.ts. */
export const resources = {
	pods,
	nodes: { apiVersion: 'v1', resource: 'nodes' },
	namespaces: { apiVersion: 'v1', resource: 'namespaces' },
	secrets: { apiVersion: 'v1', resource: 'secrets' },
	services: { apiVersion: 'v1', resource: 'services' },
	configMaps: { apiVersion: 'v1', resource: 'configmaps' },
	events: { apiVersion: 'v1', resource: 'events' },
	deployments: { apiVersion: 'apps/v1', resource: 'deployments' },
	statefulSets: { apiVersion: 'apps/v1', resource: 'statefulsets' },
	controllerRevisions: { apiVersion: 'apps/v1', resource: 'controllerrevisions' },
	persistentVolumeClaims: { apiVersion: 'v1', resource: 'persistentvolumeclaims' },
	persistentVolumes: { apiVersion: 'v1', resource: 'persistentvolumes' },
	leases: { apiVersion: 'coordination.k8s.io/v1', resource: 'leases' },
	podDisruptionBudgets: { apiVersion: 'policy/v1', resource: 'poddisruptionbudgets' },
	tokenReviews: { apiVersion: 'authentication.k8s.io/v1', resource: 'tokenreviews' },
	validatingWebhooks: {
		apiVersion: 'admissionregistration.k8s.io/v1',
		resource: 'validatingwebhookconfigurations',
	},
	mutatingWebhooks: {
		apiVersion: 'admissionregistration.k8s.io/v1',
		resource: 'mutatingwebhookconfigurations',
	},
	ephemeralRunners: { apiVersion: scaleSetApiVersion, resource: 'ephemeralrunners' },
	autoscalingRunnerSets: { apiVersion: scaleSetApiVersion, resource: 'autoscalingrunnersets' },
} as const satisfies Record<string, Resource>;

/** `/api/v1` or `/apis/apps/v1`: the list of what this version of a group serves. */
export function groupPath(apiVersion: string): string {
	return apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}

/** All objects of a resource; those of one namespace where it is named. */
export function collectionPath({ apiVersion, resource }: Resource, namespace?: string): string {
	const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
	return `${groupPath(apiVersion)}${scope}/${resource}`;
}

/** One object, or a subresource of it such as `status`. Without a namespace: a cluster-scoped one. */
export function objectPath(
	resource: Resource,
	{ namespace, name }: { namespace?: string | undefined; name: string },
	subresource?: string,
): string {
	const path = `${collectionPath(resource, namespace)}/${encodeURIComponent(name)}`;
	return subresource === undefined ? path : `${path}/${subresource}`;
}

export const podsPath = (namespace?: string): string => collectionPath(pods, namespace);

export const podPath = (namespace: string, name: string, subresource?: string): string =>
	objectPath(pods, { namespace, name }, subresource);
