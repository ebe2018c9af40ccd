/** Each runner's pod shows whether it is busy, from one list of GitHub's for each scope. */
import * as assert from 'uvu/assert';
import { arc, busy, progress, record } from '../../../admission/api/keys.ts';
import type { Condition, Pod } from '../../../admission/api/kinds.ts';
import { BusyPolling } from '../../../admission/guard/busy-polling.ts';
import { KubeError } from '../../../admission/kube/client.ts';
import { signalsOf } from '../../../admission/runner/record.ts';
import { readRunnerPod } from '../../../admission/runner/runner-pod.ts';
import { suite } from '../../support/suite.ts';
import { signer } from '../runner/pods.ts';
import { paths, World } from '../support/world.ts';

const test = suite('busy marks');
const minute = 60_000;

function setUp() {
	const world = new World();
	const polling = new BusyPolling(world.parts);
	const marked = (name: string) => world.pod(name)?.metadata.labels?.[busy.label] === 'true';
	return {
		...world,
		world,
		marked,
		idleLists: (name: string) => polling.idleLists({ uid: `uid-${name}` }),
		isOffline: (name: string) => polling.isOffline(`uid-${name}`),
		start: () => world.start((signal) => polling.run(signal)),
		condition: (name: string) =>
			(world.pod(name)?.status?.conditions as Condition[] | undefined)?.find(
				({ type }) => type === busy.condition,
			)?.status,
	};
}

