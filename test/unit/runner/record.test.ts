/** What is written on a pod while its deletion is recorded and GitHub is asked. */
import * as assert from 'uvu/assert';
import { arc } from '../../../admission/api/keys.ts';
import {
	absentOf,
	askerOf,
	attemptOf,
	busyAnswerOf,
	nodeGoneOf,
	recordOf,
	registeredAs,
	unregisteredOf,
} from '../../../admission/runner/record.ts';
import { suite } from '../../support/suite.ts';
import { noon, type pod, runnerPod, signer } from './pods.ts';

const test = suite('records on pods');
const answered = { 'actions-runner/unregistration-refusal': '2026-11-23T12:00:10Z busy' };
const alice = { user: 'alice', options: { via: 'delete' }, dryRun: false } as const;
const sign = signer.signStatement;

test('whoever sets out to ask GitHub takes the 422 of before off the pod, where there is one', () => {
	assert.equal(attemptOf(runnerPod({ metadata: { annotations: answered } }), 'me', noon), {
		'actions-runner/unregistration-claim': '2026-11-23T12:00:00.000Z me',
		'actions-runner/unregistration-refusal': null,
	});
	assert.equal(attemptOf(runnerPod(), 'me', noon), {
		'actions-runner/unregistration-claim': '2026-11-23T12:00:00.000Z me',
	});
});
test('what GitHub said is noted with its time', () => {
	const annotations = busyAnswerOf(`busy${'x'.repeat(900)}`, noon) as Record<string, string>;
	assert.equal(runnerPod({ metadata: { annotations } }).busyAnswer, { atMs: noon, to: 'us' });
	assert.is(annotations['actions-runner/unregistration-refusal']?.length, 525);
});
test('the first request is recorded with what its caller asked; a later one changes nothing (invariant 4)', () => {
	const annotations = recordOf(runnerPod(), alice, sign, noon) as Record<string, string>;
	const { 'actions-runner/deletion-proof': proof, ...rest } = annotations;
	assert.equal(rest, {
		'actions-runner/deletion-requested-at': '2026-11-23T12:00:00.000Z',
		'actions-runner/deletion-requested-by': 'alice',
		'actions-runner/deletion-options': '{"via":"delete"}',
	});
	const verify = signer.verifyStatement;
	const recorded = runnerPod({ metadata: { annotations } }, { verify });
	assert.equal(recorded.record, {
		requestedAt: '2026-11-23T12:00:00.000Z',
		requestedBy: 'alice',
		options: { via: 'delete' },
	});
	assert.equal(
		[recordOf(recorded, alice, sign, noon), recordOf(runnerPod(), undefined, sign, noon)],
		[{}, {}],
	);
});
test('a record that somebody wrote, changed or copied is none, and makes way for the first request', () => {
	const annotations = recordOf(runnerPod(), alice, sign, noon) as Record<string, string>;
	const { verifyStatement: verify } = signer;
	const read = (change: Record<string, string>, uid = 'uid-1') =>
		runnerPod({ metadata: { uid, annotations: { ...annotations, ...change } } }, { verify });
	assert.ok(read({}).record);
	for (const forged of [
		read({ 'actions-runner/deletion-requested-by': 'bob' }),
		read({ 'actions-runner/deletion-requested-at': '2026-11-23T12:00:01.000Z' }),
		read({ 'actions-runner/deletion-options': '{"via":"delete","gracePeriodSeconds":0}' }),
		read({ 'actions-runner/deletion-proof': '' }),
		read({
			'actions-runner/deletion-proof': annotations['actions-runner/deletion-proof']?.toLowerCase() ?? '',
		}),
		read({}, 'another'),
	]) {
		assert.is(forged.record, undefined);
		assert.is(recordOf(forged, alice, sign, noon)['actions-runner/deletion-requested-by'], 'alice');
	}
});
test('a name is verified only with the API server’s certificate', () => {
	assert.is(askerOf(alice), 'alice (unverified)');
	assert.is(askerOf({ ...alice, options: { via: 'delete', certified: true } }), 'alice');
});

