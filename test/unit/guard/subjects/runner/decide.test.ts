import * as assert from 'uvu/assert';
import { agoMs, quietLeftMs } from '../../../../../admission/guard/rules/elapsed.ts';
import {
	confirmIdle,
	decide,
	decideAbsent,
} from '../../../../../admission/guard/subjects/runner/rules/decide.ts';
import type { LogReading } from '../../../../../admission/jobs/rules/runner-log.ts';
import { suite } from '../../../../support/suite.ts';
import { noon, type pod, runnerPod, running, trusting } from '../../../runner/pods.ts';

const test = suite('decide');
const now = noon + 60_000;
const at = (ms: number) => new Date(ms).toISOString();
const verdict = (change: Parameters<typeof pod>[0], facts = {}) => {
	const decision = decide(runnerPod(change, facts), now, 'me');
	if (decision.kind === 'settle') return 'settle';
	if ('reason' in decision) return `${decision.kind} ${decision.reason}`;
	if (decision.kind === 'list') return 'list';
	return decision.listFirst ? 'ask, after a list' : 'ask';
};
const annotated = (annotations: Record<string, string>, env = {}) => ({ metadata: { annotations }, env });
const busyLabel = { metadata: { labels: { 'actions-runner': '', 'actions-runner/busy': 'true' } } };

