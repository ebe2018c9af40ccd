/** What others can send or write never keeps the event loop for long: `make bench BENCH=worst` has the figures. */
import * as assert from 'uvu/assert';
import { worstCases } from '../../bench/worst/cases.ts';
import { limitMs, worstTurnOf } from '../../bench/worst/worst-case.ts';
import { suite } from '../../support/suite.ts';

const test = suite('the worst that others can send');

for (const [does, cases] of Map.groupBy(
	worstCases.filter(({ exempt }) => exempt === undefined),
	(one) => one.does,
))
	test(`${does}: at most ${limitMs} ms of the event loop, whatever it is`, async () => {
		const slow: string[] = [];
		for (const one of cases) {
			const ms = await worstTurnOf(one, limitMs);
			if (ms > limitMs) slow.push(`${one.shape}: ${ms.toFixed(0)} ms`);
		}
		assert.equal(slow, []);
	});

test.run();
