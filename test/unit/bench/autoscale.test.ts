import * as assert from 'uvu/assert';
import { busyHour, type Constants, compressed, usualDay } from '../../bench/autoscale/constants.ts';
import { type Figures, simulate } from '../../bench/autoscale/simulate.ts';
import { suite } from '../../support/suite.ts';

const test = suite('simulated hour of the autoscaler');
const minute = 60_000;

/** Busier than the hour's share of a day, with more lost than usual. */
const hour: Constants = {
	...usualDay,
	dayMs: 60 * minute,
	endMs: 6 * 60 * minute,
	runs: 30,
	max: 100,
	events: { ...usualDay.events, lost: 0.05, silent: 0.5 },
};
const ours = (constants: Constants, delayMs = 10 * minute): Figures =>
	simulate({
		constants,
		policy: { kind: 'ours', settings: { delayMs, checkAfterMs: 10 * minute, source: 'log' } },
		seed: 1,
	});

for (const [what, constants, delayMs] of [
	['as usual', hour, 10 * minute],
	['runners go after 5 s', hour, 5_000],
	['a low maximum', { ...hour, max: 12 }, minute],
	['twelve times as fast', compressed(busyHour, 12), minute],
	['no webhook', { ...hour, webhook: false }, minute],
] as [string, Constants, number][])
	test(`every job is served, within the maximum, and no runner goes that works: ${what}`, () => {
		const figures = ours(constants, delayMs);
		assert.ok(figures.jobs > 60, `${figures.jobs} jobs`);
		assert.is(figures.neverServed, 0);
		assert.ok(figures.mostPods <= constants.max, `${figures.mostPods} pods`);
		assert.is(figures.releasedBusy, 0);
		assert.is(figures.pods - figures.needless, figures.waitMs.size, 'a runner for each job that ran');
	});

test('the same seed gives the same hour, and nothing waits for a runner longer than to find a lost event', () => {
	const [one, other] = [ours(hour), ours(hour)];
	assert.equal(one, other);
	const longest = Math.max(...one.uncoveredMs.values());
	assert.ok(longest < 6 * minute, `${longest} ms`);
});

test.run();
