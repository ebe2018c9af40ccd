import * as assert from 'uvu/assert';
import {
	afterLog,
	afterReport,
	believed,
	ended,
	type JobReport,
	jobNow,
	openSignal,
	worksBy,
} from '../../../admission/jobs/rules/job-signals.ts';
import {
	type JobSignal,
	jobText,
	mostSignals,
	readSignals,
	writeSignals,
} from '../../../admission/runner/job-signals.ts';
import { sourceNames } from '../../../admission/runner/signal-sources.ts';
import { suite } from '../../support/suite.ts';
import { signer } from '../runner/pods.ts';

const test = suite('job signals');

const hook = (key: string, says: JobReport['says'] = 'started'): JobReport => ({
	by: 'hook',
	says,
	key,
	job: { name: 'build', repository: 'octo-org/app', runId: 42 },
});
const event = (key: string, says: JobReport['says'] = 'started'): JobReport => ({
	by: 'event',
	says,
	key,
	job: { name: 'build (amd64)' },
});
const after = (...reports: JobReport[]): readonly JobSignal[] =>
	reports.reduce((signals: readonly JobSignal[], report, index) => afterReport(signals, report, index), []);
const states = (signals: readonly JobSignal[]) =>
	signals.map(({ by, key, state }) => `${by} ${key} ${state}`);
const run = { uid: 'u', restarts: 0 };
const idle = { says: 'idle', at: undefined } as const;

test('completed is finishing, still busy', () => {
	assert.is(worksBy(after(hook('a'))), 'working');
	assert.is(worksBy(after(hook('a'), hook('a', 'completed'))), 'finishing');
});

test('a hook and an event are never one signal: each ends only by its own end', () => {
	const signals = after(hook('a'), event('7'), event('7', 'completed'));
	assert.is(worksBy(signals), 'working');
	assert.equal(states(signals).toSorted(), ['event 7 finishing', 'hook a working']);
});

test('jobs that share a hook’s key, by a matrix or a RUNNER_TRACKING_ID of their own: the next one counts', () => {
	const finishing = after(hook('0'), hook('0', 'completed'));
	for (const signals of [finishing, ended(finishing, () => true, 1)]) {
		assert.is(
			afterReport(signals, hook('0'), 30_000),
			signals,
			'a report about the same job that comes late',
		);
		const next = afterReport(signals, hook('0'), 30_001);
		assert.equal(states(next), ['hook 0 working']);
		assert.is(next[0]?.sinceMs, 30_001);
		assert.equal(states(afterReport(next, hook('0', 'completed'), 30_002)), ['hook 0 finishing']);
	}
	const event7 = after(event('7'), event('7', 'completed'));
	assert.is(afterReport(event7, event('7'), 90_000), event7, 'GitHub’s ids are never used again');
});

test('reports that come twice, late or in another order change nothing', () => {
	const once = after(event('7'));
	assert.is(afterReport(once, event('7'), 9), once);
	const done = after(event('7', 'completed'));
	assert.is(afterReport(done, event('7'), 9), done);
	const over = ended(done, () => true, 9);
	assert.is(afterReport(over, event('7'), 10), over);
	assert.is(afterReport(over, event('7', 'completed'), 10), over);
});

test("a hook's new start ends what hooks said before, and no event's signal", () => {
	const signals = after(event('7'), hook('a'), hook('b'));
	assert.equal(states(signals).toSorted(), ['event 7 working', 'hook a over', 'hook b working']);
});

test("the log's signal ends by the log, and the log's idle ends what is finishing on a static runner", () => {
	const works = afterLog([], { says: 'works', at: 't', job: 'build' }, false, 1);
	assert.equal(states(works), ['log t build working']);
	assert.is(afterLog(works, { says: 'works', at: 't', job: 'build' }, false, 2), works);
	assert.is(afterLog(works, { says: 'unknown', why: '' }, false, 2), works);
	assert.is(works[0]?.sinceMs, 1, "a time that can't be read counts as none");
	assert.equal(afterLog(works, idle, false, 2), []);
	const finishing = after(hook('a'), hook('a', 'completed'));
	assert.equal(states(afterLog(finishing, idle, false, 9)), ['hook a over']);
	assert.is(afterLog(finishing, idle, true, 9), finishing);
	const both = after(event('7'), hook('a'), hook('a', 'completed'));
	assert.equal(states(afterLog(both, idle, false, 9)), ['event 7 working', 'hook a over']);
});

