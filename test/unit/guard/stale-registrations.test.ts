/** What a pod that is gone has left at GitHub is removed, and nobody else's runner ever. */
import * as assert from 'uvu/assert';
import { progress } from '../../../admission/api/keys.ts';
import { readOwed, writtenOwed } from '../../../admission/guard/rules/owed-registrations.ts';
import { StaleRegistrations } from '../../../admission/guard/stale-registrations.ts';
import { suite } from '../../support/suite.ts';
import { noon } from '../runner/pods.ts';
import { paths, World } from '../support/world.ts';

const test = suite('stale registrations');
const minute = 60_000;

/** A runner whose pod has gone a moment ago, without having been unregistered. */
async function lost(
	change: Parameters<World['runner']>[1] = {},
	atGitHub: Parameters<World['runner']>[2] = {},
) {
	const world = new World();
	const loop = new StaleRegistrations({ ...world.parts, namespace: 'own' });
	world.runner('r1', change, atGitHub);
	await world.start();
	world.api.drop(paths.pods, 'r1', 'ci');
	await world.clock.pass(100);
	return { ...world, world, loop, registered: () => world.github.find('r1') !== undefined };
}

test('offline and idle: its registration is removed, 15 s after the pod is gone at the earliest (A8)', async () => {
	const { world, loop, clock, github, registered } = await lost();
	github.set('r1', { status: 'offline' });
	await clock.pass(14_000);
	assert.equal(github.calls, []);
	await clock.until('it is removed', () => !registered(), 2_000);
	await clock.pass(60 * minute);
	assert.is(github.calls.length, 2, 'one list, one DELETE, and it is done');
	await world.stop(loop);
});
test('... also where RUNNER_NAME is written in another case than at GitHub', async () => {
	const { world, loop, clock, github, registered } = await lost({ env: { RUNNER_NAME: 'R1' } });
	github.set('r1', { status: 'offline' });
	await clock.until('it is removed', () => !registered(), 20_000);
	await world.stop(loop);
});
test('online: it is still there, so it is looked at each minute and removed when it is offline', async () => {
	const { world, loop, clock, github, registered } = await lost();
	await clock.pass(10 * minute);
	assert.ok(registered());
	assert.is(github.count('remove'), 0);
	const lists = github.count('list');
	assert.ok(lists >= 9 && lists <= 11, `${lists} lists in 10 min`);
	github.set('r1', { status: 'offline' });
	await clock.until('it is removed', () => !registered(), minute);
	await world.stop(loop);
});
test('busy: nothing is removed from a job, also when GitHub has lost sight of it', async () => {
	const { world, loop, clock, github } = await lost();
	github.set('r1', { status: 'offline', busy: true });
	await clock.pass(60 * minute);
	assert.is(github.count('remove'), 0);
	await world.stop(loop);
});
test('another registration under that name is somebody else’s', async () => {
	const { world, loop, clock, github, registered } = await lost({
		metadata: { annotations: { [progress.runnerId]: '77' } },
	});
	github.set('r1', { status: 'offline' });
	await clock.pass(60 * minute);
	assert.equal([registered(), github.count('remove'), github.count('list')], [true, 0, 1]);
	await world.stop(loop);
});
test('another pod says that it is this runner: nothing is removed', async () => {
	const { world, loop, clock, github } = await lost();
	github.set('r1', { status: 'offline' });
	world.runner('elsewhere', { env: { RUNNER_NAME: 'R1' } }, 'unknown');
	await clock.pass(60 * minute);
	assert.equal(github.calls, []);
	await world.stop(loop);
});
test('... also one of a scale set whose EphemeralRunner says so, and no longer when that names another place', async () => {
	const { world, loop, clock, github, registered } = await lost();
	github.set('r1', { status: 'offline', busy: true });
	const metadata = { name: 'r1', namespace: 'other', uid: 'er-1' };
	const owner = {
		apiVersion: 'actions.github.com/v1alpha1',
		kind: 'EphemeralRunner',
		name: 'r1',
		uid: 'er-1',
	};
	const signals = { metadata: { namespace: 'other', uid: 'uid-s', ownerReferences: [owner] } };
	world.scaleSetRunner('r1', signals, 'unknown');
	const registeredIn = (scope: string) => ({
		metadata,
		spec: { githubConfigUrl: `https://github.com/${scope}` },
	});
	world.api.put(paths.ephemeralRunners, registeredIn('Octo-Org'));
	await clock.pass(minute);
	assert.equal(github.calls, []);
	world.api.put(paths.ephemeralRunners, registeredIn('elsewhere'));
	await clock.pass(100);
	world.runner('r1', { metadata: { uid: 'uid-again' } }, 'unknown');
	await clock.pass(100);
	world.api.drop(paths.pods, 'r1', 'ci');
	github.set('r1', { status: 'offline', busy: false });
	await clock.until('it is removed', () => !registered(), minute);
	await world.stop(loop);
});
test('a look walks over no other pods, and of 6,000 pods that go the newest 5,000 are remembered', async () => {
	const world = new World();
	const loop = new StaleRegistrations({ ...world.parts, namespace: 'own' });
	const names = Array.from({ length: 6_000 }, (_, index) => `r${index}`);
	for (const name of names) world.runner(name, {}, 'unknown');
	world.github.register('r0', { status: 'offline' });
	world.github.register('r5999', { status: 'offline' });
	await world.start();
	world.cache.pods.values = () => {
		throw new Error('all pods are walked over');
	};
	for (const name of names) world.api.drop(paths.pods, name, 'ci');
	await world.clock.pass(60_000);
	assert.equal([world.github.find('r0') !== undefined, world.github.find('r5999')], [true, undefined]);
	assert.ok(world.github.count('list') <= 5, 'one list for all');
	await world.stop(loop);
});
test('a successor of the same name has registered anew: nothing is removed', async () => {
	const { world, loop, clock, github } = await lost();
	github.set('r1', { status: 'offline' });
	world.runner('r1', { metadata: { uid: 'uid-next' }, env: { RUNNER_NAME: 'r1-next' } }, 'unknown');
	await clock.pass(60 * minute);
	assert.equal(github.calls, []);
	await world.stop(loop);
});
test('gone from GitHub by itself, as ephemeral runners do: done after one look', async () => {
	const { world, loop, clock, github } = await lost({}, 'unknown');
	await clock.pass(60 * minute);
	assert.equal(github.calls, ['list octo-org']);
	await world.stop(loop);
});
for (const [what, change] of [
	['that never started', { unbound: true, status: { phase: 'Pending' } }],
	['without a scope', { env: { RUNNER_ORG: '' } }],
] as const)
	test(`a pod ${what} has left nothing behind: no call`, async () => {
		const { world, loop, clock, github } = await lost(change);
		await clock.pass(60 * minute);
		assert.equal(github.calls, []);
		await world.stop(loop);
	});
