import * as assert from 'uvu/assert';
import type { Pod } from '../../../admission/api/kinds.ts';
import { isLive, phaseOf } from '../../../admission/sets/rules/phase.ts';
import { surgeOf } from '../../../admission/sets/rules/status.ts';
import { suite } from '../../support/suite.ts';
import { noon, pod, runnerPod, running, trusting } from '../runner/pods.ts';

const test = suite('how far a runner is');
const now = noon + 60_000;
const exited = (exitCode: number, finishedAt = '2026-11-23T12:00:59Z') => ({
	phase: exitCode === 0 ? 'Succeeded' : 'Failed',
	containerStatuses: [{ name: 'runner', state: { terminated: { exitCode, finishedAt } } }],
});
const known = { annotations: { 'actions-runner/runner-id': '7' } };
const notInjected = (phase: 'Pending' | 'Running'): Parameters<typeof pod>[0] => ({
	metadata: { labels: { 'actions-runner-controller/inject-registration-token': 'true' } },
	unbound: phase === 'Pending',
	status: phase === 'Pending' ? { phase } : running(),
});
const busy = { labels: { 'actions-runner': '', 'actions-runner/busy': 'true' } };

const table: [string, string, Parameters<typeof pod>[0], object?][] = [
	['on no node', 'unbound', { unbound: true, status: { phase: 'Pending' } }],
	['on a node, not seen to run', 'starting', { status: { phase: 'Pending' } }],
	[
		'not started, and made without the pod webhook: it cannot register (E7)',
		'failed',
		notInjected('Pending'),
	],
	['it runs, made without the pod webhook', 'starting', notInjected('Running')],
	['it runs, GitHub has not shown it', 'starting', {}],
	['registered', 'idle', { metadata: known }],
	['a job runs', 'busy', { metadata: busy }],
	[
		'GitHub said 422: a job runs',
		'busy',
		{ metadata: { annotations: { 'actions-runner/unregistration-refusal': '2026-11-23T12:00:30Z busy' } } },
	],
	['it ended well', 'completed', { status: exited(0) }],
	['it ended badly after it was registered', 'completed', { metadata: known, status: exited(1) }],
	['it ended before it was registered', 'failed', { status: exited(2) }],
	['the kubelet rejected its pod', 'failed', { status: { phase: 'Failed' } }],
	[
		'somebody deleted its pod',
		'stopping',
		{ metadata: { ...known, deletionTimestamp: '2026-11-23T12:00:30Z' } },
	],
	[
		'unregistered for good',
		'stopping',
		{
			metadata: {
				annotations: { ...known.annotations, 'actions-runner/unregistered-at': '2026-11-23T12:00:30Z' },
			},
		},
		trusting,
	],
	[
		'somebody wrote that it is unregistered, without proof',
		'idle',
		{
			metadata: {
				annotations: {
					...known.annotations,
					'actions-runner/unregistered-at': '2026-11-23T12:00:30Z',
				},
			},
		},
	],
];
for (const [promise, phase, change, facts] of table) {
	test(promise, () => assert.is(phaseOf(pod(change), runnerPod(change, facts), now, now).phase, phase));
}

test('when it completed: within the second that finishedAt names, by when it was seen, rather too early (D1, D11)', () => {
	const at = (seenMs: number) => {
		const status = exited(0, '2026-11-23T12:00:30Z');
		return phaseOf(pod({ status }), runnerPod({ status }), seenMs, now).sinceMs;
	};
	const second = noon + 30_000;
	assert.is(at(second + 700), second + 450);
	assert.is(at(second + 100), second, 'not before that second');
	assert.is(at(second + 60_000), second + 750, 'seen late: in that second all the same');
	assert.is(at(second - 500), second - 500, 'not after it was seen, where clocks differ');
});

test('since when it starts', () =>
	assert.equal(
		[{}, { metadata: known }].map((change) => phaseOf(pod(change), runnerPod(change), now, now)),
		[
			{ phase: 'starting', sinceMs: noon },
			{ phase: 'idle', sinceMs: noon },
		],
	));

test('surges as annotations say them', () => {
	assert.equal(
		['3', '25%', '0', 'x'].map((text) => surgeOf(text, 10)),
		[3, 3, 1, undefined],
	);
});

