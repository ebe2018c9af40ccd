import * as assert from 'uvu/assert';
import { Gate } from '../../../admission/time/gate.ts';
import { suite } from '../../support/suite.ts';
import { SimulatedClock } from '../support/clock.ts';

const test = suite('gate');

function setUp(size: number, mostWaiting?: number) {
	const clock = new SimulatedClock();
	const room = { size };
	const gate = new Gate(clock, {
		size: () => room.size,
		...(mostWaiting === undefined ? {} : { mostWaiting }),
	});
	const entered: number[] = [];
	const refused: number[] = [];
	const enter = (id: number, maxWaitMs = 1_000, signal?: AbortSignal) =>
		void gate.enter(maxWaitMs, signal).then((isIn) => (isIn ? entered : refused).push(id));
	return { clock, gate, room, entered, refused, enter };
}

test('as many as there is room for are in at once; the others follow in their order', async () => {
	const { clock, gate, entered, enter } = setUp(2);
	for (let id = 0; id < 5; id++) enter(id);
	await clock.settle();
	assert.equal(entered, [0, 1]);
	gate.leave();
	await clock.settle();
	assert.equal(entered, [0, 1, 2]);
	gate.leave();
	gate.leave();
	await clock.settle();
	assert.equal(entered, [0, 1, 2, 3, 4]);
	assert.is(clock.waiting, 0);
});

test('whoever waits too long, or whose signal ends, is not let in and takes no place', async () => {
	const { clock, gate, entered, refused, enter } = setUp(1);
	const stop = new AbortController();
	enter(0);
	enter(1, 100);
	enter(2, 1_000, stop.signal);
	enter(3, 1_000);
	await clock.pass(100);
	stop.abort();
	await clock.settle();
	assert.equal(refused, [1, 2]);
	gate.leave();
	await clock.settle();
	assert.equal(entered, [0, 3]);
	gate.leave();
	assert.ok(gate.tryEnter(), 'no place was lost');
	assert.not(gate.tryEnter());
});

test('one that gives up lets in nobody who stands before it', async () => {
	const { clock, entered, refused, enter } = setUp(1);
	enter(0);
	enter(1, 1_000);
	enter(2, 100);
	await clock.pass(100);
	assert.equal([entered, refused], [[0], [2]]);
});

test('one that gives up at the moment when it is let in gives its place back', async () => {
	const { clock, gate, entered, refused, enter } = setUp(1);
	const stop = new AbortController();
	enter(0);
	enter(1, 1_000, stop.signal);
	enter(2);
	await clock.settle();
	stop.abort();
	gate.leave();
	await clock.settle();
	assert.equal([entered, refused], [[0, 2], [1]]);
});

test('no more wait than may', async () => {
	const { clock, gate, entered, refused, enter } = setUp(1, 2);
	for (let id = 0; id < 5; id++) enter(id);
	await clock.settle();
	assert.equal([entered, refused], [[0], [3, 4]]);
	gate.leave();
	enter(5);
	await clock.settle();
	assert.equal(entered, [0, 1]);
	gate.leave();
	gate.leave();
	await clock.settle();
	assert.equal(entered, [0, 1, 2, 5]);
});

test('a size that shrinks or grows counts from the next one that leaves or enters', async () => {
	const { clock, gate, room, entered, enter } = setUp(2);
	for (let id = 0; id < 5; id++) enter(id);
	await clock.settle();
	room.size = 1;
	gate.leave();
	await clock.settle();
	assert.equal(entered, [0, 1]);
	room.size = 3;
	gate.leave();
	await clock.settle();
	assert.equal(entered, [0, 1, 2, 3, 4]);
});

test.run();
