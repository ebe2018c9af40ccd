/** The annotation with a pod's job signals: what is longer than the server can have written is not read. */
import * as assert from 'uvu/assert';
import {
	type JobSignal,
	mostSignals,
	readSignals,
	writeSignals,
} from '../../../admission/runner/job-signals.ts';
import { suite } from '../../support/suite.ts';

const test = suite('job signals on a pod');
const run = { uid: 'u', restarts: 0 };
const signed = () => true;

test('the longest that is written is read', () => {
	const text = '\u0000'.repeat(1_000);
	const job = { name: text, repository: text, workflow: text, url: text, runId: 1, attempt: 1 };
	const longest: JobSignal[] = Array.from({ length: mostSignals + 1 }, () => ({
		...{ by: 'hook', key: text, state: 'finishing', sinceMs: 1_234_567_890_123, job },
	}));
	const written = writeSignals(longest, run, () => 's'.repeat(43));
	assert.is(readSignals(written ?? undefined, run, signed).length, mostSignals);
});

test('of a longer text nothing is read, and no signature is made over it', () => {
	let verified = 0;
	const verify = () => {
		verified += 1;
		return true;
	};
	const signal = writeSignals(
		[{ by: 'log', key: 'k', state: 'working', sinceMs: 1, job: { name: 'a' } }],
		run,
		() => 's',
	);
	assert.is(readSignals(`${signal}${' '.repeat(32 * 1_024)}`, run, verify).length, 0);
	assert.is(verified, 0);
	assert.is(readSignals(signal ?? undefined, run, verify).length, 1);
	assert.is(readSignals(undefined, run, verify).length, 0);
});

test.run();
