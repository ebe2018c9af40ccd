/** Group G and E8: a set's rollout, its deletion in every way, its volumes, a change of leader. */
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import { type History, startHistory } from '../../rig/history.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { kinds, SetUnderTest } from '../../rig/runner-sets.ts';
import { suite } from '../../support/suite.ts';

interface Context {
	rig: Rig;
	history: History;
	sets: SetUnderTest[];
}

const test = suite<Context>('life of sets');

test.before(async (context) => {
	context.rig = await startRig({ sets: true });
	context.history = await startHistory(context.rig);
	context.sets = [];
});
test.after(async ({ rig, history, sets }) => {
	for (const set of sets ?? []) set.stop();
	history?.stop();
	await rig?.stop();
});
test.after.each(async ({ history, rig }) => {
	assert.equal(await history.violationsAtRest(), []);
	assert.equal(
		rig.logs(({ level }) => level === 'error'),
		[],
	);
});

for (const kind of kinds) {
	const make = async ({ rig, sets }: Context, options: Parameters<typeof SetUnderTest.make>[2]) => {
		const set = await SetUnderTest.make(rig, kind, options);
		sets.push(set);
		return set;
	};
	const oneBusyOfThree = async (context: Context) => {
		const set = await make(context, { replicas: 3 });
		const [busy = ''] = set.known();
		await set.busy(busy);
		return { set, busy };
	};
	const remove = (set: SetUnderTest, ...flags: string[]) =>
		set.rig.ok(['-n', set.namespace, 'delete', set.resource, set.name, '--wait=false', ...flags]);

	for (const cascade of ['background', 'foreground']) {
		test(`${kind} deleted (${cascade}) with a busy runner: idle ones go, it says what it waits for, and is gone with the job (G1, G2)`, async (context) => {
			const { set, busy } = await oneBusyOfThree(context);
			await remove(set, `--cascade=${cascade}`);
			await set.reaches(1);
			assert.equal(set.live(), [busy]);
			assert.match((await set.conditionIs('Deleting', 'True')).message ?? '', /waits for 1 running jobs: /);
			const events = await context.rig.ok([
				'-n',
				set.namespace,
				'get',
				'events',
				'--field-selector',
				'reason=Deleting',
				'-o',
				'name',
			]);
			assert.ok(events.trim(), 'an Event says so too');
			await set.stays(1);
			assert.is(set.uids.size, 3, 'no new pod');
			await set.endJob(busy);
			await set.gone();
			assert.equal(context.rig.github.runners(set.scope), [], 'nothing is left at GitHub');
		});
	}

	test(`${kind} deleted with --cascade=orphan: all its runners work on, guarded (G2)`, async (context) => {
		const { set, busy } = await oneBusyOfThree(context);
		await remove(set, '--cascade=orphan');
		await eventually(
			'the set is gone',
			async () =>
				(await context.rig.kubectl(['-n', set.namespace, 'get', set.resource, set.name])).code !== 0,
		);
		await set.stays(3);
		const refused = await context.rig.kubectl(['-n', set.namespace, 'delete', 'pod', busy, '--wait=false']);
		assert.match(refused.stderr, /is busy/);
		await set.endJob(busy);
		await context.history.settled();
	});

	test(`the namespace of a ${kind} deleted with a busy runner: its job ends first, then all is gone (G3)`, async (context) => {
		const { set, busy } = await oneBusyOfThree(context);
		await context.rig.ok(['delete', 'namespace', set.namespace, '--wait=false']);
		await eventually('the idle ones are gone', () => set.live().length === 1, { withinMs: 20_000 });
		assert.equal(set.live(), [busy]);
		await set.stays(1, 3_000);
		await set.endJob(busy);
		await eventually(
			'the namespace is gone',
			async () => (await context.rig.kubectl(['get', 'namespace', set.namespace])).code !== 0,
			{ withinMs: 60_000, everyMs: 500 },
		);
	});

	test(`${kind} template change: the surge is kept, idle ones are replaced one by one, a busy one finishes (G4)`, async (context) => {
		const set = await make(context, { replicas: 4 });
		const [busy = ''] = set.known();
		await set.busy(busy);
		await set.changeTemplate('second');
		await eventually(
			'all but the busy one are new',
			() => {
				const hashes = [...set.templates().values()].map((names) => names.length).sort();
				return set.templates().size === 2 && hashes.join() === '1,4';
			},
			{ withinMs: 60_000 },
		);
		assert.ok(set.most <= 5, `${set.most} pods at a time: surge 1 above 4`);
		assert.ok(set.live().includes(busy));
		await set.conditionIs('RollingOut', 'True');
		await set.endJob(busy);
		await eventually('all are new', () => set.templates().size === 1 && set.live().length === 4);
		await set.conditionIs('RollingOut', 'False');
		assert.equal(set.journal('job-killed'), []);
	});

	test(`${kind}: five template changes during one job: the job survives, one generation is left (G7)`, async (context) => {
		const { set, busy } = await oneBusyOfThree(context);
		for (const label of ['one', 'two', 'three', 'four', 'five']) {
			await set.changeTemplate(label);
			await sleep(600);
		}
		await eventually(
			'one generation beside the busy one',
			() => set.templates().size === 2 && set.live().length === 4,
			{ withinMs: 60_000 },
		);
		assert.ok(set.most <= 4, `${set.most} pods at a time: surge 1 above 3`);
		await set.endJob(busy);
		await eventually('one generation', () => set.templates().size === 1 && set.live().length === 3);
	});
}

