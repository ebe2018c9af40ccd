/** How long ARC's finalizers stay on what is terminating. */

import * as assert from 'uvu/assert';
import { finalizersStayForMs, killedAfterMs, withoutArcs } from '../../../admission/arc/rules/finalizers.ts';
import { suite } from '../../support/suite.ts';
import { noon, runnerPod } from '../runner/pods.ts';

const test = suite('ARC’s finalizers');

const terminated = {
	phase: 'Failed',
	containerStatuses: [{ name: 'runner', state: { terminated: { exitCode: 143 } } }],
};

for (const [what, pod, ms] of [
	['its container has stopped', runnerPod({ status: terminated }), 0],
	['it never started', runnerPod({ status: { phase: 'Pending' } }), 0],
	['GitHub has unregistered it', { ...runnerPod(), unregistered: { at: '' } }, 0],
	['its node is gone', { ...runnerPod(), nodeGone: true }, 0],
	['it is being stopped', runnerPod(), 10_000 + killedAfterMs],
] as const) {
	test(`${what}: ${ms === 0 ? 'they go' : 'they stay until it has certainly been killed'}`, () => {
		assert.is(finalizersStayForMs(pod, noon + 10_000, noon), ms);
	});
}

test('long past its grace period: they go, whatever the status of a lost node still says', () => {
	assert.is(finalizersStayForMs(runnerPod(), noon - killedAfterMs, noon), 0);
});

for (const [kind, given, left] of [
	[
		'pod',
		['actions.summerwind.dev/runner-pod', 'others/finalizer', 'actions.summerwind.dev/linked-resources'],
		['others/finalizer'],
	],
	['pod', ['actions.summerwind.dev/runner-pod'], []],
	['pod', ['runner.actions.summerwind.dev'], undefined],
	['runner', ['runner.actions.summerwind.dev', 'actions-runner/drain'], ['actions-runner/drain']],
	['pod', undefined, undefined],
] as const) {
	test(`of a ${kind} with ${given ?? 'none'} stays ${left ?? 'all'}`, () => {
		assert.equal(withoutArcs(kind, given), left);
	});
}

test.run();
