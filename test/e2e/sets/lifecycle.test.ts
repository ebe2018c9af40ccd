/** Group G: a set's rollout, its deletion in every way, its volumes. In simulated time: test/unit/sets/reconciler.test.ts. */
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import { type Kind, kinds, type SetUnderTest } from '../../rig/runner-sets.ts';
import { stage } from '../../rig/stage.ts';
import { KubeError, type KubeItem } from '../../sim/kube.ts';
import { type SetTest, setTests } from '../support/set-tests.ts';

const test = setTests('life of sets', { prepare: () => stage('sets') });

/** One of two runners is busy; no source has reported that to the server. */
async function oneBusyOfTwo({ make }: SetTest, kind: Kind): Promise<{ set: SetUnderTest; busy: string }> {
	const set = await make(kind, { replicas: 2 });
	const [busy = ''] = set.live();
	await set.work(busy);
	return { set, busy };
}

/**
 * The garbage collector looks for new kinds each 30 s. While it learns a kind it may let the owner go and forget to orphan,
 * so it has to carry out a foreground deletion first.
 */
async function collectorKnows({ rig, make }: SetTest, kind: Kind): Promise<void> {
	const empty = await make(kind);
	await rig.kube.delete(empty.path, {
		apiVersion: 'v1',
		kind: 'DeleteOptions',
		propagationPolicy: 'Foreground',
	});
	await eventually(`the collector knows ${kind}`, async () => !(await empty.exists()), { withinMs: 90_000 });
}

const remove = (set: SetUnderTest, ...flags: string[]) =>
	set.rig.ok(['-n', set.namespace, 'delete', set.resource, set.name, '--wait=false', ...flags]);

async function items<T extends KubeItem>(set: SetUnderTest, resource: string): Promise<T[]> {
	return (await set.rig.kube.get<{ items: T[] }>(`/api/v1/namespaces/${set.namespace}/${resource}`)).items;
}

for (const kind of kinds) {
	test(`${kind} template change: the surge is kept, idle ones are replaced one by one, a busy one finishes (G4)`, async ({
		make,
	}) => {
		const set = await make(kind, { replicas: 3 });
		const [busy = ''] = set.live();
		await set.busy(busy);
		await set.changeTemplate('second');
		await eventually(
			'all but the busy one are new',
			() => {
				const generations = [...set.templates().values()].map((names) => names.length).sort();
				return generations.join() === '1,3';
			},
			{ withinMs: 120_000 },
		);
		assert.ok(set.most <= 4, `${set.most} pods at a time: surge 1 above 3`);
		assert.ok(set.live().includes(busy));
		await set.conditionIs('RollingOut', 'True');
		await set.finish(busy);
		await eventually('all are new', () => set.templates().size === 1 && set.live().length === 3, {
			withinMs: 60_000,
		});
		await set.conditionIs('RollingOut', 'False');
		assert.equal(set.journal('job-killed'), []);
	});
}

test('five template changes during one job: the job survives, one generation is left (G7)', async (context) => {
	const { set, busy } = await oneBusyOfTwo(context, 'RunnerDeployment');
	const seen = new Set(set.templates().keys());
	const online = (name: string) => context.rig.github.find(set.scope, name)?.status === 'online';
	for (const label of ['one', 'two', 'three', 'four', 'five']) {
		await set.changeTemplate(label);
		// Of a pod that its watch has not shown yet, the server deletes the owner alone: for a moment there is one more.
		const made = await eventually(
			`a runner of template ${label} is online`,
			() => [...set.templates()].find(([hash, names]) => !seen.has(hash) && names.some(online)),
			{ withinMs: 120_000 },
		);
		seen.add(made[0]);
	}
	await eventually(
		'one generation beside the busy one',
		() => set.templates().size === 2 && set.live().length === 3,
		{ withinMs: 120_000 },
	);
	assert.ok(set.most <= 3, `${set.most} pods at a time: surge 1 above 2`);
	await set.finish(busy);
	await eventually('one generation', () => set.templates().size === 1 && set.live().length === 2, {
		withinMs: 60_000,
	});
	assert.equal(set.journal('job-killed'), []);
});

