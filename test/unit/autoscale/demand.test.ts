import * as assert from 'uvu/assert';
import { nothingPassed } from '../../../admission/autoscale/rules/experiment.ts';
import type { Job } from '../../../admission/autoscale/rules/types.ts';
import { ownMs } from '../../support/own-time.ts';
import { suite } from '../../support/suite.ts';
import { asked, hour, job, jobs, minute, now, runner, runsOn } from './given.ts';

const test = suite('demand');

test('each waiting job is one runner, up to the maximum, and what lies beyond it is known', () => {
	assert.is(asked(jobs(3), []).desired, 3);
	const { desired, uncapped, waiting } = asked(jobs(12), [], { max: 10 });
	assert.equal([desired, uncapped, waiting], [10, 12, 12]);
});

test('what starts or is idle is supply; what works or goes is nobody else’s, and all count for the maximum', () => {
	const some = [
		runner('unbound', 'unbound'),
		runner('starting', 'starting'),
		runner('idle', 'idle'),
		runner('busy', 'busy'),
		runner('going', 'idle', { departing: true }),
	];
	const { desired, living } = asked(jobs(4), some);
	assert.equal([desired, living], [6, 5], 'four for the jobs, one works, one goes');
	assert.is(asked(jobs(4), some, { max: 5 }).desired, 5);
});

test('what has ended is no runner', () => {
	const ended = (['completed', 'failed', 'stopping', 'leaving'] as const).map((phase) =>
		runner(phase, phase),
	);
	const { desired, living } = asked(jobs(1), ended);
	assert.equal([desired, living], [1, 0]);
});

test('+1 queued and -5 completed in one batch: the queued job keeps its runner (#4315)', () => {
	const old = [1, 2, 3, 4, 5].map((id) =>
		job(id, { state: 'completed', runnerName: `r${id}`, stateMs: now }),
	);
	const gone = old.map(({ runnerName = '' }) => runner(runnerName, 'completed', { worked: true }));
	const { desired, waiting } = asked([...old, job(6, { openedMs: now, stateMs: now })], gone);
	assert.equal([desired, waiting], [1, 1]);
});

test('a job queued for twice `duration` still counts', () => {
	const since = { openedMs: now - 20 * minute, stateMs: now - 20 * minute, createdMs: now - 20 * minute };
	const { desired, ask } = asked([job(1, since)], [], { checkAfterMs: 10 * minute });
	assert.is(desired, 1);
	assert.equal(ask, ['j1'], 'it is asked about, and nothing else');
});

test('a crashed idle pod hides no job', () => {
	for (const phase of ['completed', 'failed', 'stopping'] as const) {
		const { desired } = asked(jobs(1), [runner('r1', phase, { worked: false })]);
		assert.is(desired, 1, phase);
	}
});

test('with metrics the larger counts, never the sum (#1962)', () => {
	assert.is(asked(jobs(3), [], { suggestion: 3 }).desired, 3);
	assert.is(asked(jobs(3), [], { suggestion: 5 }).desired, 5);
	assert.is(asked(jobs(5), [], { suggestion: 3 }).desired, 5);
});

test('a job that idle runners leave unassigned for 5 minutes is suspect until GitHub or an event speaks', () => {
	const old = { openedMs: now - 6 * minute, stateMs: now - 6 * minute };
	const idle = [runner('r1', 'idle', { idleSinceMs: now - 5 * minute })];
	const seen = asked([job(1, old)], idle);
	assert.equal([seen.suspect, seen.waiting, seen.desired], [1, 0, 0]);
	assert.equal(seen.unassigned, [{ job: 'j1', sinceMs: now - 5 * minute }]);
	assert.equal(seen.ask, ['j1']);
	assert.is(seen.statuses.get('j1'), 'suspect');

	const remembered = { ...old, unassignedMs: now - 5 * minute };
	assert.is(asked([job(1, remembered)], []).suspect, 1, 'it stays so when the idle runner has gone');
	assert.is(asked([job(1, { ...remembered, checkedMs: now })], []).suspect, 1, '403 and 404 prove nothing');
	assert.is(asked([job(1, { ...remembered, confirmedMs: now })], []).desired, 1, 'GitHub says queued');
	assert.is(asked([job(1, { ...remembered, ...runsOn('other') })], []).running, 1, 'an event says it runs');

	const young = [runner('r1', 'idle', { idleSinceMs: now - 5 * minute + 1 })];
	const waits = asked([job(1, old)], young);
	assert.equal([waits.waiting, waits.suspect], [1, 0]);
	assert.equal(waits.ask, ['j1'], 'asked a minute before it is suspect');
});

