/** A job as a simulated runner is given it. */
import { randomUUID } from 'node:crypto';
import type { GitHub } from './github.ts';
import { htmlUrlOf } from './job-bodies.ts';
import type { Scope } from './scope.ts';

export interface JobOptions {
	/** undefined: until ended. */
	durationMs?: number;
	/** GitHub's broker gives it the job although its registration is gone: it was on its way. Default false. */
	unregistered?: boolean;
	/** Default: the runner's repository, or one named `app` of its organization. */
	repository?: string;
	workflow?: string;
	key?: string;
	/** Default the key. */
	displayName?: string;
	workflowRunId?: number;
	runAttempt?: number;
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

/** Makes GitHub have a job, for a runner that is registered there with these labels. */
export function newJob(
	github: GitHub,
	{ scope, labels }: { scope: Scope | undefined; labels: readonly string[] },
	options: JobOptions,
): Job {
	const count = nextJob++;
	const { key = 'build', workflow = 'CI', runAttempt = 1, workflowRunId = 8_000_000 + count } = options;
	const { displayName = key, repository = repositoryOf(scope) } = options;
	const made = github.jobs.add({
		repository,
		runId: workflowRunId,
		runAttempt,
		workflow,
		name: displayName,
		labels: labels.length > 0 ? labels : ['self-hosted'],
	});
	return {
		id: `job-${count}`,
		number: made.id,
		displayName,
		key,
		workflow,
		repository,
		workflowRunId,
		runAttempt,
		htmlUrl: htmlUrlOf(made),
		trackingId: `github_${randomUUID()}`,
		startedAtMs: Date.now(),
	};
}

/** Where a job of this scope's runners may come from. */
function repositoryOf(scope: Scope | undefined): string {
	const [kind, owner = 'octo-org', name = 'app'] = scope?.split('/') ?? [];
	return kind === 'enterprises' ? 'octo-org/app' : `${owner}/${name}`;
}