test('a job that begins is on the pod within 12 s, and off it again when it is over (B5)', async () => {
	const { world, start, clock, github, marked, condition } = setUp();
	world.runner('r1', { metadata: { annotations: world.listed('r1', 1) } });
	await start();
	await clock.pass(20_000);
	assert.not(marked('r1'));
	github.set('r1', { busy: true });
	assert.ok((await clock.until('it is marked', () => marked('r1'))) <= 12_000);
	const { [busy.since]: since = '', ...marks } = world.annotations('r1');
	assert.ok(clock.now() - Date.parse(since) < 100);
	assert.is(marks['karpenter.sh/do-not-disrupt'], 'true');
	assert.is(marks['cluster-autoscaler.kubernetes.io/safe-to-evict'], 'false');
	await clock.pass(100);
	assert.is(condition('r1'), 'True');
	github.set('r1', { busy: false });
	assert.ok((await clock.until('it is idle', () => !marked('r1'))) <= 12_000);
	await clock.pass(100);
	assert.is(condition('r1'), 'False');
	assert.equal(world.annotations('r1'), world.listed('r1', 1));
	await world.stop();
});
test('GitHub’s names do not distinguish case: the runner is found, and its organization is listed once', async () => {
	const { world, start, clock, github, marked } = setUp();
	world.runner('r1', { env: { RUNNER_NAME: 'R1' } });
	world.runner('r2', { env: { RUNNER_NAME: 'r2', RUNNER_ORG: 'OCTO-org' } });
	await start();
	await clock.pass(20_000);
	const lists = github.count('list');
	for (const name of ['r1', 'r2']) github.set(name, { busy: true });
	await clock.until('they are marked', () => marked('r1') && marked('r2'), 12_000);
	await clock.pass(10 * minute);
	assert.ok(github.count('list') - lists <= 65, `${github.count('list') - lists} lists in 10 min`);
	await world.stop();
});
test('ARC has it unregistered: a job that begins is one write on its pod, the label, and no condition', async () => {
	const { world, start, clock, github, marked, condition } = setUp();
	const annotations = { ...world.listed('r1', 1), [arc.requestedAt]: '2026-11-23T12:00:00Z' };
	world.runner('r1', { metadata: { annotations } });
	await start();
	await clock.pass(20_000);
	github.set('r1', { busy: true });
	await clock.until('it is marked', () => marked('r1'));
	await clock.pass(minute);
	assert.is(condition('r1'), undefined);
	assert.is(world.api.callsTo('PATCH', /pods\/r1/).length, 1);
	await world.stop();
});
test('an idle runner that the lists of five minutes show offline is offline; not where GitHub shows many so', async () => {
	const { world, start, clock, github, isOffline } = setUp();
	const names = ['r1', 'r2', 'r3', 'r4', 'r5', 'r6'];
	for (const name of names) world.runner(name);
	await start();
	await clock.pass(20_000);
	github.set('r1', { status: 'offline' });
	await clock.pass(4 * minute);
	assert.not(isOffline('r1'));
	await clock.pass(2 * minute);
	assert.equal(names.filter(isOffline), ['r1']);
	github.set('r1', { status: 'online' });
	await clock.pass(30_000);
	assert.not(isOffline('r1'), 'it is back');
	github.set('r1', { status: 'offline', busy: true });
	await clock.pass(6 * minute);
	assert.not(isOffline('r1'), 'it works');
	for (const name of names) github.set(name, { status: 'offline', busy: false });
	await clock.pass(20 * minute);
	assert.equal(names.filter(isOffline), [], 'an incident');
	await world.stop();
});
test('since when every list has shown a runner idle and online is known, until one does not', async () => {
	const { world, start, clock, github, idleLists } = setUp();
	world.runner('r1', { metadata: { annotations: world.listed('r1', 1) } });
	await start();
	await clock.pass(minute);
	const { firstMs = 0, lastMs = 0 } = idleLists('r1') ?? {};
	assert.ok(lastMs - firstMs > 30_000 && clock.now() - lastMs < 15_000);
	for (const change of [{ busy: true }, { busy: false, status: 'offline' }] as const) {
		github.set('r1', change);
		await clock.pass(15_000);
		assert.is(idleLists('r1'), undefined);
	}
	github.set('r1', { busy: false, status: 'online' });
	await clock.pass(15_000);
	assert.ok((idleLists('r1')?.firstMs ?? 0) > lastMs, 'counted anew');
	github.leave('r1');
	await clock.pass(15_000);
	assert.is(idleLists('r1'), undefined);
	await world.stop();
});
test('a pod that goes while its list is read: nothing of it is kept', async () => {
	const { world, start, clock, github, api, idleLists } = setUp();
	world.runner('r1', { metadata: { annotations: world.listed('r1', 1) } });
	world.runner('r2', { metadata: { annotations: world.listed('r2', 2) } });
	await start();
	await clock.pass(20_000);
	github.answersAfterMs = 5_000;
	const lists = github.count('list');
	await clock.until('a list is on its way', () => github.count('list') > lists);
	assert.ok(idleLists('r1'));
	api.drop(paths.pods, 'r1', 'ci');
	const { lastMs = 0 } = idleLists('r2') ?? {};
	await clock.until('the list is read', () => (idleLists('r2')?.lastMs ?? 0) > lastMs);
	assert.is(idleLists('r1'), undefined);
	await world.stop();
});
test('100 runners of one organization cost one list in 10 s', async () => {
	const { world, start, clock, github } = setUp();
	for (let number = 0; number < 100; number++)
		world.runner(`r${number}`, { metadata: { annotations: world.listed(`r${number}`, number + 1) } });
	await start();
	await clock.pass(10 * minute);
	assert.ok(
		github.count('list') >= 55 && github.count('list') <= 65,
		`${github.count('list')} lists in 10 min`,
	);
	await world.stop();
});
test('many organizations share a quarter of the lists that one credential may make in a minute', async () => {
	const { world, start, clock, github } = setUp();
	for (let number = 0; number < 60; number++) {
		github.register(`r${number}`, {}, `org-${number}`);
		const env = { RUNNER_ORG: `org-${number}` };
		const annotations = world.listed(`r${number}`, 1, { env });
		world.runner(`r${number}`, { env, metadata: { annotations } }, 'unknown');
	}
	await start();
	await clock.pass(5 * minute);
	github.calls.length = 0;
	await clock.pass(10 * minute);
	const perMinute = github.count('list') / 10;
	assert.ok(perMinute >= 24 && perMinute <= 33, `${perMinute} lists a minute`);
	await world.stop();
});
test('each credential has a rate limit of its own: 60 organizations of another one delay nobody', async () => {
	const { world, start, clock, github } = setUp();
	for (let number = 0; number < 61; number++) {
		github.register(`r${number}`, {}, `org-${number}`);
		const secret = number === 0 ? 'mine' : 'theirs';
		const env = { RUNNER_ORG: `org-${number}` };
		const annotations = { ...world.listed(`r${number}`, 1, { env }), [arc.credentialsSecret]: secret };
		world.runner(`r${number}`, { env, metadata: { annotations } }, 'unknown');
	}
	await start();
	await clock.pass(5 * minute);
	github.calls.length = 0;
	await clock.pass(10 * minute);
	const mine = github.calls.filter((call) => call === 'list org-0').length;
	assert.ok(mine >= 55 && mine <= 61, `${mine} lists in 10 min`);
	const theirs = (github.count('list') - mine) / 10;
	assert.ok(theirs >= 24 && theirs <= 33, `${theirs} lists a minute`);
	await world.stop();
});
test('300 new pods of organizations without access: marks and ids of others come as quickly as ever', async () => {
	const { world, start, clock, github, marked } = setUp();
	for (let number = 0; number < 5; number++)
		world.runner(`r${number}`, { metadata: { annotations: world.listed(`r${number}`, number + 1) } });
	await start();
	await clock.pass(minute);
	const startedAt = `${clock.iso().slice(0, 19)}Z`;
	const status = {
		phase: 'Running',
		containerStatuses: [{ name: 'runner', restartCount: 0, state: { running: { startedAt } } }],
	};
	for (let number = 0; number < 300; number++) {
		github.forbidden.add(`bad-${number}`);
		world.runner(`bad-${number}`, { env: { RUNNER_ORG: `bad-${number}` }, status }, 'unknown');
	}
	await clock.pass(5_000);
	world.runner('new', { status }, 'unknown');
	const id = github.register('new');
	const idMs = await clock.until(
		'its id is there',
		() => world.annotations('new')[progress.runnerId] === `${id}`,
	);
	assert.ok(idMs <= 3_000, `${idMs} ms`);
	await clock.pass(30_000);
	github.set('r1', { busy: true });
	const markMs = await clock.until('it is marked', () => marked('r1'));
	assert.ok(markMs <= 12_000, `${markMs} ms`);
	await clock.pass(5 * minute);
	github.set('r1', { busy: false });
	const idleMs = await clock.until('it is idle', () => !marked('r1'));
	assert.ok(idleMs <= 12_000, `${idleMs} ms`);
	await world.stop();
});
test('a runner that has just registered has its id on the pod within 3 s', async () => {
	const { world, start, clock, github } = setUp();
	world.runner('r0', { metadata: { annotations: world.listed('r0', 1) } });
	await start();
	await clock.pass(20_000);
	const startedAt = `${clock.iso().slice(0, 19)}Z`;
	const status = {
		phase: 'Running',
		containerStatuses: [{ name: 'runner', restartCount: 0, state: { running: { startedAt } } }],
	};
	world.runner('r1', { status }, 'unknown');
	await clock.pass(9_000);
	const id = github.register('r1');
	const tookMs = await clock.until(
		'its id is there',
		() => world.annotations('r1')[progress.runnerId] === `${id}`,
	);
	assert.ok(tookMs <= 3_000, `${tookMs} ms`);
	await world.stop();
});
test('one that never comes is looked for at that interval for a minute, not longer', async () => {
	const { world, start, clock, github } = setUp();
	world.runner('r1', {}, 'unknown'); // has run since 12:00, it is 12:01
	await start();
	await clock.pass(minute);
	github.calls.length = 0;
	await clock.pass(10 * minute);
	assert.ok(github.count('list') <= 62, `${github.count('list')} lists in 10 min`);
	await world.stop();
});
test('somebody waits for a static runner’s job: its end is seen within 4 s', async () => {
	const { world, start, clock, github, marked } = setUp();
	const annotations = { ...world.listed('r1', 1), [record.requestedBy]: 'alice' };
	world.runner('r1', { env: { RUNNER_EPHEMERAL: 'false' }, metadata: { annotations } }, { busy: true });
	await start();
	await clock.until('it is marked', () => marked('r1'));
	await clock.pass(minute);
	github.set('r1', { busy: false });
	const tookMs = await clock.until('it is idle', () => !marked('r1'));
	assert.ok(tookMs <= 4_000, `${tookMs} ms`);
	await world.stop();
});
test('what somebody took off a busy pod is there again after the next list', async () => {
	const { world, start, clock, marked } = setUp();
	world.runner('r1', {}, { busy: true });
	await start();
	await clock.until('it is marked', () => marked('r1'));
	world.edit('r1', { labels: { [busy.label]: null } });
	assert.ok((await clock.until('it is marked again', () => marked('r1'))) <= 12_000);
	await world.stop();
});
test('GitHub fails: the marks stay as they are, and it is asked again after 10 s or when it said (F5)', async () => {
	const { world, start, clock, github, marked } = setUp();
	world.runner('r1', { metadata: { annotations: world.listed('r1', 1) } }, { busy: true });
	await start();
	await clock.until('it is marked', () => marked('r1'));
	github.failure = { kind: 'github-unavailable', detail: '502' };
	await clock.pass(5 * minute);
	github.calls.length = 0;
	await clock.pass(5 * minute);
	assert.ok(marked('r1'));
	assert.ok(
		github.count('list') >= 28 && github.count('list') <= 31,
		`${github.count('list')} lists in 5 min`,
	);
	github.failure = { kind: 'rate-limited', detail: 'until then', retryAtMs: clock.now() + 10 * minute };
	await clock.pass(15_000);
	github.calls.length = 0;
	await clock.pass(9 * minute);
	assert.is(github.count('list'), 0);
	await world.stop();
});
test('no credentials: no call, and no mark is taken away (I7)', async () => {
	const { world, start, clock, github, marked } = setUp();
	github.credentialsMissing = 'no Secret';
	world.runner('r1', { metadata: { labels: { 'actions-runner': '', [busy.label]: 'true' } } });
	await start();
	await clock.pass(5 * minute);
	assert.equal([github.calls, marked('r1')], [[], true]);
	await world.stop();
});
test('the end of the container ends the busy mark without a list', async () => {
	const { world, start, clock, github, marked } = setUp();
	world.runner('r1', {}, { busy: true });
	await start();
	await clock.until('it is marked', () => marked('r1'));
	github.failure = { kind: 'github-unavailable', detail: '502' };
	world.exit('r1');
	await clock.pass(100);
	assert.not(marked('r1'));
	await world.stop();
});
test('no live runner, no list; the polls begin with the next one', async () => {
	const { world, start, clock, github, api } = setUp();
	world.runner('r1');
	await start();
	await clock.pass(minute);
	api.drop(paths.pods, 'r1', 'ci');
	await clock.pass(15_000);
	github.calls.length = 0;
	await clock.pass(10 * minute);
	assert.is(github.count('list'), 0);
	world.runner('r2');
	await clock.until('GitHub is asked', () => github.count('list') > 0, 2_000);
	await world.stop();
});
test('an ephemeral runner that hangs after its job: shown as busy for a minute, then not any more', async () => {
	const { world, start, clock, github, marked } = setUp();
	world.runner('r1', { metadata: { annotations: world.listed('r1', 1) } }, { busy: true });
	await start();
	await clock.until('it is marked', () => marked('r1'));
	github.leave('r1');
	await clock.pass(50_000);
	assert.ok(marked('r1'), 'GitHub removes it a moment before its container stops');
	await clock.until('it is idle', () => !marked('r1'), 40_000);
	await world.stop();
});
test('a list from before a runner’s start says nothing about it', async () => {
	const { world, start, clock, github, marked } = setUp();
	world.runner('r0', { metadata: { annotations: world.listed('r0', 1) } });
	github.register('r1', { busy: true });
	await start();
	await clock.pass(minute);
	github.failure = { kind: 'github-unavailable', detail: '502' };
	await clock.pass(20_000);
	world.runner('r1', {}, 'unknown'); // an earlier runner of this name was busy in the last list
	await clock.pass(minute);
	assert.not(marked('r1'));
	assert.equal([world.pod('r1')?.metadata.labels?.[busy.label], world.annotations('r1')], ['unknown', {}]);
	github.failure = undefined;
	await clock.until('it is marked', () => marked('r1'), 15_000);
	await world.stop();
});
test('a scale set’s job shows at once, by its EphemeralRunner, with its name and without a list (A18)', async () => {
	const { world, start, clock, api, github, marked } = setUp();
	const owner = {
		apiVersion: 'actions.github.com/v1alpha1',
		kind: 'EphemeralRunner',
		name: 'r1',
		uid: 'er-1',
	};
	const runner = {
		metadata: { name: 'r1', namespace: 'ci', uid: 'er-1' },
		spec: { githubConfigUrl: 'https://github.com/octo-org' },
	};
	api.put(paths.ephemeralRunners, runner);
	world.scaleSetRunner('r1', { metadata: { ownerReferences: [owner] } });
	await start();
	await clock.pass(25_000);
	github.calls.length = 0;
	api.update(paths.ephemeralRunners, 'r1', 'ci', (object) => {
		object.status = { jobId: '7', jobDisplayName: 'build', jobRepositoryName: 'octo-org/app' };
	});
	await clock.pass(100);
	assert.ok(marked('r1'));
	assert.equal([world.annotations('r1')[busy.job], github.calls], ['build (octo-org/app)', []]);
	await world.stop();
});
test('the API server fails to write a mark: tried again until it is there', async () => {
	const { world, start, clock, api, marked, lines } = setUp();
	api.fail('PATCH', /pods\/r1$/, new KubeError(500, '', 'etcd'), 3);
	world.runner('r1', {}, { busy: true });
	await start();
	await clock.until('it is marked', () => marked('r1'), 5_000);
	assert.is(lines.filter((line) => line === 'warn busy marks not written, retrying').length, 3);
	await world.stop();
});

