import * as assert from 'uvu/assert';
import { inSlices } from '../../../admission/time/slices.ts';
import { suite } from '../../support/suite.ts';

const test = suite('work in slices');

/** A clock on which a step takes as long as it says, and everything else takes no time. */
class Work {
	nowMs = 0;
	/** How long it went on each time before others had their turn. */
	readonly slicesMs: number[] = [0];
	readonly taken: number[] = [];
	monotonic = () => this.nowMs;
	sleep = async () => void this.slicesMs.push(0);

	*steps(...ms: number[]): Generator<void> {
		for (const [index, tookMs] of ms.entries()) {
			this.nowMs += tookMs;
			this.slicesMs[this.slicesMs.length - 1] = (this.slicesMs.at(-1) ?? 0) + tookMs;
			this.taken.push(index);
			yield;
		}
	}
}

const never = new AbortController().signal;

test('others have their turn after each slice, and every step is taken once, in its order', async () => {
	const work = new Work();
	await inSlices(work, work.steps(...new Array(20).fill(2)), 5, never);
	assert.equal(work.slicesMs, [6, 6, 6, 6, 6, 6, 4]);
	assert.equal(
		work.taken,
		Array.from({ length: 20 }, (_, index) => index),
	);
});

test('no slice is longer than it may be and one step', async () => {
	const work = new Work();
	await inSlices(work, work.steps(1, 1, 30, 1, 1, 1, 1, 4, 4), 5, never);
	assert.equal(work.slicesMs, [32, 8, 4]);
});

test('what takes no time is done at once', () => {
	const work = new Work();
	void inSlices(work, work.steps(0, 0, 0), 5, never);
	assert.equal(work.taken, [0, 1, 2]);
});

test('it ends with its signal, during a step and between two slices', async () => {
	for (const at of [1, 2]) {
		const stop = new AbortController();
		const work = new Work();
		const steps = work.steps(3, 3, 3, 3);
		const stopping = (function* () {
			for (const _step of steps) {
				if (work.taken.length === at) stop.abort();
				yield;
			}
		})();
		await inSlices(work, stopping, 5, stop.signal);
		assert.is(work.taken.length, at);
	}
});

test('a mistake of a step is thrown, and ends the work', async () => {
	const broken = (function* () {
		yield;
		throw new Error('mistake');
	})();
	const found = await inSlices(new Work(), broken, 5, never).catch((error: unknown) => String(error));
	assert.is(found, 'Error: mistake');
});

test.run();
