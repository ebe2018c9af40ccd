/** What is read of jobs, runs, repositories and runner groups: against the simulated GitHub, and of answers that are none. */
import * as assert from 'uvu/assert';
import { Connection } from '../../../admission/github/connection.ts';
import { repositoriesOf, visibleGroups } from '../../../admission/github/organizations.ts';
import { mostRunPages } from '../../../admission/github/policy.ts';
import type { CallReport, Read, ReadOutcome } from '../../../admission/github/types.ts';
import { jobById, jobsOfRun } from '../../../admission/github/workflow-jobs.ts';
import { openRuns } from '../../../admission/github/workflow-runs.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { type GitHub, type NewWorkflowJob, startGitHub } from '../../sim/simulator.ts';
import { suite } from '../../support/suite.ts';

interface World {
	github: GitHub;
	connection: Connection;
	read: Read;
	reports: CallReport[];
}

const test = suite<World>('what GitHub answers about jobs');
const app = 'octo-org/app';

test.before.each(async (world) => {
	world.github = await startGitHub({ scopes: ['repos/octo-org/app', 'orgs/octo-org'] });
	world.reports = [];
	world.connection = new Connection(
		{ kind: 'token', token: 'test-token' },
		{ apiUrl: world.github.url, clock: systemClock, onCall: (call) => world.reports.push(call) },
	);
	world.read = world.connection.read;
});
test.after.each(({ github, connection }) => {
	connection.close();
	return github.stop();
});

function add(github: GitHub, runId: number, more: Partial<NewWorkflowJob> = {}) {
	const job = { repository: app, runId, runAttempt: 1, workflow: 'CI', name: 'build', labels: ['gpu'] };
	return github.jobs.add({ ...job, ...more });
}

/** The answer, which must be of this kind. */
function must<Kind extends string, Outcome extends { kind: string }>(kind: Kind, outcome: Outcome) {
	assert.is(outcome.kind, kind, JSON.stringify(outcome));
	return outcome as Extract<Outcome, { kind: Kind }>;
}

test('a job by its id', async ({ github, read, reports }) => {
	const { id } = add(github, 42);
	const { job } = must('job', await jobById(read, app, id));
	assert.equal([job.id, job.runId, job.status, job.labels], [id, 42, 'queued', ['gpu']]);
	assert.is((job.body as { name: string }).name, 'build');
	assert.is((await jobById(read, app, 4)).kind, 'not-visible');
	assert.is((await jobById(read, 'octo-org/web', id)).kind, 'not-visible');
	assert.equal(reports.map(({ endpoint, status }) => [endpoint, status])[0], ['get-job', 200]);
});

test('the runs of a status, and nothing new costs nothing', async ({ github, read }) => {
	const { id } = add(github, 1);
	add(github, 2, { runAttempt: 3 });
	const first = must('runs', await openRuns(read, app, 'queued'));
	assert.equal(
		first.runs.map(({ id, attempt }) => [id, attempt]),
		[
			[2, 3],
			[1, 1],
		],
	);
	assert.ok(first.complete);
	const remaining = github.count({ status: 200 });
	assert.is((await openRuns(read, app, 'queued', { etag: first.etag })).kind, 'not-modified');
	assert.is(github.count({ status: 200 }), remaining);
	github.jobs.start(id, { id: 7, name: 'r' });
	const queued = must('runs', await openRuns(read, app, 'queued', { etag: first.etag }));
	assert.equal(
		queued.runs.map(({ id }) => id),
		[2],
	);
	assert.equal(
		must('runs', await openRuns(read, app, 'in_progress')).runs.map(({ id }) => id),
		[1],
	);
	assert.equal(must('runs', await openRuns(read, app, 'waiting')).runs, []);
});

test('all pages of runs are read, up to those that GitHub shows', async ({ github, read }) => {
	for (let run = 1; run <= 250; run++) add(github, run);
	const some = must('runs', await openRuns(read, app, 'queued'));
	assert.equal([some.runs.length, some.complete, github.count({ endpoint: 'runs' })], [250, true, 3]);
	for (let run = 251; run <= 1_010; run++) add(github, run);
	const all = must('runs', await openRuns(read, app, 'queued'));
	assert.equal([all.runs.length, all.complete], [1_000, false]);
	assert.is(github.count({ endpoint: 'runs' }), 3 + mostRunPages);
});

test('the jobs of a run, to the end, of its last attempt', async ({ github, read }) => {
	add(github, 1, { name: 'old' });
	for (let count = 0; count < 130; count++) add(github, 1, { runAttempt: 2, name: `build (${count})` });
	const { jobs, etag } = must('jobs', await jobsOfRun(read, app, 1));
	assert.equal([jobs.length, etag], [130, undefined]);
	add(github, 2);
	const one = must('jobs', await jobsOfRun(read, app, 2));
	assert.is((await jobsOfRun(read, app, 2, { etag: one.etag })).kind, 'not-modified');
	assert.is((await jobsOfRun(read, app, 3)).kind, 'not-visible');
});

