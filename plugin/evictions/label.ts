import { evictions } from '../../admission/api/keys.ts';
import type { KubeObject } from '../../admission/api/kinds.ts';
import { objectPath, resources } from '../../admission/api/paths.ts';
import { type KubeClient, mergePatch } from '../kube/client.ts';
import { ApiError, isForbidden } from '../kube/failure.ts';

/** The label as people type it. */
export const failClosedLabel = `${evictions.label}=${evictions.failClosed}`;

/**
 * Sets the label on a namespace, or removes it, by one patch with the user's own right.
 *
 * @throws ApiError; where the right is missing, its message says which it is
 */
export async function labelNamespace(
	client: KubeClient,
	name: string,
	{ off = false, dryRun = false }: { off?: boolean; dryRun?: boolean } = {},
): Promise<void> {
	const labels = { [evictions.label]: off ? null : evictions.failClosed };
	try {
		await client.json<KubeObject>('PATCH', objectPath(resources.namespaces, { name }), {
			contentType: mergePatch,
			body: { metadata: { labels } },
			query: { dryRun: dryRun ? 'All' : undefined },
		});
	} catch (error) {
		if (!(error instanceof ApiError) || !isForbidden(error)) throw error;
		const message = `${error.message}; the label needs the right to patch namespaces, which none of the roles runners-* has`;
		throw new ApiError(error.code, { ...error.status, message });
	}
}