const table: [string, string, Parameters<typeof pod>[0], object?][] = [
	['a running runner of which nothing is known: only GitHub can tell', 'ask', {}],
	[
		'already terminating: always allowed (A5)',
		'allow already-terminating',
		{ metadata: { deletionTimestamp: at(now), labels: busyLabel.metadata.labels } },
	],
	[
		'break-glass with a reason (A12)',
		'allow break-glass',
		{ metadata: { ...busyLabel.metadata, annotations: { 'actions-runner/break-glass': 'INC-1' } } },
	],
	[
		'break-glass without a reason is none',
		'deny busy',
		{ metadata: { ...busyLabel.metadata, annotations: { 'actions-runner/break-glass': '' } } },
	],
	['on no node: never started (A6)', 'allow never-started', { unbound: true, status: { phase: 'Pending' } }],
	[
		'on a node, without a status: its kubelet may have begun',
		'deny starting',
		{ status: { phase: 'Pending' } },
	],
	[
		'its image is still being pulled',
		'deny starting',
		{
			status: {
				phase: 'Pending',
				containerStatuses: [{ name: 'runner', restartCount: 0, state: { waiting: {} } }],
			},
		},
	],
	[
		'Running without a status for the container: unknown is busy, so ask',
		'ask',
		{ status: { phase: 'Running' } },
	],
	[
		'terminated: nothing can be running (A4)',
		'allow runner-exited',
		{
			...busyLabel,
			status: {
				phase: 'Running',
				containerStatuses: [{ name: 'runner', state: { terminated: { exitCode: 0 } } }],
			},
		},
	],
	['Succeeded without container statuses (A8)', 'allow runner-exited', { status: { phase: 'Succeeded' } }],
	['evicted by the kubelet (A8)', 'allow runner-exited', { status: { phase: 'Failed', reason: 'Evicted' } }],
	[
		'phase Failed by the pod garbage collector while the container runs: busy',
		'deny busy',
		{ ...busyLabel, status: { ...running(), phase: 'Failed' } },
	],
	['its node has been gone long enough', 'allow node-gone', busyLabel, { nodeGone: true }],
	[
		'proof of a 204: the other sources are read once more',
		'settle',
		annotated({ 'actions-runner/unregistered-at': at(noon), 'actions-runner/runner-id': '7' }),
		trusting,
	],
	[
		'a 204 on the pod wins over a stale busy mark',
		'settle',
		{
			metadata: {
				...busyLabel.metadata,
				annotations: { 'actions-runner/unregistered-at': at(noon), 'actions-runner/runner-id': '7' },
			},
		},
		trusting,
	],
	[
		'somebody says that it is unregistered: GitHub is asked as ever',
		'ask',
		annotated({ 'actions-runner/unregistered-at': at(noon), 'actions-runner/runner-id': '7' }),
	],
	[
		"ARC says so: its word is no proof, but GitHub's list will tell without a DELETE",
		'ask, after a list',
		annotated({ 'actions-runner/unregistration-complete-timestamp': at(noon) }),
	],
	[
		'ARC is having it unregistered, and may have been first',
		'ask, after a list',
		annotated({ 'actions-runner/unregistration-request-timestamp': at(noon) }),
	],
	['the busy mark denies without a call', 'deny busy', busyLabel],
	[
		'ephemeral and 422 once: never asked again (invariant 5)',
		'deny busy',
		annotated({
			'actions-runner/unregistration-refusal': `${at(noon)} busy`,
			'actions-runner/unregistration-claim': `${at(noon - 9e6)} other`,
		}),
	],
	[
		"ARC's completion wait counts as a 422",
		'deny busy',
		annotated({ 'actions-runner/runner-completion-wait-start-timestamp': at(noon) }),
	],
	[
		'static, 422 a moment ago: not asked again yet (A9)',
		'deny busy',
		annotated(
			{
				'actions-runner/unregistration-refusal': `${at(now - 29_000)} busy`,
			},
			{ RUNNER_EPHEMERAL: 'false' },
		),
	],
	[
		'static, 422 half a minute ago: asked again (A9)',
		'ask',
		annotated(
			{
				'actions-runner/unregistration-refusal': `${at(now - 31_000)} busy`,
			},
			{ RUNNER_EPHEMERAL: 'false' },
		),
	],
	[
		'another replica asks right now',
		'deny unregistering',
		annotated({ 'actions-runner/unregistration-claim': `${at(now - 1_000)} other` }),
	],
	[
		'another replica asked, and crashed',
		'ask',
		annotated({ 'actions-runner/unregistration-claim': `${at(now - 36_000)} other` }),
	],
	[
		'we ask ourselves: joined, not denied',
		'ask',
		annotated({ 'actions-runner/unregistration-claim': `${at(now - 1_000)} me` }),
	],
	[
		'ephemeral, 422 half an hour ago: never asked again (invariant 5)',
		'deny busy',
		{
			...annotated({ 'actions-runner/unregistration-refusal': `${at(now - 1_800_000)} busy` }),
			status: running('2026-11-23T11:00:00Z'),
		},
	],
	[
		'an attempt from before an answer has ended',
		'ask',
		annotated(
			{
				'actions-runner/unregistration-refusal': `${at(now - 31_000)} busy`,
				'actions-runner/unregistration-claim': `${at(now - 34_000)} other`,
			},
			{ RUNNER_EPHEMERAL: 'false' },
		),
	],
	[
		'a 422 of the future: somebody has written it',
		'ask',
		annotated({ 'actions-runner/unregistration-refusal': `${at(now + 6_000)} busy` }),
	],
	[
		"ARC's note of a 422 of the future, and an old one",
		'ask',
		annotated({ 'actions-runner/runner-completion-wait-start-timestamp': at(now + 6_000) }),
	],
	[
		"ARC's note counts for ten minutes",
		'ask',
		{
			...annotated({ 'actions-runner/runner-completion-wait-start-timestamp': at(now - 600_000) }),
			status: running('2026-11-23T11:00:00Z'),
		},
	],
	[
		'an attempt in the future: somebody has written it',
		'ask',
		annotated({ 'actions-runner/unregistration-claim': '2999-01-01T00:00:00Z other' }),
	],
	[
		'... but the clocks of two replicas differ a little',
		'deny unregistering',
		annotated({ 'actions-runner/unregistration-claim': `${at(now + 5_000)} other` }),
	],
	['no scope', 'deny scope-unknown', { env: { RUNNER_ORG: '' } }],
	[
		'no scope, but never started',
		'allow never-started',
		{ env: { RUNNER_ORG: '' }, unbound: true, status: { phase: 'Pending' } },
	],
	[
		'a broken attempt does not count',
		'ask',
		annotated({ 'actions-runner/unregistration-claim': 'yesterday' }),
	],
];
for (const [name, expected, change, facts] of table)
	test(name, () => assert.is(verdict(change, facts), expected));

