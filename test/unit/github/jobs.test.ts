/** What has become of a runner's jobs, as GitHub lists them. */
import * as assert from 'uvu/assert';
import { Connection } from '../../../admission/github/connection.ts';
import { type JobsQuestion, RunJobs } from '../../../admission/github/jobs.ts';
import { mostJobPages, notVisible } from '../../../admission/github/policy.ts';
import type { CallReport, Read, ReadOutcome } from '../../../admission/github/types.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { suite } from '../../support/suite.ts';
import { FakeGitHub, type Reply } from './fake-github.ts';

interface Context {
	github: FakeGitHub;
	connection: Connection;
	reports: CallReport[];
	clock: { nowMs: number };
}

const test = suite<Context>('jobs of a runner');

const question: JobsQuestion = { repository: 'octo-org/app', runId: 42, attempt: 2, runnerName: 'r1' };

test.before.each(async (context) => {
	const clock = { nowMs: 1_800_000_000_000 };
	const reports: CallReport[] = [];
	context.github = await FakeGitHub.start();
	context.clock = clock;
	context.reports = reports;
	context.connection = new Connection(
		{ kind: 'token', token: 'ghp_very_secret' },
		{
			apiUrl: context.github.url,
			clock: { ...systemClock, now: () => clock.nowMs },
			onCall: (call) => reports.push(call),
		},
	);
});
test.after.each(({ github, connection }) => {
	connection.close();
	return github.stop();
});

type Job = [status: string, runner: string | null];

/** GitHub has these jobs in the run. */
const lists = (github: FakeGitHub, jobs: readonly Job[], totalCount = jobs.length) => {
	github.script = ({ query }) => {
		const [page, perPage] = [Number(query.get('page')), Number(query.get('per_page'))];
		const all = jobs.map(([status, runner_name], index) => ({ id: index + 1, status, runner_name }));
		return { body: { total_count: totalCount, jobs: all.slice((page - 1) * perPage, page * perPage) } };
	};
};

const done: Job = ['completed', 'r1'];
const cases: [string, readonly Job[], string][] = [
	['its job has completed', [done], 'all completed'],
	['... and others go on elsewhere', [['in_progress', 'r2'], done, ['queued', null]], 'all completed'],
	['its job goes on', [['in_progress', 'r1']], 'not all'],
	['of several one goes on', [done, ['in_progress', 'r1'], done], 'not all'],
	['several have completed', [done, done, done], 'all completed'],
	['its job is in a state of a later version', [['finalizing', 'r1']], 'not all'],
	['GitHub writes its name in another case', [['completed', 'R1']], 'all completed'],
	[
		'no job has its name',
		[
			['completed', 'r2'],
			['queued', null],
		],
		'unknown',
	],
	['a name that only begins like its own', [['completed', 'r11']], 'unknown'],
	['no jobs', [], 'unknown'],
	['one goes on, and GitHub does not say where', [done, ['in_progress', null]], 'unknown'],
];
for (const [what, jobs, expected] of cases)
	test(`${what}: ${expected}`, async ({ github, connection }) => {
		lists(github, jobs);
		assert.is(await connection.jobsOf(question), expected);
	});

test('it is one GET of the attempt, with 100 jobs a page, and nothing that is counted against a scope', async ({
	github,
	connection,
	reports,
}) => {
	lists(github, [done]);
	await connection.jobsOf(question);
	const [call, ...more] = github.calls;
	assert.is(more.length, 0);
	assert.is(call?.path, '/repos/octo-org/app/actions/runs/42/attempts/2/jobs');
	assert.equal([call?.query.get('per_page'), call?.query.get('page')], ['100', '1']);
	assert.equal(
		reports.map(({ endpoint, status }) => [endpoint, status]),
		[['list-jobs', 200]],
	);
});

test('all pages are read, and the last one counts', async ({ github, connection }) => {
	const many = Array.from({ length: 230 }, (): Job => ['completed', 'r2']);
	lists(github, [...many, done]);
	assert.is(await connection.jobsOf(question), 'all completed');
	lists(github, [done, ...many, ['in_progress', 'r1']]);
	assert.is(await connection.jobsOf(question), 'not all');
	assert.is(github.calls.length, 6);
});

test('more pages than are read, or a list that does not add up: unknown', async ({ github, connection }) => {
	lists(github, [done], 100 * mostJobPages + 1);
	assert.is(await connection.jobsOf(question), 'unknown');
	assert.is(github.calls.length, 2, 'the second page is empty');
	const full = Array.from({ length: 100 * mostJobPages }, () => done);
	lists(github, full, full.length + 1);
	assert.is(await connection.jobsOf(question), 'unknown');
	assert.is(github.calls.length, 2 + mostJobPages);
	lists(github, [done, done], 1);
	assert.is(await connection.jobsOf(question), 'unknown');
	// A page that shows a job of the page before in place of one of its own.
	github.script = () => ({
		body: { total_count: 2, jobs: [{ id: 1, status: 'completed', runner_name: 'r1' }] },
	});
	assert.is(await connection.jobsOf(question), 'unknown');
});

test('an answer of which a part cannot be read: unknown', async ({ github, connection }) => {
	const job = { id: 1, status: 'completed', runner_name: 'r1' };
	for (const body of [
		null,
		'<html>',
		[],
		{},
		{ total_count: 1 },
		{ jobs: [job] },
		{ total_count: '1', jobs: [job] },
		{ total_count: 1, jobs: job },
		{ total_count: 2, jobs: [job, null] },
		{ total_count: 2, jobs: [job, { id: 2, status: null, runner_name: 'r1' }] },
		{ total_count: 2, jobs: [job, { id: 2, status: 'completed', runner_name: 7 }] },
		{ total_count: 2, jobs: [job, { id: '2', status: 'completed', runner_name: 'r1' }] },
	]) {
		github.script = () => ({ body });
		assert.is(await connection.jobsOf(question), 'unknown', JSON.stringify(body));
	}
});