/** What is signed of GitHub's answers, and when it counts. */
const removed = unregisteredOf(runnerPod(), 7, sign, noon) as Record<string, string>;
const readSigned = (change: Parameters<typeof pod>[0] = {}, annotations: Record<string, string> = {}) =>
	runnerPod(
		{ ...change, metadata: { ...change.metadata, annotations: { ...removed, ...annotations } } },
		{ verify: signer.verifyStatement },
	);

test('a 204 counts for the run, the runner and the id that it was about, and for no other', () => {
	assert.equal(readSigned().unregistered, { at: '2026-11-23T12:00:00.000Z' });
	const restarted = {
		phase: 'Running',
		containerStatuses: [
			{ name: 'runner', restartCount: 1, state: { running: { startedAt: '2026-11-23T13:00:00Z' } } },
		],
	};
	for (const [what, read] of [
		['another pod', readSigned({ metadata: { uid: 'another' } })],
		['restarted in place', readSigned({ status: restarted })],
		['another scope', readSigned({ env: { RUNNER_ORG: 'evil' } })],
		['another name', readSigned({ env: { RUNNER_NAME: 'r2' } })],
		['another id', readSigned({}, { 'actions-runner/runner-id': '8' })],
		['another time', readSigned({}, { 'actions-runner/unregistered-at': '2026-11-23T12:00:01.000Z' })],
		['no signature', readSigned({}, { 'actions-runner/unregistration-proof': '' })],
		['another text', readSigned({}, { 'actions-runner/unregistration-proof': 'é'.repeat(43) })],
		[
			'signed for another purpose',
			readSigned(
				{},
				{ 'actions-runner/unregistration-proof': removed['actions-runner/registration-proof'] ?? '' },
			),
		],
	] as const)
		assert.is(read.unregistered, undefined, what);
});
test('it counts still when the scope is not known any more: the EphemeralRunner of a scale set goes before its pod', () => {
	assert.ok(readSigned({ env: { RUNNER_ORG: '' } }).unregistered);
});
test('that GitHub has listed the runner counts in the same way', () => {
	assert.ok(readSigned().registered);
	assert.not(readSigned({ env: { RUNNER_NAME: 'r2' } }).registered);
	assert.not(readSigned({}, { 'actions-runner/runner-id': '8' }).registered);
});
test('since when GitHub’s lists lack it counts for the same runner, and ends when it is listed', () => {
	const absent = absentOf(runnerPod(), noon, sign) as Record<string, string>;
	const read = (change: Parameters<typeof pod>[0] = {}) =>
		runnerPod({ ...change, metadata: { annotations: absent } }, { verify: signer.verifyStatement });
	assert.is(read().absentSinceMs, noon);
	assert.is(read({ env: { RUNNER_NAME: 'r2' } }).absentSinceMs, undefined);
	assert.is(registeredAs(read(), 7, sign)['actions-runner/absent-since'], null);
	assert.not('actions-runner/absent-since' in registeredAs(runnerPod(), 7, sign));
});
test('without the key nothing that is signed counts', () => {
	const read = runnerPod({ metadata: { annotations: removed } });
	assert.equal([read.unregistered, read.registered, read.absentSinceMs], [undefined, false, undefined]);
});

test('a node that is there again: the note goes', () => {
	assert.equal(nodeGoneOf(runnerPod(), null, sign), { 'actions-runner/node-gone-since': null });
	assert.match(
		nodeGoneOf(runnerPod(), noon, sign)['actions-runner/node-gone-since'] ?? '',
		/^2026-11-23T12:00:00\.000Z [\w-]{43}$/,
	);
});

test('the 204 of a runner that may be ARC’s is shown to ARC, and nothing else', () => {
	const key = 'actions-runner/unregistration-complete-timestamp';
	assert.is(removed[key], '2026-11-23T12:00:00.000Z');
	assert.not(key in unregisteredOf({ ...runnerPod(), kind: 'scale-set' }, 7, sign, noon));
	const others = [
		registeredAs(runnerPod(), 7, sign),
		absentOf(runnerPod(), noon, sign),
		attemptOf(runnerPod(), 'me', noon),
	];
	const keys = [...others, busyAnswerOf('busy', noon), recordOf(runnerPod(), alice, sign, noon)].flatMap(
		Object.keys,
	);
	for (const arcs of [arc.runnerId, arc.requestedAt, arc.completedAt, arc.completionWait])
		assert.not(keys.includes(arcs));
});

test.run();
