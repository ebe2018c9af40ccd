import { setTimeout as sleep } from 'node:timers/promises';
import type { Autoscaled } from '../../../rig/autoscaled.ts';
import { eventually } from '../../../rig/eventually.ts';
import type { WorkflowJob } from '../../../sim/jobs.ts';
import type { TraceJob } from '../trace.ts';

/** The job of a trace that one of GitHub's is: its run, and its name there, tell. */
export const keyOf = ({ runId, name }: Pick<TraceJob, 'runId' | 'name'>): string => `${runId} ${name}`;

/** Queues and cancels the jobs of a trace at their times, and resolves with them when none is left. */
export async function play(
	autoscaled: Autoscaled,
	trace: readonly TraceJob[],
	withinMs: number,
): Promise<WorkflowJob[]> {
	const { set } = autoscaled;
	const fromMs = Date.now();
	const cancelling: Promise<void>[] = [];
	const jobs: WorkflowJob[] = [];
	for (const { createdMs, durationMs, cancelAfterMs, runId, repository, name } of trace) {
		await sleep(Math.max(0, fromMs + createdMs - Date.now()));
		const own = repository.replace('example/', `${set.namespace}/`);
		const job = autoscaled.queue({ repository: own, runId, name, durationMs });
		jobs.push(job);
		if (cancelAfterMs !== undefined)
			cancelling.push(sleep(cancelAfterMs).then(() => cancel(autoscaled, job)));
	}
	await Promise.all(cancelling);
	await eventually('all jobs are over', () => jobs.every(({ status }) => status === 'completed'), {
		withinMs,
	});
	return jobs;
}

/** As a person does: one that waits never starts, and one that runs ends. */
async function cancel({ set }: Autoscaled, job: WorkflowJob): Promise<void> {
	if (job.status === 'queued') set.rig.github.jobs.cancel(job.id);
	else if (job.status === 'in_progress') await set.endJob(job.runnerName ?? '');
}
