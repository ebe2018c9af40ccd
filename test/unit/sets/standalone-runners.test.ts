/** Runners that a person made, in simulated time. */
import * as assert from 'uvu/assert';
import type { Pod } from '../../../admission/api/kinds.ts';
import { apiVersion } from '../../../admission/api/sets.ts';
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

test.run();
