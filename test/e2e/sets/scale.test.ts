/**
 * Groups C and G8: what a scale-down takes, in which order, and what it never takes. In simulated time, and for both
 * kinds: test/unit/sets/reconciler.test.ts.
 */
import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import { kinds, type SetUnderTest } from '../../rig/runner-sets.ts';
import { stage } from '../../rig/stage.ts';
import { setTests } from '../support/set-tests.ts';

const test = setTests('scale-down of sets', { prepare: () => stage('sets') });

const sorted = (list: readonly string[]) => [...list].sort();
const oneReplaced = (set: SetUnderTest, made: number, live: number) =>
	eventually('the completed one is replaced', () => set.uids.size === made && set.live().length === live, {
		withinMs: 60_000,
	});

for (const kind of kinds) {
	test(`${kind} 4 -> 2, two of four known to be busy: exactly the two idle ones go, and no pod comes later (C1)`, async ({
		make,
	}) => {
		const set = await make(kind, { replicas: 4 });
		const busy = set.live().slice(0, 2);
		await set.busy(...busy);
		await set.registered(4);
		await set.scale(2);
		await set.reaches(2);
		assert.equal(sorted(set.live()), sorted(busy));
		assert.equal(set.removals(), [204, 204]);
		await set.rests(2);
		assert.is(set.uids.size, 4);
	});
}

test('9 -> 2 while deletions of starting runners are recorded: none is made again under its name (invariant 6)', async ({
	rig,
	make,
}) => {
	const holdStart = 'test.runners/hold-start';
	const set = await make('RunnerSet', { podAnnotations: { [holdStart]: 'true' } });
	await set.scale(9);
	await set.reaches(9);
	const pods = () => rig.pods(set.namespace);
	await eventually('all are on a node', async () => (await pods()).every(({ spec }) => spec?.nodeName));
	const asked = set.live().slice(0, 7);
	const refused = asked.map(async (name) => {
		const { stderr } = await rig.kubectl(['-n', set.namespace, 'delete', 'pod', name, '--wait=false']);
		assert.match(stderr, /is starting/, stderr);
	});
	await Promise.all(refused);
	await set.scale(2);
	// Some may be gone already.
	const started = (await pods()).map(({ metadata: { name } }) =>
		rig.kube.patch(`/api/v1/namespaces/${set.namespace}/pods/${name}`, {
			metadata: { annotations: { [holdStart]: null } },
		}),
	);
	await Promise.allSettled(started);
	await eventually(
		'those are gone',
		async () => (await pods()).every(({ metadata: { name } }) => !asked.includes(name)),
		{ withinMs: 90_000 },
	);
	await set.reaches(2);
	await set.rests(2);
	assert.equal(set.reused(), []);
});

test('the recorded deletion of a runner that was starting takes its StatefulSet as well: none is made again under its name (invariant 6)', async ({
	rig,
	make,
}) => {
	const holdStart = 'test.runners/hold-start';
	const set = await make('RunnerSet', { podAnnotations: { [holdStart]: 'true' } });
	await set.scale(2);
	await set.reaches(2);
	await eventually('both are on a node', async () =>
		(await rig.pods(set.namespace)).every(({ spec }) => spec?.nodeName),
	);
	const [asked = '', other = ''] = set.live();
	const { stderr } = await rig.kubectl(['-n', set.namespace, 'delete', 'pod', asked, '--wait=false']);
	assert.match(stderr, /is starting/);
	const start = (name: string) =>
		rig.kube.patch(`/api/v1/namespaces/${set.namespace}/pods/${name}`, {
			metadata: { annotations: { [holdStart]: null } },
		});
	await Promise.all([start(asked), start(other)]);
	await eventually('it is gone', () => !set.all().includes(asked), { withinMs: 60_000 });
	await eventually(
		'another one is in its place',
		() => set.live().filter((name) => name !== other).length === 1,
	);
	await set.rests(2);
	assert.equal([set.reused(), set.live().includes(asked)], [[], false]);
});

test('3 -> 1, all busy: none is touched; as jobs end no replacement comes before 1 remains (C2)', async ({
	make,
}) => {
	const set = await make('RunnerDeployment', { replicas: 3 });
	const [first = '', second = '', third = ''] = set.live();
	await set.work(first, second, third);
	await set.scale(1);
	const { message } = await set.conditionIs('Draining', 'True');
	assert.match(message ?? '', /to be removed when no longer busy/);
	await set.rests(3);
	assert.equal(set.removals(), [], 'their logs say that they work');
	await set.finish(first, second);
	await set.reaches(1);
	await set.rests(1);
	assert.is(set.uids.size, 3, 'no pod was made');
	await set.finish(third);
	await oneReplaced(set, 4, 1);
});

test('3 -> 1 -> 3 with all busy: pending removals are cancelled, no extra pod is made (C3)', async ({
	make,
}) => {
	const set = await make('RunnerSet', { replicas: 3 });
	const [first = '', ...others] = set.live();
	await set.work(first, ...others);
	await set.scale(1);
	await set.conditionIs('Draining', 'True');
	await set.rests(3);
	await set.scale(3);
	await set.rests(3);
	await set.finish(first);
	await oneReplaced(set, 4, 3);
	assert.is(set.most, 3);
});

