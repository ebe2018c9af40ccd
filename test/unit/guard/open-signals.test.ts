/** How job signals end if nobody asks for the deletion of the runner. */
import * as assert from 'uvu/assert';
import { arc, busy } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { BusyPolling } from '../../../admission/guard/busy-polling.ts';
import { OpenSignals } from '../../../admission/guard/open-signals.ts';
import type { Sighting } from '../../../admission/guard/rules/busy-marks.ts';
import {
	contradiction,
	nextReadMs,
	signalsAfterReading,
	signalToVerify,
	withoutAnothers,
} from '../../../admission/guard/rules/open-signals.ts';
import { recordReport } from '../../../admission/jobs/record-report.ts';
import type { JobReport } from '../../../admission/jobs/rules/job-signals.ts';
import type { LogReading } from '../../../admission/jobs/rules/runner-log.ts';
import type { JobSignal } from '../../../admission/runner/job-signals.ts';
import type { RunnerPod } from '../../../admission/runner/runner-pod.ts';
import { suite } from '../../support/suite.ts';
import { noon, runnerPod } from '../runner/pods.ts';
import { World } from '../support/world.ts';

const test = suite('open signals');

const minute = 60_000;
const signal = (by: JobSignal['by'], state: JobSignal['state'], sinceMs = noon): JobSignal => ({
	by,
	state,
	sinceMs,
	key: 'a',
	job: { name: 'build' },
});
const runner = (signals: JobSignal[], change: Partial<RunnerPod> = {}): RunnerPod => ({
	...runnerPod(),
	ephemeral: false,
	signals,
	...change,
});
const list = (atMs: number, busy: boolean | undefined): Sighting => ({
	runner: busy === undefined ? undefined : { id: 1, busy, status: 'online' },
	complete: true,
	atMs,
	overForMs: 0,
});
const states = (signals: readonly JobSignal[]) => signals.map(({ by, state }) => `${by} ${state}`);
const idle = { says: 'idle', at: undefined } as const;
const unread = { says: 'unknown', why: '' } as const;

