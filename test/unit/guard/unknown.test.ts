/** Whoever writes first on a runner pod marks it as unknown. */
import * as assert from 'uvu/assert';
import { busy } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { withUnknown } from '../../../admission/guard/rules/unknown.ts';
import { absentOf, registeredAs, unregisteredOf } from '../../../admission/runner/record.ts';
import { readRunnerPod } from '../../../admission/runner/runner-pod.ts';
import { suite } from '../../support/suite.ts';
import { noon, pod, running, signer } from '../runner/pods.ts';
import { jobPod } from './subjects/job-pod/pods.ts';

const test = suite('first write on a runner pod');

const read = (object: Pod) => readRunnerPod(object, { verify: signer.verifyStatement })!;
const change: { annotations: object; labels?: Record<string, string | null> } = {
	annotations: { note: 'x' },
};
const unknown = { ...change, labels: { [busy.label]: 'unknown' } };
const sign = signer.signStatement;
/** The annotations that the server has signed on this pod. */
const signed = (annotations: Record<string, string | null>) =>
	pod({ metadata: { annotations: annotations as Record<string, string> } });

for (const [what, object, expected] of [
	['nothing is known', pod(), unknown],
	['it has not started', pod({ status: { phase: 'Pending' } }), unknown],
	['GitHub’s list has shown it', signed(registeredAs(read(pod()), 7, sign)), change],
	['that is forged', signed({ ...registeredAs(read(pod()), 8, () => 'forged') }), unknown],
	['it is unregistered', signed(unregisteredOf(read(pod()), 7, sign, noon)), change],
	['GitHub’s list lacks it', signed(absentOf(read(pod()), noon, sign)), change],
	['it has a label', pod({ metadata: { labels: { 'actions-runner': '', [busy.label]: 'true' } } }), change],
	['it is terminating', pod({ metadata: { deletionTimestamp: '2026-11-23T12:00:00Z' } }), change],
	[
		'it has ended',
		pod({
			status: {
				...running(),
				phase: 'Succeeded',
				containerStatuses: [{ name: 'runner', restartCount: 0, state: { terminated: {} } }],
			} as Pod['status'],
		}),
		change,
	],
] as const)
	test(`${what}: ${expected === unknown ? 'with the label' : 'only what is written'}`, () => {
		assert.equal(withUnknown(read(object), change), expected);
	});

test('what is written of the label itself counts', () => {
	const removed = { annotations: {}, labels: { [busy.label]: null } };
	assert.equal(withUnknown(read(pod()), removed), removed);
});

test('a job pod follows its runner', () => assert.equal(withUnknown(jobPod(), change), change));

test.run();
