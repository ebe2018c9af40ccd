import { getEventListeners } from 'node:events';
import * as assert from 'uvu/assert';
import { DeadlineExceeded, waitFor, withDeadline } from '../../../admission/time/deadline.ts';
import { suite } from '../../support/suite.ts';
import { SimulatedClock } from '../support/clock.ts';

const test = suite('deadline');
const never = new Promise<never>(() => {});

/** Work that ends with its signal. */
const untilAborted = (signal: AbortSignal): Promise<unknown> =>
	new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason), { once: true }));

test('the work gets a signal that ends after the time, and says that the time is over', async () => {
	const clock = new SimulatedClock();
	let reason: unknown;
	void withDeadline(clock, 1_000, untilAborted).then((why) => {
		reason = why;
	});
	await clock.pass(999);
	assert.is(reason, undefined);
	await clock.pass(1);
	assert.instance(reason, DeadlineExceeded);
	assert.is(clock.waiting, 0);
});

test('it ends with the outer signal as well, for the reason of that one; also with one that has ended before', async () => {
	for (const before of [true, false]) {
		const clock = new SimulatedClock();
		const outer = new AbortController();
		if (before) outer.abort('left');
		const work = withDeadline(
			clock,
			1_000,
			async (signal) => (signal.aborted ? signal.reason : untilAborted(signal)),
			outer.signal,
		);
		outer.abort('left');
		assert.is(await work, 'left');
		assert.is(clock.waiting, 0);
	}
});

test('what the work returns or throws is passed on, and no timer is left', async () => {
	const clock = new SimulatedClock();
	assert.is(await withDeadline(clock, 1_000, async () => 7), 7);
	const failed = withDeadline(clock, 1_000, async () => Promise.reject(new Error('broken')));
	assert.is(await failed.catch((error: Error) => error.message), 'broken');
	assert.is(clock.waiting, 0);
});

test('who waits gets the result, or what is said in its place when the time is over', async () => {
	const clock = new SimulatedClock();
	assert.is(await waitFor(clock, Promise.resolve(7), { ms: 10 }, () => 'late'), 7);
	assert.is(clock.waiting, 0);
	const late = waitFor(clock, never, { ms: 10 }, () => 'late');
	await clock.pass(10);
	assert.is(await late, 'late');
});

test('what is thrown in its place rejects, and reaches nobody else', async () => {
	const clock = new SimulatedClock();
	const late = waitFor(clock, never, { ms: 10 }, () => {
		throw new Error('not in time');
	}).catch((error: Error) => error.message);
	await clock.pass(10);
	assert.is(await late, 'not in time');
});

test('a time that is over already still lets work that is done win', async () => {
	const clock = new SimulatedClock();
	assert.is(await waitFor(clock, Promise.resolve(7), { ms: -5 }, () => 'late'), 7);
	const late = waitFor(clock, never, { ms: -5 }, () => 'late');
	await clock.pass(0);
	assert.is(await late, 'late');
});

test('whoever gives up leaves no listener and no timer; without limits it waits for ever', async () => {
	const clock = new SimulatedClock();
	const stop = new AbortController();
	const left = waitFor(clock, never, { ms: 1_000, signal: stop.signal }, () => 'left');
	stop.abort();
	assert.is(await left, 'left');
	assert.is(clock.waiting, 0);
	assert.is(await waitFor(clock, Promise.resolve(7), { signal: stop.signal }, () => 'left'), 'left');
	assert.is(await waitFor(clock, Promise.resolve(7), {}, () => 'left'), 7);
});

test('who waits for a signal alone waits until it ends, sets no timer and leaves no listener', async () => {
	const clock = new SimulatedClock();
	const stop = new AbortController();
	assert.is(await waitFor(clock, Promise.resolve(7), { signal: stop.signal }, () => 'left'), 7);
	assert.is(getEventListeners(stop.signal, 'abort').length, 0);
	const left = waitFor(clock, never, { signal: stop.signal }, () => 'left');
	await clock.settle();
	assert.is(clock.waiting, 0);
	stop.abort();
	assert.is(await left, 'left');
});

test('a signal that lives as long as the process keeps no listener of work that is done', async () => {
	const clock = new SimulatedClock();
	const outer = new AbortController();
	for (let call = 0; call < 3; call++) await withDeadline(clock, 1_000, async () => call, outer.signal);
	assert.is(getEventListeners(outer.signal, 'abort').length, 0);
});

test('a clock that somebody sets back or forward changes no deadline', async () => {
	for (const byMs of [-3_600_000, 3_600_000]) {
		const clock = new SimulatedClock();
		let result: string | undefined;
		void waitFor(clock, never, { ms: 1_000 }, () => 'late').then((value) => {
			result = value;
		});
		clock.set(byMs);
		await clock.pass(999);
		assert.is(result, undefined);
		await clock.pass(1);
		assert.is(result, 'late');
	}
});

test('a deadline of more days than a timer of Node holds', async () => {
	const clock = new SimulatedClock();
	const thirtyDays = 30 * 86_400_000;
	let result: string | undefined;
	void waitFor(clock, never, { ms: thirtyDays }, () => 'late').then((value) => {
		result = value;
	});
	await clock.pass(thirtyDays - 1);
	assert.is(result, undefined);
	await clock.pass(1);
	assert.is(result, 'late');
});

test.run();