test('a job that has completed: its log is read at once, then after 1, 2, 4 s, at most every 30 s', () => {
	const pod = runner([signal('hook', 'finishing')]);
	assert.is(nextReadMs(pod, undefined, undefined, noon), 0);
	assert.is(nextReadMs(pod, undefined, noon - 500, noon), 0, 'that was before it completed');
	assert.is(nextReadMs(pod, undefined, noon, noon), 1_000);
	assert.is(
		nextReadMs(pod, undefined, noon - 1, noon - 1),
		1_000,
		'another replica whose clock is ahead wrote it',
	);
	assert.is(nextReadMs(pod, undefined, noon + 1_000, noon + 1_000), 1_000);
	assert.is(nextReadMs(pod, undefined, noon + 4_000, noon + 5_000), 3_000);
	assert.is(nextReadMs(pod, undefined, noon + 10 * minute, noon + 10 * minute), 30_000);
});
test("what the log alone says is read again every 10 s; a hook's job only after ten minutes and against GitHub's list", () => {
	const logged = runner([signal('log', 'working')]);
	assert.is(nextReadMs(logged, undefined, noon, noon + 1_000), 9_000);
	assert.is(
		nextReadMs(logged, list(noon, true), noon, noon + minute),
		1_000,
		'the list shows it too: not read',
	);
	assert.is(nextReadMs(logged, list(noon, false), noon, noon + minute), 0);

	const pod = runner([signal('hook', 'working')]);
	assert.is(nextReadMs(pod, undefined, undefined, noon + minute), 9 * minute);
	const late = noon + 11 * minute;
	assert.is(nextReadMs(pod, list(late - 1_000, true), undefined, late), minute);
	assert.is(nextReadMs(pod, list(late - 1_000, false), undefined, late), 0);
	assert.is(nextReadMs(pod, list(late - 1_000, false), late - 1_000, late), 59_000);
});
test('an event about another runner of its name: it counts until a list of half a minute later still shows the pod’s own id', () => {
	const event = { ...signal('event', 'working'), job: { name: 'build', runnerId: 9 } };
	for (const ephemeral of [true, false]) {
		const pod = runner([event], { ephemeral, registered: true, runnerId: 1 });
		const after = (sighting: Sighting | undefined, change: Partial<RunnerPod> = {}) =>
			states(withoutAnothers({ ...pod, ...change }, sighting, noon + minute))[0];
		assert.is(after(list(noon + 30_000, false)), 'event over');
		assert.is(after(list(noon + 30_000, true)), 'event over', 'its own job has a signal of its own');
		assert.is(after(undefined), 'event working');
		assert.is(after(list(noon + 29_999, false)), 'event working', 'GitHub’s lists may be late');
		assert.is(
			after(list(noon + minute, undefined)),
			'event working',
			'it is not listed: it may have registered anew',
		);
		const renewed = { ...list(noon + minute, false), runner: { id: 9, busy: true, status: 'online' } };
		assert.is(after(renewed), 'event working', 'it has registered anew');
		assert.is(
			after(list(noon + minute, false), { registered: false }),
			'event working',
			'whose id it is anybody may have written',
		);
		const own = { ...event, job: { name: 'build', runnerId: 1 } };
		assert.is(after(list(noon + minute, false), { signals: [own] }), 'event working');
		assert.is(after(list(noon + minute, false), { signals: [signal('hook', 'working')] }), 'hook working');
	}
});
test('the clock was set back, or the list that shows the job is old: the log is read', () => {
	const hour = 60 * minute;
	assert.is(nextReadMs(runner([signal('hook', 'finishing')]), undefined, noon + hour, noon + 1_000), 0);
	const logged = runner([signal('log', 'working')]);
	assert.is(nextReadMs(logged, list(noon, true), noon, noon + hour), 0);
});
test("an ephemeral runner's signals end with its container: its log is not read", () => {
	for (const state of ['working', 'finishing'] as const)
		assert.is(
			nextReadMs(runner([signal('hook', state)], { ephemeral: true }), undefined, 0, noon),
			undefined,
		);
	assert.is(nextReadMs(runner([signal('hook', 'over')]), undefined, undefined, noon), undefined);
	for (const change of [{ terminating: true }, { process: { state: 'exited' } as const }])
		assert.is(
			nextReadMs(runner([signal('hook', 'finishing')], change), undefined, undefined, noon),
			undefined,
		);
	assert.is(nextReadMs(runner([]), undefined, undefined, noon), undefined);
});
test('the log says idle: what is finishing has ended, and what works has not', () => {
	const pod = runner([signal('hook', 'finishing'), signal('event', 'working')]);
	assert.equal(states(signalsAfterReading(pod, idle, undefined, noon + minute)), [
		'hook over',
		'event working',
	]);
});
test('a worker that was killed sends no end: after ten minutes log and list together end its signals, neither alone', () => {
	const pod = runner([signal('hook', 'working')]);
	const late = noon + 11 * minute;
	assert.equal(states(signalsAfterReading(pod, idle, list(late, false), late)), ['hook over']);
	assert.equal(states(signalsAfterReading(pod, idle, list(late, undefined), late)), ['hook over']);
	assert.is(signalsAfterReading(pod, idle, list(late, true), late), pod.signals);
	assert.is(signalsAfterReading(pod, idle, undefined, late), pod.signals);
	assert.is(signalsAfterReading(pod, unread, list(late, false), late), pod.signals);
	assert.is(
		signalsAfterReading(pod, idle, list(noon + minute, false), noon + 2 * minute),
		pod.signals,
		'too early',
	);
	assert.is(signalsAfterReading(pod, idle, list(noon + minute, false), late), pod.signals, 'an old list');
});
test('the log says that it works: nothing that works has ended, whatever the list shows', () => {
	const pod = runner([signal('hook', 'working'), signal('event', 'working')]);
	const late = noon + 11 * minute;
	const works = { says: 'works', at: undefined, job: 'build' } as const;
	assert.equal(states(signalsAfterReading(pod, works, list(late, false), late)), [
		'log working',
		'hook working',
		'event working',
	]);
});
test('a start that is not a whole line: a list that has contradicted it for ten minutes ends it, and a new one opens it', () => {
	const read = (at: string): LogReading => ({ says: 'works', at, job: 'build', unclear: true });
	const opened = signalsAfterReading(runner([]), read('1'), list(noon, false), noon);
	assert.equal(states(opened), ['log working'], 'whatever a list of now shows');
	const pod = runner([...opened]);
	for (const [atMs, busy] of [
		[noon + 10 * minute - 1, false],
		[noon + 10 * minute, true],
	] as const)
		assert.is(signalsAfterReading(pod, read('1'), list(atMs, busy), atMs), pod.signals);
	for (const busy of [false, undefined]) {
		const over = signalsAfterReading(pod, read('1'), list(noon + 10 * minute, busy), noon + 10 * minute);
		assert.equal(states(over), ['log over']);
		const later = noon + 30 * minute;
		const known = runner([...over]);
		assert.is(signalsAfterReading(known, read('1'), list(later, false), later), known.signals);
		assert.equal(states(signalsAfterReading(known, read('2'), list(later, false), later)), ['log working']);
	}
	const clean: LogReading = { says: 'works', at: '1', job: 'build' };
	assert.is(signalsAfterReading(pod, clean, list(noon + 60 * minute, false), noon), pod.signals);
});
test("where the log says nothing, GitHub's completed ends with its list, a hook's a minute later", () => {
	const event = runner([signal('event', 'finishing')]);
	assert.equal(states(signalsAfterReading(event, unread, list(noon + 1, false), noon + 2)), ['event over']);
	assert.is(signalsAfterReading(event, unread, list(noon + 1, true), noon + 2), event.signals);
	assert.is(signalsAfterReading(event, unread, list(noon - 1, false), noon + 2), event.signals);
	const hook = runner([signal('hook', 'finishing')]);
	assert.is(signalsAfterReading(hook, unread, list(noon + 59_000, false), noon + minute), hook.signals);
	assert.equal(states(signalsAfterReading(hook, unread, list(noon + minute, false), noon + minute)), [
		'hook over',
	]);
});
test('GitHub is wrong when its list of half a minute later does not show the job; an ephemeral one may be absent', () => {
	const pod = runner([signal('hook', 'working')]);
	assert.is(contradiction(pod, list(noon + 30_000, false)), 'idle-while-busy');
	assert.is(contradiction(pod, list(noon + 29_999, false)), undefined);
	assert.is(contradiction(pod, list(noon + 30_000, true)), undefined);
	assert.is(contradiction(pod, list(noon + 30_000, undefined)), 'absent-while-busy');
	assert.is(contradiction({ ...pod, ephemeral: true }, list(noon + 30_000, undefined)), undefined);
	assert.is(contradiction(runner([signal('hook', 'finishing')]), list(noon + 30_000, false)), undefined);
});

