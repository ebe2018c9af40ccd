import { ApiError, UnreachableError } from '../kube/failure.ts';
import type { Manifest } from './manifest.ts';
import type { Objects } from './objects.ts';

/** The component of manifests/ with the policy that marks new runner pods, and its name among the overlays. */
export const creationPolicy = 'creation-policy';

const policy = { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'MutatingAdmissionPolicy' };
const kinds = [policy.kind, `${policy.kind}Binding`];

/**
 * The objects, without that policy where the API server does not serve its kind (before Kubernetes 1.36); there a webhook
 * marks new pods. For a dry run of the client's the API server need not answer, which counts as "not served".
 */
export async function whereServed(api: Objects, objects: readonly Manifest[]): Promise<Manifest[]> {
	return (await isServed(api)) ? [...objects] : objects.filter(({ kind }) => !kinds.includes(kind));
}

async function isServed(api: Objects): Promise<boolean> {
	try {
		return (await api.resourceOf(policy)) !== undefined;
	} catch (error) {
		const silent = error instanceof UnreachableError || error instanceof ApiError;
		if (api.dryRun === 'client' && silent) return false;
		throw error;
	}
}
