import { autoscaleKinds } from '../../admission/api/autoscale.ts';
import { collectionPath } from '../../admission/api/paths.ts';
import { unlessNotFound } from '../kube/failure.ts';
import type { Objects } from './objects.ts';

/**
 * Deletes all WorkflowJobs of the server, which may be thousands, in one request. False: there are none, or no such
 * kind.
 */
export async function forgetJobs({ client, dryRun }: Objects, namespace: string): Promise<boolean> {
	const path = collectionPath(autoscaleKinds.workflowJob, namespace);
	const found = await unlessNotFound(
		client.json<{ items?: unknown[] }>('GET', path, { query: { limit: '1' } }),
	);
	if (!found?.items?.length) return false;
	if (dryRun === 'client') return true;
	await unlessNotFound(
		client.call('DELETE', path, { query: { dryRun: dryRun === 'server' ? 'All' : undefined } }),
	);
	return true;
}
