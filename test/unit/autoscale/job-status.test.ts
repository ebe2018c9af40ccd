import * as assert from 'uvu/assert';
import {
	endMs,
	jobStatus,
	reopenedMs,
	suspectMs,
	waitsForRunner,
} from '../../../admission/autoscale/rules/job-status.ts';
import type { Job } from '../../../admission/autoscale/rules/types.ts';
import { suite } from '../../support/suite.ts';
import { asked, hour, job, minute, now, runner, runsOn, second } from './given.ts';

const test = suite('job status');
const day = 24 * hour;
const of = (more: Partial<Job>, says?: 'runs' | 'ended') => jobStatus(job(1, more), says, now);

test('a job that has completed is over, whoever had it', () => {
	assert.equal([of({ state: 'completed' }), of({ state: 'completed' }, 'runs')], ['over', 'over']);
});

test('a job that nobody can believe any more is over: queued for a day, running for five, gated for thirty', () => {
	const at = (state: Job['state'], ms: number, more: Partial<Job> = {}) =>
		of({ state, stateMs: now - ms, openedMs: now - ms, ...more });
	assert.equal([at('queued', day - 1), at('queued', day)], ['waiting', 'over']);
	assert.equal([at('in_progress', 5 * day - 1), at('in_progress', 5 * day)], ['running', 'over']);
	assert.equal([at('waiting', 30 * day - 1), at('waiting', 30 * day)], ['gated', 'over']);
	assert.is(at('queued', 2 * day, { confirmedMs: now - minute }), 'waiting', 'GitHub says so');
});

test('a job that a runner has runs; one that GitHub says to run elsewhere too', () => {
	assert.is(of({}, 'runs'), 'running');
	assert.is(of({ state: 'waiting' }, 'runs'), 'running');
	assert.is(of({ state: 'in_progress' }), 'running');
	assert.is(
		of({ state: 'in_progress', confirmedMs: now - 20 * second }),
		'running',
		'GitHub said queued before',
	);
	assert.is(
		of({ state: 'in_progress', confirmedMs: now - 19 * second }),
		'waiting',
		'GitHub says queued since',
	);
	assert.is(of({ state: 'in_progress', confirmedMs: now }, 'runs'), 'running', 'our own runner knows better');
	assert.is(of({ state: 'waiting' }), 'gated');
});

test('a job whose runner has ended is over until GitHub, asked after that, says that it is queued', () => {
	for (const state of ['queued', 'in_progress'] as const) {
		const at = (more: Partial<Job>) => of({ state, endedMs: now - minute, ...more }, 'ended');
		assert.is(at({}), 'ended');
		assert.is(at({ confirmedMs: now - minute }), 'ended');
		assert.is(at({ confirmedMs: now - minute + 1 }), 'waiting');
		assert.is(of({ state }, 'ended'), 'ended', 'just now');
	}
});

test('where only our job signals said that it ran it waits again after 5 minutes', () => {
	const endedMs = now - 5 * minute;
	assert.is(of({ endedMs: endedMs + 1 }, 'ended'), 'ended');
	assert.is(of({ endedMs }, 'ended'), 'waiting');
	assert.is(of({ endedMs, state: 'in_progress' }, 'ended'), 'ended', 'GitHub has said that it ran');
	assert.is(reopenedMs(job(1, { endedMs })), now);
	assert.is(reopenedMs(job(1)), Number.POSITIVE_INFINITY);
	const checked = job(1, { boundTo: 'gone', endedMs: now - 4 * minute, checkedMs: now - minute });
	assert.is(asked([checked], []).requeueAfterMs, minute);
});