test('scaled to 0 while runners register: none is killed between start and registration (C4)', async ({
	rig,
	make,
}) => {
	const set = await make('RunnerDeployment');
	rig.agents.set(set.namespace, { registrationDelayMs: 1_500 });
	await set.scale(3);
	await eventually(
		'all containers run',
		async () => {
			const pods = await rig.pods(set.namespace);
			return pods.length === 3 && pods.every((pod) => pod.status?.phase === 'Running');
		},
		{ withinMs: 60_000 },
	);
	await set.scale(0);
	await set.reaches(0);
	for (const name of set.uids.keys()) {
		assert.ok(set.journal('registered').includes(name), `${name} was asked to stop before it had registered`);
		assert.ok(set.journal('removed-by-github').includes(name), `${name} was not unregistered first`);
	}
});

test('with runners that cannot start: they go first (C5)', async ({ rig, make }) => {
	const set = await make('RunnerSet', { replicas: 2 });
	const started = set.live();
	await set.patch({
		spec: { template: { metadata: { annotations: { 'test.runners/hold-start': 'ImagePullBackOff' } } } },
	});
	await set.scale(4);
	await set.reaches(4);
	await eventually('their kubelet says so', async () => {
		const pods = await rig.pods(set.namespace);
		return pods.filter(({ status }) => status?.containerStatuses?.[0]?.state?.waiting).length === 2;
	});
	await set.scale(2);
	await set.reaches(2);
	await set.rests(2);
	assert.equal(sorted(set.live()), sorted(started));
	assert.equal(set.removals(), [], 'what never started was never at GitHub');
});

test('of idle runners those on cordoned nodes go first', async ({ rig, make }) => {
	const [own, label] = ['node-scale', 'kubernetes.io/hostname'];
	await rig.cluster.addNode(own);
	const matchLabels = { app: 'example' };
	const where = [{ key: label, operator: 'In', values: ['node-1', own] }];
	// One on each of the two nodes.
	const config = {
		affinity: {
			nodeAffinity: {
				requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: where }] },
			},
		},
		topologySpreadConstraints: [
			{
				maxSkew: 1,
				topologyKey: label,
				whenUnsatisfiable: 'DoNotSchedule',
				labelSelector: { matchLabels },
			},
		],
	};
	const set = await make('RunnerDeployment', { replicas: 4, config });
	await rig.kube.patch(`/api/v1/nodes/${own}`, { spec: { unschedulable: true } });
	await set.registered(4);
	await set.reconciled();
	const there = (await rig.pods(set.namespace))
		.filter(({ spec }) => spec?.nodeName === own)
		.map(({ metadata }) => metadata.name);
	assert.is(there.length, 2);
	await set.scale(2);
	await set.reaches(2);
	assert.equal(
		set.live().filter((name) => there.includes(name)),
		[],
	);
});

test('a static set scaled to 0: its busy runner works on, and goes when it is idle (C7)', async ({
	make,
}) => {
	const set = await make('RunnerSet', { replicas: 2, config: { ephemeral: false } });
	const [busy = ''] = set.live();
	await set.busy(busy);
	await set.registered(2);
	await set.scale(0);
	await set.reaches(1);
	await set.rests(1);
	assert.equal(set.live(), [busy]);
	assert.equal(set.removals(), [204], 'the busy one is known to be busy: GitHub is not asked');
	await set.finish(busy);
	await set.reaches(0, 120_000);
	assert.equal(set.journal('job-killed'), []);
});

test('one of whose job its log did not know yet answers 422 once; another one goes in its place (C8)', async ({
	rig,
	make,
}) => {
	const set = await make('RunnerSet', { replicas: 3 });
	const all = set.live();
	const runners = all.map((name) => {
		const id = rig.agents.runnerId(set.namespace, name);
		return { id, name, os: 'linux', status: 'online', busy: false, labels: [] };
	});
	const stale = rig.github.fault({
		fault: { kind: 'answer', status: 200, body: { total_count: 3, runners } },
		endpoint: 'list',
		scope: set.scope,
	});
	// Whichever is chosen first is busy in truth, unless it is the last one.
	const busy = all.slice(0, 2);
	for (const name of busy) rig.github.setBusy(rig.agents.runnerId(set.namespace, name) ?? 0, true);
	await set.registered(3);
	await set.scale(2);
	await set.reaches(2);
	stale.clear();
	await set.work(...busy);
	assert.equal(sorted(set.live()), sorted(busy));
	const removals = set.removals();
	assert.is(removals.filter((status) => status === 204).length, 1);
	assert.ok(removals.filter((status) => status === 422).length <= 2, `${removals}`);
	await set.rests(2);
	assert.is(set.uids.size, 3, 'the busy ones are still counted');
});

test('at 0: idle ones go, busy ones finish, and it stays at 0 (G8)', async ({ make }) => {
	const set = await make('RunnerDeployment', { replicas: 2 });
	const [busy = ''] = set.live();
	await set.work(busy);
	await set.scale(0);
	await set.reaches(1);
	await set.finish(busy);
	await set.reaches(0);
	await eventually('its owner is gone', async () => (await set.owners()).length === 0);
	await set.rests(0);
	assert.is((await set.object()).status?.replicas, 0);
});

test.run();
