import { autoscaleKinds, type WorkflowJob } from '../../admission/api/autoscale.ts';
import { collectionPath } from '../../admission/api/paths.ts';
import { group } from '../../admission/api/sets.ts';
import { CliError } from '../errors.ts';
import type { KubeClient } from '../kube/client.ts';
import { isForbidden, isNotFound } from '../kube/failure.ts';
import type { Source } from '../kube/follow.ts';
import { serverNamespace } from './server-namespace.ts';

/** There are up to 20,000 jobs, of 1 to 2 KB each. */
const pageSize = 500;

/** All jobs that the server remembers, which are in its own namespace. */
export async function jobsOf(client: KubeClient, givenNamespace?: string): Promise<Source<WorkflowJob>> {
	const namespace = givenNamespace ?? (await serverNamespace(client));
	const path = collectionPath(autoscaleKinds.workflowJob, namespace);
	return { path, list: (signal) => listJobs(client, path, namespace, signal) };
}

async function listJobs(client: KubeClient, path: string, namespace: string, signal: AbortSignal) {
	const objects: WorkflowJob[] = [];
	let resourceVersion = '';
	let token: string | undefined;
	do {
		try {
			const page = await client.json<{
				items?: Omit<WorkflowJob, 'kind' | 'apiVersion'>[];
				metadata?: { resourceVersion?: string; continue?: string };
			}>('GET', path, { query: { limit: String(pageSize), continue: token }, signal });
			const { apiVersion, kind } = autoscaleKinds.workflowJob;
			objects.push(...(page.items ?? []).map((job) => ({ ...job, apiVersion, kind })));
			resourceVersion = page.metadata?.resourceVersion ?? '';
			token = page.metadata?.continue || undefined;
		} catch (error) {
			throw explained(error, namespace);
		}
	} while (token !== undefined);
	return { objects, resourceVersion };
}

function explained(error: unknown, namespace: string): unknown {
	if (isForbidden(error)) {
		return new CliError(
			`error: you may not list workflowjobs in namespace ${namespace}, where the jobs of all sets are kept\n` +
				`Ask for the ClusterRole runners-jobs by a RoleBinding in namespace ${namespace}; it shows the jobs of all repositories.\n` +
				'Without it, "kubectl runners status SET" says how many jobs of a set are queued and open.',
		);
	}
	if (isNotFound(error)) {
		return new CliError(
			`error: the server doesn't have a resource type "${autoscaleKinds.workflowJob.resource}" (${group})\n` +
				'It comes with the controllers of sets: kubectl runners install',
		);
	}
	return error;
}