for (const [whenDeleted, left] of [
	['Delete', 0],
	['Retain', 1],
] as const) {
	const claim = (storageClassName: string) => ({
		accessModes: ['ReadWriteOnce'],
		storageClassName,
		resources: { requests: { storage: '1Gi' } },
	});

	test(`RunnerSet whose policy for its volume claims is ${whenDeleted}: ${left} of them are left without their runner, nobody else's is touched (G9)`, async ({
		rig,
		make,
	}) => {
		const name = `lifecycle-${whenDeleted.toLowerCase()}`;
		const spec = {
			capacity: { storage: '1Gi' },
			accessModes: ['ReadWriteOnce'],
			storageClassName: name,
			persistentVolumeReclaimPolicy: 'Retain',
			hostPath: { path: `/tmp/${name}` },
		};
		await rig.apply({ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name }, spec });
		const set = await make('RunnerSet', {
			replicas: 1,
			spec: {
				volumeClaimTemplates: [{ metadata: { name: 'work' }, spec: claim(name) }],
				persistentVolumeClaimRetentionPolicy: { whenDeleted, whenScaled: 'Retain' },
			},
		});
		const claims = () => items(set, 'persistentvolumeclaims');
		assert.is((await claims()).length, 1);
		await rig.apply({
			apiVersion: 'v1',
			kind: 'PersistentVolumeClaim',
			metadata: { name: 'somebodys', namespace: set.namespace },
			spec: claim('none'),
		});
		await set.scale(0);
		await set.reaches(0);
		await eventually(`${left} claims are left`, async () => (await claims()).length === left + 1, {
			withinMs: 90_000,
		});
		assert.ok((await claims()).some(({ metadata }) => metadata.name === 'somebodys'));
	});
}

test('RunnerSet with volumes: the next runner gets the volume of the one whose job is over, again and again (G9)', async ({
	rig,
	make,
}) => {
	const name = 'lifecycle-reused';
	const storage = { accessModes: ['ReadWriteOnce'], storageClassName: name };
	const kept = { persistentVolumeReclaimPolicy: 'Retain', hostPath: { path: `/tmp/${name}` } };
	const spec = { ...storage, ...kept, capacity: { storage: '1Gi' } };
	await rig.apply({ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name }, spec });
	const claim = { ...storage, resources: { requests: { storage: '1Gi' } } };
	const set = await make('RunnerSet', {
		replicas: 1,
		spec: { volumeClaimTemplates: [{ metadata: { name: 'work' }, spec: claim }] },
	});
	for (const round of ['first', 'second']) {
		const [runner = ''] = set.live();
		await set.work(runner);
		await set.finish(runner);
		await eventually(
			`after the ${round} job another runner is online`,
			() => set.live().some((one) => one !== runner && rig.github.find(set.scope, one)?.status === 'online'),
			{ withinMs: 90_000 },
		);
	}
	assert.is((await items(set, 'persistentvolumeclaims')).length, 1, 'no job leaves one behind');
});

for (const kind of kinds) {
	for (const cascade of ['background', 'foreground']) {
		test(`${kind} deleted (${cascade}) with a busy runner: idle ones go, it says what it waits for, and is gone with the job (G1, G2)`, async (context) => {
			const { set, busy } = await oneBusyOfTwo(context, kind);
			await remove(set, `--cascade=${cascade}`);
			await set.reaches(1);
			assert.equal(set.live(), [busy]);
			await eventually(
				'it says so',
				async () =>
					/waiting for the jobs of 1 runner: /.test((await set.condition('Deleting'))?.message ?? ''),
				{ withinMs: 60_000 },
			);
			await eventually('an Event says so too', async () =>
				(await items<KubeItem & { reason: string }>(set, 'events')).some(
					({ reason }) => reason === 'Deleting',
				),
			);
			await set.rests(1);
			assert.is(set.uids.size, 2, 'no new pod');
			await set.finish(busy);
			await set.gone();
			assert.equal(context.rig.github.runners(set.scope), [], 'nothing is left at GitHub');
		});
	}

	test(`${kind} deleted with --cascade=orphan: all its runners work on, guarded (G2)`, async (context) => {
		const { rig } = context;
		await collectorKnows(context, kind);
		const { set, busy } = await oneBusyOfTwo(context, kind);
		await remove(set, '--cascade=orphan');
		await eventually('the set is gone', async () => !(await set.exists()), { withinMs: 60_000 });
		const refused = await rig.kubectl(['-n', set.namespace, 'delete', 'pod', busy, '--wait=false']);
		assert.match(refused.stderr, /is busy/);
		assert.equal([set.live().length, (await set.owners()).length], [2, 2]);
		await set.finish(busy);
		// Its owner would make it again under its name.
		await eventually('its owner is gone', async () => (await set.owners()).length === 1);
		await sleep(3_000);
		assert.equal([set.live().length, set.live().includes(busy), set.reused()], [1, false, []]);
	});

	test(`the namespace of a ${kind} deleted with a busy runner: its job ends first, then all is gone (G3)`, async (context) => {
		const { rig } = context;
		const { set, busy } = await oneBusyOfTwo(context, kind);
		const path = `/api/v1/namespaces/${set.namespace}`;
		await rig.kube.delete(path);
		await set.reaches(1);
		assert.equal(set.live(), [busy]);
		const { status } = await rig.kube.get<{ status: { phase: string } }>(path);
		assert.is(status.phase, 'Terminating');
		await set.finish(busy);
		await eventually(
			'the namespace is gone',
			() =>
				rig.kube.get(path).then(
					() => false,
					(error: unknown) => error instanceof KubeError && error.status === 404,
				),
			{ withinMs: 90_000, everyMs: 500 },
		);
		assert.equal(set.journal('job-killed'), []);
	});
}

test.run();
