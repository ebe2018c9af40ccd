import * as assert from 'uvu/assert';
import { parseDurationMs } from '../../../../plugin/cli/go-duration.ts';
import { suite } from '../../../support/suite.ts';

const test = suite('plugin: Go durations');

for (const [text, ms] of [
	['0', 0],
	['0s', 0],
	['90s', 90_000],
	['1h30m', 5_400_000],
	['1.5h', 5_400_000],
	['.5s', 500],
	['2m3.5s', 123_500],
	['300ms', 300],
	['1us', 0.001],
	['1µs', 0.001],
	['-1s', -1000],
	['+1s', 1000],
	['2562047h', 9_223_369_200_000],
] as const) {
	test(`${text} is ${ms} ms`, () => assert.is(parseDurationMs(text), ms));
}

for (const [text, message] of [
	['', 'time: invalid duration ""'],
	['5', 'time: missing unit in duration "5"'],
	['1h5', 'time: missing unit in duration "1h5"'],
	['1d', 'time: unknown unit "d" in duration "1d"'],
	['s', 'time: invalid duration "s"'],
	['1s junk', 'time: unknown unit "s junk" in duration "1s junk"'],
	['-', 'time: invalid duration "-"'],
	['2562048h', 'time: invalid duration "2562048h"'],
] as const) {
	test(`${JSON.stringify(text)} is refused with the message that Go prints`, () => {
		assert.throws(
			() => parseDurationMs(text),
			(error: Error) => error.message === message,
		);
	});
}

test.run();
