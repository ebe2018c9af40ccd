/** Both kinds of sets, in simulated time, while the watches of owners and pods bring nothing and all other calls work (invariant 7). */
import * as assert from 'uvu/assert';
import { KubeError } from '../../../admission/kube/client.ts';
import { suite } from '../../support/suite.ts';
import { AutoscaledWorld } from '../support/autoscaled-world.ts';
import { kinds, SetsWorld } from '../support/sets-world.ts';
import { paths } from '../support/world.ts';

const test = suite('silent watches');
const minute = 60_000;
/** maxReplicas of the autoscaler, and replicas of the set. */
const wanted = 10;
const surge = 3;

for (const kind of kinds) {
	/** Its watches of owners and pods are behind until the returned function is called; bookmarks still come. */
	const silence = (world: SetsWorld) => {
		const shows = [world.ownersPath, paths.pods].map((collection) => world.api.holdWatches(collection));
		return () => {
			for (const show of shows) show();
		};
	};

	test(`${kind}: scaled to 10 while nothing is shown for 10 min: never more than wanted + surge`, async () => {
		const world = new SetsWorld(kind);
		world.put(2);
		await world.start();
		await world.settled(2);
		const mend = silence(world);
		world.scale(wanted);
		await world.clock.pass(10 * minute);
		assert.ok(world.mostPods <= wanted + surge, `${world.mostPods} pods at once`);
		assert.is(world.live().length, wanted);
		const reads = world.api.callsTo(
			'GET',
			new RegExp(`${kind === 'RunnerSet' ? 'statefulsets' : 'runners'}/`),
		);
		assert.ok(reads.length <= 10 * 2 * 10, `${reads.length} reads in 10 min`);
		mend();
		await world.settled(wanted, minute);
		await world.end();
	});

	test(`${kind} with an autoscaler: jobs come and end while nothing is shown for 10 min: never more than wanted + surge`, async () => {
		const world = new AutoscaledWorld(kind);
		world.put(0);
		world.autoscale({ maxReplicas: wanted });
		await world.start();
		await world.event('queued');
		await world.settled(1, minute);
		const mend = silence(world);
		const [first = ''] = world.live();
		world.github.set(first, { busy: true });
		await world.event('in_progress', { id: 1, runnerName: first });
		for (let job = 0; job < 30; job++) {
			await world.event('queued');
			await world.clock.pass(20_000);
		}
		assert.ok(world.mostPods <= wanted + surge, `${world.mostPods} pods at once`);
		assert.ok(world.live().length >= wanted, `${world.live().length} pods`);
		mend();
		await world.clock.pass(minute);
		assert.ok(world.mostPods <= wanted + surge, `${world.mostPods} pods at once`);
		await world.end();
	});

	test(`${kind}: only the pods' watch is silent: no runner is taken for one without a pod`, async () => {
		const world = new SetsWorld(kind);
		world.put(2);
		await world.start();
		await world.settled(2);
		const mend = world.api.holdWatches(paths.pods);
		world.scale(wanted);
		await world.clock.pass(10_000);
		const before = world.owners();
		await world.clock.pass(10 * minute);
		assert.equal([world.owners(), world.mostPods], [before, wanted]);
		mend();
		await world.settled(wanted, minute);
		await world.end();
	});

	test(`${kind}: a runner that was made and is deleted by others before a watch has shown it is made again`, async () => {
		const world = new SetsWorld(kind);
		world.put(1);
		await world.start();
		await world.settled(1);
		const mend = silence(world);
		world.scale(2);
		await world.clock.pass(5_000);
		const [, second = ''] = world.owners();
		world.api.drop(world.ownersPath, second, 'ci');
		await world.clock.pass(2 * minute);
		assert.equal([world.owners().length, world.owners().includes(second)], [2, false]);
		mend();
		await world.settled(2, minute);
		await world.end();
	});

	test(`${kind}: a creation without an answer that was carried out counts as long as a read shows it`, async () => {
		const world = new SetsWorld(kind);
		world.put(1);
		await world.start();
		await world.settled(1);
		const mend = silence(world);
		world.api.loseAnswers('POST', kind === 'RunnerSet' ? /statefulsets$/ : /runners$/, 1);
		world.scale(2);
		await world.clock.pass(10 * minute);
		assert.is(world.owners().length, 2);
		mend();
		await world.settled(2, minute);
		await world.end();
	});

	test(`${kind}: while what was made cannot be read either, it goes on counting`, async () => {
		const world = new SetsWorld(kind);
		world.put(2);
		await world.start();
		await world.settled(2);
		const mend = silence(world);
		world.scale(wanted);
		await world.clock.pass(5_000);
		world.api.fail('GET', /(statefulsets|runners|pods)\//, new KubeError(503, '', 'etcd'));
		await world.clock.pass(10 * minute);
		assert.is(world.mostPods, wanted);
		world.api.mend();
		mend();
		await world.settled(wanted, minute);
		await world.end();
	});
}

test.run();