test('one idle runner that takes no job casts doubt on one job, not on all that wait behind a maximum', () => {
	const old = { openedMs: now - hour, stateMs: now - hour };
	const waiting = [job(3, old), job(1, { ...old, openedMs: now - 2 * hour }), job(2, old)];
	const broken = runner('r1', 'idle', { idleSinceMs: now - 20 * minute });
	const first = asked(waiting, [broken]);
	assert.equal([first.suspect, first.waiting], [1, 2]);
	assert.equal(first.unassigned, [{ job: 'j1', sinceMs: now - 20 * minute }], 'the one that waits longest');
	const doubts = (...list: Job[]) => asked(list, [broken]).unassigned.map(({ job }) => job);
	for (const [one, other] of [
		[job(1, old), job(2, { ...old, openedMs: now - 2 * hour })],
		[job(3, old), job(2, old)],
	] as const)
		assert.equal([doubts(one, other), doubts(other, one)], [['j2'], ['j2']]);
	const doubted = waiting.map((one) => (one.id === 1 ? { ...one, unassignedMs: now - 20 * minute } : one));
	const suspects = (afterMs: number) => asked(doubted, [broken], {}, now - 15 * minute + afterMs).suspect;
	assert.equal([suspects(5 * minute - 1), suspects(5 * minute)], [1, 2], 'on the next one 5 minutes later');
});

test('an in_progress job of a runner of the set takes no supply, and its end closes it', () => {
	const busy = asked([job(1, runsOn('r1')), job(2)], [runner('r1', 'busy')]);
	assert.equal([busy.desired, busy.running, busy.waiting], [2, 1, 1]);
	assert.equal([busy.bound, busy.ended], [[], []]);
	const over = asked([job(1, runsOn('r1')), job(2)], [runner('r1', 'completed', { worked: true })]);
	assert.equal([over.desired, over.running, over.waiting], [1, 0, 1]);
	assert.equal(over.ended, [{ job: 'j1', runner: 'r1' }]);
});

test('a busy runner is bound to its job by what its hook says, before GitHub does', () => {
	const hook = { repository: 'Octo/App', runId: 102, runAttempt: 1, name: 'build' };
	const r1 = runner('r1', 'busy', { job: hook, busySinceMs: now - hour });
	const { bound, waiting, desired } = asked(jobs(2), [r1]);
	assert.equal(bound, [{ job: 'j2', runner: 'r1' }]);
	assert.equal([waiting, desired], [1, 2]);
});

test('a busy runner without a known job stands for one waiting job for 10 s, and then for one of its own', () => {
	const at = (ms: number) => asked(jobs(2), [runner('r1', 'busy', { busySinceMs: now - ms })]);
	assert.equal([at(0).desired, at(9_999).desired, at(9_999).requeueAfterMs], [2, 2, 1]);
	assert.equal([at(10_000).desired, at(10_000).waiting], [3, 2]);
	assert.is(asked(jobs(2), [runner('r1', 'busy', { busySinceMs: undefined })]).desired, 3);
});

test('only what has been idle longer than the delay goes, the longest idle first, and only once all is known', () => {
	const idle = (name: string, ms: number) => runner(name, 'idle', { idleSinceMs: now - ms });
	const some = [
		idle('b', 11 * minute),
		idle('a', 20 * minute),
		idle('c', 10 * minute - 1),
		runner('d', 'busy'),
	];
	const { desired, mayGo, held, requeueAfterMs } = asked([], some);
	assert.equal([desired, mayGo, held, requeueAfterMs], [1, ['uid-a', 'uid-b'], 1, 1]);
	assert.equal(asked([], some, { min: 3 }).mayGo, ['uid-a']);
	assert.equal(asked(jobs(2), some).mayGo, ['uid-a'], 'two are kept for the jobs');
	const unready = asked([], some, { ready: false });
	assert.equal([unready.mayGo, unready.held], [[], 3]);
});

test('of the same idle time the older goes, of the same age the first by name; a clock ahead makes none younger', () => {
	const since = now - hour;
	const idle = (name: string, createdMs: number, idleSinceMs = since) =>
		runner(name, 'idle', { createdMs, idleSinceMs });
	const some = [idle('c', 1), idle('b', 2), idle('a', 2), idle('d', 3, since - 1)];
	const order = ['uid-d', 'uid-c', 'uid-a', 'uid-b'];
	for (const list of [some, some.toReversed()]) assert.equal(asked([], list).mayGo, order);
	const ahead = [idle('x', 1, now + hour), idle('y', 2, now - hour)];
	assert.equal(asked([], ahead, { delayMs: 0 }).mayGo, ['uid-y', 'uid-x']);
	assert.equal(asked([], [runner('x', 'idle', { idleSinceMs: undefined })]).mayGo, []);
	assert.equal(
		asked([], [runner('x', 'unbound', { idleSinceMs: since })]).mayGo,
		['uid-x'],
		'pending for long',
	);
});

