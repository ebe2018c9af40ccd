/** The volumes of ended runners: given to later ones, and nobody else's are touched. The cluster binds and releases as Kubernetes does. */
import * as assert from 'uvu/assert';
import { apiVersion, setKeys } from '../../../admission/api/sets.ts';
import { claimStep, statefulSetsOf, volumeStep } from '../../../admission/sets/rules/volume-reuse.ts';
import { VolumeReuse } from '../../../admission/sets/volume-reuse.ts';
import { suite } from '../../support/suite.ts';
import type { Stored } from '../support/api-server.ts';
import { paths, World } from '../support/world.ts';

const test = suite('volume reuse');
const template = { metadata: { name: 'work' }, spec: {} };

class VolumesWorld extends World {
	readonly reuse = new VolumeReuse(this.parts);

	set(change: object = {}): void {
		this.api.put(paths.runnerSets, {
			metadata: { name: 'example', namespace: 'ci' },
			spec: { organization: 'octo-org', volumeClaimTemplates: [template], ...change },
		} as unknown as Stored);
	}

	/** A StatefulSet of the set, its volume claim, and the volume to which that is bound. */
	starts(name: string, { reclaim = 'Retain', byArc = false } = {}): void {
		const labels = { 'runnerset-name': 'example', [setKeys.templateHash]: 'h' };
		const metadata = { namespace: 'ci', labels };
		const ownerReferences = [
			{ apiVersion, kind: 'RunnerSet', name: 'example', uid: 'set-1', controller: true },
		];
		// Those of ARC do not name their set in a label.
		const own = byArc ? { ...metadata, labels: { [setKeys.templateHash]: 'h' } } : metadata;
		this.api.put(paths.statefulSets, { metadata: { ...own, name, ownerReferences } });
		const claim = this.api.put(paths.volumeClaims, {
			metadata: { ...metadata, name: `work-${name}-0`, finalizers: ['kubernetes.io/pvc-protection'] },
			spec: { volumeName: `pv-${name}` },
		} as unknown as Stored);
		this.api.put(paths.volumes, {
			metadata: { name: `pv-${name}`, labels: { team: 'a' } },
			spec: {
				persistentVolumeReclaimPolicy: reclaim,
				claimRef: { namespace: 'ci', name: claim.metadata.name, uid: claim.metadata.uid },
			},
			status: { phase: 'Bound' },
		} as unknown as Stored);
	}

	/** The runner's job is over: its StatefulSet is deleted. */
	ends(name: string): void {
		this.api.drop(paths.statefulSets, name, 'ci');
	}

	claim(name: string): Stored | undefined {
		return this.api.find(paths.volumeClaims, `work-${name}-0`, 'ci');
	}

	volume(name: string) {
		const { metadata, spec, status } = this.api.find(paths.volumes, `pv-${name}`) ?? {
			metadata: { labels: {} },
		};
		return { labels: metadata.labels, claimRef: spec?.claimRef, phase: status?.phase };
	}

	/** What kube-controller-manager does about a claim that is to be deleted, and about its volume. */
	collect(name: string): void {
		const { metadata } = this.claim(name) ?? {};
		assert.ok(metadata?.deletionTimestamp, `the claim of ${name} is to be deleted`);
		this.api.drop(paths.volumeClaims, `work-${name}-0`, 'ci');
		this.api.update(paths.volumes, `pv-${name}`, undefined, (volume) => {
			volume.status = { phase: 'Released' };
		});
	}

	/** How often the objects were changed through the API server. */
	writes(): string[] {
		return this.api.calls
			.filter(({ method }) => method === 'PATCH' || method === 'DELETE')
			.map(({ method, path }) => `${method} ${path}`);
	}
}

async function started(prepare: (world: VolumesWorld) => void): Promise<VolumesWorld> {
	const world = new VolumesWorld();
	prepare(world);
	await world.start();
	await world.clock.pass(1_000);
	return world;
}

