import * as assert from 'uvu/assert';
import { countOpen } from '../../../admission/autoscale/rules/open-jobs.ts';
import type { Job } from '../../../admission/autoscale/rules/types.ts';
import { suite } from '../../support/suite.ts';
import { job, minute, now } from './given.ts';

const test = suite('open jobs');
const counted = (...jobs: [Partial<Job>, string?][]) =>
	countOpen(jobs.map(([more, set], index) => ({ job: job(index + 1, more), set })));

test('open jobs are counted by state; what has completed is not open', () => {
	const { open, byState } = counted(
		[{ state: 'queued' }, 'a'],
		[{ state: 'queued', boundTo: 'r1' }, 'a'],
		[{ state: 'queued', boundTo: 'r1', endedMs: now }, 'a'],
		[{ state: 'in_progress' }, 'a'],
		[{ state: 'in_progress', endedMs: now }, 'a'],
		[{ state: 'waiting' }, 'a'],
		[{ state: 'completed' }, 'a'],
	);
	assert.is(open, 6);
	assert.equal(Object.fromEntries(byState), { queued: 1, running: 2, ended: 2, waiting: 1 });
});

test('only jobs that wait for a runner are without a set, or the oldest that waits', () => {
	const at = (agoMs: number, more: Partial<Job> = {}) => ({ openedMs: now - agoMs, ...more });
	const { unmatched, oldestMs } = counted(
		[at(minute), 'a'],
		[at(3 * minute), 'a'],
		[at(2 * minute), 'b'],
		[at(9 * minute)],
		[at(9 * minute, { state: 'in_progress' })],
		[at(9 * minute, { state: 'in_progress' }), 'a'],
	);
	assert.equal([unmatched, oldestMs], [1, now - 3 * minute]);
	assert.equal([counted().oldestMs, counted([at(minute)]).oldestMs], [undefined, undefined]);
});

test.run();
