import { names } from '../../admission/api/keys.ts';
import { objectPath, resources } from '../../admission/api/paths.ts';
import type { KubeClient } from '../kube/client.ts';
import { isForbidden, isNotFound } from '../kube/failure.ts';

/**
 * The namespace of the server, which the webhook configuration names. Who may not read that, or has a server without one,
 * is led to the usual namespace.
 */
export async function serverNamespace(client: KubeClient): Promise<string> {
	try {
		const { webhooks = [] } = await client.json<{
			webhooks?: { clientConfig?: { service?: { namespace?: string } } }[];
		}>('GET', objectPath(resources.validatingWebhooks, { name: names.server }));
		const found = webhooks.find(({ clientConfig }) => clientConfig?.service?.namespace);
		return found?.clientConfig?.service?.namespace ?? names.namespace;
	} catch (error) {
		if (isForbidden(error) || isNotFound(error)) return names.namespace;
		throw error;
	}
}
