/** Sets that move from ARC to our reconcilers, and back: nobody's job is lost, nobody is duplicated, nothing hangs (I4). */
import * as assert from 'uvu/assert';
import { drainFinalizer } from '../../../admission/api/sets.ts';
import {
	type ArcSet,
	installArcCrds,
	runnersOfArc,
	statefulSetsOfArc,
	volumeClaimsOfArc,
	volumeClaimTemplates,
} from '../../rig/arc.ts';
import { eventually } from '../../rig/eventually.ts';
import { failures, type History, startHistory } from '../../rig/history.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { type Kind, kinds, SetUnderTest } from '../../rig/runner-sets.ts';
import type { KubeItem } from '../../sim/kube.ts';
import { suite } from '../../support/suite.ts';
import { end } from '../support/space.ts';

interface Context {
	rig: Rig;
	history: History;
	sets: SetUnderTest[];
}

const test = suite<Context>('moved from ARC');

const wanted = 3;

test.before(async (context) => {
	// While ARC runs, the guard is alone; our CRDs have taken the place of ARC's, which changes no object.
	context.rig = await startRig({ sets: true, server: { controllers: 'deletion' } });
	await installArcCrds(context.rig, { common: false });
	context.history = await startHistory(context.rig);
	context.sets = [];
});
test.after(async ({ rig, history, sets }) => {
	for (const set of sets ?? []) set.stop();
	history?.stop();
	await end(rig);
});
test.after.each(async ({ history, rig }) => {
	assert.equal(await failures(rig, history), []);
});

/** Another leader runs these controllers from now on; `meanwhile` happens while none is there. */
async function restart(
	rig: Rig,
	controllers: string,
	meanwhile: () => Promise<void> = async () => {},
): Promise<void> {
	await Promise.all([...rig.servers].map((server) => server.stop()));
	await meanwhile();
	await rig.addServer({ controllers });
	await rig.guarded();
}

/** A set with runners that ARC made: all idle, one of them busy. */
async function madeByArc({ rig, sets }: Context, kind: Kind): Promise<Moved> {
	const set = await SetUnderTest.make(
		rig,
		kind,
		kind === 'RunnerSet' ? { spec: { volumeClaimTemplates } } : {},
	);
	sets.push(set);
	const { metadata } = await rig.kube.get<KubeItem>(set.path);
	const arcSet: ArcSet = {
		namespace: set.namespace,
		name: set.name,
		uid: metadata.uid,
		labels: { app: set.name },
	};
	const pods = await (kind === 'RunnerSet' ? statefulSetsOfArc : runnersOfArc)(rig, arcSet, wanted);
	// One volume more than runners: of a runner that has ended, whose claim ARC has not deleted yet.
	if (kind === 'RunnerSet')
		await volumeClaimsOfArc(rig, arcSet, [
			...pods.map((name) => name.replace(/-0$/, '')),
			`${set.name}-ended`,
		]);
	await set.patch({ spec: { replicas: wanted } });
	await set.online(wanted);
	const [busy = ''] = pods;
	await set.busy(busy);
	await set.registered(wanted);
	return { set, busy, before: set.live() };
}

/** Names of the volume claims of a set. */
async function claims({ rig, namespace }: SetUnderTest): Promise<string[]> {
	const path = `/api/v1/namespaces/${namespace}/persistentvolumeclaims`;
	const { items } = await rig.kube.get<{ items: KubeItem[] }>(path);
	return items.map(({ metadata }) => metadata.name).sort();
}

const ofRunners = (set: SetUnderTest) =>
	set
		.live()
		.map((name) => `work-${name}`)
		.sort();

interface Moved {
	set: SetUnderTest;
	busy: string;
	before: string[];
}

const moved = new Map<Kind, Moved>();

test('the guard beside ARC: sets of both kinds work, their finalizers are ARC’s', async (context) => {
	const made = await Promise.all(kinds.map((kind) => madeByArc(context, kind)));
	for (const one of made) moved.set(one.set.kind, one);
	await restart(context.rig, '*');
});