test('when a runner has ended, its claim is deleted and its volume available again, in this order', async () => {
	const world = await started((one) => {
		one.set();
		one.starts('example-a');
		one.starts('example-b');
	});
	assert.equal(world.writes(), [], 'nothing is done about runners that exist');
	world.ends('example-a');
	await world.clock.pass(2_000);
	assert.ok(world.claim('example-a')?.metadata.deletionTimestamp);
	assert.is(world.volume('example-a').phase, 'Bound');
	assert.ok(world.volume('example-a').claimRef, 'as long as a pod may use it, it is nobody else’s');

	world.collect('example-a');
	await world.clock.pass(2_000);
	assert.equal(world.volume('example-a'), { labels: { team: 'a' }, claimRef: undefined, phase: 'Released' });
	assert.equal(
		world.writes().map((write) => write.replace(/ .*\//, ' ')),
		['PATCH pv-example-a', 'DELETE work-example-a-0', 'PATCH pv-example-a'],
	);
	assert.ok(world.claim('example-b') && world.volume('example-b').claimRef, 'the other one is untouched');
	await world.stop(world.reuse);
});

test('what ended while no leader watched, or before an upgrade, is found at the start', async () => {
	const world = await started((one) => {
		one.set();
		one.starts('example-a');
		one.ends('example-a');
	});
	assert.ok(world.claim('example-a')?.metadata.deletionTimestamp);
	// The next leader makes the volume available.
	await world.stop(world.reuse);
	world.collect('example-a');
	const next = new VolumesWorld(world);
	await next.start();
	await next.clock.pass(2_000);
	assert.is(next.volume('example-a').claimRef, undefined);
	await next.stop(next.reuse);
});

test('a volume with the policy Delete is left to the cluster, which deletes it', async () => {
	const world = await started((one) => {
		one.set();
		one.starts('example-a', { reclaim: 'Delete' });
	});
	world.ends('example-a');
	await world.clock.pass(2_000);
	world.collect('example-a');
	await world.clock.pass(2_000);
	assert.equal(world.writes(), ['DELETE /api/v1/namespaces/ci/persistentvolumeclaims/work-example-a-0']);
	assert.ok(world.volume('example-a').claimRef);
	await world.stop(world.reuse);
});

for (const [what, change] of [
	[
		'somebody has chosen a retention policy',
		{ persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain' } },
	],
	['the set has no such template any more', { volumeClaimTemplates: [] }],
] as const)
	test(`nothing is deleted where ${what}`, async () => {
		const world = await started((one) => {
			one.set(change);
			one.starts('example-a');
		});
		world.ends('example-a');
		await world.clock.pass(30_000);
		assert.equal(world.writes(), []);
		await world.stop(world.reuse);
	});

test('nothing is deleted where the set is gone, or its pod is still there', async () => {
	const world = await started((one) => one.starts('example-a'));
	world.ends('example-a');
	await world.clock.pass(30_000);
	assert.equal(world.writes(), []);
	world.set();
	world.runner('example-b-0');
	world.starts('example-b');
	world.ends('example-b');
	await world.clock.pass(30_000);
	assert.equal(
		world.writes().filter((write) => write.includes('example-b')),
		[],
	);
	world.api.drop(paths.pods, 'example-b-0', 'ci');
	await world.clock.pass(15_000);
	assert.ok(world.claim('example-b')?.metadata.deletionTimestamp);
	await world.stop(world.reuse);
});

test('a runner that ARC made ends: its claim goes as well, or a set moved from ARC would wait for the volume for ever', async () => {
	const world = await started((one) => {
		one.set();
		one.starts('example-a', { byArc: true });
	});
	world.ends('example-a');
	await world.clock.pass(2_000);
	assert.ok(world.claim('example-a')?.metadata.deletionTimestamp);
	await world.stop(world.reuse);
});

test('nothing is deleted while the set itself is being deleted', async () => {
	const world = await started((one) => {
		one.set();
		one.starts('example-a');
	});
	world.api.update(paths.runnerSets, 'example', 'ci', ({ metadata }) => {
		metadata.deletionTimestamp = world.clock.iso();
	});
	await world.clock.pass(1_000);
	world.ends('example-a');
	await world.clock.pass(30_000);
	assert.equal(world.writes(), []);
	await world.stop(world.reuse);
});

test('a StatefulSet that the cache does not show yet is read: its claim stays', async () => {
	const world = await started((one) => one.set());
	const show = world.api.holdWatches(paths.statefulSets);
	world.starts('example-a');
	await world.clock.pass(5_000);
	assert.equal(world.writes(), []);
	show();
	await world.stop(world.reuse);
});

const set = {
	metadata: { name: 'example', namespace: 'ci' },
	spec: { volumeClaimTemplates: [template, { metadata: { name: 'work-cache' } }], template: {} },
} as unknown as Parameters<typeof statefulSetsOf>[0];
const claimOf = (
	name: string,
	labels: Record<string, string> = { 'runnerset-name': 'example' },
	namespace = 'ci',
) => ({
	metadata: { name, namespace, labels, uid: 'c1' },
});

for (const [what, claim, owners] of [
	['of a runner', claimOf('work-example-a-0'), ['example-a']],
	[
		'of a template whose name begins as another',
		claimOf('work-cache-example-a-0'),
		['cache-example-a', 'example-a'],
	],
	['of no template', claimOf('data-example-a-0'), []],
	['not of the first pod', claimOf('work-example-a-1'), []],
	['of another set', claimOf('work-example-a-0', { 'runnerset-name': 'other' }), []],
	['without labels', claimOf('work-example-a-0', {}), []],
	['in another namespace', claimOf('work-example-a-0', undefined, 'other'), []],
	['with nothing between', claimOf('work--0'), []],
] as const)
	test(`a claim ${what}: ${owners.join(' or ') || 'nobody’s'}`, () => {
		assert.equal(statefulSetsOf(set, claim), [...owners]);
	});

const volumeWith = (spec: object, phase = 'Bound', mark?: string) => ({
	metadata: { name: 'pv', ...(mark !== undefined && { labels: { [setKeys.reusedFrom]: mark } }) },
	spec: { persistentVolumeReclaimPolicy: 'Retain', ...spec },
	status: { phase },
});
const ref = (uid: string) => ({ claimRef: { namespace: 'ci', name: 'work-example-a-0', uid } });

test('a volume is marked only if it is bound to this very claim and kept', () => {
	const claim = claimOf('work-example-a-0');
	const cases = [
		[undefined, 'delete-claim'],
		[volumeWith(ref('c1')), 'mark-volume'],
		[volumeWith(ref('c1'), 'Bound', 'c1'), 'delete-claim'],
		[volumeWith(ref('other')), 'delete-claim'],
		[volumeWith({}), 'delete-claim'],
		[volumeWith({ ...ref('c1'), persistentVolumeReclaimPolicy: 'Delete' }), 'delete-claim'],
	] as const;
	for (const [volume, step] of cases) assert.is(claimStep(claim, volume), step, JSON.stringify(volume));
});

test('a marked volume is made available only if it is released of the claim that its mark names', () => {
	const cases = [
		[volumeWith(ref('c1'), 'Bound', 'c1'), 'wait'],
		[volumeWith(ref('c1'), 'Released', 'c1'), 'release'],
		[volumeWith(ref('c1'), 'Failed', 'c1'), 'wait'],
		[volumeWith(ref('other'), 'Released', 'c1'), 'unmark'],
		[volumeWith({}, 'Available', 'c1'), 'unmark'],
		[volumeWith({ ...ref('c1'), persistentVolumeReclaimPolicy: 'Delete' }, 'Released', 'c1'), 'unmark'],
	] as const;
	for (const [volume, step] of cases) assert.is(volumeStep(volume), step, JSON.stringify(volume));
});

test.run();
