/** What is written on a pod while its deletion is recorded and GitHub is asked. */
import * as assert from 'uvu/assert';
import { busyAnswerOf, claimOf, recordOf } from '../../../admission/runner/record.ts';
import { suite } from '../../support/suite.ts';
import { noon, runnerPod } from './pods.ts';

const test = suite('records on pods');
const answered = { 'actions-runner/unregistration-failure-message': 'busy' };
const alice = { user: 'alice', options: { via: 'delete' }, dryRun: false } as const;

test('whoever sets out to ask GitHub takes the 422 of before off the pod, where there is one', () => {
	assert.equal(claimOf(runnerPod({ metadata: { annotations: answered } }), 'me', noon), {
		'actions-runner/unregistration-claim': '2026-11-23T12:00:00.000Z me',
		'actions-runner/unregistration-failure-message': null,
		'actions-runner/runner-completion-wait-start-timestamp': null,
	});
	assert.equal(claimOf(runnerPod(), 'me', noon), {
		'actions-runner/unregistration-claim': '2026-11-23T12:00:00.000Z me',
	});
});
test('only for an ephemeral runner the end of its container is waited for after a 422 (invariant 5)', () => {
	const wait = 'actions-runner/runner-completion-wait-start-timestamp';
	assert.is(busyAnswerOf(runnerPod(), 'busy', noon)[wait], '2026-11-23T12:00:00.000Z');
	assert.not(wait in busyAnswerOf(runnerPod({ env: { RUNNER_EPHEMERAL: 'false' } }), 'busy', noon));
});
test('the first request is recorded with what its caller asked; a later one changes nothing (invariant 4)', () => {
	assert.equal(recordOf(runnerPod(), alice, noon), {
		'actions-runner/unregistration-request-timestamp': '2026-11-23T12:00:00.000Z',
		'actions-runner/deletion-requested-by': 'alice',
		'actions-runner/deletion-options': '{"via":"delete"}',
	});
	const recorded = runnerPod({
		metadata: { annotations: { 'actions-runner/deletion-requested-by': 'bob' } },
	});
	assert.equal([recordOf(recorded, alice, noon), recordOf(runnerPod(), undefined, noon)], [{}, {}]);
});

test.run();
