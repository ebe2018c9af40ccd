import * as assert from 'uvu/assert';
import { TokenBucket } from '../../../admission/time/token-bucket.ts';
import { suite } from '../../support/suite.ts';
import { SimulatedClock } from '../support/clock.ts';

const test = suite('token bucket');

function setUp() {
	const clock = new SimulatedClock();
	const bucket = new TokenBucket(clock, 100, 5);
	const passed: { id: number; atMs: number }[] = [];
	const enter = (id: number, isGone = () => false) =>
		void bucket.enter(isGone).then(() => passed.push({ id, atMs: clock.monotonic() }));
	const ids = () => passed.map(({ id }) => id);
	return { clock, passed, enter, ids };
}

test('a few at once, then 100 a second, in their order', async () => {
	const { clock, passed, enter, ids } = setUp();
	for (let id = 0; id < 200; id++) enter(id);
	await clock.settle();
	assert.is(passed.length, 5);
	assert.is(clock.waiting, 1, 'one timer for all');
	await clock.pass(1_000);
	assert.ok(passed.length >= 104 && passed.length <= 105, `${passed.length}`);
	await clock.pass(1_000);
	assert.equal(
		ids(),
		Array.from({ length: 200 }, (_, id) => id),
	);
	assert.is(clock.waiting, 0);
});

test('below that rate nobody waits, and what was not used is not saved up', async () => {
	const { clock, passed, enter } = setUp();
	for (let id = 0; id < 50; id++) {
		enter(id);
		await clock.pass(10);
		assert.is(passed.at(-1)?.atMs, 10 * id);
	}
	await clock.pass(60_000);
	const before = passed.length;
	for (let id = 0; id < 50; id++) enter(id);
	await clock.settle();
	assert.is(passed.length - before, 5);
});

test('whoever has gone takes no turn: a thousand that do not wait keep nobody waiting', async () => {
	const { clock, passed, enter } = setUp();
	for (let id = 0; id < 5; id++) enter(id);
	let gone = false;
	for (let id = 5; id < 1_005; id++) enter(id, () => gone);
	enter(2_000);
	gone = true;
	await clock.pass(10);
	assert.equal(passed.at(-1), { id: 2_000, atMs: 10 });
});

test.run();