test('GitHub is asked about the run of a signal only where its list contradicts it for long and the log says nothing', () => {
	const late = noon + 11 * minute;
	const known = {
		...signal('hook', 'working'),
		job: { name: 'build', repository: 'octo-org/app', runId: 42 },
	};
	const asked = (signals: JobSignal[], reading: LogReading, busy: boolean, nowMs = late) =>
		signalToVerify(runner(signals), reading, list(nowMs, busy), nowMs);
	assert.is(asked([known], unread, false), known);
	assert.is(asked([known], idle, false), undefined);
	assert.is(asked([known], unread, true), undefined);
	assert.is(asked([known], unread, false, noon + minute), undefined);
	for (const job of [
		{ name: 'build' },
		{ name: 'build', repository: 'octo-org/app' },
		{ name: 'build', runId: 42 },
	])
		assert.is(asked([{ ...known, job }], unread, false), undefined, 'its run is not known');
	assert.is(asked([{ ...known, state: 'over' }], unread, false), undefined);
});

test('an event has reported a later job and not the end of this one: ten minutes later GitHub is asked about its run', () => {
	const late = noon + 11 * minute;
	const job = { name: 'build', repository: 'octo-org/app', runId: 42 };
	const unreported = { ...signal('event', 'working'), job };
	const next = { ...signal('event', 'working', noon + minute), key: 'b', job: { ...job, runId: 43 } };
	const busyList = list(late, true);
	const readings: LogReading[] = [idle, unread, { says: 'works', at: undefined, job: 'build' }];
	const pod = runner([next, unreported]);
	for (const reading of readings) assert.is(signalToVerify(pod, reading, busyList, late), unreported);
	assert.is(signalToVerify(pod, idle, busyList, noon + 9 * minute), undefined);
	assert.is(nextReadMs(pod, busyList, undefined, noon + 2 * minute), 8 * minute);
	assert.is(nextReadMs(pod, busyList, undefined, late), 0);
	assert.is(nextReadMs(pod, busyList, late - 1_000, late), 59_000);
	// Only an event reports another job than its own; the time of an end does not say when it started.
	for (const state of ['finishing', 'over'] as const)
		assert.is(signalToVerify(runner([{ ...next, state }, unreported]), idle, busyList, late), undefined);
	for (const by of ['hook', 'log'] as const)
		assert.is(signalToVerify(runner([{ ...next, by }, unreported]), idle, busyList, late), undefined);
	for (const own of [{ by: 'hook' }, { state: 'finishing' }, { state: 'over' }] as const)
		assert.is(signalToVerify(runner([next, { ...unreported, ...own }]), idle, busyList, late), undefined);
});

