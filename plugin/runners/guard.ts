import { names } from '../../admission/api/keys.ts';
import type { KubeClient } from '../kube/client.ts';
import { ApiError } from '../kube/failure.ts';

/** Is there a guard in this cluster? Not everybody may look: then it is unknown. */
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
			'/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations',
		);
		const webhooks = items.flatMap((item) => item.webhooks ?? []);
		const guards = webhooks.some(
			({ name, rules = [] }) =>
				name.includes(names.server) &&
				rules.some(
					({ operations = [], resources = [] }) =>
						(operations.includes('DELETE') || operations.includes('*')) &&
						(resources.includes('pods') || resources.includes('*') || resources.includes('*/*')),
				),
		);
		return guards ? 'installed' : 'not-installed';
	} catch (error) {
		if (error instanceof ApiError && error.code === 403) return 'unknown';
		throw error;
	}
}