test('one that was unregistered before it went has left nothing behind: no call', async () => {
	const { world, loop, clock, github } = await lost({
		metadata: { annotations: new World().unregistered('r1', 1, noon) },
	});
	await clock.pass(60 * minute);
	assert.equal(github.calls, []);
	await world.stop(loop);
});
test('GitHub fails or there are no credentials: tried again each minute, and removed after all', async () => {
	const { world, loop, clock, github, registered } = await lost();
	github.set('r1', { status: 'offline' });
	github.failure = { kind: 'github-unavailable', detail: '502' };
	await clock.pass(5 * minute);
	github.failure = undefined;
	github.credentialsMissing = 'no Secret';
	await clock.pass(5 * minute);
	assert.ok(registered());
	github.credentialsMissing = undefined;
	await clock.until('it is removed', () => !registered(), minute);
	await world.stop(loop);
});
test('a list that was begun before the pod was gone does not count', async () => {
	const world = new World();
	const loop = new StaleRegistrations({ ...world.parts, namespace: 'own' });
	world.runner('r1', {}, 'unknown');
	await world.start();
	// GitHub needs half a minute for a list, in which the runner comes and its pod goes.
	world.github.answersAfterMs = 30_000;
	const listing = world.github.account.registry.refresh(
		{ kind: 'organization', name: 'octo-org' },
		{ maxAgeMs: 0, priority: 'background' },
	);
	await world.clock.pass(1_000);
	world.api.drop(paths.pods, 'r1', 'ci');
	world.github.register('r1', { status: 'offline' });
	await world.clock.pass(31_000);
	await listing;
	world.github.answersAfterMs = 0;
	await world.clock.until('it is removed', () => !world.github.find('r1'), 2 * minute);
	await world.stop(loop);
});
test('after a day it is left to GitHub’s own clean-up', async () => {
	const { world, loop, clock, github } = await lost();
	await clock.pass(25 * 60 * minute);
	github.calls.length = 0;
	await clock.pass(60 * minute);
	assert.equal(github.calls, []);
	await world.stop(loop);
});

