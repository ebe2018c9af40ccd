import type { JobState, WorkflowJobSpec } from '../../../api/autoscale.ts';
import { labelsOfJob } from '../../../api/job-labels.ts';
import { hostOf, scopeFromPath } from '../../../runner/scope.ts';
import { idOf, objectOf, shown, textOf, timeOf } from '../../rules/fields.ts';
import { longestHost, longestName, longestUrl } from './policy.ts';

/** What GitHub has said of a job at one time. Every text is bounded and printable. */
export type JobFacts = Omit<WorkflowJobSpec, 'stateSince' | 'openedAt'>;

/** Where a job comes from, which GitHub's answers do not say. */
interface JobOrigin {
	host: string;
	/** OWNER/NAME */
	repository: string;
	enterprise?: string | undefined;
}

/** The state of a job by an event's action. */
const ofAction: Partial<Record<string, JobState>> = {
	waiting: 'waiting',
	queued: 'queued',
	in_progress: 'in_progress',
	completed: 'completed',
};

/** The state of a job by the status in an answer. No runner can take a job that is pending (by its concurrency group) or requested. */
const ofStatus: Partial<Record<string, JobState>> = {
	...ofAction,
	pending: 'waiting',
	requested: 'waiting',
};

/** Whether an event of this action reports the state of a job. */
export const reportsState = (action: unknown): boolean =>
	typeof action === 'string' && Object.hasOwn(ofAction, action);

/**
 * What a verified `workflow_job` event says of its job.
 *
 * @param sentMs when it was sent, see delivered.ts
 * @returns undefined where it can't be read, or has an action that reports no state
 */
export function factsOfEvent(payload: unknown, sentMs: number): JobFacts | undefined {
	const { action, workflow_job, repository, enterprise } = objectOf(payload);
	if (!reportsState(action)) return undefined;
	const { full_name, html_url } = objectOf(repository);
	const host = hostOf(textOf(html_url) ?? '') ?? hostOf(textOf(objectOf(workflow_job).html_url) ?? '');
	if (host === undefined) return undefined;
	const origin = {
		host,
		repository: textOf(full_name) ?? '',
		enterprise: textOf(objectOf(enterprise).slug),
	};
	return facts(objectOf(workflow_job), origin, ofAction[action as string], sentMs);
}

/**
 * What GitHub answers when it is asked for a job, or for the jobs of a run.
 *
 * @param askedMs when the question was sent: what an event says that was sent later is newer
 * @returns undefined where it can't be read
 */
export function factsOfAnswer(job: unknown, origin: JobOrigin, askedMs: number): JobFacts | undefined {
	const fields = objectOf(job);
	const status = textOf(fields.status) ?? '';
	return facts(fields, origin, Object.hasOwn(ofStatus, status) ? ofStatus[status] : undefined, askedMs);
}

function facts(
	job: Record<string, unknown>,
	{ host, repository, enterprise }: JobOrigin,
	state: JobState | undefined,
	saidMs: number,
): JobFacts | undefined {
	const id = idOf(job.id);
	const scope = scopeFromPath(repository);
	if (id === undefined || state === undefined || host.length > longestHost) return undefined;
	if (scope?.kind !== 'repository') return undefined;
	// Before a job has a runner GitHub says that it started when it was made.
	const started = state === 'in_progress' || state === 'completed';
	const completed = state === 'completed';
	const { labels, truncated } = labelsOfJob(job.labels);
	return given({
		host,
		id,
		repository,
		enterprise: shown(enterprise, longestName),
		runId: idOf(job.run_id),
		runAttempt: idOf(job.run_attempt),
		workflow: shown(job.workflow_name),
		name: shown(job.name),
		url: addressOf(job.html_url),
		labels,
		labelsTruncated: truncated || undefined,
		state,
		createdAt: isoOf(timeOf(job.created_at)),
		startedAt: started ? isoOf(timeOf(job.started_at)) : undefined,
		completedAt: completed ? isoOf(timeOf(job.completed_at)) : undefined,
		conclusion: completed ? shown(job.conclusion) : undefined,
		runnerName: started ? shown(job.runner_name, longestName) : undefined,
		runnerGroup: started ? shown(job.runner_group_name, longestName) : undefined,
		deliveredAt: isoOf(saidMs),
	});
}

/** For people who follow it, and never anything that is no web address. */
function addressOf(value: unknown): string | undefined {
	const url = shown(value, longestUrl);
	return url !== undefined && url === value && hostOf(url) !== undefined ? url : undefined;
}

const isoOf = (ms: number | undefined): string | undefined =>
	ms === undefined ? undefined : new Date(ms).toISOString();

/** Without what is undefined. */
const given = <T extends object>(fields: T): T =>
	Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
