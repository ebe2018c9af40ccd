import { names } from '../../admission/api/keys.ts';
import type { Manifest } from './manifest.ts';
import type { Objects } from './objects.ts';

interface Webhooks extends Manifest {
	webhooks?: { clientConfig: { service?: { namespace: string } } }[];
}

/**
 * The namespace of the installation that the cluster has; undefined: none. The webhook configuration has one name in
 * the cluster, and says where its reviews go.
 */
export async function installedIn(api: Objects): Promise<string | undefined> {
	const found = await api.get({
		apiVersion: 'admissionregistration.k8s.io/v1',
		kind: 'ValidatingWebhookConfiguration',
		metadata: { name: names.server },
	});
	const { webhooks = [] } = (found ?? {}) as Webhooks;
	return webhooks.find(({ clientConfig }) => clientConfig.service)?.clientConfig.service?.namespace;
}
