/** The PodDisruptionBudget that keeps busy runners from eviction while every replica of the server is down. */
import * as assert from 'uvu/assert';
import { busy, names } from '../../../admission/api/keys.ts';
import { keepBusyBudgets } from '../../../admission/guard/busy-budget.ts';
import { KubeError } from '../../../admission/kube/client.ts';
import { suite } from '../../support/suite.ts';
import { paths, World } from '../support/world.ts';

const test = suite('back-stop budgets');
const minute = 60_000;

function setUp() {
	const world = new World();
	const { client, cache, metrics, clock, log } = world.parts;
	const loop = keepBusyBudgets(client, cache, metrics, clock, log);
	return {
		...world,
		world,
		loop,
		budget: (namespace = 'ci') => world.api.find(paths.budgets, names.backstops.true, namespace),
	};
}

test('the first runner of a namespace brings it, and an eviction of a busy one, or of one of which nothing is known, gets 429', async () => {
	const { world, loop, api, clock, budget } = setUp();
	await world.start();
	assert.is(budget(), undefined);
	world.runner('idle');
	world.runner('busy', { metadata: { labels: { [busy.label]: 'true' } } });
	world.runner('new', { metadata: { labels: { [busy.label]: 'unknown' } } });
	await clock.pass(100);
	for (const value of ['true', 'unknown'] as const)
		assert.equal(api.find(paths.budgets, names.backstops[value], 'ci')?.spec, {
			minAvailable: 1_000_000,
			selector: { matchLabels: { [busy.label]: value } },
		});
	const evict = (name: string) =>
		api.request('POST', `/api/v1/namespaces/ci/pods/${name}/eviction`, { body: {} }).then(
			() => 'evicted',
			(error: KubeError) => error.code,
		);
	const answers = Promise.all([evict('busy'), evict('new'), evict('idle')]);
	await clock.pass(100);
	assert.equal(await answers, [429, 429, 'evicted']);
	await world.stop(loop);
});
test('two budgets for a hundred runners; somebody deletes it: it is there again within 5 min', async () => {
	const { world, loop, api, clock, budget } = setUp();
	for (let number = 0; number < 100; number++) world.runner(`r${number}`);
	await world.start();
	assert.equal(
		[api.callsTo('GET', /poddisruptionbudgets/).length, api.callsTo('POST', /poddisruptionbudgets/).length],
		[2, 2],
	);
	api.drop(paths.budgets, names.backstops.true, 'ci');
	await clock.until('it is there again', budget, 5 * minute);
	await world.stop(loop);
});
test('no more runners in the namespace: it is not made again; the next runner brings it back', async () => {
	const { world, loop, api, clock, budget } = setUp();
	world.runner('r1');
	await world.start();
	api.drop(paths.pods, 'r1', 'ci');
	await clock.pass(6 * minute);
	api.drop(paths.budgets, names.backstops.true, 'ci');
	await clock.pass(30 * minute);
	assert.is(budget(), undefined);
	world.runner('r2');
	await clock.pass(100);
	assert.ok(budget());
	await world.stop(loop);
});
test('none is made in a namespace that is being deleted, and a new one of that name has its own', async () => {
	const { world, loop, api, clock, budget } = setUp();
	api.put(paths.namespaces, { metadata: { name: 'ending', deletionTimestamp: clock.iso() } });
	await world.start();
	world.runner('r1', { metadata: { namespace: 'ending' } });
	await clock.pass(minute);
	assert.is(budget('ending'), undefined);
	assert.is(api.callsTo('POST', /poddisruptionbudgets/).length, 0);
	api.drop(paths.pods, 'r1', 'ending');
	api.drop(paths.namespaces, 'ending');
	api.put(paths.namespaces, { metadata: { name: 'ending' } });
	await clock.pass(100);
	world.runner('r1', { metadata: { namespace: 'ending' } });
	await clock.pass(100);
	assert.ok(budget('ending'));
	await world.stop(loop);
});
test('another replica was quicker, or the namespace ends meanwhile: no error', async () => {
	for (const [code, reason] of [
		[409, 'AlreadyExists'],
		[404, 'NotFound'],
	] as const) {
		const { world, loop, api, clock, lines } = setUp();
		api.fail('POST', /poddisruptionbudgets/, new KubeError(code, reason, ''), 1);
		world.runner('r1');
		await world.start();
		await clock.pass(minute);
		assert.equal(
			[api.callsTo('POST', /poddisruptionbudgets/).length, lines.filter((line) => line.startsWith('warn'))],
			[2, []],
		);
		await world.stop(loop);
	}
});
test('a failing API server is asked again until it is there', async () => {
	const { world, loop, api, clock, budget, lines } = setUp();
	api.fail('POST', /poddisruptionbudgets/, new KubeError(500, '', 'etcd'), 4);
	world.runner('r1');
	await world.start();
	await clock.until('it is there', budget, 10_000);
	assert.ok(lines.includes('warn back-stop PodDisruptionBudget not created, retrying'));
	await world.stop(loop);
});

test.run();
