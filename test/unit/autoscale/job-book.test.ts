import * as assert from 'uvu/assert';
import type { WorkflowJob, WorkflowJobSpec, WorkflowJobStatus } from '../../../admission/api/autoscale.ts';
import { type BookChange, JobBook } from '../../../admission/autoscale/job-book.ts';
import type { Job } from '../../../admission/autoscale/rules/types.ts';
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

/** A book and what it publishes. */
function followed() {
	const book = new JobBook(() => Date.parse('2027-01-01T00:00:00Z'));
	const changes: BookChange[] = [];
	book.changes.subscribe((change) => changes.push(change));
	/** What was published since this was last asked. */
	const published = () =>
		changes.splice(0).map((change) => {
			switch (change.kind) {
				case 'job-recorded':
					return `recorded ${change.before?.state ?? 'new'} to ${change.entry.job.state}`;
				case 'status-changed':
					return `status of ${change.job}`;
				case 'requeue':
					return `requeue ${change.set}`;
				default:
					return change.kind;
			}
		});
	return { book, published };
}

test('what an earlier leader has found out is taken from the status once; from then on what is learned here counts', () => {
	const { book, published } = followed();
	const status = {
		set: { kind: 'RunnerSet', namespace: 'ci', name: 'linux' },
		runner: 'r1',
		endedAt: '2026-11-27T12:05:00Z',
		checked: 'unknown',
	};
	const entry = book.recordChanged(record({}, status));
	assert.equal([entry.set, entry.job.boundTo, entry.checked], [set, 'r1', 'unknown']);
	assert.is(entry.job.endedMs, Date.parse('2026-11-27T12:05:00Z'));
	assert.equal(published(), ['recorded new to queued', `requeue ${set}`]);
	book.learn('j1', { boundTo: undefined, endedMs: undefined });
	assert.equal(published(), ['status of j1']);
	book.learn('j1', { boundTo: undefined });
	const { job } = book.recordChanged(record({}, status));
	assert.equal([job.boundTo, job.endedMs], [undefined, undefined]);
	assert.equal(published(), [], 'that is known');
});

test('what GitHub says later counts more than what our job signals said before', () => {
	const { book, published } = followed();
	book.recordChanged(record({ state: 'in_progress', runnerName: 'r1' }));
	const ended = { boundTo: 'r1', endedMs: 5, unassignedMs: 3 };
	for (const moved of [{ state: 'in_progress', runnerName: 'r2' }, { state: 'completed' }] as const) {
		book.learn('j1', ended);
		published();
		const { job } = book.recordChanged(record(moved));
		assert.equal([job.boundTo, job.endedMs, job.unassignedMs], [undefined, undefined, undefined]);
		assert.equal(published(), [`recorded in_progress to ${moved.state}`]);
	}
	book.learn('j1', ended);
	published();
	assert.is(book.recordChanged(record({ state: 'completed' })).job.endedMs, 5);
	assert.equal(published(), []);
});

test('since when a job is unassigned is remembered, and its status does not show it', () => {
	const { book, published } = followed();
	book.recordChanged(record());
	published();
	book.learn('j1', { unassignedMs: 3 });
	assert.equal([book.get('j1')?.job.unassignedMs, published()], [3, []]);
	book.learn('j1', { checked: 'unknown' });
	assert.equal([book.get('j1')?.checked, published()], ['unknown', ['status of j1']]);
});

test('jobs are found by their set, which may change: both sets are to be reconciled', () => {
	const { book, published } = followed();
	book.recordChanged(record());
	assert.equal([book.of(undefined).length, book.countOf(set)], [1, 0]);
	book.explain('j1', { reason: 'NoMatchingSet', message: 'none' });
	published();
	book.assign('j1', set);
	assert.equal([book.of(undefined).length, book.countOf(set), book.of(set)[0]?.job.key], [0, 1, 'j1']);
	assert.is(book.get('j1')?.why, undefined);
	assert.equal(published(), ['status of j1', `requeue ${set}`]);
	book.assign('j1', set);
	assert.equal(published(), [], 'it counts there already');
	book.assign('j1', 'RunnerSet ci/gpu');
	assert.equal(published(), ['status of j1', `requeue ${set}`, 'requeue RunnerSet ci/gpu']);
	book.recordDeleted('j1');
	assert.equal([book.countOf('RunnerSet ci/gpu'), book.size], [0, 0]);
});