const started: JobReport = { by: 'hook', says: 'started', key: 'a', job: { name: 'build' } };
const env = { RUNNER_EPHEMERAL: 'false' };

const warnings = ({ lines }: World) => lines.filter((line) => !/^(?:debug|info) /.test(line));

function setUp(change: Partial<ConstructorParameters<typeof OpenSignals>[0]> = {}) {
	const world = new World();
	const polling = new BusyPolling(world.parts);
	const signals = new OpenSignals({
		...world.parts,
		sign: world.signer.signStatement,
		readLog: world.ports.readLog,
		sighting: (pod) => polling.sighting(pod),
		...change,
	});
	const marked = () => world.pod('r1')?.metadata.labels?.[busy.label] === 'true';
	const print = (line: string) => world.api.logs.set('ci/r1', `2026-11-23 12:01:00Z: ${line}\n`);
	const say = (says: JobReport['says'], job = started.job, by: JobReport['by'] = 'hook') => {
		const parts = { ...world.parts, sign: world.signer.signStatement };
		return recordReport(world.pod('r1') as Pod, { ...started, by, key: by, says, job }, parts);
	};
	const logsRead = () => world.api.callsTo('GET', /\/log$/).length;
	world.runner('r1', { env });
	return {
		...{ world, clock: world.clock, signals, marked, print, say, logsRead },
		start: () => world.start((signal) => polling.run(signal)),
	};
}