test('the repositories of an organization since a time, the latest first', async ({ github, read }) => {
	github.addScope('repos/octo-org/quiet');
	github.jobs.queue({ repository: 'octo-org/web' });
	const recent = must('repositories', await repositoriesOf(read, 'octo-org', Date.now() - 60_000));
	assert.equal(recent.names, ['octo-org/web']);
	const all = must('repositories', await repositoriesOf(read, 'octo-org', 0));
	assert.equal(all.names.toSorted(), ['octo-org/app', 'octo-org/quiet', 'octo-org/web']);
	assert.is((await repositoriesOf(read, 'elsewhere', 0)).kind, 'not-visible');
});

test('the runner groups that a repository may use', async ({ github, read }) => {
	github.addRunnerGroup('orgs/octo-org', { name: 'few', selected: ['app'] });
	github.addRunnerGroup('orgs/octo-org', { name: 'all', inherited: true });
	const names = async (repository: string) =>
		must('groups', await visibleGroups(read, repository)).groups.map(({ name }) => name);
	assert.equal(await names(app), ['Default', 'few', 'all']);
	assert.equal(await names('octo-org/web'), ['Default', 'all']);
});

test('a name that could lead elsewhere in the API is never sent', async ({ read, github }) => {
	for (const name of [
		'octo-org',
		'../orgs/octo-org',
		'octo-org/..',
		'octo-org/app/x',
		'octo-org/a%2Fb',
		'/',
	]) {
		assert.is((await jobById(read, name, 1)).kind, 'not-visible', name);
		assert.is((await openRuns(read, name, 'queued')).kind, 'not-visible', name);
		assert.is((await jobsOfRun(read, name, 1)).kind, 'not-visible', name);
		assert.is((await visibleGroups(read, name)).kind, 'not-visible', name);
	}
	for (const name of ['octo-org/app', '..', 'a b', '']) {
		assert.is((await repositoriesOf(read, name, 0)).kind, 'not-visible', name);
	}
	assert.is((await jobById(read, app, -1)).kind, 'not-visible');
	assert.is((await jobsOfRun(read, app, 1.5)).kind, 'not-visible');
	assert.is(github.count(), 0);
});

const junk: unknown[] = [undefined, null, 'a page of a proxy', [], {}, { total_count: 1 }, { jobs: 7 }];
for (const body of junk)
	test(`no answer of GitHub's: ${JSON.stringify(body)}`, async () => {
		const read: Read = async () => ({ kind: 'read', body, link: '' });
		assert.is((await jobById(read, app, 1)).kind, 'github-unavailable');
		assert.is((await openRuns(read, app, 'queued')).kind, 'github-unavailable');
		assert.is((await jobsOfRun(read, app, 1)).kind, 'github-unavailable');
		assert.is((await visibleGroups(read, app)).kind, 'github-unavailable');
		if (!Array.isArray(body))
			assert.is((await repositoriesOf(read, 'octo-org', 0)).kind, 'github-unavailable');
	});

test('one item that cannot be read makes a list worthless; so does one that ends before its count', async () => {
	const of =
		(body: unknown): Read =>
		async () => ({ kind: 'read', body, link: '' });
	const job = { id: 1, run_id: 1, status: 'queued', labels: [] };
	const jobs = (...items: unknown[]) => of({ total_count: items.length, jobs: items });
	assert.is((await jobsOfRun(jobs(job, { ...job, id: 2 }), app, 1)).kind, 'jobs');
	for (const bad of [{ ...job, id: '2' }, { ...job, run_id: 0 }, { ...job, status: null }, 'x'])
		assert.is((await jobsOfRun(jobs(job, bad), app, 1)).kind, 'github-unavailable');
	assert.is((await jobsOfRun(of({ total_count: 3, jobs: [] }), app, 1)).kind, 'github-unavailable');
	assert.is((await jobById(of(job), app, 2)).kind, 'github-unavailable', 'another job');
	const odd = must('job', await jobById(of({ ...job, labels: [null, 7, 'a'] }), app, 1));
	assert.equal(odd.job.labels, ['a']);
});

test('a list that never ends is read in a bounded number of pages', async () => {
	let calls = 0;
	const endless =
		(fields: (id: number) => object): Read =>
		async () => {
			const items = Array.from({ length: 100 }, (_, index) => fields(++calls * 1_000 + index));
			return {
				kind: 'read',
				body: { total_count: 1e9, jobs: items, workflow_runs: items, runner_groups: items },
				link: '',
			};
		};
	await jobsOfRun(
		endless((id) => ({ id, run_id: 1, status: 'queued' })),
		app,
		1,
	);
	await openRuns(
		endless((id) => ({ id })),
		app,
		'queued',
	);
	await visibleGroups(
		endless((id) => ({ id, name: 'g' })),
		app,
	);
	assert.ok(calls <= 100 * 30, String(calls));
});

const failures: ReadOutcome[] = [
	{ kind: 'not-visible' },
	{ kind: 'rate-limited', detail: 'until later', retryAtMs: 5 },
];
for (const failure of failures)
	test(`${failure.kind} is passed on as it is`, async () => {
		const read: Read = async () => failure;
		assert.equal(await jobById(read, app, 1), failure);
		assert.equal(await openRuns(read, app, 'queued'), failure);
		assert.equal(await jobsOfRun(read, app, 1), failure);
		assert.equal(await visibleGroups(read, app), failure);
		assert.equal(await repositoriesOf(read, 'octo-org', 0), failure);
	});

test.run();