test('RunnerSet with volume claims: they go or stay with their runner as its policy says, nobody else is touched (G9)', async (context) => {
	const { rig } = context;
	const volume = (name: string) => ({
		apiVersion: 'v1',
		kind: 'PersistentVolume',
		metadata: { name },
		spec: {
			capacity: { storage: '1Gi' },
			accessModes: ['ReadWriteOnce'],
			storageClassName: 'manual',
			persistentVolumeReclaimPolicy: 'Retain',
			hostPath: { path: `/tmp/${name}` },
		},
	});
	await rig.apply(...[1, 2, 3, 4, 5, 6].map((index) => volume(`volume-${index}`)));
	const volumeClaimTemplates = [
		{
			metadata: { name: 'work' },
			spec: {
				accessModes: ['ReadWriteOnce'],
				storageClassName: 'manual',
				resources: { requests: { storage: '1Gi' } },
			},
		},
	];
	const claims = async (set: SetUnderTest) =>
		(await rig.ok(['-n', set.namespace, 'get', 'pvc', '-o', 'name'])).trim().split('\n').filter(Boolean);
	for (const [whenDeleted, left] of [
		['Delete', 0],
		['Retain', 2],
	] as const) {
		const set = await SetUnderTest.make(rig, 'RunnerSet', {
			replicas: 2,
			spec: {
				volumeClaimTemplates,
				persistentVolumeClaimRetentionPolicy: { whenDeleted, whenScaled: 'Retain' },
			},
		});
		context.sets.push(set);
		assert.is((await claims(set)).length, 2);
		const other = {
			apiVersion: 'v1',
			kind: 'PersistentVolumeClaim',
			metadata: { name: 'somebodys', namespace: set.namespace },
			spec: {
				accessModes: ['ReadWriteOnce'],
				storageClassName: 'none',
				resources: { requests: { storage: '1Gi' } },
			},
		};
		await rig.apply(other);
		await set.scale(0);
		await set.reaches(0);
		await eventually(
			`${left} claims are left of ${whenDeleted}`,
			async () => (await claims(set)).length === left + 1,
			{ withinMs: 20_000 },
		);
		assert.ok((await claims(set)).includes('persistentvolumeclaim/somebodys'));
	}
});

test('two replicas, the leader is killed in the middle of a scale-up: exactly the wanted number, no duplicates (E8)', async (context) => {
	const { rig } = context;
	await rig.addServer();
	const sets = await Promise.all(kinds.map((kind) => SetUnderTest.make(rig, kind)));
	context.sets.push(...sets);
	await Promise.all(sets.map((set) => set.scale(30)));
	await eventually('it has begun', () => sets.some((set) => set.live().length > 3), { everyMs: 5 });
	const leader = rig.servers.find((server) => server.log.some(({ msg }) => msg === 'leading'));
	leader?.signal('SIGKILL');
	await leader?.exited;
	for (const set of sets) {
		await set.reaches(30, 60_000);
		await set.stays(30, 3_000);
		assert.is(set.most, 30, 'never more than wanted');
		assert.is(set.uids.size, 30);
	}
});

test.run();
