import * as assert from 'uvu/assert';
import type { WorkflowJob, WorkflowJobSpec, WorkflowJobStatus } from '../../../admission/api/autoscale.ts';
import { JobBook } from '../../../admission/autoscale/job-book.ts';
import { suite } from '../../support/suite.ts';

const test = suite('job book');

const set = 'RunnerSet ci/linux';
const record = (spec: Partial<WorkflowJobSpec> = {}, status?: WorkflowJobStatus): WorkflowJob => ({
	metadata: { name: 'j1', namespace: 'runners-system' },
	spec: {
		host: 'github.com',
		id: 1,
		repository: 'octo/app',
		labels: ['self-hosted'],
		state: 'queued',
		stateSince: '2026-11-27T12:00:00Z',
		...spec,
	},
	...(status ? { status } : {}),
});

test('what an earlier leader has found out is taken from the status once; from then on what is learnt here counts', () => {
	const book = new JobBook();
	const status = {
		set: { kind: 'RunnerSet', namespace: 'ci', name: 'linux' },
		runner: 'r1',
		endedAt: '2026-11-27T12:05:00Z',
		checked: 'unknown',
	};
	const { entry, fresh } = book.note(record({}, status));
	assert.equal([fresh, entry.set, entry.job.boundTo, entry.checked], [true, set, 'r1', 'unknown']);
	assert.is(entry.job.endedMs, Date.parse('2026-11-27T12:05:00Z'));
	assert.ok(book.learn('j1', { boundTo: undefined, endedMs: undefined }));
	assert.not(book.learn('j1', { boundTo: undefined }), 'that is known');
	const again = book.note(record({}, status));
	assert.equal(
		[again.fresh, again.entry.job.boundTo, again.entry.job.endedMs],
		[false, undefined, undefined],
	);
});

test('what GitHub says later counts more than what our job signals said before', () => {
	const book = new JobBook();
	book.note(record({ state: 'in_progress', runnerName: 'r1' }));
	const ended = { boundTo: 'r1', endedMs: 5, unassignedMs: 3 };
	for (const moved of [{ state: 'in_progress', runnerName: 'r2' }, { state: 'completed' }] as const) {
		book.learn('j1', ended);
		const { entry, fresh } = book.note(record(moved));
		assert.is(fresh, true);
		assert.equal(
			[entry.job.boundTo, entry.job.endedMs, entry.job.unassignedMs],
			[undefined, undefined, undefined],
		);
	}
	book.learn('j1', ended);
	const same = book.note(record({ state: 'completed' }));
	assert.equal([same.fresh, same.entry.job.endedMs], [false, 5]);
});

test('jobs are found by their set, which may change', () => {
	const book = new JobBook();
	book.note(record());
	assert.equal([book.of(undefined).length, book.countOf(set)], [1, 0]);
	book.assign('j1', set);
	assert.equal([book.of(undefined).length, book.countOf(set), book.of(set)[0]?.job.key], [0, 1, 'j1']);
	book.remove('j1');
	assert.equal([book.countOf(set), book.size], [0, 0]);
});

test.run();
