/** What GitHub answers about the runs of a repository, the repositories of an organization, and runner groups. */
import type { Answer } from './answer.ts';
import { numberOf, repositoryBody, secondsOf, userBody } from './job-bodies.ts';
import type { JobStatus, Jobs, WorkflowJob } from './jobs.ts';
import { cut } from './pages.ts';
import type { Registry } from './registry.ts';
import type { Route } from './routes.ts';
import { mayUse, type RunnerGroup, type RunnerGroups } from './runner-groups.ts';
import { type Scope, scopeKey } from './scope.ts';

/** A search of runs by status returns at most this number. */
const mostFound = 1_000;

interface Run {
	repository: string;
	id: number;
	jobs: WorkflowJob[];
	status: JobStatus;
}

export class RunService {
	readonly #jobs: Jobs;
	readonly #registry: Registry;
	readonly #groups: RunnerGroups;
	readonly #baseUrl: () => string;

	constructor(jobs: Jobs, registry: Registry, groups: RunnerGroups, baseUrl: () => string) {
		this.#jobs = jobs;
		this.#registry = registry;
		this.#groups = groups;
		this.#baseUrl = baseUrl;
	}

	answer(route: Route, scope: Scope, query: URLSearchParams): Answer {
		switch (route.endpoint) {
			case 'runs':
				return this.#runs(route, scope, query);
			case 'repositories':
				return this.#repositories(route, scope, query);
			default:
				return this.#runnerGroups(route, scope, query);
		}
	}

	/** The newest first. */
	#runs(route: Route, scope: Scope, query: URLSearchParams): Answer {
		const status = query.get('status');
		const all = this.#runsOf(scopeKey(scope).slice('repos/'.length))
			.filter((run) => status === null || run.status === status || conclusionOf(run) === status)
			.toReversed();
		const found = status === null ? all : all.slice(0, mostFound);
		const { items, headers } = cut(found, query, this.#baseUrl() + route.path);
		const workflow_runs = items.map((run) => this.#presentRun(run));
		return { status: 200, headers, body: { total_count: all.length, workflow_runs } };
	}

	/** In the order in which they were made, each as its last attempt has it. */
	#runsOf(repository: string): Run[] {
		const runs = new Map<number, WorkflowJob[]>();
		for (const job of this.#jobs.list()) {
			if (job.repository.toLowerCase() !== repository) continue;
			const known = runs.get(job.runId) ?? [];
			runs.set(job.runId, [...known.filter(({ runAttempt }) => runAttempt >= job.runAttempt), job]);
		}
		return [...runs].map(([id, jobs]) => {
			return { repository: jobs[0]!.repository, id, jobs, status: statusOf(jobs) };
		});
	}

