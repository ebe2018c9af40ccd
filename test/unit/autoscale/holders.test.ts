import * as assert from 'uvu/assert';
import type { Job, Runner } from '../../../admission/autoscale/rules/types.ts';
import { suite } from '../../support/suite.ts';
import { asked, hour, job, jobs, minute, now, runner, runsOn, second } from './given.ts';

const test = suite('holders');

/** `waiting 1, j2 runs on r1, j3 ended on r2`: who has what, and how many wait. */
function said(list: readonly Job[], runners: readonly Runner[]): string {
	const { waiting, desired, living, bound, ended } = asked(list, runners, { max: 99 });
	const supply = runners.filter(({ phase }) => phase === 'idle').length;
	return [
		`waiting ${waiting}`,
		// How many of the waiting ones count, where no runner is idle.
		...(supply === 0 && desired - living !== waiting ? [`missing ${desired - living}`] : []),
		...bound.map(({ job, runner }) => `${job} runs on ${runner}`),
		...ended.map(({ job, runner }) => `${job} ended on ${runner}`),
	].join(', ');
}
const run = (runId: number, more = {}) => ({ repository: 'octo/app', runId, runAttempt: 1, ...more });
const old = { busySinceMs: now - hour };
const ended = (name: string, more: Partial<Runner> = {}) =>
	runner(name, 'completed', { worked: true, ...more });

test('by its job signal: the id of the job', () => {
	const r1 = runner('r1', 'busy', { job: { jobId: 2 } });
	assert.is(said(jobs(2), [r1]), 'waiting 1, j2 runs on r1');
	assert.is(said(jobs(2), [ended('r1', { job: { jobId: 2 } })]), 'waiting 1, j2 ended on r1');
	assert.is(
		said([job(1, { state: 'waiting' })], [runner('r1', 'busy', { job: { jobId: 1 } })]),
		'waiting 0, j1 runs on r1',
	);
});

test('an id that is not known, or another runner’s: it stands for no waiting job', () => {
	const r1 = runner('r1', 'busy', { job: { jobId: 9 }, busySinceMs: now });
	assert.is(said(jobs(2), [r1]), 'waiting 2');
	assert.is(said(jobs(2), [ended('r1', { job: { jobId: 9 } })]), 'waiting 2');
	const others = [job(9, runsOn('elsewhere')), job(2)];
	assert.is(said(others, [r1]), 'waiting 1');
});

test('by its job signal: the run and attempt, whatever the case of the repository', () => {
	const [one, two] = [job(1, { runId: 7 }), job(2, { runId: 7, runAttempt: 2 })];
	const on = (what: object) => said([one, two], [runner('r1', 'busy', { ...old, job: run(7, what) })]);
	assert.is(on({}), 'waiting 1, j1 runs on r1');
	assert.is(on({ runAttempt: 2 }), 'waiting 1, j2 runs on r1');
	assert.is(on({ runAttempt: undefined, repository: 'OCTO/App' }), 'waiting 1, j1 runs on r1');
	assert.is(on({ runAttempt: 3 }), 'waiting 2');
	assert.is(on({ repository: 'octo/other' }), 'waiting 2');
	assert.is(on({ runId: 8 }), 'waiting 2');
	assert.is(on({ runId: undefined }), 'waiting 2', 'a repository alone binds nothing');
	const unknown = job(1, { runId: undefined });
	assert.is(said([unknown], [runner('r1', 'busy', old)]), 'waiting 1', 'nor does what neither knows');
});

test('of several jobs of a run: one that GitHub says to run, one of the name, the one that waits longest', () => {
	const at = (id: number, more: Partial<Job>) => job(id, { runId: 7, ...more });
	const list = [
		at(1, { openedMs: now - 5 * second }),
		at(2, { openedMs: now - 9 * second }),
		at(3, { openedMs: now - 7 * second, name: 'lint' }),
	];
	const on = (more: object, some = list) => said(some, [runner('r1', 'busy', { ...old, job: run(7, more) })]);
	assert.is(on({}), 'waiting 2, j2 runs on r1');
	assert.is(on({ name: 'lint' }), 'waiting 2, j3 runs on r1');
	const nameless = at(4, { state: 'in_progress', openedMs: now });
	assert.is(on({ name: 'lint' }, [...list, nameless]), 'waiting 3, j4 runs on r1');
});

test('two runners of a run have two jobs of it; a third has one that is not known', () => {
	const list = [job(1, { runId: 7 }), job(2, { runId: 7 })];
	const busy = (name: string, ms: number) => runner(name, 'busy', { busySinceMs: now - ms, job: run(7) });
	const some = [busy('r1', 20), busy('r2', 30), busy('r3', 10)];
	assert.is(said(list, some), 'waiting 0, j1 runs on r2, j2 runs on r1');
});

