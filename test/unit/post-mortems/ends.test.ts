/** What decides why a runner ended, one fact at a time: whom it names, which job, and what is no reason. */
import * as assert from 'uvu/assert';
import { type EndedRunner, endedLimits, readEnded } from '../../../admission/api/ended-runners.ts';
import { breakGlass, breakGlassBy } from '../../../admission/api/keys.ts';
import type { Condition, ContainerState, EphemeralRunner, Pod } from '../../../admission/api/kinds.ts';
import { endLogs } from '../../../admission/post-mortems/read-end-log.ts';
import { causeOfEnd, causeOfRestart } from '../../../admission/post-mortems/rules/cause.ts';
import { entryOf } from '../../../admission/post-mortems/rules/entry.ts';
import { mergedList } from '../../../admission/post-mortems/rules/list.ts';
import { type RunnerPod, readRunnerPod } from '../../../admission/runner/runner-pod.ts';
import { deletedBy } from '../../../admission/runner/statements.ts';
import { suite } from '../../support/suite.ts';
import { pod, signer } from '../runner/pods.ts';

const test = suite('ends of runners');

const nowMs = Date.parse('2026-11-23T12:10:00Z');
const deletionTimestamp = '2026-11-23T12:05:00Z';
const verify = signer.verifyStatement;

const running: ContainerState = { running: { startedAt: '2026-11-23T12:00:00Z' } };
const exited = (exitCode: number): ContainerState => ({ terminated: { exitCode } });
const shown = (state: ContainerState, conditions: Condition[] = []): Pod['status'] => ({
	phase: 'Running',
	conditions,
	containerStatuses: [{ name: 'runner', restartCount: 0, state }],
});
const disrupted = (reason: string): Condition => ({ type: 'DisruptionTarget', status: 'True', reason });

function read(object: Pod, change: Partial<RunnerPod> = {}): RunnerPod {
	const runner = readRunnerPod(object, { verify });
	if (!runner) throw new Error('no runner pod');
	return { ...runner, ...change };
}

interface Seen {
	runner?: Partial<RunnerPod>;
	before?: RunnerPod;
	gone?: boolean;
	nodeExists?: boolean;
}

function reasonOf(
	object: Pod,
	{ runner = {}, before, gone = false, nodeExists = true }: Seen,
): string | undefined {
	const cause = causeOfEnd({ pod: object, runner: read(object, runner), before, gone, nodeExists });
	return typeof cause === 'object' ? cause.reason : cause;
}

function entry(
	object: Pod,
	change: Partial<RunnerPod> = {},
	more: Partial<Parameters<typeof entryOf>[1]> = {},
) {
	const runner = read(object, change);
	const cause = causeOfEnd({ pod: object, runner, before: undefined, gone: true, nodeExists: true });
	if (typeof cause !== 'object') throw new Error(`${cause}`);
	const facts = { before: undefined, ephemeralRunner: undefined, restarts: 0, verify, nowMs, ...more };
	return entryOf(cause, { pod: object, runner, ...facts });
}

test('a pod that vanishes with its node is lost, also where nobody has written a condition; with its node there, it was deleted', () => {
	const object = pod({ status: shown(running) });
	assert.is(reasonOf(object, { gone: true, nodeExists: false }), 'node-lost');
	assert.is(reasonOf(object, { gone: true, runner: { nodeGone: true } }), 'node-lost');
	assert.is(reasonOf(object, { gone: true }), 'deleted');
});

test('a condition of a deletion that was refused is no reason for an end that comes later', () => {
	const object = pod({ status: shown(exited(1), [disrupted('PreemptionByScheduler')]) });
	assert.is(reasonOf(object, {}), 'failed');
	assert.is(reasonOf(object, { runner: { terminating: true } }), 'preempted');
});

test('terminated by the kubelet, and its status has no reason: evicted', () => {
	const object = pod({ status: shown(exited(143), [disrupted('TerminationByKubelet')]) });
	assert.is(reasonOf(object, { runner: { terminating: true } }), 'evicted');
});

test('break-glass on a runner that had ended by itself is not why it ended', () => {
	const ended = pod({ metadata: { annotations: { [breakGlass]: 'INC-42' } }, status: shown(exited(0)) });
	const terminating = { terminating: true, breakGlass: 'INC-42' };
	assert.is(reasonOf(ended, { runner: terminating, before: read(ended, terminating) }), 'as-it-should');
	const before = read(pod({ status: shown(running) }), terminating);
	assert.is(reasonOf(ended, { runner: terminating, before }), 'break-glass');
});

test('a runner that was let go without a job ended as it should, whatever its exit code', () => {
	const object = pod({ metadata: { deletionTimestamp }, status: shown(exited(143)) });
	for (const runner of [
		{ unregistered: { at: '2026-11-23T12:04:00Z' } },
		{ saidToBeGone: { atMs: nowMs } },
		{ absentSinceMs: nowMs },
	])
		assert.is(reasonOf(object, { runner: { ...runner, terminating: true } }), 'as-it-should');
	const kept = pod({ status: shown(exited(143)) });
	assert.is(reasonOf(kept, { runner: { saidToBeGone: { atMs: nowMs } } }), 'sigterm', 'nobody deletes it');
});

test('a restart in place after exit code 0 is no death', () => {
	const restarted = (exitCode: number) =>
		pod({
			status: {
				containerStatuses: [{ name: 'runner', restartCount: 1, state: running, lastState: exited(exitCode) }],
			},
		});
	assert.is(causeOfRestart(restarted(0), 0), undefined);
	assert.is(causeOfRestart(restarted(1), 0)?.reason, 'failed');
});