const waitingFor = (reason: string, env: Record<string, string> = {}) => ({
	env,
	status: {
		phase: 'Pending',
		containerStatuses: [{ name: 'runner', restartCount: 0, state: { waiting: { reason } } }],
	},
});
test('on a node and not seen to run: it stays, unless it cannot start and is given one second', () => {
	const of = (change: Parameters<typeof pod>[0], brief: boolean, facts = {}) => {
		const decision = decide(runnerPod(change, facts), now, 'me', brief);
		return 'reason' in decision ? decision.reason : decision.kind;
	};
	const vain = waitingFor('ImagePullBackOff');
	assert.equal([of(vain, false), of(vain, true)], ['starting', 'cannot-start']);
	assert.is(of(waitingFor('ErrImagePull', { RUNNER_ORG: '' }), true), 'cannot-start', 'whoever it is');
	const fresh = { ...waitingFor('ContainerCreating'), metadata: { creationTimestamp: at(now - 90_000) } };
	assert.is(of(fresh, true), 'starting');
	assert.is(of({ ...fresh, metadata: { creationTimestamp: at(now - 120_000) } }, true), 'cannot-start');
	const beside = runnerPod(vain);
	assert.is(beside.process.state, 'starting');
	const lagging = { ...beside, process: { ...beside.process, statusLags: true } } as typeof beside;
	const decision = decide(lagging, now, 'me', true);
	assert.is(decision.kind, 'list', 'it may be running: GitHub’s list must lack it');
	// Between two runs its registration stays, and GitHub removes it first.
	assert.is(decide({ ...beside, registered: true }, now, 'me', true).kind, 'ask');
	assert.is(of({ ...vain, ...busyLabel }, true), 'busy');
});
test('a scale set’s runner is registered before its pod is made: GitHub is asked while it starts', () => {
	const starting = runnerPod(waitingFor('ContainerCreating'));
	const decision = decide({ ...starting, kind: 'scale-set' }, now, 'me');
	assert.is(decision.kind, 'ask');
	assert.is(
		decide({ ...starting, kind: 'scale-set', busyHint: { sinceMs: now, job: 'x' } }, now, 'me').kind,
		'deny',
	);
	const absent = (brief: boolean, change = waitingFor('ContainerCreating')) =>
		decideAbsent({ ...runnerPod(change), kind: 'scale-set' }, { says: 'unknown', why: 'x' }, now, now, brief);
	assert.is(absent(true, waitingFor('ErrImagePull')).verdict.reason, 'cannot-start');
	assert.is(absent(false, waitingFor('ErrImagePull')).verdict.reason, 'starting');
	const fresh = { ...waitingFor('ContainerCreating'), metadata: { creationTimestamp: at(now) } };
	assert.is(absent(true, fresh).verdict.reason, 'starting', 'it may have connected unseen');
});

test('how long ago, by clocks that differ', () => {
	assert.equal([agoMs(noon - 1, noon), agoMs(noon, noon), agoMs(noon + 5_000, noon)], [1, 0, 0]);
	assert.equal([agoMs(noon + 5_001, noon), agoMs(undefined, noon)], [Infinity, Infinity]);
});

const minute = 60_000;
const idle: LogReading = { says: 'idle', at: undefined };
const unread: LogReading = { says: 'unknown', why: 'its log cannot be read' };
/** A runner whose container has been running since noon, and that a list lacks, begun and complete at these times after noon. */
function absent(
	begunMs: number,
	{
		static: fixed = false,
		log = idle,
		...change
	}: {
		static?: boolean;
		log?: LogReading;
		registered?: boolean;
		absentSinceMs?: number;
		saidToBeGone?: { atMs: number };
	} = {},
) {
	const runner = { ...runnerPod(), ephemeral: !fixed, ...change };
	const { verdict, sinceMs } = decideAbsent(runner, log, noon + begunMs, noon + begunMs + 500);
	return [`${verdict.kind} ${verdict.reason}`, sinceMs === undefined ? undefined : sinceMs - noon];
}
const since = (ms: number) => ({ absentSinceMs: noon + ms });