test("a static runner's job: busy from its hook on, and idle within a second of the log's word, before any list", async () => {
	const { world, clock, signals, marked, print, say, start, logsRead } = setUp();
	await start();
	await clock.pass(20_000);
	print('Running job: build');
	void say('started');
	await clock.until('it is marked', marked, 1_000);
	world.github.set('r1', { busy: true });
	await clock.pass(30_000);
	void say('completed');
	await clock.pass(3_000);
	assert.ok(marked(), 'logs are uploaded after it');
	world.github.set('r1', { busy: false });
	print('Job build completed with result: Succeeded');
	assert.ok((await clock.until('it is idle', () => !marked())) <= 8_000);
	await clock.pass(100);
	assert.is(world.annotations('r1')[busy.job], undefined);
	const reads = logsRead();
	await clock.pass(5 * minute);
	assert.is(logsRead(), reads, 'an idle runner’s log is not read');
	await world.stop(signals);
});
test('an event about another runner of its name marks it as busy for less than a minute, ephemeral or not', async () => {
	const { world, clock, signals, marked, print, say, start } = setUp();
	world.runner(
		'r1',
		{ env: { RUNNER_EPHEMERAL: 'true' }, metadata: { annotations: world.listed('r1', 1) } },
		'unknown',
	);
	print('Listening for Jobs');
	await start();
	await clock.pass(20_000);
	void say('started', { name: 'build', runnerId: 900 }, 'event');
	await clock.until('it is marked', marked, 1_000);
	const tookMs = await clock.until('it is idle', () => !marked(), 2 * minute);
	assert.ok(tookMs >= 29_000, `${tookMs} ms`);
	void say('started', { name: 'test', runnerId: 1 }, 'event');
	await clock.pass(1_000);
	await world.stop(signals);
});
test('a job that GitHub never shows is busy all the same, counted once, and ends by the log after its end', async () => {
	const { world, clock, signals, marked, print, say, start } = setUp();
	await start();
	print('Running job: build');
	void say('started');
	await clock.pass(9 * minute);
	assert.ok(marked());
	assert.match(await world.metrics.registry.metrics(), /contradictions_total\{kind="idle-while-busy"\} 1$/m);
	print('Job build completed with result: Failed');
	await clock.pass(minute / 2);
	assert.ok(marked(), 'no end was sent, and the log alone is not believed at once');
	await clock.until('it is idle', () => !marked(), 3 * minute);
	await world.stop(signals);
});
test('its log says nothing, its run is known: GitHub’s answer about the jobs of the run ends the signal', async () => {
	for (const answer of ['all completed', 'not all', 'unknown'] as const) {
		const { world, clock, signals, marked, print, say, start } = setUp();
		const questions: unknown[] = [];
		const account = Object.assign(world.github.account, {
			jobsOf: async (question: unknown) => {
				questions.push(question);
				return answer;
			},
		});
		world.github.accounts.resolve = async () => account;
		await start();
		print('of no meaning');
		void say('started', { name: 'build', repository: 'octo-org/app', runId: 42, attempt: 2 });
		await clock.pass(14 * minute);
		const question = { repository: 'octo-org/app', runId: 42, attempt: 2, runnerName: 'r1' };
		assert.equal(questions[0], question);
		assert.is(marked(), answer !== 'all completed', answer);
		assert.ok(questions.length <= 6, `${questions.length}`);
		await world.stop(signals);
	}
});
test('a full queue, and one end that GitHub has never reported: asked about its run once, and the signal is over', async () => {
	const { world, clock, signals, print, start } = setUp();
	const questions: { runId: number }[] = [];
	const account = Object.assign(world.github.account, {
		jobsOf: async (question: { runId: number }) => {
			questions.push(question);
			return question.runId === 42 ? ('all completed' as const) : ('not all' as const);
		},
	});
	world.github.accounts.resolve = async () => account;
	await start();
	const parts = { ...world.parts, sign: world.signer.signStatement };
	const job = { name: 'build', repository: 'octo-org/app' };
	const reported = (key: string, runId: number) =>
		recordReport(
			world.pod('r1') as Pod,
			{ by: 'event', says: 'started', key, job: { ...job, runId } },
			parts,
		);
	void reported('7', 42);
	world.github.set('r1', { busy: true });
	await clock.pass(minute);
	print('Running job: build');
	void reported('8', 43);
	await clock.pass(8 * minute);
	assert.equal(questions, [], 'ten minutes first');
	await clock.pass(5 * minute);
	assert.equal(
		questions.map(({ runId }) => runId),
		[42],
	);
	const open = (world.annotations('r1')[busy.signals] ?? '').split(' ').slice(1).join(' ');
	const read = (JSON.parse(open) as JobSignal[]).filter(({ by }) => by === 'event');
	assert.equal(
		read.map(({ key, state }) => [key, state]),
		[
			['8', 'working'],
			['7', 'over'],
		],
	);
	await world.stop(signals);
});
test("a job that GitHub's list shows is named by the log, read once, and ends with list and log", async () => {
	const { world, clock, signals, marked, print, start, logsRead } = setUp();
	await start();
	await clock.pass(20_000);
	print('Running job: build (amd64)');
	world.github.set('r1', { busy: true });
	await clock.until('it is named', () => world.annotations('r1')[busy.job] === 'build (amd64)', 15_000);
	await clock.pass(10 * minute);
	assert.is(logsRead(), 1);
	print('Job build (amd64) completed with result: Succeeded');
	world.github.set('r1', { busy: false });
	assert.ok((await clock.until('it is idle', () => !marked())) <= 14_000);
	await clock.pass(minute);
	assert.is(logsRead(), 2);
	print('Running job: test (amd64)');
	world.github.set('r1', { busy: true });
	await clock.until('the next one, too', () => world.annotations('r1')[busy.job] === 'test (amd64)', 15_000);
	await world.stop(signals);
});
test('... named at the next try where others write on the pod at the same time', async () => {
	const { world, clock, signals, print, start } = setUp();
	await start();
	const { patch } = world.pods;
	let conflicts = 0;
	world.pods.patch = async (...asked) => {
		if (!(busy.signals in (asked[1].annotations ?? {})) || conflicts++ > 0)
			return patch.apply(world.pods, asked);
		world.edit('r1', { annotations: { theirs: 'x' } });
		return 'conflict';
	};
	print('Running job: build');
	world.github.set('r1', { busy: true });
	await clock.until('it is named', () => world.annotations('r1')[busy.job] === 'build', 15_000);
	await world.stop(signals);
});
test('... and not read again within ten seconds of that, though the list shows the runner idle', async () => {
	const sightings = [list(noon + minute, true)];
	const { world, clock, signals, print, logsRead, start } = setUp({ sighting: () => sightings.at(-1) });
	await start();
	print('Running job: build');
	world.github.set('r1', { busy: true });
	await clock.until('it is read', () => logsRead() === 1, 15_000);
	sightings.push(list(noon + minute, false));
	await clock.pass(5_000);
	assert.is(logsRead(), 1);
	await clock.pass(6_000);
	assert.is(logsRead(), 2);
	await world.stop(signals);
});
test('a job that is named already, or whose runner has ended or is being deleted: no log is read', async () => {
	// Nobody takes the marks away meanwhile.
	const world = new World();
	const { readLog } = world.ports;
	const signals = new OpenSignals({
		...world.parts,
		sign: world.signer.signStatement,
		readLog,
		sighting: () => undefined,
	});
	const labels = { 'actions-runner': '', [busy.label]: 'true' };
	const metadata = { labels };
	const named = { labels, annotations: { [busy.job]: 'build' } };
	world.runner('named', { env, metadata: named }, { busy: true });
	world.runner('leaving', { env, metadata: { ...metadata, deletionTimestamp: '2026-11-23T12:00:00Z' } });
	world.runner('ended', { env, metadata, status: { phase: 'Succeeded' } });
	world.runner('nameless', { env, metadata });
	await world.start();
	await world.clock.pass(minute);
	const read = world.api.callsTo('GET', /\/log$/).map(({ path }) => path);
	assert.equal(read, ['/api/v1/namespaces/ci/pods/nameless/log']);
	await world.stop(signals);
});
test('a job whose signals have ended meanwhile: no log is read for it any more', async () => {
	const { world, clock, signals, say, start, logsRead } = setUp();
	await start();
	void say('started');
	await clock.pass(20_000);
	world.edit('r1', { annotations: { [busy.signals]: null } });
	await clock.pass(5 * minute);
	assert.is(logsRead(), 0);
	await world.stop(signals);
});
test('an ephemeral runner’s log is not read for its signals, and GitHub’s wrong list is counted all the same', async () => {
	const { world, clock, signals, say, start, logsRead } = setUp();
	world.runner('r1');
	await start();
	void say('started');
	await clock.pass(12 * minute);
	assert.is(logsRead(), 0);
	assert.match(await world.metrics.registry.metrics(), /contradictions_total\{kind="idle-while-busy"\} 1$/m);
	await world.stop(signals);
});
test('no credentials: nobody is asked about the run of a signal, which stays open', async () => {
	const { world, clock, signals, marked, print, say, start } = setUp({
		accounts: { resolve: async () => ({ kind: 'credentials-missing', detail: 'no Secret' }) },
	});
	await start();
	print('of no meaning');
	void say('started', { name: 'build', repository: 'octo-org/app', runId: 42 });
	await clock.pass(14 * minute);
	assert.ok(marked());
	await world.stop(signals);
	assert.not(warnings(world).some((line) => line.includes('not updated')));
});
test('... a log that does not tell is not read again; ARC’s pods that it removes are left alone', async () => {
	const { world, clock, signals, print, start, logsRead } = setUp();
	world.runner(
		'r2',
		{ metadata: { annotations: { [arc.requestedAt]: '2026-11-23T12:00:00Z' } } },
		{ busy: true },
	);
	await start();
	print('of no meaning');
	world.github.set('r1', { busy: true });
	await clock.pass(minute);
	world.edit('r1', { annotations: { theirs: 'x' } });
	await clock.pass(9 * minute);
	assert.is(logsRead(), 1);
	const signalsWritten = world.api
		.callsTo('PATCH', /pods\/r1/)
		.filter(({ body }) => JSON.stringify(body).includes(busy.signals));
	assert.equal(signalsWritten, []);
	await world.stop(signals);
});
test('the end of such a job is one write with its marks, and the condition waits: ARC asks GitHub at each', async () => {
	const { world, clock, signals, marked, print, start } = setUp();
	const condition = () =>
		world.pod('r1')?.status?.conditions as { type: string; status: string }[] | undefined;
	await start();
	await clock.pass(20_000);
	print('Running job: build');
	world.github.set('r1', { busy: true });
	await clock.until('it is named', () => world.annotations('r1')[busy.job] === 'build', 15_000);
	world.edit('r1', { annotations: { [arc.requestedAt]: '2026-11-23T12:01:30Z' } });
	await clock.pass(minute);
	const writes = () => world.api.callsTo('PATCH', /\/pods\/r1/).length;
	const before = writes();
	print('Job build completed with result: Succeeded');
	world.github.set('r1', { busy: false });
	await clock.until('it is idle', () => !marked(), 15_000);
	await clock.pass(minute);
	assert.is(writes() - before, 1);
	assert.equal(
		condition()?.map(({ status }) => status),
		['True'],
	);
	world.edit('r1', { annotations: { [arc.requestedAt]: null } });
	await clock.pass(minute);
	assert.equal(
		condition()?.map(({ status }) => status),
		['False'],
		'ARC does not remove it after all',
	);
	assert.is(world.annotations('r1')[busy.signals], undefined);
	await world.stop(signals);
});
test('the log ends one of two signals, or the list shows a job: the marks are not removed with the signal', async () => {
	for (const next of ['event', 'list'] as const) {
		const { world, clock, signals, marked, print, say, start } = setUp();
		await start();
		await clock.pass(20_000);
		print('Running job: build');
		void say('started');
		await clock.pass(1_000);
		world.api.calls.length = 0;
		world.github.set('r1', { busy: true });
		await clock.pass(30_000);
		if (next === 'event') void say('started', { name: 'deploy' }, 'event');
		if (next === 'event') world.github.set('r1', { busy: false });
		await clock.pass(20_000);
		void say('completed');
		await clock.pass(1_000);
		print('Job build completed with result: Succeeded');
		await clock.pass(minute);
		const states = world.annotations('r1')[busy.signals] ?? '';
		assert.match(states, '"over"', next);
		assert.ok(marked(), next);
		const ended = world.api
			.callsTo('PATCH', /\/pods\/r1$/)
			.map(({ body }) => JSON.stringify(body))
			.filter((body) => body.includes(busy.signals));
		assert.ok(ended.length > 0, next);
		assert.not.ok(
			ended.some((body) => body.includes(`"${busy.label}":null`)),
			next,
		);
		await world.stop(signals);
	}
});
test('a log that has named the job and cannot be read any more: over when the list has contradicted it for long', () => {
	const pod = runner([signal('log', 'working')]);
	const late = noon + 11 * minute;
	assert.equal(states(signalsAfterReading(pod, unread, list(late, false), late)), ['log over']);
	assert.is(signalsAfterReading(pod, unread, list(late, true), late), pod.signals);
	assert.is(signalsAfterReading(pod, unread, list(noon + minute, false), noon + 2 * minute), pod.signals);
});
test('ten minutes of a job cost no log; a killed pod leaves nothing behind', async () => {
	const { world, clock, signals, print, say, start, logsRead } = setUp();
	await start();
	print('Running job: build');
	void say('started');
	world.github.set('r1', { busy: true });
	await clock.pass(20 * minute);
	assert.is(logsRead(), 0);
	world.api.drop('/api/v1/pods', 'r1', 'ci');
	await clock.pass(minute);
	await world.stop(signals);
	assert.equal(warnings(world), []);
});

test.run();
