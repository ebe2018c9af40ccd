/** Jobs of an autoscaled set to which a ResourceQuota refuses runners: they move to another set that fits, and come back. */
import * as assert from 'uvu/assert';
import { KubeError } from '../../../admission/kube/client.ts';
import { suite } from '../../support/suite.ts';
import { AutoscaledWorld } from '../support/autoscaled-world.ts';
import { kinds } from '../support/sets-world.ts';

const test = suite('jobs of sets under a quota');
const minute = 60_000;

for (const kind of kinds) {
	/** Two sets that fit all jobs; the namespace of `example`, which is preferred, has room for `limit` of its pods. */
	const twoSets = async (limit: number, { otherMax = 10 } = {}) => {
		const world = new AutoscaledWorld(kind);
		const room = { limit };
		const isFull = () => of(world, 'example').length >= room.limit;
		let refused = 0;
		world.habits.noRoom = isFull;
		world.api.admission.unshift(({ operation, resource, object }) => {
			if (operation !== 'CREATE' || resource !== 'pods' || setOf(object.metadata.name) !== 'example')
				return undefined;
			if (!isFull()) return undefined;
			refused += 1;
			const pods = `requested: pods=1, used: pods=${room.limit}, limited: pods=${room.limit}`;
			return new KubeError(403, 'Forbidden', `exceeded quota: runners, ${pods}`);
		});
		world.put(0);
		world.put(0, { name: 'other', spec: { labels: ['large'] } });
		world.autoscale();
		world.autoscale({ scaleTargetRef: { kind, name: 'other' }, maxReplicas: otherMax }, 'other');
		await world.start();
		// From then on runners are removed too: GitHub can't be asked about jobs here.
		await world.clock.pass(11 * minute);
		/** Also the StatefulSet controller has nothing left to try. */
		const end = async () => {
			room.limit = 100;
			await world.clock.pass(20 * minute);
			await world.end();
		};
		/** So many jobs come, and GitHub gives them to runners as these come online. */
		const jobs = async (count: number) => {
			waiting.push(...(await world.queue(count)));
		};
		const waiting: number[] = [];
		const given = new Set<string>();
		const pass = async (ms: number) => {
			for (const endMs = world.clock.now() + ms; world.clock.now() < endMs; await world.clock.pass(500)) {
				for (const name of world.live()) {
					if (given.has(name) || !world.github.find(name)) continue;
					const id = waiting.shift();
					if (id === undefined) continue;
					given.add(name);
					await world.gives(id, name);
				}
			}
		};
		return { world, room, refused: () => refused, jobs, pass, waiting, end };
	};
	const setOf = (pod: string) => pod.split('-')[0];
	const of = (world: AutoscaledWorld, set: string) => world.live().filter((name) => setOf(name) === set);
	const count = (world: AutoscaledWorld) => [of(world, 'example').length, of(world, 'other').length];

	test(`${kind}: the jobs beyond the quota start on the other set within seconds, and as many as there is room for here`, async () => {
		const { world, jobs, pass, waiting, end } = await twoSets(2);
		await jobs(5);
		await pass(20_000);
		assert.equal([count(world), waiting.length], [[2, 3], 0]);
		await pass(2 * minute);
		assert.equal(count(world), [2, 3], 'none goes back and forth');
		assert.is(world.owners().length, 5, 'nothing that waits for a pod is left');
		assert.is(world.mostPods, 5);
		await end();
	});

	test(`${kind}: once there is room again, new jobs come back within a minute`, async () => {
		const { world, room, refused, jobs, pass, end } = await twoSets(1);
		await jobs(3);
		await pass(20_000);
		assert.equal(count(world), [1, 2]);
		room.limit = 10;
		const before = refused();
		await pass(minute);
		await jobs(4);
		await pass(20_000);
		assert.equal(count(world), [5, 2]);
		assert.is(refused(), before);
		await end();
	});

	test(`${kind}: room that its own runner frees is used at once by the next job`, async () => {
		const { world, jobs, pass, end } = await twoSets(1);
		await jobs(2);
		await pass(20_000);
		assert.equal(count(world), [1, 1]);
		const [own = ''] = of(world, 'example');
		world.completes(own);
		await pass(3_000);
		await jobs(1);
		await pass(10_000);
		assert.equal([count(world), of(world, 'example').includes(own)], [[1, 1], false]);
		await end();
	});

	test(`${kind}: as long as there is none, a stream of jobs tries it at most eight times a minute`, async () => {
		const { world, refused, jobs, pass, end } = await twoSets(0);
		await jobs(1);
		await pass(minute);
		const before = refused();
		for (let job = 0; job < 8; job++) {
			await jobs(1);
			await pass(30_000);
		}
		assert.equal(count(world), [0, 9]);
		assert.ok(refused() - before <= 32, `${refused() - before} refusals in 4 min`);
		await end();
	});

	test(`${kind}: where the other set is full, they wait here, say why, and use what is freed`, async () => {
		const { world, room, jobs, pass, waiting, end } = await twoSets(1, { otherMax: 1 });
		await jobs(4);
		await pass(minute);
		assert.equal([count(world), waiting.length], [[1, 1], 2]);
		const reasons = waiting.map((id) => world.recordOf(id)?.status?.reason);
		assert.equal(reasons, ['QuotaExceeded', 'QuotaExceeded']);
		room.limit = 3;
		await pass(45_000);
		assert.equal([count(world), waiting.length], [[3, 1], 0]);
		await end();
	});
}

test.run();