	#presentRun(run: Run) {
		const [first] = run.jobs as [WorkflowJob];
		const [owner = '', name = ''] = run.repository.split('/');
		const base = this.#baseUrl();
		const api = `${base}/repos/${run.repository}`;
		const url = `${api}/actions/runs/${run.id}`;
		const html = `https://github.com/${run.repository}`;
		const createdAt = secondsOf(first.createdAtMs);
		const changes = run.jobs.flatMap((job) => [
			job.createdAtMs,
			job.startedAtMs ?? 0,
			job.completedAtMs ?? 0,
		]);
		const workflow = numberOf(first.workflow);
		const sha = '009b8a3a9ccbb128af87f9b1c0f4c62e8a304f6d';
		const author = { name: 'octocat', email: 'octocat@github.com' };
		const message = 'Make it work';
		const repository = repositoryBody(owner, name, base);
		return {
			id: run.id,
			name: first.workflow,
			node_id: `WFR_${run.id}`,
			head_branch: 'main',
			head_sha: sha,
			path: '.github/workflows/ci.yaml',
			display_title: message,
			run_number: run.id,
			run_attempt: first.runAttempt,
			event: 'push',
			status: run.status,
			conclusion: conclusionOf(run),
			workflow_id: workflow,
			check_suite_id: run.id,
			check_suite_node_id: `CS_${run.id}`,
			url,
			html_url: `${html}/actions/runs/${run.id}`,
			pull_requests: [],
			created_at: createdAt,
			updated_at: secondsOf(Math.max(...changes)),
			run_started_at: createdAt,
			actor: userBody('octocat', 'User', base),
			triggering_actor: userBody('octocat', 'User', base),
			jobs_url: `${url}/jobs`,
			logs_url: `${url}/logs`,
			check_suite_url: `${api}/check-suites/${run.id}`,
			artifacts_url: `${url}/artifacts`,
			cancel_url: `${url}/cancel`,
			rerun_url: `${url}/rerun`,
			previous_attempt_url: null,
			workflow_url: `${api}/actions/workflows/${workflow}`,
			head_commit: { id: sha, tree_id: sha, message, timestamp: createdAt, author, committer: author },
			repository,
			head_repository: repository,
		};
	}

	/** Sorted by the last push, which here is what created jobs. */
	#repositories(route: Route, scope: Scope, query: URLSearchParams): Answer {
		const owner = scopeKey(scope).slice('orgs/'.length);
		const pushedMs = new Map<string, number>();
		for (const repository of this.#registry.repositoriesOf(owner)) pushedMs.set(repository.toLowerCase(), 0);
		for (const { repository, createdAtMs } of this.#jobs.list())
			if (pushedMs.has(repository.toLowerCase())) pushedMs.set(repository.toLowerCase(), createdAtMs);
		const sorted = [...pushedMs].toSorted(([, one], [, other]) =>
			query.get('sort') === 'pushed' && query.get('direction') !== 'asc' ? other - one : one - other,
		);
		const { items, headers } = cut(sorted, query, this.#baseUrl() + route.path);
		const body = items.map(([fullName, ms]) => {
			const [, name = ''] = fullName.split('/');
			const pushed = ms === 0 ? {} : { pushed_at: secondsOf(ms) };
			return { ...repositoryBody(owner, name, this.#baseUrl()), ...pushed };
		});
		return { status: 200, headers, body };
	}

	#runnerGroups(route: Route, scope: Scope, query: URLSearchParams): Answer {
		const asked = query.get(
			route.kind === 'enterprises' ? 'visible_to_organization' : 'visible_to_repository',
		);
		const all = this.#groups.list(scope).filter((group) => asked === null || mayUse(group, asked));
		const path = this.#baseUrl() + route.path;
		const { items, headers } = cut(all, query, path);
		const runner_groups = items.map((group) => presentGroup(group, path, route.kind === 'enterprises'));
		return { status: 200, headers, body: { total_count: all.length, runner_groups } };
	}
}

function presentGroup(group: RunnerGroup, path: string, ofEnterprise: boolean) {
	return {
		id: group.id,
		name: group.name,
		visibility: group.selected === undefined ? 'all' : 'selected',
		default: group.isDefault,
		runners_url: `${path}/${group.id}/runners`,
		allows_public_repositories: false,
		restricted_to_workflows: false,
		selected_workflows: [],
		workflow_restrictions_read_only: false,
		...(ofEnterprise ? {} : { inherited: group.inherited }),
	};
}

/** A run that has begun is in progress until all its jobs have ended, whatever the others wait for. */
function statusOf(jobs: readonly WorkflowJob[]): JobStatus {
	const has = (status: JobStatus) => jobs.some((job) => job.status === status);
	const open = jobs.filter((job) => job.status !== 'completed');
	if (open.length === 0) return 'completed';
	if (has('in_progress') || open.length < jobs.length) return 'in_progress';
	return has('queued') ? 'queued' : has('waiting') ? 'waiting' : 'pending';
}

function conclusionOf({ status, jobs }: Run): WorkflowJob['conclusion'] {
	if (status !== 'completed') return null;
	const has = (conclusion: WorkflowJob['conclusion']) => jobs.some((job) => job.conclusion === conclusion);
	return has('failure') ? 'failure' : has('cancelled') ? 'cancelled' : 'success';
}