test('GitHub answers that a job is queued: it waits, unless more was learned after the question', () => {
	const { book, published } = followed();
	const sinceMs = Date.parse('2026-11-27T12:00:00Z');
	const answer = (askedMs: number) => {
		book.learn('j1', { boundTo: 'r1', endedMs: sinceMs + 10, confirmedMs: undefined, checkedMs: undefined });
		published();
		book.answered('j1', 'queued', askedMs, sinceMs + 99);
		const { job, checked } = book.get('j1') ?? {};
		return [checked, job?.checkedMs, job?.confirmedMs, job?.boundTo, job?.endedMs];
	};
	book.recordChanged(record());
	book.assign('j1', set);
	const late = ['queued', sinceMs + 99, undefined, 'r1', sinceMs + 10];
	assert.equal(answer(sinceMs - 1), late, 'it was asked before the job was queued');
	assert.equal(answer(sinceMs + 10), late, 'it was asked before its runner had ended');
	const askedMs = sinceMs + 11;
	assert.equal(answer(askedMs), ['queued', sinceMs + 99, askedMs, undefined, undefined]);
	assert.equal(published(), ['status of j1', `requeue ${set}`]);
	book.answered('j1', 'in_progress', sinceMs + 20, sinceMs + 100);
	assert.equal([book.get('j1')?.checked, book.get('j1')?.job.confirmedMs], ['in_progress', askedMs]);
	published();
	book.answered('j9', 'queued', 0, 0);
	assert.equal(published(), [], 'there is no such job');
});

test('GitHub answers after our clock was set back: times that lie ahead are no newer than the question', () => {
	const { book } = followed();
	const sinceMs = Date.parse('2026-11-27T12:00:00Z');
	book.recordChanged(record());
	book.assign('j1', set);
	book.learn('j1', { boundTo: 'r1', endedMs: sinceMs + 10 });
	const nowMs = sinceMs - 60_000;
	book.answered('j1', 'queued', nowMs - 1, nowMs);
	const { confirmedMs, endedMs } = book.get('j1')?.job ?? {};
	assert.equal([confirmedMs, endedMs], [nowMs - 1, undefined]);
});

test('why a job waits is kept until it counts for another set', () => {
	const { book, published } = followed();
	book.recordChanged(record());
	published();
	book.explain('j1', { reason: 'NoMatchingSet', message: 'none' });
	assert.is(book.get('j1')?.why?.reason, 'NoMatchingSet');
	book.explain('j9', undefined);
	assert.equal(published(), ['status of j1']);
	book.assign('j1', set);
	assert.is(book.get('j1')?.why, undefined);
});

test('a subscriber that routes a job as soon as it is recorded: its set is to be reconciled', () => {
	const { book, published } = followed();
	book.changes.subscribe((change) => {
		if (change.kind === 'job-recorded') book.assign(change.entry.job.key, set);
	});
	book.recordChanged(record());
	const routed = ['status of j1', `requeue ${set}`];
	assert.equal(published(), ['recorded new to queued', ...routed, `requeue ${set}`]);
});

test('a record with more labels than are read, made before that was bounded: they are not certain', () => {
	const { book } = followed();
	const labels = Array.from({ length: 100 }, (_, index) => `l${index}`);
	const found = ({ job }: { job: Job }) => [job.labels.length, job.labelsTruncated];
	assert.equal(found(book.recordChanged(record({ labels }))), [50, true]);
	assert.equal(found(book.recordChanged(record({ labelsTruncated: true }))), [1, true]);
	assert.equal(found(book.recordChanged(record())), [1, false]);
});

test.run();
