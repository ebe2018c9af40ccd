import * as assert from 'uvu/assert';
import { SharedGate } from '../../../admission/time/shared-gate.ts';
import { suite } from '../../support/suite.ts';
import { SimulatedClock } from '../support/clock.ts';

const test = suite('shared gate');

function setUp() {
	const clock = new SimulatedClock();
	const gate = new SharedGate(clock, { size: 4, share: 2 });
	const inside: string[] = [];
	const results: string[] = [];
	const enter = (group: string, tookMs: number, withinMs = 10_000) =>
		void gate
			.run(group, withinMs, async (leftMs) => {
				inside.push(group);
				await clock.sleep(tookMs);
				inside.splice(inside.indexOf(group), 1);
				return `${group} ${leftMs}`;
			})
			.then((result = `${group} was not let in`) => results.push(result));
	return { clock, gate, inside, results, enter };
}

test('no group has more than its share, however many come first; others go in past those that wait', async () => {
	const { clock, inside, results, enter } = setUp();
	for (let caller = 0; caller < 100; caller++) enter('a', 1_000);
	await clock.settle();
	assert.equal(inside, ['a', 'a']);
	enter('b', 100);
	enter('c', 100);
	enter('d', 100);
	await clock.settle();
	assert.equal(inside, ['a', 'a', 'b', 'c']);
	await clock.pass(150);
	assert.equal(inside, ['a', 'a', 'd'], 'not another of a');
	assert.equal(results, ['b 10000', 'c 10000']);
	await clock.pass(100);
	assert.is(results.at(-1), 'd 9900', 'and knows what is left of its time');
	await clock.pass(20_000);
	assert.is(results.filter((one) => one === 'a was not let in').length, 80);
	assert.equal([inside, clock.waiting], [[], 0]);
});
test('work that fails makes room as well', async () => {
	const { gate } = setUp();
	for (let caller = 0; caller < 10; caller++) {
		const failure = gate.run('a', 10, () => Promise.reject(new Error('x')));
		assert.is(await failure.catch((error) => error.message), 'x');
	}
	assert.is(await gate.run('a', 10, async () => 'in'), 'in');
});

test.run();
