/** A job of a simulated runner. */
import { randomUUID } from 'node:crypto';
import type { GitHub } from './github.ts';
import { htmlUrlOf } from './job-bodies.ts';
import type { WorkflowJob } from './jobs.ts';
import { repositoryOf, type Scope } from './scope.ts';

export interface JobOptions {
	/** undefined: until ended. */
	durationMs?: number;
	/** GitHub's broker assigns the job although the registration is gone: it was already on its way. Default false. */
	unregistered?: boolean;
	/** Default: the runner's repository, or one named `app` of its organization. */
	repository?: string;
	workflow?: string;
	key?: string;
	/** Default the key. */
	displayName?: string;
	workflowRunId?: number;
	runAttempt?: number;
	/** An existing job at GitHub, in place of a new one. */
	made?: WorkflowJob;
}

export interface Job {
	id: string;
	/** GitHub's, in its REST API and its events. */
	number: number;
	displayName: string;
	/** Its name in the workflow's file, which the jobs of a matrix share. */
	key: string;
	workflow: string;
	/** OWNER/NAME */
	repository: string;
	workflowRunId: number;
	runAttempt: number;
	htmlUrl: string;
	/** RUNNER_TRACKING_ID, new for each job. */
	trackingId: string;
	startedAtMs: number;
}

let nextJob = 1;

/** A job for a runner with these labels: one that waits at GitHub, or else a new one. */
export function newJob(
	github: GitHub,
	{ scope, labels }: { scope: Scope | undefined; labels: readonly string[] },
	options: JobOptions,
): Job {
	const count = nextJob++;
	const { key = options.made?.name.replace(/ \(.*\)$/, '') ?? 'build', displayName = key } = options;
	const made =
		options.made ??
		github.jobs.add({
			repository: options.repository ?? repositoryOf(scope),
			runId: options.workflowRunId ?? 8_000_000 + count,
			runAttempt: options.runAttempt ?? 1,
			workflow: options.workflow ?? 'CI',
			name: displayName,
			labels: labels.length > 0 ? labels : ['self-hosted'],
		});
	return {
		id: `job-${count}`,
		number: made.id,
		displayName: made.name,
		key,
		workflow: made.workflow,
		repository: made.repository,
		workflowRunId: made.runId,
		runAttempt: made.runAttempt,
		htmlUrl: htmlUrlOf(made),
		trackingId: `github_${randomUUID()}`,
		startedAtMs: Date.now(),
	};
}
