/**
 * Where a runner's container finds its hooks. ARC's image runs what is in the two drop-in folders, whatever its variables
 * say; other images run what the variables name, which must end in `.sh`. The folder with the token is mounted whole, so
 * that the kubelet can renew what is in it; the scripts are mounted one by one, and never change after the start.
 */
export const hookFolder = '/etc/runners-admission';

/** Files in that folder. */
export const hookFiles = { script: 'job-hook.sh', ca: 'ca.crt', token: 'token' } as const;

/** What job hooks report, with the path of the script for each, and the runner's variable for it. */
export const hooks = [
	{
		what: 'started',
		path: '/etc/arc/hooks/job-started.d/runners-admission.sh',
		variable: 'ACTIONS_RUNNER_HOOK_JOB_STARTED',
	},
	{
		what: 'completed',
		path: '/etc/arc/hooks/job-completed.d/runners-admission.sh',
		variable: 'ACTIONS_RUNNER_HOOK_JOB_COMPLETED',
	},
] as const;

export type What = (typeof hooks)[number]['what'];

/** What the runner passes to its hooks about a job, and the hooks report to the server. */
export const hookVariables = [
	'RUNNER_TRACKING_ID',
	'GITHUB_REPOSITORY',
	'GITHUB_WORKFLOW',
	'GITHUB_JOB',
	'GITHUB_RUN_ID',
	'GITHUB_RUN_ATTEMPT',
	'GITHUB_SERVER_URL',
] as const;

/** Audience of the hooks' tokens: they are worth nothing at the API server, and other tokens nothing here. */
export const hookAudience = 'runners-admission';

/** Name of the volume in the pod. */
export const hookVolume = 'runners-admission-job-hooks';
