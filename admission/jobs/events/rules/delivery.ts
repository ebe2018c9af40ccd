import { hostOf } from '../../../runner/scope.ts';
import { idOf, objectOf, shown, textOf, timeOf } from '../../rules/fields.ts';
import type { JobReport } from '../../rules/job-signals.ts';

/** What a `workflow_job` event says of a runner: GitHub has given it a job, or the job has completed. */
export interface JobEvent {
	kind: 'job';
	report: JobReport;
	/** As GitHub has it: in its own case. */
	runnerName: string;
	owner: string;
	/** The repository's name, without its owner. */
	repository: string;
	/** The enterprise that the repository belongs to; undefined where the event does not say. */
	enterprise: string | undefined;
	/** Host of the GitHub that sent it, as hostOf gives it. */
	host: string;
	/** When the job started or completed, by GitHub's clock, ms since the epoch; undefined where the event does not say. */
	atMs: number | undefined;
}

/** A delivery that is not about any runner pod, and why. */
export interface NotForUs {
	kind: 'none';
	why: 'other-event' | 'other-action' | 'no-runner';
}

/**
 * Reads what a verified delivery says of a runner; records/rules/facts.ts reads what it says of the job.
 *
 * @param event the header X-GitHub-Event
 * @param payload the body's JSON
 * @returns undefined for a `workflow_job` event that cannot be read
 */
export function readDelivery(event: string, payload: unknown): JobEvent | NotForUs | undefined {
	if (event !== 'workflow_job') return { kind: 'none', why: 'other-event' };
	const { action, workflow_job, repository, enterprise } = objectOf(payload);
	const job = objectOf(workflow_job);
	const id = idOf(job.id);
	const fullName = textOf(objectOf(repository).full_name);
	const [owner, name, ...rest] = fullName?.split('/') ?? [];
	if (typeof action !== 'string' || id === undefined || !owner || !name || rest.length > 0) return undefined;

	const says = action === 'in_progress' ? 'started' : action === 'completed' ? 'completed' : undefined;
	if (!says) return { kind: 'none', why: 'other-action' }; // queued, waiting: no runner has it yet
	const runnerName = textOf(job.runner_name);
	if (!runnerName) return { kind: 'none', why: 'no-runner' };
	const url = textOf(job.html_url);
	const host = hostOf(textOf(objectOf(repository).html_url) ?? '') ?? hostOf(url ?? '');
	if (host === undefined) return undefined;
	return {
		kind: 'job',
		report: {
			by: 'event',
			says,
			key: String(id),
			job: {
				name: shown(job.name) ?? `job ${id}`,
				repository: fullName,
				workflow: shown(job.workflow_name),
				runId: idOf(job.run_id),
				attempt: idOf(job.run_attempt),
				runnerId: idOf(job.runner_id),
				url,
			},
		},
		runnerName,
		owner,
		repository: name,
		enterprise: textOf(objectOf(enterprise).slug),
		host,
		atMs: timeOf(says === 'started' ? job.started_at : job.completed_at),
	};
}
