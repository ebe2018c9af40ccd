/** What an autoscaler does where something is late, missing, refused or odd. */
import * as assert from 'uvu/assert';
import { KubeError } from '../../../admission/kube/client.ts';
import { suite } from '../../support/suite.ts';
import type { Stored } from '../support/api-server.ts';
import { AutoscaledWorld } from '../support/autoscaled-world.ts';
import { kinds } from '../support/sets-world.ts';
import { paths } from '../support/world.ts';

const test = suite('autoscaler in adversity');
const second = 1_000;
const minute = 60_000;

for (const kind of kinds) {
	/** Two sets that could run the jobs of octo-org/app, and others between them; `example` is the narrower one, and the last by name. */
	const twoSets = async ({ between = 0 } = {}) => {
		const world = new AutoscaledWorld(kind);
		world.put(0, { name: 'another' });
		for (let index = 0; index < between; index++)
			world.put(0, { name: `between-${index}`, spec: { labels: ['never'], organization: 'elsewhere' } });
		world.put(0, { spec: { organization: undefined, repository: 'octo-org/app' } });
		world.autoscale({ maxReplicas: 50 });
		world.autoscale({ maxReplicas: 50, scaleTargetRef: { kind, name: 'another' } }, 'another');
		await world.start();
		await world.clock.pass(2 * second);
		return world;
	};
	const setsOf = (world: AutoscaledWorld, ids: readonly number[]) => [
		...new Set(ids.map((id) => world.recordOf(id)?.status?.set?.name)),
	];

	test(`${kind}: the next leader sees a set later than the jobs: they stay with it, and no runner is made twice`, async () => {
		const world = await twoSets({ between: 105 });
		const ids = await world.queue(20);
		await world.clock.pass(30 * second);
		assert.equal(setsOf(world, ids), ['example']);
		await world.end();
		const next = new AutoscaledWorld(kind, world);
		const request = next.api.request.bind(next.api);
		next.api.request = async (method, path, options) => {
			// `example` is on the second page.
			if (path.endsWith(world.sets) && options?.query?.continue) await next.clock.sleep(2 * second);
			return request(method, path, options);
		};
		await next.start();
		await next.clock.pass(2 * minute);
		assert.equal(setsOf(next, ids), ['example']);
		assert.is(world.starts, 20);
		await next.end();
	});

	test(`${kind}: the next leader knows the jobs late: until then it does not act as if there were none`, async () => {
		const world = await twoSets();
		await world.queue(3);
		await world.clock.pass(30 * second);
		assert.is(world.autoscalerStatus.waitingJobs, 3);
		await world.end();
		const next = new AutoscaledWorld(kind, world);
		next.api.fail('GET', /workflowjobs$/, { delayMs: 5 * second });
		await next.start();
		for (let time = 0; time < 10; time++) {
			await next.clock.pass(second);
			assert.equal([next.autoscalerStatus.waitingJobs, next.set()?.spec?.replicas], [3, 3]);
		}
		await next.end();
	});

	test(`${kind}: autoscalers cannot be watched: after a minute sets are filled to their replicas, deletions go on, and the log says so`, async () => {
		const world = new AutoscaledWorld(kind);
		world.put(2);
		world.api.fail('GET', /horizontalrunnerautoscalers$/, new KubeError(403, 'Forbidden', 'no rights'));
		const starting = world.start().catch(() => undefined); // it waits for the autoscalers in vain
		await world.clock.pass(30 * second);
		assert.is(world.live().length, 0);
		await world.clock.pass(minute);
		assert.is(world.live().length, 2);
		world.scale(1);
		await world.clock.pass(10 * minute);
		assert.is(world.live().length, 2, 'none is removed');
		assert.ok(world.lines.some((line) => line.includes('cannot be watched')));
		world.change(({ metadata }) => {
			metadata.deletionTimestamp = world.clock.iso();
		});
		await world.clock.until('the set goes', () => world.live().length === 0, minute);
		await starting;
		await world.end();
	});

	test(`${kind}: creations are refused: the jobs go to another set`, async () => {
		const world = await twoSets();
		const refused = new KubeError(403, 'Forbidden', 'exceeded quota');
		const owners = kind === 'RunnerSet' ? /statefulsets$/ : /\/runners$/;
		world.api.admission.push(({ operation, object }) =>
			operation === 'CREATE' && object.metadata.name.startsWith('example') ? refused : undefined,
		);
		const ids = await world.queue(3);
		await world.clock.until('the other set has them', () => world.live().length === 3, minute);
		await world.clock.pass(2 * second);
		assert.equal(setsOf(world, ids), ['another']);
		assert.ok(world.api.callsTo('POST', owners).length < 50);
		await world.end();
	});

	test(`${kind}: a label with a comma is two, as for the runner; odd labels are none`, async () => {
		const world = new AutoscaledWorld(kind);
		world.put(0, { spec: { labels: ['big,gpu', 7] } });
		world.autoscale();
		await world.start();
		await world.clock.pass(2 * second);
		await world.queue(1, { labels: ['self-hosted', 'GPU'] });
		await world.settled(1);
		await world.end();
	});

	test(`${kind}: a set that is placed by a selector may have any architecture, though its nodes are not there yet`, async () => {
		const world = new AutoscaledWorld(kind);
		world.api.put(paths.nodes, {
			metadata: { name: 'node-1', labels: { 'kubernetes.io/arch': 'amd64' } },
		} as unknown as Stored);
		const placed = { nodeSelector: { pool: 'arm' } };
		world.put(0, kind === 'RunnerSet' ? {} : { spec: placed });
		if (kind === 'RunnerSet')
			world.change(({ spec }) => {
				spec.template = { spec: placed };
			});
		world.put(0, { name: 'plain', spec: { organization: undefined, repository: 'octo-org/app' } });
		world.autoscale();
		world.autoscale({ scaleTargetRef: { kind, name: 'plain' } }, 'plain');
		await world.start();
		await world.clock.pass(2 * second);
		const [id = 0] = await world.queue(1, { labels: ['self-hosted', 'arm64'] });
		await world.settled(1);
		assert.equal(setsOf(world, [id]), ['example']);
		await world.end();
	});

	test(`${kind}: the target is deleted: its autoscaler says so`, async () => {
		const world = new AutoscaledWorld(kind);
		world.put(0);
		world.autoscale({ minReplicas: 1 });
		await world.start();
		await world.settled(1);
		world.api.drop(world.sets, 'example', 'ci');
		await world.clock.pass(5 * second);
		assert.match(world.saysCondition('TargetMissing') ?? '', /does not exist/);
		await world.end();
	});

	test(`${kind}: replicas of the target cannot be written: its status goes on, and says why`, async () => {
		const world = new AutoscaledWorld(kind);
		world.put(0);
		world.autoscale({ minReplicas: 1 });
		world.api.fail('PATCH', /\/example$/, new KubeError(422, 'Invalid', 'a policy says no'));
		world.api.update(world.sets, 'example', 'ci', ({ metadata }) => {
			metadata.finalizers = ['actions-runner/drain'];
		});
		await world.start();
		await world.clock.until('a runner is made', () => world.live().length === 1);
		await world.clock.pass(5 * second);
		assert.is(world.autoscalerStatus.desiredReplicas, 1);
		assert.match(world.saysCondition('ReplicasContested') ?? '', /a policy says no/);
		await world.end();
	});

	test(`${kind}: a set without a spec stops nobody else`, async () => {
		const world = new AutoscaledWorld(kind);
		world.put(0);
		world.autoscale();
		world.api.put(world.sets, {
			metadata: { name: 'odd', namespace: 'ci' },
			spec: { template: {} },
		} as unknown as Stored);
		world.autoscale({ scaleTargetRef: { kind, name: 'odd' } }, 'odd');
		await world.start();
		await world.clock.pass(minute);
		await world.queue(1);
		await world.settled(1);
		await world.end();
	});

	test(`${kind}: 5,000 queued jobs: 20 more in a second are looked at a few times, and a quiet minute costs nothing`, async () => {
		const world = new AutoscaledWorld(kind);
		world.put(0);
		world.autoscale({ maxReplicas: 2 });
		for (let id = 10_000; id < 15_000; id++) world.known(id);
		await world.start();
		await world.clock.pass(minute);
		const demands = world.demands;
		for (let time = 0; time < 20; time++) {
			await world.queue(1);
			await world.clock.pass(50);
		}
		const busy = world.demands - demands;
		assert.ok(busy < 8, `${busy} looks in a second with 20 events`);
		await world.clock.pass(10 * second);
		const quiet = world.demands;
		await world.clock.pass(minute);
		assert.ok(world.demands - quiet < 5, `${world.demands - quiet} looks in a quiet minute`);
		await world.end();
	});
}

test.run();
