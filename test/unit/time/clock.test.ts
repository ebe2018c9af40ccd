import * as assert from 'uvu/assert';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { suite } from '../../support/suite.ts';
import { SimulatedClock } from '../support/clock.ts';

const test = suite('clock');
const day = 86_400_000;
/** Node calls back after 1 ms where it is asked for more than 24.8 days. */
const tooLong = 2 ** 31;

for (const ms of [tooLong, 30 * day, 365 * day, Number.POSITIVE_INFINITY]) {
	test(`a timer of ${ms} ms does not end at once`, async () => {
		let ended = 0;
		const cancel = systemClock.after(ms, () => ended++);
		const stop = new AbortController();
		const asleep = systemClock.sleep(ms, stop.signal).then(() => ended++);
		await systemClock.sleep(20);
		assert.is(ended, 0);
		cancel();
		stop.abort();
		await asleep;
	});
}
for (const ms of [tooLong - 1, tooLong, 30 * day, 1000 * day]) {
	test(`a timer of ${ms} ms ends after just that time, once, and leaves nothing behind`, async () => {
		const clock = new SimulatedClock();
		const ended: number[] = [];
		clock.after(ms, () => ended.push(clock.monotonic()));
		await clock.pass(2 * ms);
		assert.equal([ended, clock.waiting], [[ms], 0]);
	});
	test(`a timer of ${ms} ms can be cancelled at any moment`, async () => {
		for (const atMs of [0, 1, day, ms - 1]) {
			const clock = new SimulatedClock();
			let ended = false;
			const cancel = clock.after(ms, () => {
				ended = true;
			});
			await clock.pass(atMs);
			cancel();
			assert.is(clock.waiting, 0);
			await clock.pass(2 * ms);
			assert.not(ended);
		}
	});
}

test.run();
