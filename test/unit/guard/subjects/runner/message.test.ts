/** What Events say of a runner whose pod is deleted. */
import * as assert from 'uvu/assert';
import type { AllowReason } from '../../../../../admission/api/reasons.ts';
import { allow } from '../../../../../admission/guard/rules/verdict.ts';
import {
	completionMessage,
	deletedText,
} from '../../../../../admission/guard/subjects/runner/rules/message.ts';
import { suite } from '../../../../support/suite.ts';
import { noon, runnerPod } from '../../../runner/pods.ts';

const test = suite('runners: Events');
const pod = { ...runnerPod(), runnerName: 'r1', nodeName: 'node-1' };

test('break-glass: which runner, which job, and for how long it ran', () => {
	const busy = (sinceMs: number | undefined, job: string | undefined) =>
		deletedText({ ...pod, busyHint: { sinceMs, job } }, noon);
	assert.is(deletedText(pod, noon), 'runner r1');
	assert.is(busy(noon - 12 * 60_000, 'build'), 'runner r1, which ran build for 12m');
	assert.is(busy(undefined, undefined), 'runner r1, which ran a job');
	assert.is(busy(noon + 60_000, 'build'), 'runner r1, which ran build for 0s', 'by a clock that is ahead');
});

test('a deletion that is carried out: why it may be, and who asked when', () => {
	const message = (reason: AllowReason) => completionMessage(pod, allow(reason));
	assert.is(message('runner-exited'), 'runner r1 is deleted: it has exited');
	assert.is(message('unregistered'), 'runner r1 is deleted: GitHub has unregistered it');
	assert.is(message('already-terminating'), 'runner r1 is deleted: already-terminating');
	const options = { via: 'delete', certified: true } as const;
	const record = { requestedAt: '2026-11-23T12:00:00Z', requestedBy: 'alice', options };
	assert.is(
		completionMessage({ ...pod, record }, allow('node-gone')),
		'runner r1 is deleted, as requested by alice at 2026-11-23T12:00:00Z: its node node-1 has been gone for 60 s, and its job is lost',
	);
});

test.run();
