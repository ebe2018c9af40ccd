import * as assert from 'uvu/assert';
import { type Requeue, soonest, WorkQueue } from '../../../admission/kube/queue.ts';
import { suite } from '../../support/suite.ts';
import { SimulatedClock } from '../support/clock.ts';

const test = suite('work queue');

function queue(reconcile: (key: string, clock: SimulatedClock) => Promise<Requeue>, concurrency = 4) {
	const clock = new SimulatedClock();
	const errors: [string, number][] = [];
	const reconciled: [string, number, boolean][] = [];
	return {
		clock,
		errors,
		reconciled,
		queue: new WorkQueue({
			controller: 'test',
			metrics: { reconciled: (...facts) => void reconciled.push(facts) },
			clock,
			concurrency,
			reconcile: (key) => reconcile(key, clock),
			onError: (key, _error, retryMs) => void errors.push([key, retryMs]),
		}),
	};
}

test('one key is never worked on twice at once, and once more when added meanwhile', async () => {
	let running = 0;
	let most = 0;
	let runs = 0;
	const { queue: work, clock } = queue(async (_key, { sleep }) => {
		most = Math.max(most, ++running);
		runs += 1;
		await sleep(10);
		running -= 1;
		return undefined;
	});
	for (let i = 0; i < 5; i++) work.add('a');
	await clock.pass(5);
	work.add('a');
	await clock.pass(50);
	assert.equal([most, runs], [1, 2]);
});
test('different keys run side by side, up to the limit', async () => {
	let running = 0;
	let most = 0;
	const done: string[] = [];
	const { queue: work, clock } = queue(async (key, { sleep }) => {
		most = Math.max(most, ++running);
		await sleep(10);
		running -= 1;
		done.push(key);
		return undefined;
	}, 3);
	for (const key of 'abcdefgh') work.add(key);
	await clock.pass(80);
	assert.equal([most, done.join('')], [3, 'abcdefgh']);
});
test('an error is retried after 100 ms, doubling to 30 s, and forgotten after a success', async () => {
	let failing = true;
	const {
		queue: work,
		errors,
		clock,
	} = queue(async () => {
		if (failing) throw new Error('no');
		return undefined;
	});
	work.add('a');
	await clock.pass(120_000);
	const pauses = errors.map(([, ms]) => ms);
	assert.equal(pauses.slice(0, 4), [100, 200, 400, 800]);
	assert.equal(pauses.slice(-2), [30_000, 30_000]);
	failing = false;
	await clock.pass(30_000);
	failing = true;
	work.add('a');
	await clock.settle();
	assert.is(errors.at(-1)?.[1], 100);
});
test('a requeue reconciles again, and an earlier moment wins over a later one', async () => {
	const times: number[] = [];
	const { queue: work, clock } = queue(async (_key, { monotonic }) => {
		times.push(monotonic());
		return times.length === 1 ? { afterMs: 5_000 } : undefined;
	});
	work.add('a');
	await clock.settle();
	work.addAfter('a', 30);
	work.addAfter('a', 60);
	await clock.pass(10_000);
	assert.equal(times, [0, 30]);
});
test('a key that is worked on now is not worked on again for a moment that was asked for before', async () => {
	const times: number[] = [];
	const { queue: work, clock } = queue(async (_key, { monotonic }) => {
		times.push(monotonic());
		return undefined;
	});
	work.addAfter('a', 1_000);
	await clock.pass(500);
	work.add('a');
	await clock.pass(5_000);
	assert.equal(times, [500]);
});
test('after stop nothing new is started, no timer is left, and what runs is waited for', async () => {
	let done = 0;
	const { queue: work, clock } = queue(async (_key, { sleep }) => {
		await sleep(30);
		done += 1;
		return { afterMs: 1 };
	}, 1);
	work.add('a');
	work.add('b');
	work.addAfter('later', 1_000);
	let stopped = false;
	const stopping = work.stop().then(() => {
		stopped = true;
	});
	await clock.settle();
	assert.not(stopped);
	await clock.pass(30);
	await stopping;
	work.add('c');
	work.addAfter('d', 1);
	await clock.pass(60);
	assert.equal([done, clock.waiting], [1, 0]);
});
test('stop of a queue with nothing under way resolves at once', async () => {
	const { queue: work } = queue(async () => undefined);
	await work.stop();
});
test('each pass is counted with its controller, how long it took, and whether it failed', async () => {
	let runs = 0;
	const {
		queue: work,
		reconciled,
		clock,
	} = queue(async (_key, { sleep }) => {
		if (++runs === 1) throw new Error('once');
		await sleep(20);
		return undefined;
	});
	work.add('a');
	await clock.pass(200);
	assert.equal(reconciled, [
		['test', 0, true],
		['test', 20, false],
	]);
});
test('of several moments to requeue the soonest counts; of none there is none', () => {
	assert.equal(soonest(5_000, undefined, 0), { afterMs: 0 });
	assert.equal(soonest(0, 5_000), { afterMs: 0 });
	assert.equal(soonest(undefined, 5_000), { afterMs: 5_000 });
	assert.equal([soonest(undefined, undefined), soonest()], [undefined, undefined]);
});

test.run();
