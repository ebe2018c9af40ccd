import { labelsOfJob } from '../api/job-labels.ts';
import { perPage } from './client.ts';
import { fieldsOf, isId, readAll, repositoryParameters, unusable } from './fields.ts';
import { mostJobPages } from './policy.ts';
import type { CallOptions, Read, Unread } from './types.ts';

type Limits = Pick<CallOptions, 'signal'>;

/** A job as GitHub answers it. */
export interface AnsweredJob {
	id: number;
	runId: number;
	/** queued, in_progress, completed, waiting, requested, pending; GitHub may add others. */
	status: string;
	/** As the workflow has them; undefined: there are too many, or they are too long, to tell which runner may have it. */
	labels: readonly string[] | undefined;
	/** All that GitHub said of it. */
	body: unknown;
}

/** One job. 'not-visible' also where there is no such job: GitHub does not tell the two apart. */
export async function jobById(
	read: Read,
	repository: string,
	id: number,
	limits: Limits = {},
): Promise<{ kind: 'job'; job: AnsweredJob } | Unread> {
	const parameters = repositoryParameters(repository);
	if (!parameters || !isId(id)) return { kind: 'not-visible' };
	const what = `get job ${id} of ${repository}`;
	const route = 'GET /repos/{owner}/{repo}/actions/jobs/{job_id}';
	const request = { route, parameters: { ...parameters, job_id: id }, endpoint: 'get-job' } as const;
	const answer = await read(what, request, limits);
	if (answer.kind !== 'read') return answer;
	const job = readJob(answer.body);
	return job?.id === id ? { kind: 'job', job } : unusable(what);
}

/**
 * All jobs of a run's last attempt. The end is found by counting: a part of a list proves nothing.
 *
 * @param etag of a list of one page that is known
 */
export async function jobsOfRun(
	read: Read,
	repository: string,
	runId: number,
	{ etag, ...limits }: Limits & { etag?: string | undefined } = {},
): Promise<{ kind: 'jobs'; jobs: AnsweredJob[]; etag: string | undefined } | Unread> {
	const names = repositoryParameters(repository);
	if (!names || !isId(runId)) return { kind: 'not-visible' };
	const what = `list jobs of ${repository}, run ${runId}`;
	const route = 'GET /repos/{owner}/{repo}/actions/runs/{run_id}/jobs';
	const found = new Map<number, AnsweredJob>();
	for (let page = 1; page <= mostJobPages; page++) {
		const parameters = { ...names, run_id: runId, filter: 'latest', per_page: perPage, page };
		const known = page === 1 ? etag : undefined;
		const answer = await read(what, { route, parameters, endpoint: 'list-jobs', etag: known }, limits);
		if (answer.kind !== 'read') return answer;
		const { total_count: total, jobs } = fieldsOf(answer.body);
		const listed = readAll(jobs, readJob);
		if (!listed || typeof total !== 'number') return unusable(what);
		for (const job of listed) found.set(job.id, job);
		// What is on later pages has no tag of its own here: such a list is read whole each time.
		if (found.size >= total)
			return { kind: 'jobs', jobs: [...found.values()], etag: page === 1 ? answer.etag : undefined };
		if (listed.length === 0) return unusable(what);
	}
	return unusable(what);
}

function readJob(value: unknown): AnsweredJob | undefined {
	const { id, run_id: runId, status, labels } = fieldsOf(value);
	if (!isId(id) || !isId(runId) || typeof status !== 'string') return undefined;
	const read = labelsOfJob(labels);
	return { id, runId, status, labels: read.truncated ? undefined : read.labels, body: value };
}
