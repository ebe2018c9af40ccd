import { perPage } from './client.ts';
import { fieldsOf, isId, readAll, repositoryParameters, unusable } from './fields.ts';
import { mostRunPages } from './policy.ts';
import type { OpenStatus } from './rules/run-status.ts';
import type { CallOptions, Read, Unread } from './types.ts';

export interface ListedRun {
	id: number;
	attempt: number;
	/** As GitHub writes it: only compared with what it was before. */
	updatedAt: string;
}

const route = 'GET /repos/{owner}/{repo}/actions/runs';

/**
 * The runs of a repository that have a status now, the newest first. GitHub shows 1,000 of them at most.
 *
 * @param etag of the first page as it is known: 'not-modified' then stands for the whole list
 * @returns complete: false where there are more than GitHub shows
 */
export async function openRuns(
	read: Read,
	repository: string,
	status: OpenStatus,
	{ etag, ...limits }: Pick<CallOptions, 'signal'> & { etag?: string | undefined } = {},
): Promise<{ kind: 'runs'; runs: ListedRun[]; etag: string | undefined; complete: boolean } | Unread> {
	const names = repositoryParameters(repository);
	if (!names) return { kind: 'not-visible' };
	const what = `list ${status} runs of ${repository}`;
	const found = new Map<number, ListedRun>();
	let first: string | undefined;
	for (let page = 1; page <= mostRunPages; page++) {
		const parameters = { ...names, status, per_page: perPage, page, exclude_pull_requests: 'true' };
		const known = page === 1 ? etag : undefined;
		const answer = await read(what, { route, parameters, endpoint: 'list-runs', etag: known }, limits);
		if (answer.kind !== 'read') return answer;
		const { total_count: total, workflow_runs } = fieldsOf(answer.body);
		const runs = readAll(workflow_runs, readRun);
		if (!runs || typeof total !== 'number') return unusable(what);
		for (const run of runs) found.set(run.id, run);
		if (page === 1) first = answer.etag;
		// The list moves while it is read: the last page is one that is not full.
		if (runs.length < perPage || found.size >= total)
			return { kind: 'runs', runs: [...found.values()], etag: first, complete: found.size >= total };
	}
	return { kind: 'runs', runs: [...found.values()], etag: first, complete: false };
}

function readRun(value: unknown): ListedRun | undefined {
	const { id, run_attempt: attempt = 1, updated_at: updatedAt = '' } = fieldsOf(value);
	if (!isId(id) || !isId(attempt) || typeof updatedAt !== 'string') return undefined;
	return { id, attempt, updatedAt };
}