test('it ended badly while it was marked busy, or after a 422: it had been registered', () => {
	for (const metadata of [
		busy,
		{ annotations: { 'actions-runner/unregistration-refusal': '2026-11-23T12:00:30Z busy' } },
	]) {
		const change = { metadata, status: exited(1) };
		assert.is(phaseOf(pod(change), runnerPod(change), now, now).phase, 'completed');
	}
});
test('an end without a time is of when it was first seen', () => {
	const status = {
		phase: 'Succeeded',
		containerStatuses: [{ name: 'runner', state: { terminated: { exitCode: 0 } } }],
	};
	assert.is(phaseOf(pod({ status }), runnerPod({ status }), now, now).sinceMs, now);
});
test('a brief end: within seconds of the container’s start, without a job that anybody saw, and not our doing', () => {
	const ended = (startedAt: string | undefined, exitCode = 0): Pod['status'] => ({
		phase: exitCode === 0 ? 'Succeeded' : 'Failed',
		containerStatuses: [
			{
				name: 'runner',
				state: {
					terminated: {
						exitCode,
						finishedAt: '2026-11-23T12:00:30Z',
						...(startedAt === undefined ? {} : { startedAt }),
					},
				},
			},
		],
	});
	const brief = (change: Parameters<typeof pod>[0], facts = {}) =>
		phaseOf(pod(change), runnerPod(change, facts), now, now).brief;
	const quick = ended('2026-11-23T12:00:21Z');
	const at = '2026-11-23T12:00:25Z';
	assert.is(brief({ status: quick }), true);
	assert.is(brief({ status: ended('2026-11-23T12:00:21Z', 1), metadata: known }), true);
	assert.is(brief({ status: ended('2026-11-23T12:00:20Z') }), false, '10 s is enough for a job');
	assert.is(brief({ status: ended(undefined) }), false);
	assert.is(brief({ status: quick, metadata: busy }), false);
	assert.is(brief({ status: quick, metadata: { annotations: { 'actions-runner/busy-since': at } } }), false);
	assert.is(
		brief({
			status: quick,
			metadata: { annotations: { 'actions-runner/unregistration-refusal': `${at} b` } },
		}),
		false,
	);
	assert.is(brief({ status: quick, metadata: { deletionTimestamp: at } }), false);
	const unregistered = { annotations: { ...known.annotations, 'actions-runner/unregistered-at': at } };
	assert.is(brief({ status: quick, metadata: unregistered }, trusting), false);
	assert.is(brief({ status: quick, metadata: unregistered }), true, 'anybody can write that');
});
test('live is what runs or will run, and has not been unregistered', () => {
	assert.ok(isLive(runnerPod(), now));
	assert.ok(isLive(runnerPod({ status: { phase: 'Pending' } }), now));
	assert.not(isLive(runnerPod({ metadata: { deletionTimestamp: '2026-11-23T12:00:30Z' } }), now));
	assert.not(isLive(runnerPod({ status: exited(0) }), now));
	const removed = { ...runnerPod(), unregistered: { at: '2026-11-23T12:00:30Z' } };
	assert.not(isLive(removed, now));
	assert.ok(isLive(removed, noon + 31_000), 'its job signals have not been read again yet');
	const signal = { by: 'hook', key: 'a', state: 'working', sinceMs: noon, job: { name: 'build' } } as const;
	assert.ok(isLive({ ...removed, signals: [signal] }, now), 'GitHub is wrong');
	assert.is(phaseOf(pod(), { ...removed, signals: [signal] }, now, now).phase, 'busy');
});

test('a job that only a hook has reported: its runner was known, and did not end for want of a job', () => {
	const status = exited(1, '2026-11-23T12:00:59Z');
	const signals = [
		{ by: 'hook', key: 'a', state: 'working', sinceMs: noon, job: { name: 'build' } },
	] as const;
	assert.is(phaseOf(pod({ status }), { ...runnerPod({ status }), signals }, now, now).phase, 'completed');
	const terminated = {
		exitCode: 0,
		startedAt: '2026-11-23T12:00:58Z',
		finishedAt: '2026-11-23T12:00:59Z',
	};
	const soon = { phase: 'Succeeded', containerStatuses: [{ name: 'runner', state: { terminated } }] };
	const brief = (reported: typeof signals | []) =>
		phaseOf(pod({ status: soon }), { ...runnerPod({ status: soon }), signals: reported }, now, now).brief;
	assert.equal([brief(signals), brief([])], [false, true]);
});

test.run();
