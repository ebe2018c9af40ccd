import * as assert from 'uvu/assert';
import type { Job, Runner } from '../../../admission/autoscale/rules/types.ts';
import { suite } from '../../support/suite.ts';
import { asked, hour, job, minute, now, runner, runsOn, second } from './given.ts';

const test = suite('asking');

/** Whether GitHub is asked about the job, or in how many ms it will be. */
function when(more: Partial<Job>, runners: readonly Runner[] = []): string {
	const { ask, requeueAfterMs } = asked([job(1, more)], runners);
	return ask.length > 0 ? ask.join() : `in ${requeueAfterMs}`;
}
const opened = (ms: number, more: Partial<Job> = {}): Partial<Job> => ({
	openedMs: now - ms,
	stateMs: now - ms,
	createdMs: now - ms,
	...more,
});

test('a job that waits for longer than `duration`, and then ever more seldom', () => {
	assert.is(when(opened(10 * minute - 1)), 'in 1');
	assert.is(when(opened(10 * minute)), 'j1');
	const checked = (ms: number, checkedAgoMs: number, more = {}) =>
		when(opened(ms, { checkedMs: now - checkedAgoMs, ...more }));
	assert.is(checked(19 * minute, 9 * minute), `in ${minute}`);
	assert.is(checked(20 * minute, 10 * minute), 'j1');
	assert.is(
		checked(60 * minute, 20 * minute),
		`in ${20 * minute}`,
		'after 40 minutes it was queued: 40 more',
	);
	assert.is(checked(10 * hour, hour), 'j1', 'once an hour at least');
	assert.is(when(opened(30 * minute, { confirmedMs: now - 5 * minute })), `in ${20 * minute}`);
	const approved = { openedMs: now - hour, stateMs: now - minute };
	assert.is(when(approved), `in ${9 * minute}`, 'since it can be run');
});

test('an old event at once, and then every `duration`', () => {
	const old = { openedMs: now - 15 * minute, stateMs: now - 15 * minute, createdMs: now - hour };
	assert.is(when(old), 'j1');
	assert.is(when({ ...old, checkedMs: now - minute }), `in ${9 * minute}`);
	assert.is(when({ ...old, checkedMs: now - 10 * minute }), 'j1');
	const runs = { ...old, ...runsOn('gone') };
	assert.is(when(runs), 'j1', 'also one that has begun');
	assert.is(when({ ...runs, checkedMs: now - minute }), `in ${13 * minute}`, 'and then ever more seldom');
});

test('a job whose runner has ended after 10 s, and then every 5 minutes', () => {
	const ended = (ms: number, more = {}) =>
		when({ ...runsOn('r1'), boundTo: 'r1', endedMs: now - ms, ...more });
	assert.equal([ended(10 * second - 1), ended(10 * second)], ['in 1', 'j1']);
	assert.is(ended(minute, { checkedMs: now - 50 * second }), `in ${5 * minute - 50 * second}`);
	assert.is(ended(minute, { checkedMs: now - 2 * minute }), 'j1', 'that was before it ended');
	assert.is(when(runsOn('r1'), [runner('r1', 'completed', { worked: true })]), `in ${10 * second}`);
});

test('a job that idle runners leave a minute before it is suspect, and then every 5 minutes', () => {
	const idle = [runner('r1', 'idle', { idleSinceMs: now - hour })];
	const left = (ms: number, more = {}) => when(opened(ms, more), idle);
	assert.equal([left(4 * minute - 1), left(4 * minute)], ['in 1', 'j1']);
	assert.is(left(4.5 * minute, { checkedMs: now - 30 * second }), `in ${30 * second}`, 'then it is suspect');
	assert.is(left(6 * minute, { checkedMs: now - 2 * minute }), `in ${3 * minute}`);
	assert.is(left(9 * minute, { checkedMs: now - 5 * minute }), 'j1');
	assert.is(left(4.5 * minute, { confirmedMs: now - minute, checkedMs: now - minute }), `in ${3 * minute}`);
	assert.is(left(9 * minute), 'j1', 'it was never asked about');
});

