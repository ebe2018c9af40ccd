/** Sets that an autoscaler drives, in simulated time and for both kinds: how many runners there are, and why. */
import * as assert from 'uvu/assert';
import { suite } from '../../support/suite.ts';
import type { Stored } from '../support/api-server.ts';
import { AutoscaledWorld, autoscalersPath } from '../support/autoscaled-world.ts';
import { kinds } from '../support/sets-world.ts';
import { paths } from '../support/world.ts';

const test = suite('autoscaler');
const second = 1_000;
const minute = 60_000;

for (const kind of kinds) {
	const started = async (
		spec: Parameters<AutoscaledWorld['autoscale']>[0] = {},
		{
			replicas = 0,
			...change
		}: { replicas?: number; annotations?: Record<string, string>; spec?: object } = {},
	) => {
		const world = new AutoscaledWorld(kind);
		world.put(replicas, change);
		world.autoscale(spec);
		await world.start();
		await world.clock.pass(2 * second);
		return world;
	};
	/** So many jobs run, each on its runner. Resolves with the ids, by the runner's name. */
	const running = async (world: AutoscaledWorld, count: number) => {
		const ids = await world.queue(count);
		await world.settled(count);
		const jobs = new Map(world.live().map((name, index) => [name, ids[index] ?? 0]));
		for (const [name, id] of jobs) await world.gives(id, name);
		return jobs;
	};

	test(`${kind}: each queued job gets a runner, and none is replaced when it is done`, async () => {
		const world = await started();
		const jobs = await running(world, 2);
		assert.is(world.autoscalerStatus.desiredReplicas, 2);
		assert.is(world.set()?.spec?.replicas, 2);
		await world.clock.pass(minute);
		assert.is(world.live().length, 2);
		for (const [name, id] of jobs) await world.ends(id, name);
		await world.settled(0);
		await world.clock.pass(20 * minute);
		assert.is(world.starts, 2);
		assert.is(world.autoscalerStatus.desiredReplicas, 0);
		assert.is(world.autoscalerStatus.openJobs, 0);
		await world.end();
	});

	test(`${kind}: a job that asks for a group and no labels has a runner, and people see for which set it counts`, async () => {
		const world = await started({}, { spec: { labels: ['gpu'], group: 'big' } });
		const [id = 0] = await world.queue(1, { labels: [] });
		await world.clock.until('it has a runner', () => world.starts === 1, 10 * second);
		await world.clock.pass(10 * second);
		const { status } = world.recordOf(id) ?? {};
		const message = status?.message ?? '';
		assert.ok(message.includes(`it counts for ${kind} ci/example, which fits best`), JSON.stringify(status));
		await world.clock.pass(minute);
		assert.is(world.starts, 1);
		await world.end();
	});

	test(`${kind}: five jobs complete and one is queued at the same time: it gets its runner (#4315)`, async () => {
		const world = await started();
		const jobs = await running(world, 5);
		const [, newest] = await Promise.all([
			Promise.all([...jobs].map(([name, id]) => world.ends(id, name))),
			world.queue(1),
		]);
		await world.settled(1);
		assert.is(world.starts, 6);
		const [name = ''] = world.live();
		await world.gives(newest[0] ?? 0, name);
		await world.clock.pass(minute);
		assert.equal(world.live(), [name]);
		await world.end();
	});

	test(`${kind}: all events but the first are lost: the pods tell as long as they work, and then each job has one runner more`, async () => {
		const world = await started();
		const ids = await world.queue(3);
		await world.settled(3);
		const names = world.live();
		for (const [index, name] of names.entries()) await world.gives(ids[index] ?? 0, name, { lost: true });
		await world.clock.pass(5 * second);
		assert.is(world.starts, 3, 'each busy runner stands for one of the jobs');
		for (const [index, name] of names.entries()) await world.ends(ids[index] ?? 0, name, { lost: true });
		await world.clock.pass(30 * second);
		assert.is(
			world.starts,
			6,
			'nobody has said which jobs they had: one more for each, until GitHub is asked',
		);
		await world.end();
	});

	test(`${kind}: a crashed idle runner hides no job, and its successor comes at once`, async () => {
		const world = await started();
		await world.queue(1);
		await world.settled(1);
		await world.clock.pass(30 * second);
		const [name = ''] = world.live();
		world.completes(name);
		await world.clock.until('another one comes', () => world.starts === 2, 30 * second);
		await world.end();
	});

	test(`${kind}: GitHub's answer that a job is queued comes when its runner has ended: no other one is made`, async () => {
		const world = await started();
		const askedBeforeMs = world.clock.now();
		const jobs = await running(world, 1);
		const [[name = '', id = 0] = []] = jobs;
		await world.clock.pass(5 * second);
		const askedMs = world.clock.now();
		await world.clock.pass(5 * second);
		await world.ends(id, name, { lost: true });
		await world.clock.pass(5 * second);
		const record = world.recordOf(id)?.metadata.name ?? '';
		for (const ms of [askedBeforeMs, askedMs]) {
			world.autoscaler.book.answered(record, 'queued', ms, world.clock.now());
			await world.clock.pass(20 * second);
			assert.is(world.starts, 1, 'it was asked before its runner ended');
		}
		world.autoscaler.book.answered(record, 'queued', world.clock.now(), world.clock.now());
		await world.clock.until('GitHub has queued it anew', () => world.starts === 2, 10 * second);
		await world.end();
	});

	test(`${kind}: a pod that says to be busy since a time to come hides a job no longer than any other`, async () => {
		const world = await started({ minReplicas: 1 });
		await world.settled(1);
		const [name = ''] = world.live();
		world.edit(name, {
			labels: { 'actions-runner/busy': 'true' },
			annotations: { 'actions-runner/busy-since': new Date(world.clock.now() + 60 * minute).toISOString() },
		});
		await world.queue(1);
		await world.clock.pass(5 * second);
		assert.is(world.live().length, 1, 'it may have the job');
		await world.clock.until('the job has another one', () => world.live().length === 2, 10 * second);
		await world.end();
	});

	test(`${kind}: an idle runner goes when it has been idle for the delay, not before, the longest idle first`, async () => {
		const world = await started({ scaleDownDelaySecondsAfterScaleOut: 120 });
		await world.clock.pass(16 * minute); // GitHub cannot be asked, so the initial read ends late
		const [first = 0] = await world.queue(1);
		await world.settled(1);
		const [oldest = ''] = world.live();
		await world.clock.pass(minute);
		const [other = 0] = await world.queue(1);
		await world.settled(2);
		await world.event('completed', { id: first, conclusion: 'cancelled' });
		await world.event('completed', { id: other, conclusion: 'cancelled' });
		await world.clock.pass(20 * second);
		assert.is(world.live().length, 2);
		assert.is(world.autoscalerStatus.heldReplicas, 2);
		assert.is(world.set()?.spec?.replicas, 2, 'what cannot go yet is shown');
		await world.clock.until('the oldest goes', () => world.live().length === 1, minute);
		assert.not(world.live().includes(oldest));
		await world.clock.until('the other goes', () => world.live().length === 0, 2 * minute);
		await world.settled(0);
		assert.is(world.set()?.spec?.replicas, 0);
		await world.end();
	});

	test(`${kind}: at the maximum the next job's runner starts when one is done (D11)`, async () => {
		const world = await started({ maxReplicas: 2 });
		const jobs = await running(world, 2);
		const ids = await world.queue(3);
		await world.clock.pass(minute);
		assert.is(world.starts, 2);
		assert.match(world.saysCondition('AtMaximum') ?? '', /5 runners are needed/);
		const [[name = '', id = 0] = []] = jobs;
		await world.ends(id, name);
		await world.clock.until('the next one starts', () => world.starts === 3, 10 * second);
		await world.clock.pass(minute);
		assert.is(world.mostPods, 2);
		const waits = ids.map((job) => world.recordOf(job)?.status?.reason);
		assert.ok(waits.includes('AtMaximum'), waits.join());
		await world.end();
	});

	test(`${kind}: recreation-delay and effectiveTime play no part for the target of an autoscaler`, async () => {
		const world = await started({}, { annotations: { 'actions-runner/recreation-delay': '10m' } });
		const jobs = await running(world, 1);
		const [[name = '', id = 0] = []] = jobs;
		await world.queue(1);
		await world.ends(id, name);
		await world.clock.until('the next job has its runner', () => world.starts === 2, 10 * second);
		await world.settled(1);
		assert.is(world.condition('Holding'), undefined);
		await world.end();
	});

	test(`${kind}: minReplicas are kept idle, and made again when they have worked`, async () => {
		const world = await started({ minReplicas: 2 });
		await world.settled(2);
		const [name = ''] = world.live();
		const [id = 0] = await world.queue(1);
		await world.gives(id, name);
		await world.clock.pass(5 * second);
		assert.is(world.live().length, 2, 'living runners count for the minimum');
		await world.ends(id, name);
		await world.settled(2);
		await world.clock.pass(30 * minute);
		assert.is(world.starts, 3);
		await world.end();
	});

	test(`${kind}: the next leader makes no runner too many and removes none`, async () => {
		const world = await started({ scaleDownDelaySecondsAfterScaleOut: 60 });
		const jobs = await running(world, 3);
		await world.queue(1);
		await world.settled(4);
		const [[name = '', id = 0] = []] = jobs;
		await world.ends(id, name, { lost: true });
		await world.clock.pass(5 * second);
		const before = world.starts;
		await world.end();
		const next = new AutoscaledWorld(kind, world);
		await next.start();
		await next.clock.pass(30 * second);
		assert.is(next.live().length, 3);
		assert.is(world.starts, before);
		await next.end();
	});

	test(`${kind}: nothing is removed before the jobs are known`, async () => {
		const world = await started({ scaleDownDelaySecondsAfterScaleOut: 1 });
		await world.queue(2);
		await world.settled(2);
		await world.end();
		const next = new AutoscaledWorld(kind, world);
		next.api.fail('GET', /workflowjobs$/, new Error('not now'));
		await next.start();
		await next.clock.pass(10 * second);
		assert.is(next.live().length, 2);
		await next.clock.pass(minute);
		assert.is(next.live().length, 2);
		assert.match(next.saysCondition('Starting') ?? '', /not removed/);
		await next.end();
	});

	test(`${kind}: without its autoscaler the set stays as it is`, async () => {
		const world = await started();
		await world.queue(2);
		await world.settled(2);
		await world.clock.pass(2 * second);
		const wanted = async () =>
			(await world.metrics.registry.getSingleMetricAsString('runners_autoscaler_desired_replicas'))
				.split('\n')
				.filter((line) => !line.startsWith('#'));
		assert.equal(await wanted(), ['runners_autoscaler_desired_replicas{namespace="ci",set="example"} 2']);
		world.api.drop(autoscalersPath, 'example', 'ci');
		await world.clock.pass(20 * minute);
		assert.equal(await wanted(), []);
		assert.is(world.live().length, 2);
		assert.is(world.starts, 2);
		await world.end();
	});

	test(`${kind}: an autoscaler that names another set from now on: what was found for the first one no longer counts`, async () => {
		const world = await started({ minReplicas: 2 });
		world.put(0, { name: 'other' });
		await world.settled(2);
		world.api.update(autoscalersPath, 'example', 'ci', ({ metadata, spec = {} }) => {
			metadata.generation = 2;
			spec.scaleTargetRef = { kind, name: 'other' };
		});
		await world.clock.until('the other set grows', () => world.live().length === 4, minute);
		await world.clock.pass(5 * second);
		assert.is(world.saysCondition('ReplicasContested'), undefined);
		const wanted = await world.metrics.registry.getSingleMetricAsString(
			'runners_autoscaler_desired_replicas',
		);
		assert.match(wanted, /set="other"} 2/);
		assert.not.match(wanted, /set="example"/);
		await world.end();
	});

	test(`${kind}: of two autoscalers the older one acts, and the other says so`, async () => {
		const world = await started({ minReplicas: 1 });
		await world.clock.pass(2 * second);
		world.autoscale({ minReplicas: 5 }, 'second');
		await world.clock.pass(5 * second);
		assert.is(world.live().length, 1);
		const status = world.api.find(autoscalersPath, 'second', 'ci')?.status as typeof world.autoscalerStatus;
		const taken = status.conditions?.find(({ type }) => type === 'TargetTaken');
		assert.match(taken?.message ?? '', /autoscaler example scales/);
		world.api.drop(autoscalersPath, 'example', 'ci');
		await world.settled(5);
		await world.end();
	});

	test(`${kind}: an autoscaler whose target is missing says so, and acts once it is there`, async () => {
		const world = new AutoscaledWorld(kind);
		world.autoscale({ minReplicas: 1 });
		await world.start();
		await world.clock.pass(2 * second);
		assert.match(world.saysCondition('TargetMissing') ?? '', /does not exist/);
		world.put(0);
		await world.settled(1);
		assert.is(world.saysCondition('TargetMissing'), undefined);
		await world.end();
	});

	test(`${kind}: another writer of replicas is reported, and has no effect`, async () => {
		const world = await started({ minReplicas: 1 });
		await world.settled(1);
		world.scale(7);
		await world.clock.pass(5 * second);
		assert.is(world.live().length, 1);
		assert.is(world.set()?.spec?.replicas, 1);
		assert.match(world.saysCondition('ReplicasContested') ?? '', /set spec.replicas of the target to 7/);
		await world.clock.pass(11 * minute);
		assert.is(world.saysCondition('ReplicasContested'), undefined);
		await world.end();
	});

	test(`${kind}: metrics are asked once a minute, whatever is written meanwhile`, async () => {
		const metrics = [{ type: 'PercentageRunnersBusy', scaleUpThreshold: '0.5', scaleUpFactor: '2' }];
		const world = await started({ minReplicas: 1, scaleUpTriggers: [], metrics });
		await world.settled(1);
		await world.clock.pass(minute);
		world.job(...world.live());
		await world.clock.until('there are twice as many', () => world.live().length === 2, 2 * minute);
		await world.settled(2);
		world.job(...world.live());
		await world.clock.pass(50 * second);
		assert.is(world.live().length, 2);
		await world.clock.until('and again', () => world.live().length === 4, 2 * minute);
		await world.end();
	});

	test(`${kind}: an autoscaler that names no set, and one with odd fields, say so and stop nobody else`, async () => {
		const world = await started({ minReplicas: 1 });
		const odd = (name: string, spec: object) =>
			world.api.put(autoscalersPath, {
				apiVersion: 'actions.summerwind.dev/v1alpha1',
				kind: 'HorizontalRunnerAutoscaler',
				metadata: { name, namespace: 'ci', generation: 2 },
				spec,
			} as unknown as Stored);
		odd('no-target', {});
		odd('other-kind', { scaleTargetRef: { kind: 'Deployment', name: 'example' } });
		odd('all-odd', {
			scaleTargetRef: 7,
			metrics: 'x',
			scheduledOverrides: {},
			spare: [],
			minReplicas: 'many',
		});
		await world.clock.pass(5 * second);
		for (const name of ['no-target', 'other-kind', 'all-odd']) {
			const status = world.api.find(autoscalersPath, name, 'ci')?.status as typeof world.autoscalerStatus;
			assert.ok(
				status.conditions?.some(({ type, status: is }) => type === 'TargetMissing' && is === 'True'),
				name,
			);
		}
		odd('example', {
			scaleTargetRef: { kind, name: 'example' },
			maxReplicas: '7',
			metrics: [{ type: 3 }],
			scheduledOverrides: [7, { startTime: 'x' }],
			scaleUpTriggers: 'x',
			capacityReservations: [{ replicas: -1, expirationTime: 'x' }],
			spare: { quantile: [] },
		});
		await world.clock.pass(5 * second);
		assert.is(world.live().length, 1);
		assert.match(world.saysCondition('OverrideSkipped') ?? '', /scheduledOverrides\[0\]/);
		world.api.update(autoscalersPath, 'example', 'ci', (edited) => {
			edited.status = { ...edited.status, conditions: 7 };
		});
		await world.queue(1);
		await world.clock.pass(5 * second);
		assert.equal(
			world.lines.filter((line) => line.startsWith('error') || line.includes('retrying')),
			[],
		);
		await world.end();
	});

	test(`${kind}: a job that no set can run is shown with the reason, and costs no runner`, async () => {
		const world = await started();
		const [id = 0] = await world.queue(1, { labels: ['self-hosted', 'gpu'] });
		await world.clock.pass(2 * second);
		assert.is(world.starts, 0);
		assert.is(world.recordOf(id)?.status?.reason, 'NoMatchingSet');
		assert.match(world.recordOf(id)?.status?.message ?? '', /gpu/);
		const reported = [...world.api.each(paths.events)].filter(
			(event) => (event as Stored & { reason?: string }).reason === 'NoMatchingSet',
		);
		assert.is(reported.length, 1);
		await world.end();
	});

	test(`${kind}: records go when no late event can open their job anew, and a completed that came first stays for half an hour`, async () => {
		const world = await started();
		const [id = 0] = await world.queue(1);
		await world.clock.pass(second);
		await world.event('completed', { id, conclusion: 'cancelled' });
		const first = await world.event('completed', { conclusion: 'success' });
		await world.clock.pass(20 * minute);
		assert.ok(world.recordOf(id) && world.recordOf(first));
		// Read back, or sent again by somebody.
		for (const late of [id, first]) await world.event('queued', { id: late });
		await world.clock.pass(5 * second);
		assert.is(world.starts, 1, 'only the first job was ever queued');
		await world.clock.pass(2 * minute);
		assert.not(world.recordOf(id));
		assert.ok(world.recordOf(first));
		await world.clock.pass(10 * minute);
		assert.not(world.recordOf(first));
		await world.end();
	});

	test(`${kind}: where autoscalers are not installed a set has as many runners as its replicas say`, async () => {
		const world = new AutoscaledWorld(kind);
		world.api.unserve(autoscalersPath);
		world.put(2);
		await world.start();
		await world.settled(2);
		await world.end();
	});
}

test.run();