test('by whom it was deleted by break-glass: only where this server has signed it', () => {
	const by = (text: string) =>
		entry(
			pod({
				metadata: { annotations: { [breakGlass]: 'INC-42', [breakGlassBy]: text }, deletionTimestamp },
				status: shown(running),
			}),
			{ breakGlass: 'INC-42' },
		).by;
	const signature = signer.signStatement(deletedBy('uid-1', 'alice'));
	assert.is(by(`${signature} alice`), 'alice');
	assert.is(by(`${signature} bob`), undefined);
	assert.is(by('forged alice'), undefined);
});

test('by whom it was deleted: by the recorded deletion, which may be unverified', () => {
	const record = { requestedBy: 'carol', options: { certified: false } } as unknown as RunnerPod['record'];
	const object = pod({ status: shown(running) });
	assert.is(entry(object, { record }).by, 'carol (unverified)');
	assert.is(entry(object).by, undefined);
});

test("a node's wrong clock: an end in the future, or of days ago, counts as now", () => {
	const endedAt = (finishedAt: string) =>
		entry(pod({ status: shown({ terminated: { exitCode: 1, finishedAt } }) })).endedAt;
	const now = new Date(nowMs).toISOString();
	assert.is(endedAt('2026-11-23T12:09:00Z'), '2026-11-23T12:09:00.000Z');
	assert.is(endedAt('2026-11-24T12:00:00Z'), now);
	assert.is(endedAt('2026-11-20T12:00:00Z'), now);
});

test("the runner's limits are kept", () => {
	const spec = pod().spec;
	const [runner] = spec?.containers ?? [];
	if (runner) runner.resources = { limits: { memory: '4Gi' } };
	assert.equal(entry(pod({ ...(spec && { spec }), status: shown(running) })).limits, { memory: '4Gi' });
});

test("a job's link leads to the runner's own GitHub, and nowhere else", () => {
	const link = (url: string) => {
		const job = { name: 'build', url };
		const signals = [
			{ by: 'hook', key: '1', state: 'working', sinceMs: 1, job },
		] as unknown as RunnerPod['signals'];
		return entry(pod({ status: shown(running) }), { signals, host: 'github.com' }).job?.url;
	};
	assert.is(
		link('https://github.com/o/r/actions/runs/1/job/2'),
		'https://github.com/o/r/actions/runs/1/job/2',
	);
	assert.is(link('https://evil.example.com/o/r'), undefined);
	assert.is(link('http://github.com/o/r'), undefined);
	const run = (jobRepositoryName: string) => {
		const status = { jobDisplayName: 'build', jobId: '1', jobRepositoryName, workflowRunId: 7 };
		const ephemeralRunner = { metadata: { name: 'r1' }, status } as EphemeralRunner;
		return entry(pod({ status: shown(running) }), { host: 'github.com' }, { ephemeralRunner }).job?.url;
	};
	assert.is(run('octo-org/app'), 'https://github.com/octo-org/app/actions/runs/7');
	assert.is(run('octo-org/app/../../evil?x='), undefined);
});

const one = (index: number, change: Partial<EndedRunner> = {}): EndedRunner => ({
	pod: `r${index}`,
	uid: `${index}`,
	restarts: 0,
	runner: `r${index}`,
	reason: 'failed',
	endedAt: new Date(nowMs - index).toISOString(),
	...change,
});

test('what is read of a list is bounded, whoever wrote it', () => {
	const list = (entries: unknown[]) => readEnded(JSON.stringify(entries), nowMs);
	const many = Array.from({ length: 200 }, (_, index) => one(index));
	assert.is(list(many).length, endedLimits.entries);
	const huge = `${' '.repeat(2 * endedLimits.bytes)}${JSON.stringify([one(1)])}`;
	assert.equal(readEnded(huge, nowMs), []);
	const limits = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`l${index}`, '1']));
	assert.is(Object.keys(list([one(1, { limits })])[0]?.limits ?? {}).length, 8);
	const log = Array.from({ length: 100 }, () => 'x'.repeat(1_000));
	const [read] = list([one(1, { log })]);
	assert.is(read?.log?.length, 9, '8 KiB, and no empty lines for what is cut');
});

test('entries that are too many bytes without their logs go, oldest first', () => {
	const wide = 'x'.repeat(9_000);
	const { kept, text } = mergedList(
		[],
		Array.from({ length: 50 }, (_, index) => one(index, { detail: wide })),
		nowMs,
	);
	assert.ok(Buffer.byteLength(text) <= endedLimits.bytes);
	assert.ok(kept.length > 20 && kept.length < 50);
	assert.is(kept[0]?.pod, 'r0');
});

test('of a log no more is asked for than may be kept', async () => {
	let asked: unknown;
	const text = async (_path: string, { query }: { query?: unknown }) => {
		asked = query;
		return { text: 'a\nb\n', toItsEnd: true };
	};
	const readLog = endLogs({ text } as unknown as Parameters<typeof endLogs>[0]);
	assert.equal(await readLog({ namespace: 'ci', name: 'r1' }, false), { lines: ['a', 'b'], whole: true });
	const { tailLines, limitBytes } = asked as Record<string, number>;
	assert.equal([tailLines, limitBytes], [100, 128 * 1_024]);
});

test.run();