test('a job has one runner: what is bound is not free, and of two that report the same job one has it', () => {
	const seven = { runId: 7 };
	const [bound, other] = [job(1, { ...seven, boundTo: 'r1' }), job(2, { ...seven, openedMs: now - hour })];
	const busy = (name: string, more = {}) => runner(name, 'busy', { ...old, job: run(7), ...more });
	assert.is(said([bound, other], [busy('r1')]), 'waiting 1, j1 runs on r1');
	assert.is(said([bound], [busy('r1'), busy('r2')]), 'waiting 0, j1 runs on r1');
	const two = [busy('r1', { job: { jobId: 2 } }), busy('r2', { job: { jobId: 2 } })];
	for (const some of [two, two.toReversed()]) assert.is(said([other], some), 'waiting 0, j2 runs on r1');
	const young = busy('r1', { busySinceMs: now });
	assert.is(
		said([job(3, seven), job(4, seven)], [young]),
		'waiting 1, j3 runs on r1',
		'it stands for no other one',
	);
});

test('a job that is over is nobody’s', () => {
	assert.is(said([job(1, { state: 'completed', boundTo: 'r1' })], []), 'waiting 0');
	const gone = job(1, { state: 'completed', runnerName: 'r1', stateMs: now - hour });
	assert.is(
		said([gone, job(2)], [ended('r1', { job: run(9) })]),
		'waiting 1',
		'whatever its job signal says',
	);
	assert.is(said([job(1, { boundTo: 'r1' })], [ended('r1', { worked: false })]), 'waiting 0, j1 ended on r1');
});

test('what was bound stays bound, and is over with its runner', () => {
	const bound = job(1, { boundTo: 'R1' });
	assert.is(said([bound, job(2)], [runner('r1', 'busy', old)]), 'waiting 1, j1 runs on R1');
	for (const phase of ['completed', 'failed', 'stopping', 'leaving'] as const)
		assert.is(said([bound], [runner('r1', phase, { worked: true })]), 'waiting 0, j1 ended on R1');
	assert.is(said([bound], []), 'waiting 0, j1 ended on R1');
	assert.is(
		said([bound], [runner('r1', 'idle', { worked: true })]),
		'waiting 0, j1 ended on R1',
		'a static one',
	);
	assert.is(said([bound], [runner('r1', 'idle')]), 'waiting 1', 'its source has taken it back');
});

test('what was bound is not when GitHub gives its runner another job, or says that it waits', () => {
	const bound = job(1, { runId: 7, boundTo: 'r1' });
	const busy = [runner('r1', 'busy', { ...old, job: run(7) })];
	assert.is(said([bound, job(2, { runId: 7, ...runsOn('r1') })], busy), 'waiting 1');
	const done = job(2, { runId: 7, state: 'completed', runnerName: 'R1', stateMs: now });
	assert.is(said([bound, done], [ended('r1', { job: run(7) })]), 'waiting 1');
	const confirmed = (ms: number) => ({ ...bound, confirmedMs: now - hour + ms });
	assert.is(said([confirmed(10_001)], busy), 'waiting 1', 'it was another job of the run');
	assert.is(said([confirmed(10_000)], busy), 'waiting 0, j1 runs on r1', 'GitHub was only late');
	const exact = [runner('r1', 'busy', { ...old, job: run(7, { jobId: 1 }) })];
	assert.is(said([confirmed(20_000)], exact), 'waiting 0, j1 runs on r1');
	const other = [runner('r1', 'busy', { ...old, job: run(7, { jobId: 5 }) })];
	assert.is(said([bound], other), 'waiting 1', 'the event tells its id');
});

test('a static runner has one job after the other', () => {
	const r1 = (more: Partial<Runner>) => runner('r1', 'busy', { worked: true, ...more });
	const before = job(1, { runId: 7, boundTo: 'r1' });
	assert.is(
		said([before, job(2, { runId: 8 })], [r1({ job: run(8) })]),
		'waiting 0, j2 runs on r1, j1 ended on r1',
		'the event of the first was lost',
	);
	const done = job(1, { runId: 7, state: 'completed', runnerName: 'r1', stateMs: now - minute });
	const next = [r1({ job: run(8), busySinceMs: now - second })];
	assert.is(said([done, job(2, { runId: 8 })], next), 'waiting 0, j2 runs on r1');
	assert.is(
		said([done, job(2)], [r1({ busySinceMs: now - second })]),
		'waiting 1, missing 0',
		'it stands for one',
	);
	const justDone = { ...done, stateMs: now - 2 * second };
	assert.is(said([justDone, job(2)], [r1({ busySinceMs: now - second })]), 'waiting 1, missing 0');
	assert.is(
		said([justDone, job(2)], [r1({ busySinceMs: now - 2 * second })]),
		'waiting 1',
		'still the first',
	);
	const late = job(1, { runId: 7, ...runsOn('r1'), stateMs: now - 5 * second });
	assert.is(
		said([late, job(2)], [r1({ busySinceMs: now - second })]),
		'waiting 1',
		'its job signal was late',
	);
	const stale = job(1, { runId: 7, ...runsOn('r1') });
	assert.is(said([stale, job(2, { runId: 8 })], next), 'waiting 0, j2 runs on r1');
	assert.is(said([stale, job(2)], [r1({ job: { jobId: 2 } })]), 'waiting 0, j2 runs on r1');
});

