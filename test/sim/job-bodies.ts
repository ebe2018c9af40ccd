/** Jobs as GitHub's REST API and its `workflow_job` events show them. */
import type { JobAction, WorkflowJob } from './jobs.ts';

export const secondsOf = (ms: number) => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

/** The ids of an organization and of a repository, the same for the same name. */
export function numberOf(name: string): number {
	let number = 7;
	for (const char of name.toLowerCase()) number = (number * 31 + char.charCodeAt(0)) % 900_000_000;
	return 100_000_000 + number;
}

export function presentJob(job: WorkflowJob, baseUrl: string) {
	const { id, repository, runId, runAttempt, status, conclusion } = job;
	const api = `${baseUrl}/repos/${repository}`;
	const startedAt = job.startedAtMs ?? job.createdAtMs;
	const step = { name: 'Set up job', number: 1, started_at: secondsOf(startedAt) };
	return {
		id,
		run_id: runId,
		workflow_name: job.workflow,
		head_branch: 'main',
		run_url: `${api}/actions/runs/${runId}`,
		run_attempt: runAttempt,
		node_id: `CR_${id}`,
		head_sha: '009b8a3a9ccbb128af87f9b1c0f4c62e8a304f6d',
		url: `${api}/actions/jobs/${id}`,
		html_url: htmlUrlOf(job),
		status,
		conclusion,
		created_at: secondsOf(job.createdAtMs),
		started_at: secondsOf(startedAt),
		completed_at: job.completedAtMs === null ? null : secondsOf(job.completedAtMs),
		name: job.name,
		steps:
			job.startedAtMs === null
				? []
				: [{ ...step, status: 'in_progress', conclusion: null, completed_at: null }],
		check_run_url: `${api}/check-runs/${id}`,
		labels: [...job.labels],
		runner_id: job.runnerId,
		runner_name: job.runnerName,
		runner_group_id: job.runnerName === null ? null : 1,
		runner_group_name: job.runnerName === null ? null : 'Default',
	};
}

export function htmlUrlOf(job: { repository: string; runId: number; id: number }): string {
	return `https://github.com/${job.repository}/actions/runs/${job.runId}/job/${job.id}`;
}

/** The body of an event about a job: with the job as it is now. */
export function eventBody(job: WorkflowJob, action: JobAction, baseUrl: string) {
	const [owner = '', name = ''] = job.repository.split('/');
	return {
		action,
		workflow_job: presentJob(job, baseUrl),
		repository: repositoryBody(owner, name, baseUrl),
		organization: organizationBody(owner, baseUrl),
		...(job.enterprise === null ? {} : { enterprise: enterpriseBody(job.enterprise) }),
		sender: userBody('octocat', 'User', baseUrl),
	};
}

function organizationBody(login: string, baseUrl: string) {
	const url = `${baseUrl}/orgs/${login}`;
	return {
		login,
		id: numberOf(login),
		node_id: `O_${numberOf(login)}`,
		url,
		...under(url, ['repos', 'events', 'hooks', 'issues']),
		members_url: `${url}/members{/member}`,
		public_members_url: `${url}/public_members{/member}`,
		avatar_url: `https://avatars.githubusercontent.com/u/${numberOf(login)}?v=4`,
		description: '',
	};
}

function enterpriseBody(slug: string) {
	return {
		id: numberOf(slug),
		node_id: `E_${numberOf(slug)}`,
		slug,
		name: slug,
		description: null,
		avatar_url: `https://avatars.githubusercontent.com/b/${numberOf(slug)}?v=4`,
		html_url: `https://github.com/enterprises/${slug}`,
		website_url: null,
		created_at: '2020-01-01T00:00:00Z',
		updated_at: '2026-01-01T00:00:00Z',
	};
}

export function userBody(login: string, type: 'User' | 'Organization', baseUrl: string) {
	const url = `${baseUrl}/users/${login}`;
	return {
		login,
		id: numberOf(login),
		node_id: `U_${numberOf(login)}`,
		avatar_url: `https://avatars.githubusercontent.com/u/${numberOf(login)}?v=4`,
		gravatar_id: '',
		url,
		html_url: `https://github.com/${login}`,
		...under(url, ['followers', 'subscriptions', 'repos', 'received_events']),
		organizations_url: `${url}/orgs`,
		following_url: `${url}/following{/other_user}`,
		gists_url: `${url}/gists{/gist_id}`,
		starred_url: `${url}/starred{/owner}{/repo}`,
		events_url: `${url}/events{/privacy}`,
		type,
		site_admin: false,
	};
}

const repositoryPages =
	'archive assignees blobs branches collaborators comments commits compare contents contributors deployments downloads events forks git_commits git_refs git_tags hooks issue_comment issue_events issues keys labels languages merges milestones notifications pulls releases stargazers statuses subscribers subscription tags teams trees';

export function repositoryBody(owner: string, name: string, baseUrl: string) {
	const fullName = `${owner}/${name}`;
	const url = `${baseUrl}/repos/${fullName}`;
	const html = `https://github.com/${fullName}`;
	return {
		id: numberOf(fullName),
		node_id: `R_${numberOf(fullName)}`,
		name,
		full_name: fullName,
		private: true,
		owner: userBody(owner, 'Organization', baseUrl),
		html_url: html,
		description: null,
		fork: false,
		url,
		...under(url, repositoryPages.split(' ')),
		created_at: '2020-01-01T00:00:00Z',
		updated_at: '2026-01-01T00:00:00Z',
		pushed_at: '2026-01-01T00:00:00Z',
		git_url: `git://github.com/${fullName}.git`,
		ssh_url: `git@github.com:${fullName}.git`,
		clone_url: `${html}.git`,
		svn_url: html,
		homepage: null,
		size: 1,
		language: null,
		has_issues: true,
		has_projects: false,
		has_downloads: true,
		has_wiki: false,
		has_pages: false,
		mirror_url: null,
		archived: false,
		disabled: false,
		license: null,
		default_branch: 'main',
		...Object.fromEntries(
			['stargazers_count', 'watchers_count', 'watchers', 'forks_count', 'forks'].map((key) => [key, 0]),
		),
		open_issues_count: 0,
		open_issues: 0,
	};
}

function under(url: string, pages: readonly string[]): Record<string, string> {
	return Object.fromEntries(pages.map((page) => [`${page}_url`, `${url}/${page}`]));
}
