/** Turns of unauthenticated callers: one at a time, and half of the time for others. */
import * as assert from 'uvu/assert';
import { mostWaitingTurns } from '../../../admission/webhook/rules/policy.ts';
import { Turns } from '../../../admission/webhook/turns.ts';
import { suite } from '../../support/suite.ts';
import { SimulatedClock } from '../support/clock.ts';

const test = suite('turns of unauthenticated callers');

/** A clock on which each turn that is taken lasts so long. */
function setUp(tookMs: number) {
	const clock = new SimulatedClock();
	let busyMs = 0;
	const turns = new Turns({ ...clock, monotonic: () => clock.monotonic() + busyMs });
	const taken: number[] = [];
	const ask = async () => {
		const isIn = await turns.take();
		if (isIn) {
			taken.push(clock.monotonic());
			busyMs += tookMs;
		}
		return isIn;
	};
	return { clock, taken, ask };
}

test('one after the other, with as much time between as each has taken', async () => {
	const { clock, taken, ask } = setUp(20);
	const all = Promise.all([ask(), ask(), ask()]);
	await clock.pass(0);
	assert.is(taken.length, 1);
	await clock.pass(19);
	assert.is(taken.length, 1, 'others have their time');
	await clock.pass(100);
	assert.equal(taken, [0, 20, 40]);
	assert.equal(await all, [true, true, true]);
});
test('after a time without any the next has its turn at once', async () => {
	const { clock, taken, ask } = setUp(5);
	await ask();
	await clock.pass(1_000);
	await ask();
	assert.equal(taken, [0, 1_000]);
});
test('no more wait than a number; whoever comes then is refused at once', async () => {
	const { clock, taken, ask } = setUp(1);
	const all = Array.from({ length: mostWaitingTurns + 1 }, ask);
	assert.is(await ask(), false);
	await clock.pass(1_000);
	assert.is(taken.length, mostWaitingTurns + 1);
	assert.ok((await Promise.all(all)).every(Boolean));
	assert.is(await ask(), true);
});

test.run();
