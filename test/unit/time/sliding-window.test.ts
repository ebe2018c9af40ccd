import * as assert from 'uvu/assert';
import { SlidingWindow } from '../../../admission/time/sliding-window.ts';
import { suite } from '../../support/suite.ts';

const test = suite('sliding window');
const minute = 60_000;

/** Sends a call whenever one may be sent; answers when each was. */
function sendAll(window: SlidingWindow, count: number, fromMs = 0): number[] {
	const sentMs: number[] = [];
	let nowMs = fromMs;
	for (let call = 0; call < count; call++) {
		nowMs = window.nextMs(nowMs);
		window.reserve(nowMs);
		sentMs.push(nowMs);
	}
	return sentMs;
}

test('no period of a minute holds more calls than may be, wherever it begins', () => {
	const window = new SlidingWindow(() => 10, minute);
	window.reserve(50_000);
	const sentMs = [50_000, ...sendAll(window, 34, 55_000)];
	for (const fromMs of sentMs)
		assert.ok(sentMs.filter((ms) => ms >= fromMs && ms < fromMs + minute).length <= 10, `from ${fromMs}`);
	assert.is(sentMs[10], 110_000, 'as soon as the first one has left the window');
});

test('a reservation counts, and one that was cancelled does not', () => {
	const window = new SlidingWindow(() => 2, minute);
	for (let call = 0; call < 3; call++) window.reserve(window.nextMs(0));
	assert.is(window.count(0), 3);
	assert.is(window.nextMs(0), minute);
	window.cancel(0);
	assert.is(window.count(0), 2);
	assert.is(window.againMs(0), 0, 'the one whose reservation was cancelled is not behind those after it');
	window.cancel(12_345);
	assert.is(window.count(0), 2, 'what was never reserved');
});

test('a call that is late again waits for those that were sent, and after a while without any it need not', () => {
	const window = new SlidingWindow(() => 2, minute);
	window.reserve(0);
	window.reserve(1_000);
	window.reserve(minute);
	window.cancel(minute);
	assert.is(window.againMs(2_000), minute, 'until the first of the two has left the window');
	assert.is(window.againMs(3 * minute), 3 * minute);
});

test('what has left the window is counted no longer', () => {
	const window = new SlidingWindow(() => 2, minute);
	window.reserve(0);
	assert.equal([window.count(minute - 1), window.count(minute)], [1, 0]);
});

test('a limit that shrinks counts the calls that were sent before; below one a call in each window goes', () => {
	let most = 4;
	const window = new SlidingWindow(() => most, minute);
	sendAll(window, 4);
	most = 0.3;
	assert.is(window.nextMs(1_000), minute);
	assert.equal(sendAll(window, 3, 1_000), [minute, 2 * minute, 3 * minute]);
});

test('a clock that is set back keeps calls waiting no longer than it was set back by, and one window', () => {
	const window = new SlidingWindow(() => 1, minute);
	window.reserve(3_600_000);
	assert.is(window.nextMs(0), 3_600_000 + minute);
	assert.is(window.nextMs(3_600_000 + minute), 3_600_000 + minute);
	assert.is(window.count(3_600_000 + minute), 0);
});

test.run();