test('not at GitHub, never seen there, young: it may get a job at any moment, and nothing is noted (A7)', () => {
	assert.equal(absent(0), ['deny registering', undefined]);
	assert.equal(absent(10 * minute - 1), ['deny registering', undefined]);
});
test('not at GitHub after ten minutes: noted; gone if a list begun a minute later lacks it, too (A7)', () => {
	assert.equal(absent(10 * minute), ['deny registering', 10 * minute + 500]);
	assert.equal(absent(11 * minute, since(10 * minute + 1)), ['deny registering', undefined]);
	assert.equal(absent(11 * minute, since(10 * minute)), ['allow never-registered', undefined]);
});
test('what was noted within the ten minutes, or lies in the future, is noted anew', () => {
	assert.equal(absent(12 * minute, since(9 * minute)), ['deny registering', 12 * minute + 500]);
	assert.equal(absent(12 * minute, since(13 * minute)), ['deny registering', 12 * minute + 500]);
});
test('a static runner that GitHub has listed, and no longer lists, is unregistered', () => {
	assert.equal(absent(1_000, { static: true, registered: true }), ['allow unregistered', 1_500]);
	assert.equal(absent(2_000, { static: true, registered: true, ...since(1_500) }), [
		'allow unregistered',
		undefined,
	]);
	assert.equal(absent(1_000, { static: true }), ['deny registering', undefined]);
});
test('an ephemeral one may be finishing its job: gone if a list begun a minute later lacks it, too', () => {
	assert.equal(absent(1_000, { registered: true }), ['deny unregistering', 1_500]);
	assert.equal(absent(minute, { registered: true, ...since(1) }), ['deny unregistering', undefined]);
	assert.equal(absent(minute, { registered: true, ...since(0) }), ['allow unregistered', undefined]);
});
test('an ephemeral one whose log says nothing stays until its container stops, and so does one that was never seen', () => {
	const late = { ...since(10 * minute), log: unread };
	assert.equal(absent(12 * minute, { registered: true, ...late }), ['deny unlisted', undefined]);
	assert.equal(absent(12 * minute, late), ['deny unlisted', undefined]);
	assert.equal(absent(10 * minute + 1, { registered: true, ...late }), ['deny unregistering', undefined]);
});
test('a static one whose log says nothing: two lists, a minute apart', () => {
	const blind = { static: true, registered: true, log: unread };
	assert.equal(absent(1_000, blind), ['deny unregistering', 1_500]);
	assert.equal(absent(minute, { ...blind, ...since(0) }), ['allow unregistered', undefined]);
});
test('... but one that was never seen stays, and the reason says why its log does not help', () => {
	const runner = { ...runnerPod(), ephemeral: false, ...since(10 * minute) };
	const { verdict } = decideAbsent(runner, unread, noon + 12 * minute, noon + 12 * minute);
	assert.equal(verdict, { kind: 'deny', reason: 'unlisted', detail: 'its log cannot be read' });
});
test('its log says nothing: a list of a minute ago confirms that it is idle, or GitHub’s own word that its job completed', () => {
	const confirmed = (by: 'hook' | 'event', state: 'finishing' | 'over') => {
		const signals = [{ by, state, key: 'a', sinceMs: noon, job: { name: 'build' } }];
		return confirmIdle({ ...runnerPod(), signals }, now, now + 500);
	};
	assert.equal(confirmed('event', 'finishing'), { confirmed: true });
	const noted = { confirmed: false, sinceMs: now + 500 };
	assert.equal([confirmed('hook', 'finishing'), confirmed('event', 'over')], [noted, noted]);
	const idleSince = (idleSinceMs: number) => confirmIdle({ ...runnerPod(), idleSinceMs }, now, now + 500);
	assert.equal([now - minute, now - minute + 1, now + 1].map(idleSince), [
		{ confirmed: true },
		{ confirmed: false },
		noted,
	]);
});
test('one that ARC has unregistered: absent and idle is enough, if it was ever registered', () => {
	const saidToBeGone = { atMs: noon };
	assert.equal(absent(1_000, { registered: true, saidToBeGone }), ['allow unregistered', undefined]);
	assert.equal(absent(1_000, { saidToBeGone }), ['deny registering', undefined]);
	assert.equal(absent(1_000, { registered: true, saidToBeGone, log: unread }), ['deny unregistering', 1_500]);
});
test('the quiet period after a 204, by clocks that differ', () => {
	assert.equal(
		[noon, noon + 500, noon + 2_000, noon + 9_000, noon - 60_000].map((ms) => quietLeftMs(noon, ms)),
		[2_000, 1_500, 0, 0, 2_000],
	);
});
test('signals: what works denies, whatever GitHub has said; a static runner’s end is read in its log', () => {
	const signal = (by: 'hook' | 'event' | 'log', state: 'working' | 'finishing' | 'over') =>
		({ by, state, key: 'a', sinceMs: noon, job: { name: 'build' } }) as const;
	const kindOf = (signals: ReturnType<typeof signal>[], change: object = {}) =>
		decide({ ...runnerPod(), signals, ...change }, now, 'me').kind;
	const fixed = { ephemeral: false };
	const proven = { unregistered: { at: at(noon) } };
	const hinted = { busyHint: { sinceMs: noon, job: undefined } };
	for (const by of ['hook', 'event'] as const) {
		assert.is(kindOf([signal(by, 'working')], proven), 'deny');
		assert.is(kindOf([signal(by, 'working')], { ...proven, ...fixed }), 'deny');
		assert.is(kindOf([signal(by, 'finishing')]), 'deny');
		assert.is(kindOf([signal(by, 'finishing')], { ...fixed, ...hinted }), 'ask');
		assert.is(kindOf([signal(by, 'over')]), 'ask');
		assert.is(kindOf([signal(by, 'over')], hinted), 'deny');
	}
	assert.is(kindOf([signal('log', 'working')]), 'deny');
	assert.is(kindOf([signal('log', 'working')], { ...fixed, ...hinted }), 'ask');
	assert.is(kindOf([signal('log', 'working'), signal('hook', 'working')], fixed), 'deny');
	assert.is(kindOf([signal('hook', 'finishing')], { ...fixed, ...proven }), 'settle');
});
test('GitHub’s 422 about a runner whose job is ending counts for 1, 2, 4 s and so on, whoever asks', () => {
	const at = (endsForMs: number, agoMs: number) => {
		const sinceMs = now - agoMs - endsForMs;
		const signals = [{ by: 'event', state: 'finishing', key: 'a', sinceMs, job: { name: 'build' } } as const];
		const busyAnswer = { atMs: now - agoMs, to: 'us' as const };
		return decide({ ...runnerPod(), ephemeral: false, signals, busyAnswer }, now, 'me').kind;
	};
	assert.equal([at(0, 999), at(0, 1_000)], ['deny', 'ask']);
	assert.equal([at(4_000, 3_999), at(4_000, 4_000)], ['deny', 'ask']);
	assert.equal([at(600_000, 29_999), at(600_000, 30_000)], ['deny', 'ask']);
	assert.is(at(-1, 500), 'ask', 'that was before the job completed');
	// What counts is the end of the job that completed last; one that is over says nothing.
	const several = (...ends: (readonly ['finishing' | 'over', agoMs: number])[]) => {
		const signals = ends.map(([state, agoMs], index) => ({
			...{ by: 'event' as const, state, key: String(index), job: { name: 'build' } },
			sinceMs: now - agoMs,
		}));
		const busyAnswer = { atMs: now - 1_200, to: 'us' as const };
		return decide({ ...runnerPod(), ephemeral: false, signals, busyAnswer }, now, 'me').kind;
	};
	assert.is(several(['finishing', 4_000]), 'deny');
	assert.is(several(['finishing', 4_000], ['over', 1_300]), 'deny');
	assert.is(several(['finishing', 60_000], ['finishing', 1_900]), 'ask');
});
test('while a list could prove nothing yet GitHub is not asked; then its list is, before any DELETE', () => {
	const gone = { ...runnerPod(), registered: true, absentSinceMs: now - 59_999 };
	const decision = decide(gone, now, 'me');
	assert.equal([decision.kind, 'reason' in decision && decision.reason], ['deny', 'unregistering']);
	assert.is(('reason' in decision && decision.reason) || '', 'unregistering');
	const starting = decide({ ...gone, registered: false }, now, 'me');
	assert.is('reason' in starting && starting.reason, 'registering');
	assert.equal(decide({ ...gone, ephemeral: false }, now, 'me'), { kind: 'ask', listFirst: true });
	assert.is(decide({ ...gone, ephemeral: false, registered: false }, now, 'me').kind, 'deny');
	assert.equal(
		decide({ ...gone, saidToBeGone: { atMs: noon } }, now, 'me'),
		{ kind: 'ask', listFirst: true },
		'ARC has unregistered it: a list of now is enough',
	);
	assert.equal(decide({ ...gone, absentSinceMs: now - 60_000 }, now, 'me'), { kind: 'ask', listFirst: true });
	assert.equal(decide({ ...gone, absentSinceMs: now + 3_600_000 }, now, 'me'), {
		kind: 'ask',
		listFirst: false,
	});
});
test('since when it runs is not known: it may just have started', () => {
	const runner = runnerPod({ status: { phase: 'Running' } });
	const { verdict, sinceMs } = decideAbsent({ ...runner, absentSinceMs: noon }, idle, noon + 1e9, noon + 1e9);
	assert.equal([verdict.kind, sinceMs], ['deny', undefined]);
});
test('a static runner whose 422 has no time: GitHub is asked again', () => {
	const pod = runnerPod(
		annotated({ 'actions-runner/unregistration-refusal': 'busy' }, { RUNNER_EPHEMERAL: 'false' }),
	);
	assert.equal(decide(pod, now, 'me'), { kind: 'ask', listFirst: false });
});

test.run();