test('403 and 404: unknown, not asked again for 10 minutes, which says nothing of the rights to administer runners', async ({
	github,
	connection,
	clock,
}) => {
	for (const [status, repository] of [
		[403, 'octo-org/secret'],
		[404, 'octo-org/gone'],
	] as const) {
		const before = github.calls.length;
		github.script = () => ({ status, body: { message: 'Resource not accessible by personal access token' } });
		const asked = { ...question, repository };
		assert.is(await connection.jobsOf(asked), 'unknown');
		assert.is(await connection.jobsOf({ ...asked, repository: repository.toUpperCase() }), 'unknown');
		clock.nowMs += notVisible.againMs - 1;
		assert.is(await connection.jobsOf(asked), 'unknown');
		assert.is(github.calls.length, before + 1);
		const { healthy, forbidden } = connection.state();
		assert.equal([healthy, forbidden], [true, {}]);
		assert.is(connection.failure({ kind: 'organization', name: 'octo-org' }), undefined);
		assert.not(connection.refused());

		lists(github, [done]);
		assert.is(await connection.jobsOf(question), 'all completed', 'another repository');
		clock.nowMs += 1;
		assert.is(await connection.jobsOf(asked), 'all completed');
	}
});

test('failure: unknown, and the whole account waits as after any other call', async ({
	github,
	connection,
}) => {
	const replies: Reply[] = [
		{ status: 500, body: {} },
		{ status: 401, body: { message: 'Bad credentials' } },
		{ status: 403, headers: { 'x-ratelimit-remaining': '0' }, body: { message: 'API rate limit exceeded' } },
		{ reset: true },
	];
	for (const reply of replies) {
		const own = new Connection(
			{ kind: 'token', token: 'ghp_very_secret' },
			{ apiUrl: github.url, clock: systemClock },
		);
		github.script = () => reply;
		assert.is(await own.jobsOf(question), 'unknown');
		assert.not(own.state().healthy);
		const asked = github.calls.length;
		assert.is(await own.jobsOf(question), 'unknown');
		assert.is(github.calls.length, asked, 'not asked while calls fail');
		own.close();
	}
	assert.ok(connection.state().healthy);
});

test('a caller that gives up, and one that comes after the end', async ({ github, connection }) => {
	github.script = () => ({ delayMs: 5_000, body: {} });
	assert.is(await connection.jobsOf(question, { signal: AbortSignal.timeout(20) }), 'unknown');
	connection.close();
	assert.is(await connection.jobsOf(question), 'unknown');
});

test('names and numbers that a job may have made up are never asked about', async ({
	github,
	connection,
}) => {
	for (const repository of [
		'',
		'app',
		'a/b/c',
		'../app',
		'octo-org/..',
		'octo-org/a%2fb',
		'a b/c',
		'ä/b',
		'/',
	])
		assert.is(await connection.jobsOf({ ...question, repository }), 'unknown', repository);
	for (const bad of [0, -1, 1.5, Number.NaN, Number.MAX_VALUE]) {
		assert.is(await connection.jobsOf({ ...question, runId: bad }), 'unknown');
		assert.is(await connection.jobsOf({ ...question, attempt: bad }), 'unknown');
	}
	assert.is(github.calls.length, 0);
});

test('look-ups in many repositories are not counted as scopes that are asked about for the first time', async ({
	github,
	connection,
}) => {
	lists(github, [done]);
	for (let index = 0; index < 60; index++)
		await connection.jobsOf({ ...question, repository: `octo-org/app-${index}` });
	assert.is(github.calls.length, 60);
});

test('a job without a runner may come without that field', async ({ github, connection }) => {
	const jobs = [
		{ id: 1, status: 'completed', runner_name: 'r1' },
		{ id: 2, status: 'queued' },
	];
	github.script = () => ({ body: { total_count: 2, jobs } });
	assert.is(await connection.jobsOf(question), 'all completed');
});

test('only what GitHub does not show is not asked about again: after a failure it is', async () => {
	const answers: ReadOutcome[] = [
		{ kind: 'github-unavailable', detail: '502' },
		{
			kind: 'read',
			body: { total_count: 1, jobs: [{ id: 1, status: 'completed', runner_name: 'r1' }] },
			link: '',
		},
	];
	const jobs = new RunJobs({ read: async () => answers.shift()!, now: () => 0 });
	assert.is(await jobs.of(question), 'unknown');
	assert.is(await jobs.of(question), 'all completed');
});

test('of the repositories that GitHub does not show, a thousand are remembered', async () => {
	const asked: string[] = [];
	const read: Read = async (_what, { parameters }) => {
		asked.push(String(parameters.repo));
		return { kind: 'not-visible' };
	};
	const jobs = new RunJobs({ read, now: () => 0 });
	const ask = (index: number) => jobs.of({ ...question, repository: `octo-org/app-${index}` });
	for (let index = 0; index <= notVisible.most; index++) await ask(index);
	assert.is(asked.length, notVisible.most + 1);
	await ask(1);
	await ask(notVisible.most);
	assert.is(asked.length, notVisible.most + 1, 'these are remembered');
	await ask(0);
	assert.is(asked.at(-1), 'app-0', 'the oldest was forgotten');
});

test.run();
