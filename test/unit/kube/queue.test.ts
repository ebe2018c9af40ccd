import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { type LookAgain, WorkQueue } from '../../../admission/kube/queue.ts';
import { suite } from '../../support/suite.ts';

const test = suite('work queue');

function queue(reconcile: (key: string) => Promise<LookAgain>, concurrency = 4) {
	const errors: [string, number][] = [];
	const reconciled: [string, number, boolean][] = [];
	return {
		errors,
		reconciled,
		queue: new WorkQueue({
			controller: 'test',
			metrics: { reconciled: (...facts) => void reconciled.push(facts) },
			concurrency,
			reconcile,
			onError: (key, _error, retryMs) => void errors.push([key, retryMs]),
		}),
	};
}

test('one key is never worked on twice at once, and once more when added meanwhile', async () => {
	let running = 0;
	let most = 0;
	let runs = 0;
	const { queue: work } = queue(async () => {
		most = Math.max(most, ++running);
		runs += 1;
		await sleep(10);
		running -= 1;
		return undefined;
	});
	for (let i = 0; i < 5; i++) work.add('a');
	await sleep(5);
	work.add('a');
	await sleep(50);
	assert.equal([most, runs], [1, 2]);
});
test('different keys run side by side, up to the limit', async () => {
	let running = 0;
	let most = 0;
	const { queue: work } = queue(async () => {
		most = Math.max(most, ++running);
		await sleep(10);
		running -= 1;
		return undefined;
	}, 3);
	for (const key of 'abcdefgh') work.add(key);
	await sleep(80);
	assert.is(most, 3);
});
test('an error is retried, later and later, and forgotten after a success', async () => {
	let runs = 0;
	const { queue: work, errors } = queue(async () => {
		runs += 1;
		if (runs < 3) throw new Error('no');
		return undefined;
	});
	work.add('a');
	await sleep(450);
	assert.equal(errors, [
		['a', 100],
		['a', 200],
	]);
	assert.is(runs, 3);
});
test('"look again after" looks again, and an earlier add wins', async () => {
	const times: number[] = [];
	const startMs = Date.now();
	const { queue: work } = queue(async () => {
		times.push(Date.now() - startMs);
		return times.length === 1 ? { afterMs: 5_000 } : undefined;
	});
	work.add('a');
	await sleep(20);
	work.addAfter('a', 30);
	await sleep(80);
	assert.is(times.length, 2);
});
test('after stop nothing new is started, and what runs is waited for', async () => {
	let done = 0;
	const { queue: work } = queue(async () => {
		await sleep(30);
		done += 1;
		return { afterMs: 1 };
	}, 1);
	work.add('a');
	work.add('b');
	await work.stop();
	work.add('c');
	await sleep(60);
	assert.is(done, 1);
});

test('each pass is counted with its controller, and whether it failed', async () => {
	let runs = 0;
	const { queue: work, reconciled } = queue(async () => {
		if (++runs === 1) throw new Error('once');
		await sleep(20);
		return undefined;
	});
	work.add('a');
	await sleep(200);
	assert.equal(
		reconciled.map(([controller, , failed]) => [controller, failed]),
		[
			['test', true],
			['test', false],
		],
	);
	assert.ok((reconciled[1]?.[1] ?? 0) >= 15, String(reconciled[1]));
});

test.run();