for (const kind of kinds) {
	const of = () => {
		const found = moved.get(kind);
		assert.ok(found, 'it was made before');
		return found;
	};

	test(`${kind} moved from ARC: idle runners are replaced within the surge, the busy one works on, none is duplicated (I4)`, async () => {
		const { set, busy, before } = of();
		await eventually(
			'all but the busy one are new',
			() => {
				const old = set.live().filter((name) => before.includes(name));
				return old.join() === busy && set.known().length === wanted + 1;
			},
			{ withinMs: 120_000 },
		);
		assert.ok(set.most <= wanted + 1, `${set.most} pods at a time: surge 1 above ${wanted}`);
		assert.equal(set.journal('job-killed'), []);
		await set.conditionIs('RollingOut', 'True');
		assert.equal(
			set.all().filter((name) => before.includes(name) && name !== busy),
			[],
			'ARC’s finalizers are let go',
		);
		assert.equal(set.removals(), [204, 204], `one DELETE for each idle one of ${before.length}`);
		assert.ok((await set.owners()).some((name) => name.includes(busy.replace(/-0$/, ''))));
		// The new runners have the volumes of those before: there are no others.
		if (kind !== 'RunnerSet') return;
		await eventually(
			'each claim is of a runner that is there',
			async () => (await claims(set)).join() === ofRunners(set).join(),
		);
	});

	test(`${kind} moved from ARC: the busy one goes with its job, and what ARC left goes too (I4)`, async () => {
		const { set, busy, before } = of();
		await set.endJob(busy);
		await eventually(
			'all are new',
			() => !set.all().some((name) => before.includes(name)) && set.known().length === wanted,
			{ withinMs: 120_000 },
		);
		assert.equal(set.reused(), []);
		await set.conditionIs('Settled', 'True');
		// Its RunnerReplicaSet goes a minute after its creation: test/unit/arc/replica-sets.test.ts and install/rbac.test.ts.
		await eventually(
			'no owner of ARC’s is left',
			async () => (await set.owners()).every((name) => !/x2z\d|k7xq2/.test(name)),
			{ withinMs: 60_000 },
		);
		await set.rests(wanted);
		if (kind !== 'RunnerSet') return;
		await eventually(
			'no claim of ARC’s is left',
			async () => (await claims(set)).join() === ofRunners(set).join(),
		);
	});
}

test('and back: with the guard alone, the runners stay and carry what ARC needs; our finalizer is taken away (I4)', async (context) => {
	const { rig } = context;
	const before = new Map([...moved.values()].map(({ set }) => [set, set.live().sort()]));
	await restart(rig, 'deletion', async () => {
		for (const [set, [busy = '']] of before) await set.work(busy);
	});
	for (const [set, names] of before) {
		const [busy = ''] = names;
		await set.marked(busy);
		assert.equal(set.live().sort(), names);
		const pod = await set.pod(busy);
		assert.is(
			pod?.metadata.labels?.[set.kind === 'RunnerSet' ? 'runnerset-name' : 'runner-deployment-name'],
			set.name,
		);
		for (const key of ['actions-runner', 'runner-template-hash'])
			assert.ok(key in (pod?.metadata.labels ?? {}), key);
		assert.not.ok(pod?.metadata.finalizers?.length, 'we put no finalizer on pods');
		// What ARC's RunnerSet controller looks for: its StatefulSets by owner and hash, with a sync time.
		const resource = set.kind === 'RunnerSet' ? 'apis/apps/v1' : 'apis/actions.summerwind.dev/v1alpha1';
		const kind = set.kind === 'RunnerSet' ? 'statefulsets' : 'runners';
		const { items } = await rig.kube.get<{ items: KubeItem[] }>(
			`/${resource}/namespaces/${set.namespace}/${kind}`,
		);
		assert.is(items.length, wanted);
		for (const { metadata } of items) {
			assert.is(metadata.ownerReferences?.[0]?.kind, set.kind);
			assert.ok(metadata.labels?.['runner-template-hash']);
			assert.ok(metadata.annotations?.['sync-time']);
		}
		// docs/migration.md, the way back.
		assert.equal((await set.object()).metadata.finalizers, [drainFinalizer]);
		await rig.ok([
			...['-n', set.namespace, 'patch', set.resource, set.name, '--type=json', '-p'],
			'[{"op":"remove","path":"/metadata/finalizers"}]',
		]);
		// ARC deletes owners whose template is not its own without asking; the guard still stands before their pods.
		await rig.ok(['-n', set.namespace, 'delete', set.resource, set.name, '--wait=false']);
	}
	for (const [set, [busy = '']] of before) {
		await eventually('the idle ones are gone', () => set.live().join() === busy, { withinMs: 120_000 });
		await set.endJob(busy);
		await set.gone(120_000);
		assert.equal(set.journal('job-killed'), []);
	}
});

test.run();
