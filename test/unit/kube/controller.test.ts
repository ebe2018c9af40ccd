import * as assert from 'uvu/assert';
import { type ObjectKey, objectKey, splitKey } from '../../../admission/api/object-key.ts';
import { Controller, type ControllerOptions } from '../../../admission/kube/controller.ts';
import type { Listener } from '../../../admission/kube/informer.ts';
import type { Requeue } from '../../../admission/kube/queue.ts';
import { suite } from '../../support/suite.ts';
import { SimulatedClock } from '../support/clock.ts';

const test = suite('controller');

function setUp(
	reconcile: (key: ObjectKey) => Promise<Requeue>,
	more: Partial<ControllerOptions<ObjectKey>> = {},
) {
	const clock = new SimulatedClock();
	const logged: [string, object, string][] = [];
	const measured: string[] = [];
	const listeners: Listener<string>[] = [];
	const log = Object.fromEntries(
		['debug', 'info', 'warn', 'error'].map((level) => [
			level,
			(facts: object, text: string) => logged.push([level, facts, text]),
		]),
	) as never;
	const metrics = { reconciled: (name: string) => void measured.push(name) };
	const options = { name: 'pods', concurrency: 1, failure: 'pod not brought in step', reconcile, ...more };
	const controller = new Controller(options, { clock, metrics, log });
	const source = (listener: Listener<string>) => void listeners.push(listener);
	const change = (name: string, before?: string) => {
		for (const listener of listeners) listener(before ? 'modified' : 'added', name, before);
	};
	return { clock, controller, logged, measured, source, change };
}

test('a change of what it watches reconciles the objects that it concerns', async () => {
	const reconciled: ObjectKey[] = [];
	const { clock, controller, measured, source, change } = setUp(async (key) => void reconciled.push(key));
	controller
		.watch(source, (name) => (name === 'none' ? undefined : `ci/${name}`))
		.watch(source, (name, _change, before) => (before ? [`ci/${before}`, `ci/${name}-child`] : []));
	change('none');
	change('a');
	await clock.settle();
	assert.equal(reconciled, ['ci/a']);
	change('b', 'before');
	await clock.settle();
	assert.equal(reconciled, ['ci/a', 'ci/b', 'ci/before', 'ci/b-child']);
	assert.equal(measured, ['pods', 'pods', 'pods', 'pods']);
});

test('a failure is logged with the key, and retried; a result may ask for another reconcile', async () => {
	let times = 0;
	const { clock, controller, logged } = setUp(async () => {
		times += 1;
		if (times === 1) throw new Error('refused');
		return times === 2 ? { afterMs: 60_000 } : undefined;
	});
	controller.enqueueAfter('ci/a', 10);
	await clock.pass(10);
	assert.equal(logged, [
		['warn', { pods: 'ci/a', error: 'Error: refused', retryMs: 100 }, 'pod not brought in step, retrying'],
	]);
	await clock.pass(100);
	assert.is(times, 2);
	await clock.pass(60_000);
	assert.is(times, 3);
	assert.is(clock.waiting, 0);
});

test('where it is asked for, only the first of several failures in a row is a warning', async () => {
	let fails = true;
	const { clock, controller, logged } = setUp(
		async () => (fails ? Promise.reject(new Error('down')) : undefined),
		{ warnsOnce: true, field: 'secret' },
	);
	controller.enqueue('ci/a');
	await clock.pass(1_000);
	fails = false;
	await clock.pass(30_000);
	fails = true;
	controller.enqueue('ci/a');
	await clock.settle();
	const levels = logged.map(([level]) => level);
	assert.is(levels.filter((level) => level === 'warn').length, 2);
	assert.equal([levels[0], levels.at(-1)], ['warn', 'warn']);
	assert.ok(levels.length > 3);
	assert.ok(logged.every(([, facts]) => 'secret' in facts));
});

test('once stopped it starts nothing more', async () => {
	let times = 0;
	const { clock, controller } = setUp(async () => void times++);
	controller.enqueueAfter('ci/a', 1_000);
	await controller.stop();
	controller.enqueue('ci/b');
	await clock.pass(10_000);
	assert.equal([times, clock.waiting], [0, 0]);
});

test('a key says namespace and name, and can be read back; of a cluster-scoped object the name alone', () => {
	for (const metadata of [
		{ namespace: 'ci', name: 'runner-1' },
		{ namespace: '', name: 'node-1' },
	])
		assert.equal(splitKey(objectKey(metadata)), metadata);
	assert.is(objectKey({ name: 'node-1' }), '/node-1');
});

test.run();
