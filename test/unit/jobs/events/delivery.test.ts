/** What a delivery of GitHub's says of a runner, if anything. */
import * as assert from 'uvu/assert';
import { type JobEvent, readDelivery } from '../../../../admission/jobs/events/rules/delivery.ts';
import { suite } from '../../../support/suite.ts';
import { payload } from './payload.ts';

const test = suite('deliveries');

const read = (change?: Parameters<typeof payload>[0]) => readDelivery('workflow_job', payload(change));
const job = (change?: Parameters<typeof payload>[0]) => {
	const event = read(change);
	assert.is(event?.kind, 'job');
	return event as JobEvent;
};

test('in_progress: the runner has started this job', () => {
	assert.equal(job(), {
		kind: 'job',
		report: {
			by: 'event',
			says: 'started',
			key: '7',
			job: {
				name: 'build (20)',
				repository: 'octo-org/app',
				workflow: 'CI',
				runId: 42,
				attempt: 2,
				runnerId: 1,
				url: 'https://github.com/octo-org/app/actions/runs/42/job/7',
			},
		},
		runnerName: 'r1',
		owner: 'octo-org',
		repository: 'app',
		enterprise: undefined,
		host: 'github.com',
		atMs: Date.parse('2026-11-23T12:00:50Z'),
	});
});

test('completed: whatever its conclusion', () => {
	for (const conclusion of ['success', 'failure', 'cancelled', 'skipped', 'timed_out', 'neutral', null, 3]) {
		const event = job({ action: 'completed', job: { conclusion, completed_at: '2026-11-23T12:05:00Z' } });
		assert.is(event.report.says, 'completed');
		assert.is(event.atMs, Date.parse('2026-11-23T12:05:00Z'));
	}
});

test('an enterprise, and an Enterprise Server with a port', () => {
	const html_url = 'https://ghes.example:8443/octo-org/app';
	const event = job({
		rest: { enterprise: { slug: 'octo-corp' } },
		repository: { full_name: 'octo-org/app', html_url },
	});
	assert.is(event.enterprise, 'octo-corp');
	assert.is(event.host, 'ghes.example:8443');
});

test('what is null or missing is left out, and takes nothing else with it', () => {
	for (const value of [null, undefined, '', {}, [], -1, 1.5]) {
		const { report, enterprise, atMs, host } = job({
			job: {
				name: value,
				workflow_name: value,
				run_id: value,
				run_attempt: value,
				html_url: value,
				started_at: value,
			},
			rest: { enterprise: value },
		});
		assert.is(report.job.name, 'job 7');
		assert.is(report.job.repository, 'octo-org/app');
		for (const field of ['workflow', 'runId', 'attempt', 'url'] as const)
			assert.is(report.job[field], undefined, `${field} of ${String(value)}`);
		assert.is(enterprise, undefined);
		assert.is(atMs, undefined);
		assert.is(host, 'github.com');
	}
});

test('names that people chose: on one line, and of a length that an annotation takes', () => {
	const { report } = job({ job: { name: `a\u001b[2J\n${'b'.repeat(100_000)}`, workflow_name: '\u0000' } });
	assert.is(report.job.name, `a?[2J ${'b'.repeat(114)}`);
	assert.is(report.job.workflow, '?');
	assert.is(job({ job: { name: '\n' } }).report.job.name, 'job 7');
});

test('no runner has the job: it is not for us, whatever else the event says', () => {
	for (const action of ['in_progress', 'completed'])
		for (const runner_name of [null, undefined, '', 0, {}])
			assert.equal(read({ action, job: { runner_name } }), { kind: 'none', why: 'no-runner' });
});

test('queued, waiting, and what GitHub may add one day', () => {
	for (const action of ['queued', 'waiting', 'paused'])
		assert.equal(read({ action }), { kind: 'none', why: 'other-action' });
});

test('other events, whatever their bodies are', () => {
	for (const event of ['push', 'check_run', 'workflow_run', '', 'Workflow_Job'])
		for (const body of [payload(), null, 'text', []])
			assert.equal(readDelivery(event, body), { kind: 'none', why: 'other-event' });
});

test('the body is not a workflow_job event that can be read', () => {
	const broken: unknown[] = [null, undefined, 'text', 7, true, [], {}, { action: 'in_progress' }];
	for (const id of [null, undefined, 0, -7, 1.5, '7', Number.MAX_SAFE_INTEGER + 1, {}])
		broken.push(payload({ job: { id } }));
	for (const full_name of [null, '', 'app', '/app', 'octo-org/', 'a/b/c', 7])
		broken.push(payload({ repository: { full_name, html_url: 'https://github.com/octo-org/app' } }));
	for (const repository of ['octo-org/app', 7, []]) broken.push(payload({ repository }));
	for (const html_url of [null, '', 'github.com/octo-org/app', 'ftp://github.com/a', 'javascript:1'])
		broken.push(payload({ job: { html_url }, repository: { full_name: 'octo-org/app', html_url } }));
	for (const action of [7, {}, true]) broken.push(payload({ action }));
	for (const body of broken) assert.is(readDelivery('workflow_job', body), undefined, JSON.stringify(body));
});

test.run();
