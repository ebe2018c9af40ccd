import * as assert from 'uvu/assert';
import { FixedWindow } from '../../../admission/time/fixed-window.ts';
import { suite } from '../../support/suite.ts';

const test = suite('fixed window');

test('each key has its number in each window, and the next window begins with the first call after it', () => {
	const window = new FixedWindow<string>(3, 1_000);
	const calls = (key: string, count: number, nowMs: number) =>
		Array.from({ length: count }, () => window.allows(key, nowMs)).filter(Boolean).length;
	assert.is(calls('a', 5, 0), 3);
	assert.is(calls('a', 5, 999), 0);
	assert.is(calls('b', 5, 999), 3);
	assert.is(calls('a', 5, 1_500), 3);
	assert.is(calls('a', 1, 2_499), 0);
	assert.is(calls('a', 1, 2_500), 1);
});

test.run();