test('jobs that a runner may have whose job is not known, those that wait longest first, a few at a time', () => {
	const waiting = Array.from({ length: 6 }, (_, index) =>
		job(index + 1, { openedMs: now - (60 - index) * second, createdMs: now - (60 - index) * second }),
	);
	const busy = (ms: number, more: Partial<Runner> = {}) =>
		runner('r1', 'busy', { busySinceMs: now - ms, ...more });
	const ask = (some: readonly Job[], runners: readonly Runner[]) => asked(some, runners).ask;
	assert.is(asked(waiting, [busy(5 * second - 1)]).requeueAfterMs, 1, 'its event may be on its way');
	assert.equal(ask(waiting, [busy(5 * second)]), ['j1', 'j2', 'j3']);
	const checked = waiting.map((one, index) => (index < 3 ? { ...one, checkedMs: now - second } : one));
	assert.equal(ask(checked, [busy(5 * second)]), ['j4', 'j5', 'j6']);
	assert.equal(ask(waiting, [busy(minute + 5 * second)]), ['j1'], 'the others are younger than its job');
	assert.equal(ask(waiting, [busy(5 * second, { job: { runId: 105 } })]), [], 'a job signal says which');
	const other = { repository: 'octo/web' };
	assert.equal(ask(waiting, [busy(5 * second, { job: other })]), [], 'of another repository');
	const two = [busy(5 * second), runner('r2', 'busy', { busySinceMs: now - 6 * second })];
	assert.is(ask(waiting, two).length, 6);
	assert.equal(ask(waiting.toReversed(), [busy(5 * second)]).toSorted(), ['j1', 'j2', 'j3']);
	const elsewhere = job(9, {
		...runsOn('elsewhere'),
		openedMs: now - 2 * minute,
		createdMs: now - 2 * minute,
	});
	assert.equal(ask([elsewhere, ...waiting], [busy(5 * second)]), ['j1', 'j2', 'j3'], 'one that waits');
	const known = [...waiting, job(9, runsOn('r1'))];
	assert.equal(ask(known, [busy(5 * second)]), []);
});

test('a job that runs is not asked about as long as its runner works, but where that is not known', () => {
	const runs = opened(hour, runsOn('r1'));
	assert.is(when(runs, [runner('r1', 'busy')]), `in ${120 * hour - hour}`);
	assert.is(when(runs, []), 'j1');
	assert.is(
		when(runs, [runner('r1', 'idle', { idleSinceMs: now - minute })]),
		'j1',
		'a static one has ended it',
	);
	assert.is(when(opened(9 * minute, runsOn('elsewhere'))), `in ${minute}`);
	assert.is(
		when(opened(hour, { ...runsOn('elsewhere'), checkedMs: now - 20 * minute })),
		`in ${20 * minute}`,
	);
	assert.is(when(opened(hour, { boundTo: 'r1' }), [runner('r1', 'busy')]), `in ${23 * hour}`);
	assert.is(when(opened(hour, { state: 'in_progress' })), 'j1', 'GitHub has not said where');
});

test('what is over or waits for an approval is not asked about', () => {
	assert.is(when(opened(hour, { state: 'completed' })), 'in undefined');
	assert.is(when(opened(hour, { state: 'waiting' })), `in ${719 * hour}`);
	assert.is(when(opened(25 * hour)), 'in undefined');
});

test('the most urgent first: old events, ended ones, waiting ones, suspects, running ones; then by age', () => {
	const idle = [1, 2, 3, 4].map((n) => runner(`r${n}`, 'idle', { idleSinceMs: now - hour }));
	const list = [
		job(1, opened(hour, runsOn('elsewhere'))),
		job(2, opened(30 * minute)),
		job(3, { ...runsOn('gone'), boundTo: 'gone', endedMs: now - minute }),
		job(4, { createdMs: now - hour }),
		job(5, opened(4.5 * minute)),
		job(6, opened(4.2 * minute)),
		job(7, opened(4.8 * minute)),
	];
	assert.equal(asked(list, idle).ask, ['j4', 'j3', 'j7', 'j5', 'j6', 'j2', 'j1']);
});

test.run();
