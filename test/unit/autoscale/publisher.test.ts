import * as assert from 'uvu/assert';
import { Publisher } from '../../../admission/autoscale/publisher.ts';
import { suite } from '../../support/suite.ts';

const test = suite('publisher');

test('subscribers are called at once, in their order', () => {
	const publisher = new Publisher<number>();
	const calls: string[] = [];
	for (const name of ['a', 'b']) publisher.subscribe((change) => calls.push(`${name}${change}`));
	publisher.publish(1);
	publisher.publish(2);
	assert.equal(calls, ['a1', 'b1', 'a2', 'b2']);
});

test('what a subscriber publishes itself comes after the change that it was called with', () => {
	const publisher = new Publisher<number>();
	const calls: string[] = [];
	publisher.subscribe((change) => {
		calls.push(`a${change}`);
		if (change < 3) publisher.publish(change + 1);
	});
	publisher.subscribe((change) => calls.push(`b${change}`));
	publisher.publish(1);
	assert.equal(calls, ['a1', 'b1', 'a2', 'b2', 'a3', 'b3']);
});

test('one that throws does not keep a change from the others, nor the next changes', () => {
	const publisher = new Publisher<number>();
	const calls: number[] = [];
	publisher.subscribe((change) => {
		if (change === 1) publisher.publish(2);
		throw new Error(`mistake ${change}`);
	});
	publisher.subscribe((change) => calls.push(change));
	assert.throws(() => publisher.publish(1), /mistake 1/);
	assert.equal(calls, [1, 2]);
	assert.throws(() => publisher.publish(3), /mistake 3/);
	assert.equal(calls, [1, 2, 3]);
});

test.run();