test('until it has been seen idle, and while its lists fail, its label is "unknown", which the back-stop holds up', async () => {
	const { world, start, clock, github, api } = setUp();
	const label = () => world.pod('r1')?.metadata.labels?.[busy.label];
	world.runner('r1', {}, 'unknown');
	await start();
	await clock.until('it is labelled', () => label() === 'unknown', 1_000);
	github.register('r1');
	await clock.until('it has been seen idle', () => label() === undefined, 12_000);
	github.failure = { kind: 'github-unavailable', detail: '502' };
	const tookMs = await clock.until('nothing is known of it any more', () => label() === 'unknown', minute);
	assert.ok(tookMs > 15_000, `${tookMs} ms: one list that fails is not enough`);
	github.failure = undefined;
	await clock.until('it has been seen idle again', () => label() === undefined, 30_000);
	assert.ok(api.callsTo('PATCH', /pods\/r1/).length <= 5, 'no more writes than changes');
	await world.stop();
});
test('a job that a hook reports while the watch is behind: a list from before it does not take its label away', async () => {
	const { world, start, clock, github, api, marked } = setUp();
	world.runner('r1', {}, 'unknown');
	await start();
	await clock.until(
		'it is labelled',
		() => world.pod('r1')?.metadata.labels?.[busy.label] === 'unknown',
		1_000,
	);
	const show = api.holdWatches(paths.pods);
	const pod = readRunnerPod(world.pod('r1') as Pod)!;
	const signals = [
		{ by: 'hook', key: 'a', state: 'working', sinceMs: clock.now(), job: { name: 'build' } },
	] as const;
	api.update<Pod>(paths.pods, 'r1', 'ci', ({ metadata }) => {
		metadata.labels = { ...metadata.labels, [busy.label]: 'true' };
		const reported = signalsOf({ ...pod, signals }, signer.signStatement) as Record<string, string>;
		metadata.annotations = { ...metadata.annotations, ...reported };
	});
	github.register('r1');
	await clock.pass(30_000);
	assert.ok(github.count('list') > 0);
	assert.ok(marked('r1'), 'a list has shown it idle, and the cache does not know of the job');
	show();
	await clock.pass(30_000);
	assert.ok(marked('r1'));
	await world.stop();
});
test('a new leader leaves the labels of idle runners alone while its first lists come', async () => {
	const { world, start, clock, api } = setUp();
	world.runner('r1', { metadata: { annotations: world.listed('r1', 1) } });
	await start();
	await clock.pass(minute);
	assert.equal(api.callsTo('PATCH', /pods\/r1/), []);
	await world.stop();
});
test('a busy mark is confirmed by lists, and by the job that an EphemeralRunner names', async () => {
	const world = new World();
	const { clock, github, api } = world;
	const polling = new BusyPolling(world.parts);
	const confirms = () => polling.confirms(readRunnerPod(world.pod('r1') as Pod)!);
	world.runner('r1', { metadata: { annotations: world.listed('r1', 1) } }, { busy: true });
	await world.start((signal) => polling.run(signal));
	await clock.pass(minute);
	github.failure = { kind: 'github-unavailable', detail: '502' };
	await clock.pass(minute);
	assert.ok(confirms());
	await clock.pass(2 * minute);
	assert.not(confirms());
	api.put(paths.ephemeralRunners, {
		metadata: { name: 'r1', namespace: 'ci', uid: 'er-1' },
		status: { jobId: '7' },
	});
	await clock.pass(30_000);
	assert.ok(confirms());
	await world.stop();
});

test.run();
