import { group as setsGroup } from '../../api/sets.ts';
import type { Route } from '../../api/webhooks.ts';
import type { AdmissionRequest } from '../review.ts';

/**
 * What a review is about, by its content. The path does not decide: one that the server did not write may be anything, and
 * while the manifests are being applied for the first time there is none. undefined: nothing that concerns us.
 *
 * Only the two that are asked about the creation of a pod are distinguished by it: to mark a pod is less than to fill it in.
 */
export function routeByContent(request: AdmissionRequest, path = ''): Route | undefined {
	const { operation, resource, subResource } = request;
	const { group = '', resource: plural = '' } = resource ?? {};
	if (group === setsGroup) {
		const isSet = !subResource && ['runnersets', 'runnerdeployments'].includes(plural);
		return isSet && (operation === 'CREATE' || operation === 'UPDATE') ? '/sets/replicas' : undefined;
	}
	if (group !== '' || plural !== 'pods') return undefined;
	if (subResource === 'eviction') return operation === 'CREATE' ? '/pods/evict' : undefined;
	// A status or a resize is an update of the pod as well.
	if (operation === 'UPDATE') return '/pods/update';
	if (subResource) return undefined;
	if (operation === 'DELETE') return '/pods/delete';
	if (operation !== 'CREATE') return undefined;
	return path.endsWith('/pods/mark') ? '/pods/mark' : '/pods/create';
}
