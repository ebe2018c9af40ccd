import { type OpenStatus, openStatuses } from '../../../github/rules/run-status.ts';
import {
	afterEventMs,
	changedAgainMs,
	metricEveryMs,
	roundMs,
	roundsBetween,
	runEveryMs,
	settlesMs,
	siblingsAfterMs,
} from './policy.ts';
import { type Due, type KnownRun, type ListedRun, moreUrgent, type Repository, urgency } from './types.ts';

/** In these a job may wait for one of our runners, or run. */
const worked: readonly OpenStatus[] = ['queued', 'in_progress'];

/** What is to be asked about a repository first; undefined: nothing now. @param hasWebhook a webhook delivers its events */
export function nextOf(repository: Repository, hasWebhook: boolean, nowMs: number): Due | undefined {
	if (repository.hidden && nowMs < repository.hidden.untilMs) return undefined;
	let next: Due | undefined;
	for (const due of [...listsOf(repository, hasWebhook, nowMs), ...runsOf(repository, hasWebhook)])
		next = moreUrgent(next, due, nowMs);
	return next;
}

/** Whether everything that was wanted of a repository has been read, as far as GitHub shows it. */
export function isReadSince(repository: Repository, atMs: number, nowMs: number): boolean {
	if (repository.hidden && nowMs < repository.hidden.untilMs) return true;
	if (worked.some((status) => repository.lists[status].readMs < atMs)) return false;
	const runs = [...listed(repository, worked).keys()].map((id) => repository.runs.get(id));
	return runs.every((run) => !run || run.readMs >= atMs);
}

function listsOf(repository: Repository, hasWebhook: boolean, nowMs: number): Due[] {
	const { wanted, lists, key } = repository;
	return openStatuses.map((status): Due => {
		const query = { kind: 'list', repository: key, status } as const;
		const { readMs } = lists[status];
		if (wanted && worked.includes(status) && readMs < wanted.atMs)
			return { query, urgency: wanted.urgency, dueMs: wanted.atMs };
		return { query, urgency: urgency.round, dueMs: roundAt(repository, status, hasWebhook, nowMs) };
	});
}

/** When the runs of a status are listed next. */
export function roundAt(
	repository: Repository,
	status: OpenStatus,
	hasWebhook: boolean,
	nowMs: number,
): number {
	const { activeMs, firstMs, metric, eventMs, lists } = repository;
	const { part, least, most } = roundMs[hasWebhook ? 'withWebhook' : 'withoutWebhook'];
	const roundEveryMs = Math.min(most, Math.max(least, (nowMs - activeMs) * part));
	const counted = metric && worked.includes(status);
	const everyMs = counted ? Math.min(metricEveryMs, roundEveryMs) : roundEveryMs * roundsBetween[status];
	const { readMs } = lists[status];
	if (readMs === Number.NEGATIVE_INFINITY) return hasWebhook && !counted ? firstMs + everyMs : firstMs;
	const dueMs = readMs + everyMs;
	if (counted || !hasWebhook || eventMs === undefined) return dueMs;
	return Math.min(Math.max(dueMs, eventMs + afterEventMs), readMs + 2 * everyMs);
}

function runsOf(repository: Repository, hasWebhook: boolean): (Due | undefined)[] {
	const open = listed(repository, openStatuses);
	const gone = [...repository.ours].filter(([id]) => !open.has(id));
	return [
		...[...open].map(([id, run]) => listedRun(repository, id, run, hasWebhook)),
		...gone.map(([id, sinceMs]) => ownRun(repository, id, sinceMs)),
	];
}

function listedRun(
	repository: Repository,
	runId: number,
	run: ListedRun,
	hasWebhook: boolean,
): Due | undefined {
	const known = repository.runs.get(runId);
	if (!known) return undefined; // there are too many
	const { wanted, key } = repository;
	const query = { kind: 'run', repository: key, runId } as const;
	if (wanted && known.readMs < wanted.atMs) return { query, urgency: wanted.urgency, dueMs: wanted.atMs };
	const mode = hasWebhook && !repository.metric ? 'withWebhook' : 'withoutWebhook';
	const everyMs = runEveryMs[mode][hasOurs(known) ? 'ours' : 'others'];
	const changed = run.attempt !== known.attempt || run.updatedAt !== known.updatedAt;
	const againMs = changed ? Math.min(changedAgainMs[mode], everyMs) : everyMs;
	const never = known.readMs === Number.NEGATIVE_INFINITY;
	return {
		query,
		urgency: never ? urgency.run : urgency.round,
		dueMs: never ? known.seenMs + (hasWebhook && !repository.metric ? settlesMs : 0) : known.readMs + againMs,
	};
}

/**
 * A run with jobs that are open by our records. An event of one of its jobs may be lost while others have come, so it is
 * read once. Later it is when GitHub lists it nowhere: its jobs have ended, or moved between lists.
 */
function ownRun(repository: Repository, runId: number, sinceMs: number): Due | undefined {
	const listedMs = Math.min(...worked.map((status) => repository.lists[status].readMs));
	const readMs = repository.runs.get(runId)?.readMs ?? Number.NEGATIVE_INFINITY;
	const query = { kind: 'run', repository: repository.key, runId } as const;
	if (readMs === Number.NEGATIVE_INFINITY)
		return { query, urgency: urgency.run, dueMs: sinceMs + siblingsAfterMs };
	if (listedMs < sinceMs + settlesMs || readMs >= listedMs) return undefined;
	return { query, urgency: urgency.run, dueMs: listedMs };
}

/** Runs by their id, as the lists of these statuses have them. */
export function listed(
	{ lists }: Pick<Repository, 'lists'>,
	statuses: readonly OpenStatus[],
): Map<number, ListedRun> {
	return new Map(statuses.flatMap((status) => lists[status].runs.map((run) => [run.id, run])));
}

export const hasOurs = ({ jobs }: KnownRun): boolean =>
	jobs.some(({ ours, status }) => ours && status !== 'completed');
