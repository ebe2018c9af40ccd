import * as assert from 'uvu/assert';
import { timeBeganMs } from '../../../admission/webhook/rules/time-began.ts';
import { suite } from '../../support/suite.ts';

const test = suite('when the time of a review begins');

for (const [readMs, waitMs, expected] of [
	[3, 5_000, 0],
	[4_000, 5_000, 0],
	[4_000, undefined, 0],
	[4_000, 1_000, 0],
	[3, 15_000, 3],
	[4_000, 15_000, 4_000],
	[14_000, 15_000, 10_000],
] as const)
	test(`body read after ${readMs} ms, the API server waits for ${waitMs} ms: after ${expected} ms`, () => {
		assert.is(timeBeganMs(1_000, 1_000 + readMs, waitMs), 1_000 + expected);
	});

test.run();
