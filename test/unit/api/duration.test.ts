/** Durations: what flags and annotations may say, and ages as kubectl prints them. */
import * as assert from 'uvu/assert';
import { durationMs, humanSpan } from '../../../admission/api/duration.ts';
import { suite } from '../../support/suite.ts';

const test = suite('durations');

test('a number with one unit is a duration, anything else is none', () => {
	assert.equal(['10m', '90s', '1h', '1.5m', '250ms', '90d', '', 'soon', '-1s', '1h30m'].map(durationMs), [
		600_000,
		90_000,
		3_600_000,
		90_000,
		250,
		7_776_000_000,
		undefined,
		undefined,
		undefined,
		undefined,
	]);
	assert.is(durationMs(undefined), undefined);
});

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

for (const [ms, text] of [
	[-5 * second, '<invalid>'],
	[-500, '0s'],
	[0, '0s'],
	[119 * second, '119s'],
	[120 * second, '2m'],
	[9 * minute + 59 * second, '9m59s'],
	[10 * minute + 59 * second, '10m'],
	[179 * minute, '179m'],
	[3 * hour + 5 * minute, '3h5m'],
	[8 * hour + 5 * minute, '8h'],
	[47 * hour, '47h'],
	[48 * hour, '2d'],
	[3 * day + 4 * hour, '3d4h'],
	[8 * day + 4 * hour, '8d'],
	[729 * day, '729d'],
	[730 * day, '2y'],
	[800 * day, '2y70d'],
	[365 * 8 * day, '8y'],
	[Number.NaN, '<unknown>'],
] as const) {
	test(`an age of ${ms} ms is ${text}, as in kubectl`, () => assert.is(humanSpan(ms), text));
}

test.run();