/** The leader stops before it has removed r1; the next one, which has seen nothing of its pod, leads. */
async function handedOver(
	change: Parameters<World['runner']>[1] = {},
	meanwhile: (world: World) => void = () => {},
) {
	const { world, loop } = await lost(change);
	const signal = new AbortController();
	const running = loop.run(signal.signal);
	await world.clock.pass(3_000);
	signal.abort();
	await running;
	await world.stop(loop);
	meanwhile(world);
	const next = new World(world);
	const nextLoop = new StaleRegistrations({ ...next.parts, namespace: 'own' });
	await next.start((ended) => nextLoop.run(ended));
	return { next, nextLoop, github: world.github, clock: world.clock };
}
const isRegistered = ({ github }: World) => github.find('r1') !== undefined;

test('the leader stops before its tidy-up: the next one removes what is owed (invariant 10)', async () => {
	const { next, nextLoop, clock, github } = await handedOver();
	await clock.pass(minute);
	assert.ok(isRegistered(next), 'it is still online');
	github.set('r1', { status: 'offline' });
	await clock.until('it is removed', () => !isRegistered(next), 2 * minute);
	await clock.pass(5_000);
	const owed = next.api.find('/api/v1/configmaps', 'runners-admission-owed', 'own');
	assert.equal(owed?.data, { registrations: '' });
	await next.stop(nextLoop);
});
for (const [what, meanwhile] of [
	['busy', ({ github }: World) => github.set('r1', { status: 'offline', busy: true })],
	['online', () => {}],
	[
		'of a living pod',
		(world: World) => {
			world.github.set('r1', { status: 'offline' });
			world.runner('elsewhere', { env: { RUNNER_NAME: 'R1' } }, 'unknown');
		},
	],
	[
		'of a pod that was made again',
		(world: World) => {
			world.github.set('r1', { status: 'offline' });
			world.runner('r1', { metadata: { uid: 'uid-again' }, env: { RUNNER_NAME: 'r1-next' } }, 'unknown');
		},
	],
] as const)
	test(`... but nothing that is ${what}`, async () => {
		const { next, nextLoop, clock, github } = await handedOver({}, meanwhile);
		await clock.pass(30 * minute);
		assert.equal([isRegistered(next), github.count('remove')], [true, 0]);
		await next.stop(nextLoop);
	});
test('a static runner is offline only after 30 hours: it is removed then, not by GitHub after 14 days', async () => {
	const { next, nextLoop, clock, github } = await handedOver({ env: { RUNNER_EPHEMERAL: 'false' } });
	for (let hours = 0; hours < 30; hours++) await clock.pass(60 * minute);
	const lists = github.count('list');
	assert.ok(lists < 80, `${lists} lists in 30 hours`);
	github.set('r1', { status: 'offline' });
	await clock.until('it is removed', () => !isRegistered(next), 61 * minute);
	await next.stop(nextLoop);
});
test('what is owed is written as far as there is room, the newest first, and read with care', () => {
	const owed = Array.from({ length: 5_000 }, (_, index) => ({
		...{ namespace: 'ci', name: `r${index}`, runnerName: 'r'.repeat(200), runnerId: index },
		...{ scope: { kind: 'organization', name: 'octo-org' } as const, credentialsSecret: 'secret' },
		...{ ephemeral: true, sinceMs: noon },
	}));
	const text = writtenOwed(owed);
	assert.ok(text.length <= 512 * 1024);
	const read = readOwed(text, noon);
	assert.equal(read, owed.slice(-read.length));
	assert.ok(read.length > 1_000);
	const [line = ''] = text.split('\n');
	const odd = [
		'',
		'no JSON',
		'null',
		'[]',
		line.replace('octo-org', '../x'),
		line.replace(/"since":"[^"]*"/, '"since":7'),
	];
	assert.equal(readOwed(odd.join('\n'), noon), []);
	assert.is(readOwed(line, noon - 60_000)[0]?.sinceMs, noon - 60_000, 'no time of the future');
});

test.run();