test('a runner that GitHub has given a job is no supply, though its pod does not show it yet', () => {
	const idle = runner('r1', 'idle', { idleSinceMs: now - hour });
	const given = job(1, runsOn('r1', { stateMs: now - second }));
	const { desired, mayGo } = asked([given, job(2)], [idle]);
	assert.equal([desired, mayGo], [2, []]);
	const since = runner('r1', 'idle', { idleSinceMs: now - 100, worked: true });
	assert.is(asked([given, job(2)], [since]).desired, 1, 'a static one that has been idle since then is');
});

test('a busy runner whose job is not known stands for a waiting one that it can be, the better known first', () => {
	const list = [job(1), job(2, { repository: 'octo/other' })];
	const busy = (name: string, ms: number, known?: Runner['job']) =>
		runner(name, 'busy', { busySinceMs: now - ms, job: known });
	assert.is(said(list, [busy('r1', 0)]), 'waiting 2, missing 1');
	assert.is(said(list, [busy('r1', 0, run(9))]), 'waiting 2', 'its job was never queued for us');
	const any = busy('r2', second);
	const repository = { repository: 'octo/app' };
	assert.is(said(list, [any, busy('r1', 0, repository)]), 'waiting 2, missing 0');
	const runs = [job(1, { runId: undefined }), job(2)];
	assert.is(said(runs, [any, busy('r1', 0, { runId: 7 })]), 'waiting 2, missing 0');
	assert.is(said(jobs(1), [any, busy('r1', 0)]), 'waiting 1, missing 0', 'never below 0');
});

test('who worked and ended without a known job stands for none: no waiting job is hidden', () => {
	assert.is(said(jobs(2), [ended('r1')]), 'waiting 2');
	assert.is(
		said(jobs(2), [ended('r1', { job: run(101) })]),
		'waiting 2',
		'a run alone tells not which job it was',
	);
});

test('an ended runner has had one job: the one that GitHub names, or that it was bound to, before the one of its own event', () => {
	const own = ended('r1', { job: { jobId: 2 } });
	const named = job(1, { state: 'completed', runnerName: 'r1' });
	assert.is(said([named, job(2)], [own]), 'waiting 1');
	const bound = { boundTo: 'r1' };
	assert.is(said([job(1, bound), job(2)], [own]), 'waiting 1, j1 ended on r1');
	assert.is(said([job(1, bound), job(2, bound)], [ended('r1')]), 'waiting 1, j1 ended on r1');
});

test('a job ends by its event alone only on a runner that worked and has completed', () => {
	const job2 = { job: { jobId: 2 } };
	for (const phase of ['failed', 'stopping', 'leaving'] as const)
		assert.is(said(jobs(2), [runner('r1', phase, { worked: true, ...job2 })]), 'waiting 2', phase);
	assert.is(said(jobs(2), [ended('r1', { worked: false, ...job2 })]), 'waiting 2');
});

test('a clock that is ahead hides no job for longer', () => {
	const busy = runner('r1', 'busy', { busySinceMs: now + hour });
	assert.is(asked(jobs(2, { checkedMs: now + 1 }), [busy]).requeueAfterMs, 10 * second);
});

test('of two runners of a name the living one counts', () => {
	const two = [ended('r1'), runner('R1', 'busy', old)];
	for (const some of [two, two.toReversed()]) {
		const { running, desired, ended } = asked([job(1, runsOn('r1')), job(2)], some);
		assert.equal([running, desired, ended], [1, 2, []]);
	}
});

test('the end of a runner that GitHub has named is remembered when it is gone', () => {
	const given = job(1, runsOn('r1', { boundTo: 'R1', endedMs: now - second }));
	const { ended, statuses } = asked([given], []);
	assert.equal([ended, statuses.get('j1')], [[{ job: 'j1', runner: 'r1' }], 'ended']);
	assert.is(asked([job(1, runsOn('r2', { boundTo: 'r1', endedMs: now }))], []).statuses.get('j1'), 'running');
	assert.is(asked([job(1, runsOn('r1', { boundTo: 'r1' }))], []).statuses.get('j1'), 'running');
});

test('a job that waits again after its runner’s end can be bound to another', () => {
	const again = { boundTo: 'r1', endedMs: now - minute, confirmedMs: now - 30 * second };
	const r2 = runner('r2', 'busy', { job: { jobId: 1 } });
	for (const more of [again, runsOn('r1', again)]) {
		assert.is(said([job(1, more)], []), 'waiting 1, j1 ended on r1');
		assert.is(said([job(1, more)], [r2]), 'waiting 0, j1 runs on r2');
	}
});

test.run();
