/** An event, written on the pod of its runner. */
import * as assert from 'uvu/assert';
import { busy } from '../../../../admission/api/keys.ts';
import type { Pod } from '../../../../admission/api/kinds.ts';
import { recordEvent } from '../../../../admission/jobs/events/record-event.ts';
import { type JobEvent, readDelivery } from '../../../../admission/jobs/events/rules/delivery.ts';
import { KubeError } from '../../../../admission/kube/client.ts';
import { suite } from '../../../support/suite.ts';
import { paths, World } from '../../support/world.ts';
import { payload } from './payload.ts';

const test = suite('events on pods');

function setUp() {
	const world = new World();
	const parts = { ...world.parts, sign: world.signer.signStatement };
	const say = async (change?: Parameters<typeof payload>[0]) => {
		const event = readDelivery('workflow_job', payload(change)) as JobEvent;
		const [outcome] = await Promise.all([recordEvent(event, parts), world.clock.pass(3_000)]);
		return outcome;
	};
	const states = (name = 'r1') =>
		world.pods
			.read(world.pod(name) as Pod)!
			.signals.map(({ by, key, state, job }) => `${by} ${key} ${state} ${job.name}`);
	return { world, say, states };
}

const later = { completed_at: '2026-11-23T12:05:00Z', conclusion: 'success' };

test('in_progress: the pod is busy, and shows the job', async () => {
	const { world, say, states } = setUp();
	world.runner('r1');
	assert.is(await say(), 'written');
	assert.equal(states(), ['event 7 working build (20)']);
	assert.is(world.pod('r1')?.metadata.labels?.[busy.label], 'true');
	assert.is(world.annotations('r1')[busy.job], 'build (20) (octo-org/app, run 42)');
	assert.is(world.api.callsTo('PATCH', /pods/).length, 1);
});

test('twice, and completed twice: each is written once', async () => {
	const { world, say, states } = setUp();
	world.runner('r1');
	await say();
	assert.is(await say(), 'unchanged');
	assert.is(await say({ action: 'completed', job: later }), 'written');
	assert.is(await say({ action: 'completed', job: later }), 'unchanged');
	assert.equal(states(), ['event 7 finishing build (20)']);
	assert.is(world.api.callsTo('PATCH', /pods/).length, 2);
});

test('completed first: in_progress, which comes late, changes nothing', async () => {
	const { world, say, states } = setUp();
	world.runner('r1');
	await say({ action: 'completed', job: later });
	assert.is(await say(), 'unchanged');
	assert.equal(states(), ['event 7 finishing build (20)']);
});

test('a runner that GitHub writes in another case, and a scale set whose EphemeralRunner tells its scope', async () => {
	const { world, say, states } = setUp();
	world.runner('r1', { env: { RUNNER_NAME: 'R1' } });
	assert.is(await say({ job: { runner_name: 'R1' } }), 'written');
	const er = {
		metadata: { name: 's1', namespace: 'ci' },
		spec: { githubConfigUrl: 'https://github.com/octo-org' },
	};
	world.api.put(paths.ephemeralRunners, er);
	world.scaleSetRunner('s1');
	assert.is(await say({ job: { runner_name: 's1' } }), 'written');
	assert.equal(states('s1'), ['event 7 working build (20)']);
});

test('no pod of this name, none that is a runner, one of another organization: nothing is written', async () => {
	const { world, say } = setUp();
	assert.is(await say(), 'no-pod');
	assert.is(await say({ job: { runner_name: 'no pod / can be called this' } }), 'no-pod');
	world.api.put(paths.pods, { metadata: { name: 'r1', namespace: 'web' }, spec: { containers: [] } });
	assert.is(await say(), 'no-pod');
	world.runner('r1', { env: { RUNNER_ORG: 'acme' } });
	assert.is(await say(), 'no-pod');
	assert.is(world.api.callsTo('PATCH', /pods/).length, 0);
});

test('two pods with the name of the runner: none is believed', async () => {
	const { world, say } = setUp();
	world.runner('r1');
	world.runner('r1', { metadata: { namespace: 'other', uid: 'uid-other' } }, 'unknown');
	assert.is(await say(), 'several-pods');
	assert.is(world.api.callsTo('PATCH', /pods/).length, 0);
});

test('the pod was replaced, or its runner has ended, since the cache saw it', async () => {
	const { world, say } = setUp();
	world.runner('r1');
	world.exit('r1');
	assert.is(await say(), 'no-pod');
	world.api.drop(paths.pods, 'r1', 'ci');
	world.runner('r1', { metadata: { uid: 'another' } });
	assert.is(await say(), 'written');
});

test('the pod changes while the event is handled: it is read anew, and what the cache showed does not count', async () => {
	for (const [change, expected] of [
		[(world: World) => world.edit('r1', { annotations: { note: 'x' } }), 'written'],
		[(world: World) => world.exit('r1'), 'no-pod'],
		[
			(world: World) => {
				world.api.drop(paths.pods, 'r1', 'ci');
				world.runner('r1', { metadata: { uid: 'another' } });
			},
			'no-pod',
		],
	] as const) {
		const { world, states } = setUp();
		world.runner('r1');
		world.api.latencyMs = 10;
		const event = readDelivery('workflow_job', payload()) as JobEvent;
		const reporting = recordEvent(event, { ...world.parts, sign: world.signer.signStatement });
		await world.clock.until('it is listed', () => world.api.callsTo('GET', /pods$/).length > 0);
		await world.clock.pass(12);
		change(world);
		await world.clock.pass(1_000);
		assert.is(await reporting, expected);
		const writes = world.api.callsTo('PATCH', /r1/).length;
		assert.is(writes, expected === 'written' ? 2 : 1, 'the first write met the change');
		assert.equal(states(), expected === 'written' ? ['event 7 working build (20)'] : []);
	}
});

test('the API server does not answer: the event is not recorded', async () => {
	for (const method of ['GET', 'PATCH']) {
		const { world, say } = setUp();
		world.runner('r1');
		world.api.fail(method, /\/pods/, new KubeError(500, 'InternalError', 'etcd is away'));
		await say().then(
			() => assert.unreachable(method),
			(error: unknown) => assert.is((error as KubeError).code, 500),
		);
	}
});

test.run();