test("the log's next job takes the place of its last one, and of nobody else's; one that was held to be over is open again", () => {
	const works = (job: string) => ({ says: 'works', at: 't', job }) as const;
	const first = afterLog(after(event('7')), works('build'), false, 1);
	assert.equal(states(afterLog(first, works('test'), false, 2)), ['log t test working', 'event 7 working']);
	const over = ended(first, ({ by }) => by === 'log', 2);
	assert.equal(states(afterLog(over, works('build'), false, 3)), ['log t build working', 'event 7 working']);
});

test("an unclear start works since we read it; that GitHub's lists have ended it is remembered, for this start only", () => {
	const at = (time: string, unclear?: true) => ({ says: 'works', at: time, job: 'build', unclear }) as const;
	const nowMs = Date.parse('2026-11-23T12:30:00Z');
	const first = afterLog([], at('2026-11-23 12:00:00Z', true), false, nowMs);
	assert.equal([first[0]?.state, first[0]?.sinceMs], ['working', nowMs]);
	assert.is(afterLog(first, at('2026-11-23 12:00:00Z', true), false, nowMs + 1), first);
	const over = ended(first, () => true, nowMs + 1);
	assert.is(afterLog(over, at('2026-11-23 12:00:00Z', true), false, nowMs + 2), over);
	assert.is(believed(over, at('2026-11-23 12:00:00Z', true)).says, 'unknown');
	for (const next of [at('2026-11-23 12:00:00Z'), at('2026-11-23 12:00:01Z', true)]) {
		assert.is(believed(over, next), next, 'it has become whole, or it is the next one');
		assert.is(worksBy(afterLog(over, next, false, nowMs + 2)), 'working');
	}
	assert.equal(afterLog(over, idle, false, nowMs + 2), []);
});

test('a long name is the same name at the next reading', () => {
	const works = { says: 'works', at: '2026-11-23 12:00:00Z', job: 'x'.repeat(200) } as const;
	const run = { uid: 'u', restarts: 0 };
	const written = writeSignals(afterLog([], works, false, 1), run, signer.signStatement) ?? '';
	const read = readSignals(written, run, signer.verifyStatement);
	assert.is(read.length, 1);
	assert.is(afterLog(read, works, false, 2), read);
});

test("a line that a job has printed ends no other source's signal", () => {
	const signals = after(hook('a'), event('7'));
	assert.is(afterLog(signals, idle, false, 9), signals);
});

test('there are never many signals, and open ones stay', () => {
	const reports = Array.from({ length: 9 }, (_, index) => event(`${index}`, index ? 'completed' : 'started'));
	const signals = reports.reduce(
		(before: readonly JobSignal[], report) =>
			ended(afterReport(before, report, 1), ({ state }) => state === 'finishing', 1),
		[],
	);
	assert.is(signals.length, mostSignals);
	assert.is(openSignal(signals)?.key, '0');
});