test('an event of long ago counts when GitHub confirms it', () => {
	const at = (ms: number, more: Partial<Job> = {}) => of({ openedMs: now, createdMs: now - ms, ...more });
	assert.equal([at(20 * minute), at(20 * minute + 1)], ['waiting', 'unconfirmed']);
	assert.is(at(hour, { confirmedMs: now }), 'waiting');
	assert.is(of({ createdMs: undefined, openedMs: now }), 'waiting');
	const begun = { state: 'in_progress', createdMs: now - hour, openedMs: now } as const;
	assert.is(of(begun), 'unconfirmed', 'so one of its start that is read back when its record has gone');
	assert.is(of(begun, 'runs'), 'running', 'but for one that a runner of the set has');
	assert.is(of(begun, 'ended'), 'ended');
	const approved = { createdMs: now - day, openedMs: now - day, stateMs: now };
	assert.is(of(approved), 'waiting', 'it was known all the time, as waiting for its approval');
});

test('suspect: left for 5 minutes since GitHub last confirmed it', () => {
	const at = (unassignedMs: number, confirmedMs?: number) => {
		const { statuses } = asked([job(1, { unassignedMs: now - unassignedMs, confirmedMs })], []);
		return statuses.get('j1');
	};
	assert.equal([at(5 * minute - 1), at(5 * minute)], ['waiting', 'suspect']);
	assert.equal([at(hour, now - 5 * minute + 1), at(hour, now - 5 * minute)], ['waiting', 'suspect']);
	assert.is(asked([job(1, { unassignedMs: 0 })], [runner('r1', 'busy', { job: { jobId: 1 } })]).suspect, 0);
	assert.is(suspectMs(job(1)), Number.POSITIVE_INFINITY);
	assert.is(endMs(job(1, { state: 'completed' })), Number.NEGATIVE_INFINITY);
});

test('suspect and unconfirmed jobs are counted apart', () => {
	const old = { openedMs: now - 6 * minute, stateMs: now - 6 * minute };
	const list = [
		job(1, { state: 'waiting' }),
		job(2, { createdMs: now - hour }),
		job(3, old),
		job(4, { state: 'completed' }),
		job(5, { boundTo: 'gone', endedMs: now - second }),
		job(6, runsOn('elsewhere')),
		job(7),
	];
	const idle = [1, 2].map((n) => runner(`r${n}`, 'idle', { idleSinceMs: now - hour }));
	const { statuses, waiting, running, suspect } = asked(list, idle);
	assert.equal(
		[...statuses.values()],
		['gated', 'unconfirmed', 'suspect', 'over', 'ended', 'running', 'waiting'],
	);
	assert.equal([waiting, running, suspect], [1, 1, 1]);
	assert.equal(
		asked(list, idle).unassigned.map(({ job }) => job),
		['j3', 'j7'],
	);
});

test('idle runners leave a job since the job waits and one of them is idle', () => {
	const list = [job(1, { openedMs: now - hour, stateMs: now - 3 * minute })];
	const since = (...runners: Parameters<typeof asked>[1]) => asked(list, runners).unassigned[0]?.sinceMs;
	const idle = (name: string, ms: number, more = {}) =>
		runner(name, 'idle', { idleSinceMs: now - ms, ...more });
	assert.is(since(), undefined);
	assert.is(
		since(idle('r1', minute), idle('r2', 2 * minute)),
		now - 2 * minute,
		'the one that is idle longest',
	);
	assert.is(since(idle('r1', hour)), now - 3 * minute);
	assert.is(since(idle('r1', hour, { departing: true })), undefined);
	assert.is(since(runner('r1', 'starting', { idleSinceMs: now - hour })), undefined);
	assert.is(since(idle('r1', 0, { idleSinceMs: undefined })), undefined);
	const before = [job(1, { unassignedMs: now - 2 * minute })];
	assert.equal(asked(before, []).unassigned, [], 'taken by then, or gone: it starts anew');
});

test('a job waits for a runner until GitHub, or a job signal, says that one has it', () => {
	assert.ok(waitsForRunner(job(1)));
	for (const more of [{ state: 'in_progress' }, { boundTo: 'r1' }, { endedMs: now }] as const)
		assert.not.ok(waitsForRunner(job(1, more)));
});

test.run();