test('one that was only just asked for, and has no object yet, may not go', () => {
	const expected = runner('r1', 'unbound', { uid: '', idleSinceMs: now - hour });
	const { mayGo, held, living } = asked([], [expected], { delayMs: 0 });
	assert.equal([mayGo, held, living], [[], 1, 1]);
});

test('without a trigger jobs do not count, nor what works: the minimum, the metrics, the reservations do', () => {
	const some = [runner('r1', 'busy'), runner('r2', 'busy')];
	const of = (more: object) => {
		const { desired, uncapped } = asked(jobs(5), some, { countsJobs: false, ...more });
		return [desired, uncapped];
	};
	assert.equal(of({}), [0, 0]);
	assert.equal(of({ min: 1 }), [1, 1]);
	assert.equal(of({ min: 1, reserved: 2 }), [3, 3]);
	assert.equal(of({ min: 1, suggestion: 4, reserved: 2 }), [6, 6]);
	assert.equal(of({ min: 5, suggestion: 4 }), [5, 5]);
	assert.equal(of({ suggestion: 40 }), [10, 40]);
	assert.equal(of({ spare: 2 }), [4, 4], 'spare runners are idle ones: on top of what works');
});

test('spare runners are on top of what waits and works', () => {
	assert.is(asked(jobs(2), [runner('r1', 'busy')], { spare: 3 }).desired, 6);
	assert.is(asked([], [runner('r1', 'idle')], { spare: 1 }).desired, 1);
	assert.is(asked(jobs(2), [], { spare: 3, suggestion: 4 }).desired, 5, 'the larger, never the sum');
});

test('ARC’s integration_test.go, minimum 1: it adds each job to the minimum, here idle runners serve the first ones', () => {
	const of = (more: object) => {
		const counts = [0, 1, 2].map((count) =>
			asked(jobs(count), [runner('r1', 'idle')], { min: 1, max: 5, ...more }),
		);
		return counts.map(({ desired }) => desired);
	};
	assert.equal(of({}), [1, 1, 2], 'in ARC 1, 2, 3: the idle runner of the minimum counts for nothing');
	assert.equal(of({ spare: 1 }), [1, 2, 3], 'with one to spare as in ARC');
});

test('a minimum above the maximum counts, as in ARC', () => {
	assert.is(asked(jobs(9), [], { min: 7, max: 3 }).desired, 7);
	assert.is(asked(jobs(9), [], { min: 2, max: 3 }).desired, 3);
});

test('when to reconcile again: only where a runner may be removed then', () => {
	const idle = (ms: number) => [runner('r1', 'idle', { idleSinceMs: now - ms })];
	assert.is(asked([], idle(minute)).requeueAfterMs, 9 * minute);
	assert.is(
		asked([], idle(minute), { ready: false }).requeueAfterMs,
		undefined,
		'it is looked at when all is known',
	);
	assert.is(asked([], idle(minute), { min: 1 }).requeueAfterMs, undefined, 'it is wanted');
	assert.is(asked([], idle(hour)).requeueAfterMs, undefined, 'it goes now');
});

test('nothing is asked for and nothing is wrong', () => {
	const { statuses, supply, passing, ...rest } = asked([], []);
	assert.is(statuses.size, 0);
	assert.equal(supply, { available: [], late: [], doubted: [], sick: [] });
	assert.equal(passing.memory, { ...nothingPassed, atMs: now });
	assert.equal(rest, {
		desired: 0,
		mayGo: [],
		replace: [],
		held: 0,
		living: 0,
		waiting: 0,
		running: 0,
		suspect: 0,
		unconfirmed: 0,
		uncapped: 0,
		bound: [],
		ended: [],
		unassigned: [],
		ask: [],
		requeueAfterMs: undefined,
	});
});

test('5,000 jobs and 1,000 runners take well below a second', () => {
	const many = jobs(5_000).map((one, index) =>
		index % 5 === 0 ? { ...one, ...runsOn(`r${index / 5}`) } : one,
	);
	const some = Array.from({ length: 1_000 }, (_, index) =>
		runner(`r${index}`, index % 3 === 0 ? 'busy' : 'idle'),
	);
	const tookMs = ownMs(() => void asked(many, some, { max: 2_000 }));
	assert.ok(tookMs < 1_000, `${tookMs} ms`);
});

test.run();
