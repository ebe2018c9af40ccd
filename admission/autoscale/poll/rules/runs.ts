import { listed } from './due.ts';
import type { Repository, RunJob } from './types.ts';

/** The jobs of a repository's open runs, as ARC's metric TotalNumberOfQueuedAndInProgressWorkflowRuns counts them. */
export interface ListedJobs {
	/** undefined: they were never listed. Those of a run that has just begun may not be among them yet. */
	jobs: readonly Pick<RunJob, 'labels' | 'status'>[] | undefined;
	/** Why they can't be listed now. */
	problem?: string;
}

export function jobsIn(repository: Repository | undefined, nowMs: number): ListedJobs {
	if (!repository) return { jobs: undefined };
	const { lists, runs, hidden } = repository;
	const never = Math.min(lists.queued.readMs, lists.in_progress.readMs) === Number.NEGATIVE_INFINITY;
	const open = [...listed(repository, ['queued', 'in_progress']).keys()];
	const jobs = never ? undefined : open.flatMap((id) => runs.get(id)?.jobs ?? []);
	if (!hidden || nowMs >= hidden.untilMs) return { jobs };
	return { jobs, problem: 'GitHub does not show its runs to this credential, which needs "Actions" read' };
}
