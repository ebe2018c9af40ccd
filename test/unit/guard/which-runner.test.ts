/**
 * Pods that made the guard look for another runner than theirs, which then "never registered": a busy runner was let go
 * ten minutes after its start. Each of these runs a job here, and its deletion is recorded.
 */
import * as assert from 'uvu/assert';
import { identityProof } from '../../../admission/api/keys.ts';
import type { Container, EnvVar, EphemeralRunner } from '../../../admission/api/kinds.ts';
import { BusyPolling } from '../../../admission/guard/busy-polling.ts';
import { suite } from '../../support/suite.ts';
import { runnerDeletionLoop } from '../support/guard.ts';
import { paths, World } from '../support/world.ts';

const test = suite('which runner is judged');
const minute = 60_000;

function setUp() {
	const world = new World();
	const polling = new BusyPolling(world.parts);
	const loop = runnerDeletionLoop(world.parts, {
		liveOwner: async () => undefined,
		followedLogs: { follow: () => {}, idleSinceMs: () => undefined, forget: () => {} },
		busyConfirmed: (pod) => polling.confirms(pod),
		idleLists: (pod) => polling.idleLists(pod),
		readLog: async () => ({ says: 'idle', at: undefined }),
	});
	return { world, loop, start: () => world.start((signal) => polling.run(signal)) };
}

const value = (name: string, text: string): EnvVar => ({ name, value: text });
const plain = [
	value('RUNNER_ORG', 'octo-org'),
	value('RUNNER_EPHEMERAL', 'true'),
	value('RUNNER_NAME', 'r1'),
];
const without = (name: string) => plain.filter((variable) => variable.name !== name);

for (const [what, more] of [
	[
		'RUNNER_NAME from a Secret',
		{ env: [...without('RUNNER_NAME'), { name: 'RUNNER_NAME', valueFrom: { secretKeyRef: {} } }] },
	],
	['RUNNER_NAME from envFrom', { env: without('RUNNER_NAME'), envFrom: [{}] }],
	[
		'RUNNER_NAME refers to what is not known',
		{ env: [...plain, value('RUNNER_NAME', 'r-$(A_SERVICE_HOST)')] },
	],
	[
		'RUNNER_ORG from envFrom',
		{ env: [value('RUNNER_REPO', 'octo-org/app'), ...without('RUNNER_ORG')], envFrom: [{}] },
	],
	['another GitHub', { env: [...plain, value('GITHUB_URL', 'https://ghes.example')] }],
] as [string, Partial<Container>][])
	test(`${what}: GitHub is never asked, and the runner stays`, async () => {
		const { world, loop, start } = setUp();
		const spec = { nodeName: 'node-1', containers: [{ name: 'runner', ...more }] };
		world.runner('r1', { spec }, 'unknown');
		world.record('r1');
		await start();
		await world.clock.pass(30 * minute);
		assert.ok(world.pod('r1'));
		assert.equal(world.github.calls, []);
		await world.stop(loop);
	});

for (const [what, env, name] of [
	[
		'a reference to its own name',
		[
			{ name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
			...plain,
			value('RUNNER_NAME', 'prod-$(POD)'),
		],
		'prod-r1',
	],
	['a variable twice', [...plain, value('RUNNER_NAME', 'second')], 'second'],
	['RUNNER_REPO beside RUNNER_ORG', [value('RUNNER_REPO', 'other/app'), ...plain], 'r1'],
] as [string, EnvVar[], string][])
	test(`${what}: the runner that the image registers is asked about, and its job goes on`, async () => {
		const { world, loop, start } = setUp();
		world.github.register(name, { busy: true });
		const spec = { nodeName: 'node-1', containers: [{ name: 'runner', env }] };
		world.runner('r1', { spec }, 'unknown');
		world.record('r1');
		await start();
		await world.clock.pass(30 * minute);
		assert.ok(world.pod('r1'));
		assert.not(world.github.calls.some((call) => /^list (?!octo-org$)/.test(call)));
		await world.stop(loop);
	});

test('a scale set’s runner is asked about where it was first seen, whatever is edited since', async () => {
	const { world, loop, start } = setUp();
	const { api, clock, github } = world;
	const er: EphemeralRunner = {
		metadata: { name: 'r1', namespace: 'ci', uid: 'er-1' },
		spec: { githubConfigUrl: 'https://github.com/octo-org' },
	};
	api.put(paths.ephemeralRunners, er);
	const owner = {
		apiVersion: 'actions.github.com/v1alpha1',
		kind: 'EphemeralRunner',
		name: 'r1',
		uid: 'er-1',
	};
	world.scaleSetRunner('r1', { metadata: { ownerReferences: [owner] } }, { busy: true });
	await start();
	await clock.until('it is pinned', () => world.annotations('r1')[identityProof] !== undefined, 10_000);

	github.calls.length = 0;
	world.edit('r1', {
		labels: { 'actions.github.com/organization': 'evil', 'actions-ephemeral-runner': 'True' },
	});
	api.update<EphemeralRunner>(paths.ephemeralRunners, 'r1', 'ci', (runner) => {
		runner.spec = { githubConfigUrl: 'https://github.com/evil' };
	});
	world.edit('r1', { labels: { 'actions-runner/busy': null } });
	world.record('r1');
	await clock.pass(30 * minute);
	assert.ok(world.pod('r1'));
	assert.not(
		github.calls.some((call) => call.includes('evil')),
		'nobody else is asked',
	);

	// Its EphemeralRunner is gone: what was signed still says where it is, and its job is seen to end.
	api.drop(paths.ephemeralRunners, 'r1', 'ci');
	await clock.pass(minute);
	assert.ok(world.pod('r1'));
	github.set('r1', { busy: false });
	await clock.until('it goes', () => world.pod('r1') === undefined, 5 * minute);
	await world.stop(loop);
});

test.run();
