import { names } from '../../admission/api/keys.ts';
import { collectionPath, resources } from '../../admission/api/paths.ts';
import type { KubeClient } from '../kube/client.ts';
import { isForbidden } from '../kube/failure.ts';

/** Is there a guard in this cluster? Unknown to a user who may not read webhook configurations. */
export type GuardPresence = 'installed' | 'not-installed' | 'unknown';

interface WebhookConfigurations {
	items: {
		webhooks?: {
			name: string;
			rules?: { operations?: string[]; resources?: string[] }[];
		}[];
	}[];
}

/** Looks for the server's webhook that reviews the deletion of pods. */
export async function guardPresence(client: KubeClient): Promise<GuardPresence> {
	try {
		const { items } = await client.json<WebhookConfigurations>(
			'GET',
			collectionPath(resources.validatingWebhooks),
		);
		const webhooks = items.flatMap((item) => item.webhooks ?? []);
		const guards = webhooks.some(
			({ name, rules = [] }) =>
				name.includes(names.server) &&
				rules.some(
					({ operations = [], resources: reviewed = [] }) =>
						(operations.includes('DELETE') || operations.includes('*')) &&
						(reviewed.includes('pods') || reviewed.includes('*') || reviewed.includes('*/*')),
				),
		);
		return guards ? 'installed' : 'not-installed';
	} catch (error) {
		if (isForbidden(error)) return 'unknown';
		throw error;
	}
}
