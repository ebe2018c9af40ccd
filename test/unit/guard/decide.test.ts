import * as assert from 'uvu/assert';
import { decide, decideUnknownToGitHub } from '../../../admission/guard/rules/decide.ts';
import { suite } from '../../support/suite.ts';
import { noon, type pod, runnerPod, running } from '../runner/pods.ts';

const test = suite('decide');
const now = noon + 60_000;
const at = (ms: number) => new Date(ms).toISOString();
const verdict = (change: Parameters<typeof pod>[0], facts = {}) => {
	const decision = decide(runnerPod(change, facts), now, 'me');
	return 'reason' in decision ? `${decision.kind} ${decision.reason}` : decision.kind;
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
	['Pending, never started (A6)', 'allow never-started', { status: { phase: 'Pending' } }],
	[
		'its image is still being pulled',
		'allow never-started',
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
		'proof of a 204',
		'allow unregistered',
		annotated({ 'actions-runner/unregistration-complete-timestamp': at(noon) }),
		{ proven: true },
	],
	[
		'a 204 on the pod wins over a stale busy mark',
		'allow unregistered',
		{
			metadata: {
				...busyLabel.metadata,
				annotations: { 'actions-runner/unregistration-complete-timestamp': at(noon) },
			},
		},
		{ proven: true },
	],
	[
		'a complete-timestamp from before the container started counts for nothing',
		'ask',
		annotated({ 'actions-runner/unregistration-complete-timestamp': at(noon - 5_000) }),
	],
	[
		'a complete-timestamp without proof: GitHub may contradict',
		'verify',
		annotated({ 'actions-runner/unregistration-complete-timestamp': at(noon) }),
	],
	[
		'... and is not even looked at on a busy runner',
		'deny busy',
		{
			metadata: {
				...busyLabel.metadata,
				annotations: { 'actions-runner/unregistration-complete-timestamp': at(noon) },
			},
		},
	],
	['the busy mark denies without a call', 'deny busy', busyLabel],
	[
		'ephemeral and 422 once: never asked again (invariant 5)',
		'deny busy',
		annotated({
			'actions-runner/unregistration-failure-message': 'busy',
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
				'actions-runner/unregistration-failure-message': 'busy',
				'actions-runner/unregistration-claim': `${at(now - 29_000)} other`,
			},
			{ RUNNER_EPHEMERAL: 'false' },
		),
	],
	[
		'static, 422 half a minute ago: asked again (A9)',
		'ask',
		annotated(
			{
				'actions-runner/unregistration-failure-message': 'busy',
				'actions-runner/unregistration-claim': `${at(now - 31_000)} other`,
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
	['no scope', 'deny scope-unknown', { env: { RUNNER_ORG: '' } }],
	[
		'no scope, but never started',
		'allow never-started',
		{ env: { RUNNER_ORG: '' }, status: { phase: 'Pending' } },
	],
	['a broken claim is no claim', 'ask', annotated({ 'actions-runner/unregistration-claim': 'yesterday' })],
];
for (const [name, expected, change, facts] of table)
	test(name, () => assert.is(verdict(change, facts), expected));

for (const [said, notBeforeMs] of [
	['2026-11-23T12:00:30Z', noon + 30_999],
	['2026-11-23T12:00:30.250Z', noon + 30_250],
	['2026-11-23T12:01:00Z', now],
	['2999-01-01T00:00:00Z', now],
] as const) {
	test(`said to be unregistered at ${said}: by a list of ${at(notBeforeMs)} or later (I2)`, () => {
		const pod = runnerPod(annotated({ 'actions-runner/unregistration-complete-timestamp': said }));
		assert.equal(decide(pod, now, 'me'), { kind: 'verify', notBeforeMs });
	});
}

test('not at GitHub, young: it may get a job at any moment (A7)', () => {
	assert.equal(decideUnknownToGitHub(runnerPod(), noon + 599_000).kind, 'deny');
});
test('not at GitHub after ten minutes: it will not come (A7)', () => {
	const decision = decideUnknownToGitHub(runnerPod(), noon + 600_000);
	assert.is(decision.reason, 'never-registered');
});
test('not at GitHub, but it was once: unregistered', () => {
	const known = runnerPod({ metadata: { annotations: { 'actions-runner/id': '42' } } });
	assert.is(decideUnknownToGitHub(known, noon + 1_000).reason, 'unregistered');
});
test('not at GitHub and since when is unknown: denied', () => {
	assert.is(decideUnknownToGitHub(runnerPod({ status: { phase: 'Running' } }), noon + 1e9).kind, 'deny');
});

test('a time of unregistering that nobody can read: by a list of now or later', () => {
	const said = annotated({ 'actions-runner/unregistration-complete-timestamp': 'yesterday' });
	const pod = runnerPod({ ...said, status: { phase: 'Running' } });
	assert.equal(decide(pod, now, 'me'), { kind: 'verify', notBeforeMs: now });
});
test('a static runner whose 422 has no time: GitHub is asked again', () => {
	const pod = runnerPod(
		annotated({ 'actions-runner/unregistration-failure-message': 'busy' }, { RUNNER_EPHEMERAL: 'false' }),
	);
	assert.equal(decide(pod, now, 'me'), { kind: 'ask' });
});

test.run();
