import type { WorkflowJob } from '../../../admission/api/autoscale.ts';
import { printable } from '../../../admission/api/printable.ts';
import { jobStateOf, runnerOf, sinceOf, waitsFor } from '../../jobs/state.ts';
import { ageSince } from '../../print/age.ts';

export interface JobColumnChoice {
	namespace: boolean;
	wide: boolean;
}

const none = '<none>';

export function jobHeader(choice: JobColumnChoice): string[] {
	const columns = ['JOB', 'REPOSITORY', 'STATE', 'SINCE', 'SET', 'RUNNER', 'WAITS'];
	if (choice.wide) columns.push('LABELS', 'WORKFLOW', 'RUN', 'URL');
	return choice.namespace ? ['NAMESPACE', ...columns] : columns;
}

/** One job as a row under `jobHeader`. `state` is shown in place of its own: for one that is forgotten. */
export function jobRow(job: WorkflowJob, choice: JobColumnChoice, nowMs: number, state?: string): string[] {
	const { spec, status } = job;
	const cells = [
		spec.name ?? String(spec.id),
		spec.repository,
		state ?? jobStateOf(job),
		ageSince(sinceOf(job), nowMs),
		status?.set?.name ?? none,
		runnerOf(job) ?? none,
		waitsFor(job, nowMs) ?? none,
	];
	if (choice.wide) {
		const attempt = spec.runAttempt !== undefined && spec.runAttempt > 1 ? ` attempt ${spec.runAttempt}` : '';
		cells.push(
			spec.labels.join(',') || none,
			spec.workflow || none,
			spec.runId === undefined ? none : `${spec.runId}${attempt}`,
			spec.url || none,
		);
	}
	return (choice.namespace ? [status?.set?.namespace ?? none, ...cells] : cells).map(printable);
}