test('events about other jobs push out no other source’s signal, and no job that an event has reported', () => {
	const log = afterLog([], { says: 'works', at: 't', job: 'build' }, false, 0);
	const known = afterReport(afterReport(log, hook('a'), 1), event('real'), 2);
	const foreign = Array.from({ length: 9 }, (_, index) => event(`${index}`));
	const full = foreign.reduce((signals, report, index) => afterReport(signals, report, 3 + index), known);
	assert.is(full.length, mostSignals);
	assert.equal(
		full
			.filter(({ by, state }) => by !== 'event' && state === 'working')
			.map(({ by }) => by)
			.toSorted(),
		['hook', 'log'],
	);
	const completed = foreign.map(({ key }) => event(key, 'completed'));
	const left = completed.reduce((signals, report, index) => afterReport(signals, report, 50 + index), full);
	const events = ended(left, ({ by }) => by !== 'event', 60).filter(({ state }) => state === 'working');
	assert.equal(
		events.map(({ by, sinceMs }) => [by, sinceMs]),
		[['event', 8]],
		'what did not fit is one signal that no completion of theirs ends',
	);
	const again = afterReport(full, event('10'), 70);
	assert.is(again.length, mostSignals);
	assert.is(again.filter(({ by, state }) => by !== 'event' && state === 'working').length, 2);
	assert.is(
		readSignals(writeSignals(full, run, signer.signStatement)!, run, signer.verifyStatement).length,
		mostSignals,
	);
});

test('reports that something has completed do not push out what works', () => {
	const reports = Array.from({ length: 9 }, (_, index) => event(`${index}`, index ? 'completed' : 'started'));
	assert.is(worksBy(after(...reports)), 'working');
});

test('a late `completed` of a job that is over opens nothing; a `started` long after one whose end was lost is the next job', () => {
	const over = ended(after(hook('a'), hook('a', 'completed')), () => true, 2);
	assert.is(afterReport(over, hook('a', 'completed'), 600_000), over);
	const lost = after(hook('a'));
	assert.is(afterReport(lost, hook('a'), 29_999), lost);
	assert.is(afterReport(lost, hook('a'), 30_000)[0]?.sinceMs, 30_000);
});

test('the signal that says most is shown', () => {
	assert.is(openSignal(after(hook('a'), event('7')))?.by, 'hook');
	assert.is(
		openSignal(after(event('7'), hook('a'), hook('a', 'completed')))?.by,
		'hook',
		'it is the same job, which is ending',
	);
	assert.is(
		openSignal(after(hook('a'), hook('a', 'completed'), event('8')))?.by,
		'event',
		'that is the next job',
	);
	assert.is(openSignal(after(event('7'), hook('a', 'completed'), event('7', 'completed')))?.by, 'hook');
	assert.is(openSignal(after(event('7'), event('8')))?.key, '8', 'the newest');
	assert.is(openSignal(after(event('7'), event('8')).toReversed())?.key, '8');
	assert.is(openSignal(ended(after(event('7')), () => true, 9)), undefined);
});

test('a job for people: its name, and where it belongs as far as that is known', () => {
	const texts: [JobSignal['job'], string][] = [
		[{ name: 'build', repository: 'octo-org/app', runId: 42 }, 'build (octo-org/app, run 42)'],
		[{ name: 'build', repository: 'octo-org/app' }, 'build (octo-org/app)'],
		[{ name: 'build', runId: 42 }, 'build (run 42)'],
		[{ name: 'build' }, 'build'],
	];
	for (const [job, text] of texts) assert.is(jobText(job), text);
});

test('the job of now: a signal names it, else the busy mark; since the mark, else since the signal', () => {
	const signals = after(hook('a'));
	const busyHint = { sinceMs: 5, job: 'by the list' };
	const job = signals[0]!.job;
	const name = 'build (octo-org/app, run 42)';
	assert.equal(jobNow({ signals, busyHint }), { name, sinceMs: 5, job });
	assert.equal(jobNow({ signals, busyHint: undefined }), { name, sinceMs: 0, job });
	assert.equal(jobNow({ signals: [], busyHint }), { name: 'by the list', sinceMs: 5 });
	assert.is(jobNow({ signals: [], busyHint: undefined }), undefined);
});

test('a hook and an event whose keys are the same by chance are two signals all the same', () => {
	assert.equal(states(after(hook('7'), event('7', 'completed'))).toSorted(), [
		'event 7 finishing',
		'hook 7 working',
	]);
});

test("the end of another job ends no job that works: a hook's completed that came without its start", () => {
	assert.equal(states(after(hook('a'), hook('b', 'completed'))).toSorted(), [
		'hook a working',
		'hook b finishing',
	]);
});

