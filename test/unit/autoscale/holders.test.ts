import * as assert from 'uvu/assert';
import type { Credit, Job, Runner } from '../../../admission/autoscale/rules/types.ts';
import { suite } from '../../support/suite.ts';
import { asked, hour, job, jobs, minute, now, runner, runsOn, second } from './given.ts';

const test = suite('holders');

/** `waiting 1, j2 runs on r1, j3 ended on r2, credits r4`: who has what, and how many wait. */
function said(list: readonly Job[], runners: readonly Runner[], credits: readonly Credit[] = []): string {
	const { waiting, desired, living, bound, ended, ...found } = asked(list, runners, { max: 99 }, credits);
	const supply = runners.filter(({ phase }) => phase === 'idle').length;
	return [
		`waiting ${waiting}`,
		// How many of the waiting ones count, where no runner is idle.
		...(supply === 0 && desired - living !== waiting ? [`missing ${desired - living}`] : []),
		...bound.map(({ job, runner }) => `${job} runs on ${runner}`),
		...ended.map(({ job, runner }) => `${job} ended on ${runner}`),
		...(found.credits.length > 0 ? [`credits ${found.credits.map(({ runner }) => runner).join(' ')}`] : []),
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

test('a credit: who worked and ended without a known job stands for one of the waiting ones', () => {
	assert.is(said(jobs(2), [ended('r1')]), 'waiting 2, missing 1, credits r1');
	assert.is(said([], [ended('r1')]), 'waiting 0, credits r1');
	assert.is(
		said(jobs(1), [ended('r1'), ended('r2')]),
		'waiting 1, missing 0, credits r1 r2',
		'never below 0',
	);
	for (const phase of ['failed', 'stopping', 'leaving', 'idle'] as const)
		assert.equal(asked(jobs(1), [runner('r1', phase, { worked: true })]).credits, [], phase);
});

test('a credit is dropped when GitHub names the runner', () => {
	const credit: Credit = { runner: 'R1', sinceMs: now - second };
	assert.is(said(jobs(1), [], [credit]), 'waiting 1, missing 0, credits R1');
	assert.is(said([job(1, { state: 'completed', runnerName: 'r1' }), job(2)], [], [credit]), 'waiting 1');
	assert.is(said([job(1, runsOn('r1')), job(2)], [], [credit]), 'waiting 1');
	assert.is(said([job(1, { boundTo: 'r1' }), job(2)], [], [credit]), 'waiting 1, j1 ended on r1');
});

test('a credit whose run is known stands for a job of that run only, and the others for any', () => {
	const list = [job(1, { runId: 7 }), job(2, { runId: 8 })];
	const of = (runner: string, more: Partial<Credit>): Credit => ({ runner, sinceMs: now, ...more });
	const seven = of('r1', { repository: 'octo/app', runId: 7 });
	assert.is(said(list, [], [seven]), 'waiting 2, missing 1, credits r1');
	assert.is(
		said(list, [], [of('r1', { runId: 9 })]),
		'waiting 2, credits r1',
		'its job was never queued for us',
	);
	assert.is(said(list, [], [seven, of('r2', { runId: 7 })]), 'waiting 2, missing 1, credits r1 r2');
	assert.is(
		said(list, [], [of('r2', {}), seven]),
		'waiting 2, missing 0, credits r2 r1',
		'the known one first',
	);
	const two = [list[0] as Job, job(2, { repository: 'octo/other', runId: 8 })];
	for (const known of [of('r1', { repository: 'octo/app' }), of('r1', { runId: 7 })])
		assert.is(said(two, [], [of('r2', {}), known]), 'waiting 2, missing 0, credits r2 r1');
	assert.is(said([job(1, { runId: undefined })], [], [seven]), 'waiting 1, missing 0, credits r1');
	const worked = ended('r1', { job: run(7, { name: 'x' }) });
	assert.equal(asked(list, [worked]).credits, [
		{ runner: 'r1', sinceMs: now, repository: 'octo/app', runId: 7, runAttempt: 1 },
	]);
	assert.is(
		said(list, [worked]),
		'waiting 2, missing 1, credits r1',
		'a run alone does not say which job it was',
	);
});

test('one credit for each runner, 500 in all; another leader’s clock may be ahead', () => {
	const many = Array.from({ length: 600 }, (_, index) => ({
		runner: `r${index}`,
		sinceMs: now - 600 + index,
	}));
	const { credits } = asked([], [], {}, many);
	assert.equal([credits.length, credits[0]?.runner], [500, 'r0']);
	const twice = [
		{ runner: 'r1', sinceMs: now - 5 },
		{ runner: 'R1', sinceMs: now },
	];
	assert.equal(asked([], [ended('r1')], {}, twice).credits, [{ runner: 'r1', sinceMs: now - 5 }]);
	assert.is(asked([], [], {}, [{ runner: 'r1', sinceMs: now + hour }]).credits[0]?.sinceMs, now);
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

test('more runners have ended than there are credits: they hide no job for ever', () => {
	const list = jobs(600);
	const ended = list.map(({ id }) => runner(`r${id}`, 'completed', { worked: true }));
	let credits: Credit[] = [];
	const seen: number[] = [];
	for (let ms = 0; ms <= 2 * minute; ms += 10 * second) {
		const found = asked(list, ended, { max: 1_000 }, credits, now + ms);
		credits = found.credits;
		assert.is(credits.length, 500);
		seen.push(found.desired);
	}
	assert.equal([...new Set(seen)], [100, 600]);
	const gone = ended.slice(0, 200);
	const { credits: left } = asked(list, gone, { max: 1_000 }, credits, now + 3 * minute);
	assert.is(left.length, 200, 'each is forgotten with its runner');
});

test.run();
