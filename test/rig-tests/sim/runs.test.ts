/** The runs of a repository, the repositories of an organization, and runner groups, as the simulated GitHub lists them. */
import * as assert from 'uvu/assert';
import { type GitHub, type NewWorkflowJob, startGitHub } from '../../sim/simulator.ts';
import { suite } from '../../support/suite.ts';
import { ask, linkOf, type Reply } from './caller.ts';
import { conforms } from './description.ts';

const runsPath = '/repos/{owner}/{repo}/actions/runs';
const app = '/repos/octo-org/app/actions/runs';

const test = suite<{ github: GitHub; nowMs: number }>('runs of the simulated GitHub');
test.before.each(async (world) => {
	world.nowMs = Date.parse('2026-01-01T00:00:00Z');
	world.github = await startGitHub({ now: () => world.nowMs++ });
});
test.after.each(({ github }) => github.stop());

function add(github: GitHub, runId: number, more: Partial<NewWorkflowJob> = {}) {
	const job = { repository: 'octo-org/app', runId, runAttempt: 1, workflow: 'CI', name: 'build' };
	return github.jobs.add({ ...job, ...more });
}

interface Runs {
	total_count: number;
	workflow_runs: { id: number; status: string; conclusion: string | null; run_attempt: number }[];
}

async function runs(github: GitHub, query = ''): Promise<Runs> {
	const reply = await ask(github, app + query);
	conforms(runsPath, 'get', reply);
	return reply.body as unknown as Runs;
}

const ids = ({ workflow_runs }: Runs) => workflow_runs.map(({ id }) => id);

test('a run has the status that its jobs give it, and each status is asked for alone', async ({ github }) => {
	add(github, 1);
	add(github, 2, { status: 'waiting' });
	add(github, 3, { status: 'pending' });
	const [done, open] = [add(github, 4), add(github, 4)];
	github.jobs.start(done.id, { id: 7, name: 'r' });
	github.jobs.complete(done.id, 'success');
	const failed = add(github, 5);
	github.jobs.start(failed.id, { id: 8, name: 'r' });
	github.jobs.complete(failed.id, 'failure');
	add(github, 6, { repository: 'octo-org/web' });
	const all = await runs(github, '?exclude_pull_requests=true');
	assert.equal(
		all.workflow_runs.map(({ id, status, conclusion }) => [id, status, conclusion]),
		[
			[5, 'completed', 'failure'],
			[4, 'in_progress', null],
			[3, 'pending', null],
			[2, 'waiting', null],
			[1, 'queued', null],
		],
	);
	for (const [status, id] of [
		['queued', 1],
		['waiting', 2],
		['pending', 3],
		['in_progress', 4],
		['failure', 5],
	] as const)
		assert.equal(ids(await runs(github, `?status=${status}`)), [id], status);
	github.jobs.cancel(open.id);
	assert.equal(ids(await runs(github, '?status=in_progress')), []);
});

test('a run counts as its last attempt has it', async ({ github }) => {
	github.jobs.cancel(add(github, 1).id);
	add(github, 1, { runAttempt: 2 });
	const { workflow_runs } = await runs(github, '?status=queued');
	assert.equal(
		workflow_runs.map(({ id, run_attempt }) => [id, run_attempt]),
		[[1, 2]],
	);
});

test('a search by status ends after 1,000 runs, whatever its count says', async ({ github }) => {
	for (let id = 1; id <= 1_010; id++) add(github, id);
	const last = await ask(github, `${app}?status=queued&per_page=100&page=10`);
	const body = last.body as unknown as Runs;
	assert.equal([body.total_count, body.workflow_runs.length, linkOf(last, 'next')], [1_010, 100, undefined]);
	assert.equal(ids(await runs(github, '?status=queued&per_page=100&page=11')), []);
	assert.equal(ids(await runs(github, '?per_page=100&page=11')).length, 10);
});

test('an unchanged list is 304 and costs nothing', async ({ github }) => {
	const job = add(github, 1);
	const path = `${app}?status=queued&per_page=100`;
	const first = await ask(github, path);
	const again = (reply: Reply) =>
		ask(github, path, { headers: { 'if-none-match': reply.headers.get('etag')! } });
	const second = await again(first);
	assert.equal([second.status, second.body], [304, '']);
	assert.is(second.headers.get('x-ratelimit-remaining'), first.headers.get('x-ratelimit-remaining'));
	github.jobs.cancel(job.id);
	assert.is((await again(first)).status, 200);
});

test('the repositories of an organization, the last pushed first', async ({ github }) => {
	for (const name of ['octo-org/web', 'octo-org/app', 'other/app', 'octo-org/api'])
		github.addScope(`repos/${name as `${string}/${string}`}`);
	github.jobs.queue({ repository: 'octo-org/api' });
	github.jobs.queue({ repository: 'octo-org/web' });
	const names = ({ body }: Reply) => (body as unknown as { name: string }[]).map(({ name }) => name);
	const first = await ask(github, '/orgs/octo-org/repos?sort=pushed&per_page=2');
	conforms('/orgs/{org}/repos', 'get', first);
	assert.equal(names(first), ['web', 'api']);
	assert.equal(names(await ask(github, linkOf(first, 'next')!)), ['app']);
	github.tokens.add('narrow', ['orgs/other']);
	assert.is((await ask(github, '/orgs/octo-org/repos', { token: 'narrow' })).status, 403);
});

test('runner groups, and which of them a repository may use', async ({ github }) => {
	const path = '/orgs/octo-org/actions/runner-groups';
	github.addRunnerGroup('orgs/octo-org', { name: 'few', selected: ['app'] });
	github.addRunnerGroup('orgs/octo-org', { name: 'all', inherited: true });
	const names = async (query: string) => {
		const reply = await ask(github, path + query);
		conforms('/orgs/{org}/actions/runner-groups', 'get', reply);
		return (reply.body as unknown as { runner_groups: { name: string }[] }).runner_groups.map(
			({ name }) => name,
		);
	};
	assert.equal(await names(''), ['Default', 'few', 'all']);
	assert.equal(await names('?visible_to_repository=app'), ['Default', 'few', 'all']);
	assert.equal(await names('?visible_to_repository=web'), ['Default', 'all']);
	github.addRunnerGroup('enterprises/octo', { name: 'org', selected: ['octo-org'] });
	const reply = await ask(
		github,
		'/enterprises/octo/actions/runner-groups?visible_to_organization=elsewhere',
	);
	conforms('/enterprises/{enterprise}/actions/runner-groups', 'get', reply);
	assert.is(reply.body.total_count, 1);
	const id = github.addRunner({ scope: 'orgs/octo-org', name: 'r', group: 'few' });
	const runner = await ask(github, `/orgs/octo-org/actions/runners/${id}`);
	assert.is((runner.body as unknown as { runner_group_id: number }).runner_group_id, 2);
});

test.run();