test('a later report that knows less takes nothing away', () => {
	const [signal] = after(hook('a'), { ...hook('a', 'completed'), job: { name: 'build', runId: undefined } });
	assert.equal(signal?.job, { name: 'build', repository: 'octo-org/app', runId: 42 });
});

test('a signal ends once: what has ended keeps its time, and nothing new is written of it', () => {
	const over = ended(after(hook('a')), () => true, 7);
	assert.is(
		ended(over, () => true, 9),
		over,
	);
	const open = after(hook('a'));
	assert.is(
		ended(open, () => false, 9),
		open,
	);
	const later = ended(afterReport(over, hook('b'), 8), () => true, 9);
	assert.equal(
		later.map(({ key, sinceMs }) => `${key} ${sinceMs}`),
		['b 9', 'a 7'],
	);
});

test('only what this server signed for this run of the container is read', () => {
	const run = { uid: 'u', restarts: 0 };
	const text = writeSignals(after(hook('a')), run, signer.signStatement)!;
	assert.equal(states(readSignals(text, run, signer.verifyStatement)), ['hook a working']);
	assert.equal(readSignals(text, { uid: 'u', restarts: 1 }, signer.verifyStatement), []);
	assert.equal(readSignals(text, { uid: 'v', restarts: 0 }, signer.verifyStatement), []);
	assert.equal(readSignals(text.replace('build', 'other'), run, signer.verifyStatement), []);
	for (const none of ['x', '', ' ', undefined]) {
		assert.equal(readSignals(none, run, signer.verifyStatement), []);
		assert.equal(
			readSignals(none, run, () => true),
			[],
		);
	}
	assert.is(writeSignals([], run, signer.signStatement), null);
});

test('who has no key to check signatures reads what has the form of a signal, and nothing else', () => {
	const good = { by: 'hook', key: 'a', state: 'working', sinceMs: 5, job: { name: 'build', runId: 42 } };
	const read = (signals: unknown) =>
		readSignals(`x ${JSON.stringify(signals)}`, { uid: 'u', restarts: 0 }, () => true).length;
	for (const by of sourceNames) assert.is(read([{ ...good, by }]), 1, by);
	for (const state of ['working', 'finishing', 'over']) assert.is(read([{ ...good, state }]), 1, state);
	for (const wrong of [
		{ by: 'list' },
		{ by: 'toString' },
		{ by: ['log'] },
		{ key: 7 },
		{ state: 'idle' },
		{ sinceMs: null },
		{ sinceMs: '5' },
		{ sinceMs: 9e15 },
		{ job: undefined },
		{ job: { name: 7 } },
		{ job: { name: 'build', url: {} } },
	])
		assert.is(read([{ ...good, ...wrong }, good]), 1, JSON.stringify(wrong));
	assert.is(read(Array.from({ length: 9 }, () => good)), mostSignals);
	assert.is(read({ length: 1, 0: good }), 0);
	assert.is(read([null]), 0);
});

test('a name of any length fits', () => {
	const long = { ...hook('k'.repeat(5_000)), job: { name: 'n'.repeat(50_000), workflow: 'w'.repeat(9_000) } };
	const text = writeSignals(after(long), { uid: 'u', restarts: 0 }, signer.signStatement)!;
	assert.ok(text.length < 1_000, `${text.length}`);
});

test('a job that the log shows has run since its line, by a clock that is not ahead of ours', () => {
	const at = '2026-11-26 15:23:00Z';
	const startedMs = Date.parse('2026-11-26T15:23:00Z');
	const since = (nowMs: number) => afterLog([], { says: 'works', at, job: 'build' }, true, nowMs)[0]?.sinceMs;
	assert.is(since(startedMs + 4_000), startedMs);
	assert.is(since(startedMs - 60_000), startedMs - 60_000);
	const undated = afterLog([], { says: 'works', at: undefined, job: 'build' }, true, 7);
	assert.is(undated[0]?.sinceMs, 7);
});

test.run();
