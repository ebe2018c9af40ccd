/** Runners that a person made, in simulated time. */
import * as assert from 'uvu/assert';
import { arc } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { apiVersion, setKeys } from '../../../admission/api/sets.ts';
import { injected } from '../../../admission/sets/inject-pods.ts';
import { StandaloneRunners } from '../../../admission/sets/standalone-runners.ts';
import { suite } from '../../support/suite.ts';
import type { Stored } from '../support/api-server.ts';
import { templateDefaults } from '../support/sets-world.ts';
import { paths, World } from '../support/world.ts';

const test = suite('standalone Runners');

const inject = (pod: Pod) => injected(pod, () => []);
const runner = (spec: object) =>
	({
		apiVersion,
		kind: 'Runner',
		metadata: { name: 'mine', namespace: 'ci' },
		spec: { organization: 'octo-org', ...spec },
	}) as unknown as Stored;

test('a Runner gets a pod of its name', async () => {
	const world = new World();
	world.api.put(paths.runners, runner({ env: [{ name: 'PORT', value: '8080' }] }));
	const runners = new StandaloneRunners({ ...world.parts, templateDefaults, inject });
	await world.start();
	await world.clock.until('its pod is there', () => world.pod('mine') !== undefined, 5_000);
	await world.stop(runners);
});

for (const [what, spec, message] of [
	[
		'a number',
		{ env: [{ name: 'PORT', value: 8080 }] },
		'spec.env[0].value must be a string: quote it ("8080")',
	],
	[
		'a map of variables',
		{ containers: [{ name: 'runner', env: { FOO: 'bar' } }] },
		'spec.containers[0].env must be a list, not an object',
	],
] as const)
	test(`a Runner with ${what} says so in its status, gets no pod, and is not tried again until it is changed`, async () => {
		const world = new World();
		world.api.put(paths.runners, runner(spec));
		const runners = new StandaloneRunners({ ...world.parts, templateDefaults, inject });
		await world.start();
		await world.clock.pass(10_000);
		const { status } = world.api.find(paths.runners, 'mine', 'ci') ?? {};
		assert.equal(status, { phase: 'Pending', ready: false, message });
		const reads = () => world.api.callsTo('GET', /runners\/mine$/).length;
		const before = reads();
		await world.clock.pass(10 * 60_000);
		assert.equal([world.pod('mine'), reads()], [undefined, before]);
		world.api.update(paths.runners, 'mine', 'ci', (one) => {
			one.spec = { organization: 'octo-org' };
		});
		await world.clock.until('its pod is there', () => world.pod('mine') !== undefined, 5_000);
		await world.stop(runners);
	});

/** Runner example-abcde as a RunnerDeployment made it, and its pod; `orphan`: that was deleted with --cascade=orphan. */
function ofDeployment({ orphan = true, ephemeral = true, labels = {}, ageMs = 3_600_000 }: Change = {}) {
	const world = new World();
	const name = 'example-abcde';
	const set = { apiVersion, kind: 'RunnerDeployment', name: 'example', uid: 'set-1', controller: true };
	world.api.put(paths.runners, {
		apiVersion,
		kind: 'Runner',
		metadata: {
			name,
			namespace: 'ci',
			uid: 'runner-1',
			creationTimestamp: new Date(world.clock.now() - ageMs).toISOString(),
			labels: { [arc.runnerDeployment]: 'example', [setKeys.templateHash]: 'h1', ...labels },
			ownerReferences: orphan ? [] : [set],
		},
		spec: { organization: 'octo-org', ephemeral },
	} as unknown as Stored);
	const owner = { apiVersion, kind: 'Runner', name, uid: 'runner-1', controller: true };
	world.runner(name, {
		env: { RUNNER_EPHEMERAL: String(ephemeral) },
		metadata: { labels: { 'actions-runner': '' }, ownerReferences: [owner] },
	});
	const deleted: string[] = [];
	world.api.onChange((type, resource) => void (type === 'DELETED' && deleted.push(resource)));
	return {
		world,
		name,
		deleted,
		runners: new StandaloneRunners({ ...world.parts, templateDefaults, inject }),
		exists: () => [paths.runners, paths.pods].map((path) => world.api.find(path, name, 'ci') !== undefined),
	};
}
interface Change {
	orphan?: boolean;
	ephemeral?: boolean;
	ageMs?: number;
	labels?: Record<string, string | undefined>;
}

test('an ephemeral one that --cascade=orphan left goes with its pod when it has ended, and is not made again (invariant 6)', async () => {
	const { world, name, deleted, runners, exists } = ofDeployment();
	await world.start();
	await world.clock.pass(60_000);
	assert.equal(exists(), [true, true], 'it may finish');
	world.exit(name);
	await world.clock.pass(5 * 60_000);
	assert.equal(
		[exists(), deleted],
		[
			[false, false],
			['runners', 'pods'],
		],
	);
	await world.stop(runners);
});

test('... also one whose pod has gone already, once a read has shown that', async () => {
	const { world, name, runners, exists } = ofDeployment();
	const show = world.api.holdWatches(paths.pods);
	world.api.drop(paths.pods, name, 'ci');
	await world.start();
	await world.clock.pass(60_000);
	assert.equal(exists(), [false, false]);
	show();
	await world.stop(runners);
});

test('... but not one whose pod no watch has shown yet', async () => {
	const { world, name, runners, exists } = ofDeployment({ ageMs: 0 });
	const pod = world.api.find(paths.pods, name, 'ci') as Stored;
	world.api.drop(paths.pods, name, 'ci');
	await world.start(async () => {});
	const show = world.api.holdWatches(paths.pods);
	world.api.put(paths.pods, pod);
	await world.clock.pass(5 * 60_000);
	assert.equal(exists(), [true, true]);
	show();
	await world.stop(runners);
});

for (const [what, change] of [
	['a static one', { ephemeral: false }],
	['one with the labels that a person gave it', { labels: { [setKeys.templateHash]: undefined } }],
] as const)
	test(`${what} that ends gets a pod again`, async () => {
		const { world, name, runners, exists } = ofDeployment(change);
		await world.start();
		world.exit(name);
		const before = world.pod(name)?.metadata.uid;
		await world.clock.until(
			'it has another pod',
			() => (world.pod(name)?.metadata.uid ?? before) !== before,
			60_000,
		);
		assert.equal(exists(), [true, true]);
		await world.stop(runners);
	});

test('one of a RunnerDeployment is left to that', async () => {
	const { world, name, runners, exists } = ofDeployment({ orphan: false });
	await world.start();
	world.exit(name);
	await world.clock.pass(5 * 60_000);
	assert.equal(exists(), [true, true]);
	await world.stop(runners);
});

test.run();
