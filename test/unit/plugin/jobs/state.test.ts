/** What the plugin says of workflow jobs: their state, why they wait, in which order. */
import * as assert from 'uvu/assert';
import { byUrgency, isOpen, jobStateOf, waitsFor } from '../../../../plugin/jobs/state.ts';
import { jobHeader, jobRow } from '../../../../plugin/verbs/jobs/columns.ts';
import { suite } from '../../../support/suite.ts';
import { workflowJob } from './workflow-job.ts';

const test = suite('plugin: workflow jobs');
const nowMs = Date.parse('2026-11-23T12:00:00Z');
const set = { kind: 'RunnerSet', namespace: 'ci', name: 'linux' };

for (const [name, job, state, waits] of [
	[
		'queued, with a reason',
		workflowJob(1, { status: { set, reason: 'AtMaximum' } }),
		'queued',
		'set at its maximum',
	],
	[
		'queued, with a message',
		workflowJob(1, { status: { set, reason: 'AtMaximum', message: 'ci/linux is at its maximum of 5' } }),
		'queued',
		'ci/linux is at its maximum of 5',
	],
	['a reason of a newer server', workflowJob(1, { status: { set, reason: 'Novelty' } }), 'queued', 'Novelty'],
	['queued, without a set', workflowJob(1, { status: {} }), 'queued', 'no matching set'],
	['queued, with a set alone', workflowJob(1), 'queued', undefined],
	[
		'never looked at',
		{ ...workflowJob(1), status: undefined as never },
		'queued',
		'no leader has processed it for 5m',
	],
	['for an approval', workflowJob(1, { spec: { state: 'waiting' } }), 'waiting', 'approval'],
	['running', workflowJob(1, { spec: { state: 'in_progress', runnerName: 'r-0' } }), 'running', undefined],
	['running by its hook', workflowJob(1, { status: { set, runner: 'r-0' } }), 'running', undefined],
	[
		'its runner has ended',
		workflowJob(1, { spec: { state: 'in_progress' }, status: { set, endedAt: '2026-11-23T11:59:00Z' } }),
		'ended',
		undefined,
	],
	['completed', workflowJob(1, { spec: { state: 'completed' } }), 'completed', undefined],
] as const) {
	test(`${name}: ${state}${waits === undefined ? '' : `, ${waits}`}`, () => {
		assert.is(jobStateOf(job), state);
		assert.is(waitsFor(job, nowMs), waits);
		assert.is(isOpen(job), state !== 'completed');
	});
}

test('what waits for a runner comes first, the oldest of it first', () => {
	const at = (minute: number) => ({ stateSince: `2026-11-23T11:${minute}:00Z` });
	const jobs = [
		workflowJob(1, { spec: { state: 'in_progress', ...at(10) } }),
		workflowJob(2, { spec: at(50) }),
		workflowJob(3, { spec: at(40) }),
		workflowJob(4, { spec: { state: 'waiting', ...at(20) } }),
	];
	assert.equal(
		jobs.sort(byUrgency).map(({ spec }) => spec.id),
		[3, 2, 4, 1],
	);
});

test('a row under each heading, wide and with namespaces', () => {
	const choice = { namespace: true, wide: true };
	const job = workflowJob(7, {
		spec: { runAttempt: 2, name: 'bu\u001b[2Jild', labels: [] },
		status: { set, reason: 'RunnerStarting' },
	});
	const cells = Object.fromEntries(
		jobHeader(choice).map((title, at) => [title, jobRow(job, choice, nowMs)[at]]),
	);
	assert.equal(cells, {
		NAMESPACE: 'ci',
		JOB: 'bu?[2Jild',
		REPOSITORY: 'octo-org/app',
		STATE: 'queued',
		SINCE: '5m',
		SET: 'linux',
		RUNNER: '<none>',
		WAITS: 'runner starting',
		LABELS: '<none>',
		WORKFLOW: 'CI',
		RUN: '42 attempt 2',
		URL: 'https://github.com/octo-org/app/actions/runs/42/job/7',
	});
	assert.is(jobRow(job, { namespace: false, wide: false }, nowMs).length, 7);
});

test('nothing but what GitHub must say: still a row', () => {
	const { apiVersion, kind, metadata } = workflowJob(9);
	const bare = {
		apiVersion,
		kind,
		metadata,
		spec: { host: 'github.com', id: 9, repository: 'o/r', labels: ['x'], state: 'queued' as const },
	};
	assert.equal(jobRow(bare, { namespace: true, wide: true }, nowMs), [
		'<none>',
		'9',
		'o/r',
		'queued',
		'<unknown>',
		'<none>',
		'<none>',
		'no leader has processed it',
		'x',
		'<none>',
		'<none>',
		'<none>',
	]);
});

test.run();
