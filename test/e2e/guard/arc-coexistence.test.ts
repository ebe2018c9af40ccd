/** The guard alone beside a running ARC: its pods are protected as they are, and neither waits for the other (I1 to I3). */
import * as assert from 'uvu/assert';
import { arc, progress, record } from '../../../admission/api/keys.ts';
import {
	type ArcSet,
	installArcCrds,
	runnersOfArc,
	scaleDownByArc,
	statefulSetsOfArc,
} from '../../rig/arc.ts';
import { type Arc, arcUserAgent, startArc } from '../../rig/arc-controller.ts';
import { eventually } from '../../rig/eventually.ts';
import { type History, startHistory } from '../../rig/history.ts';
import type { Rig } from '../../rig/rig.ts';
import { stage } from '../../rig/stage.ts';
import type { KubeItem } from '../../sim/kube.ts';
import { suite } from '../../support/suite.ts';
import { end, Space, says } from '../support/space.ts';

interface Context {
	rig: Rig;
	history: History;
	arcRuns: Arc;
}

const test = suite<Context>('beside ARC');
const running = /is busy/;
const api = '/apis/actions.summerwind.dev/v1alpha1';

const kinds = {
	RunnerSet: {
		make: statefulSetsOfArc,
		/** As real listeners do when their registration is removed. The others stay, which is the harder case. */
		exits: true,
		looks: 1,
		resource: 'runnersets',
		owner: 'statefulset',
		ownerOf: (pod: string) => pod.replace(/-0$/, ''),
		ownerPath: (namespace: string, pod: string) =>
			`/apis/apps/v1/namespaces/${namespace}/statefulsets/${pod.replace(/-0$/, '')}`,
		spec: (organization: string) => ({ replicas: 3, organization, template: {} }),
	},
	RunnerDeployment: {
		make: runnersOfArc,
		exits: false,
		/** The second a minute after the first, one at the review of our own DELETE, and one where a list was late for another's. */
		looks: 4,
		resource: 'runnerdeployments',
		owner: 'runner',
		ownerOf: (pod: string) => pod,
		ownerPath: (namespace: string, pod: string) => `${api}/namespaces/${namespace}/runners/${pod}`,
		spec: (organization: string) => ({ replicas: 3, template: { spec: { organization } } }),
	},
} as const;

/** DELETE calls of ours: ARC's own carry its user agent. */
const ourRemovals = (space: Space) =>
	space
		.calls('delete')
		.filter(({ userAgent }) => userAgent !== arcUserAgent)
		.map(({ status }) => status);

/** Waits until these very pods are gone: a StatefulSet makes the next one under its name. */
async function leaver(space: Space, names: string[]): Promise<(name: string) => Promise<boolean>> {
	const uids = new Map<string, string | undefined>();
	for (const name of names) uids.set(name, (await space.pod(name))?.metadata.uid);
	return (name) =>
		eventually(`${name} is gone`, async () => (await space.pod(name))?.metadata.uid !== uids.get(name));
}

test.before(async (context) => {
	context.rig = await stage('guard');
	await installArcCrds(context.rig, { common: true });
	context.history = await startHistory(context.rig);
	context.arcRuns = await startArc(context.rig);
});
test.after(async ({ rig, history, arcRuns }) => {
	arcRuns?.stop();
	history?.stop();
	await end(rig);
});
test.after.each(async ({ history, rig }) => {
	assert.equal(await history.violationsAtRest(), []);
	assert.equal(
		rig.logs(({ level }) => level === 'error'),
		[],
	);
});

for (const [kind, { make, exits, looks, resource, owner, ownerOf, ownerPath, spec }] of Object.entries(
	kinds,
)) {
	/** A set of ARC's with so many runners, registered and listed. */
	const arcSet = async (rig: Rig, count: number) => {
		const space = await Space.make(rig);
		const metadata = { name: 'example', namespace: space.name };
		await rig.apply({ apiVersion: api.slice(6), kind, metadata, spec: spec(space.name) });
		const { metadata: made } = await rig.kube.get<KubeItem>(
			`${api}/namespaces/${space.name}/${resource}/example`,
		);
		const set: ArcSet = { namespace: space.name, name: 'example', uid: made.uid };
		const pods = await make(rig, set, count);
		await space.registered(pods);
		await space.listed(pods);
		return { space, set, pods };
	};

	test(`ARC's ${kind}: as they are, busy runners are kept from kubectl delete and from their owner's and set's deletion (I1)`, async ({
		rig,
	}) => {
		const { space, pods } = await arcSet(rig, 3);
		const [busy = '', other = '', idle = ''] = pods;
		const left = await leaver(space, pods);
		const before = await space.pod(busy);
		for (const name of [busy, other]) await space.runJob(name);
		says(await space.refused(busy), running);
		await space.deleted(idle, '--wait=false');
		await left(idle);
		// ARC's own way to lose a job: the owner is deleted, or the whole set, and the garbage collector follows.
		if (owner === 'runner')
			await rig.kube.patch(ownerPath(space.name, other), { metadata: { finalizers: null } });
		await space.ok('delete', owner, ownerOf(other), '--wait=false');
		await eventually(
			'the garbage collector is refused',
			async () => (await space.annotations(other))[record.requestedBy]?.includes('garbage-collector'),
			{ withinMs: 120_000 },
		);
		for (const name of [busy, other])
			assert.is((await space.pod(name))?.metadata.deletionTimestamp, undefined, name);
		// What the guard writes are annotations and the busy label; spec, owner and ARC's finalizer stay.
		const after = await space.pod(busy);
		assert.equal(after?.spec, before?.spec);
		assert.equal(after?.metadata.ownerReferences, before?.metadata.ownerReferences);
		assert.equal(after?.metadata.finalizers, ['actions.summerwind.dev/runner-pod']);
		for (const name of [busy, other]) await space.endJob(name);
		for (const name of [busy, other]) await left(name);
		assert.equal(space.killedJobs(), []);
	});

	test(`ARC scales a ${kind} down, 204 and owner's deletion by itself: allowed, no DELETE to GitHub of ours, at most ${looks === 1 ? 'one look' : `${looks} looks`} each (I2)`, async ({
		rig,
	}) => {
		const { space, pods } = await arcSet(rig, 6);
		// Later than ARC deletes the owner, as a listener in its long poll is: a StatefulSet makes a pod that ends anew.
		if (exits) rig.agents.set(space.name, { exitWhenRemovedMs: 5_000 });
		const [kept = '', ...leaving] = pods;
		await space.runJob(kept);
		const listsBefore = space.calls('list').length;
		const sinceMs = Date.now();
		for (const pod of leaving) {
			if (owner === 'runner')
				await rig.kube.patch(ownerPath(space.name, pod), { metadata: { finalizers: null } });
		}
		await Promise.all(
			leaving.map((pod) => scaleDownByArc(rig, { namespace: space.name }, pod, ownerPath(space.name, pod))),
		);
		for (const pod of leaving) await space.gone(pod, 120_000);
		assert.equal(ourRemovals(space), [], 'ARC has asked GitHub; the guard only looks');
		// ARC's time is to the second, and what is asked within it needs a list that is begun after; later ones share one.
		const polls = Math.ceil((Date.now() - sinceMs) / 10_000);
		const lists = space.calls('list').length - listsBefore;
		console.log(
			`${leaving.length} runners of ARC's ${kind} let go with ${lists} lists, ${polls} of them polls`,
		);
		assert.ok(lists <= polls + looks * leaving.length, `${lists} lists, ${polls} polls`);
		assert.is((await space.pod(kept))?.metadata.deletionTimestamp, undefined);
		await space.endJob(kept);
	});

	test(`ARC's finalizer on a ${kind}'s pods: neither waits for the other, idle, ended, pending or recorded (I3)`, async ({
		rig,
		arcRuns,
	}) => {
		const { space, pods } = await arcSet(rig, 3);
		const left = await leaver(space, pods);
		const [idle = '', ended = '', recorded = ''] = pods;
		// Ours first: ARC's DELETE is then answered 404 until the container has stopped, which its finalizer waits for.
		await space.deleted(idle, '--wait=false');
		await left(idle);
		await space.runJob(ended);
		await space.endJob(ended);
		await space.deleted(ended, '--wait=false');
		await left(ended);
		await space.runJob(recorded, { known: true });
		says(await space.refused(recorded), running);
		assert.not.ok(progress.completedAt in (await space.annotations(recorded)));
		await space.endJob(recorded);
		await left(recorded);
		for (const name of pods)
			assert.ok(arcRuns.released.includes(name), `${name} was held by ARC's finalizer`);
		assert.not.ok(ourRemovals(space).includes(422));
	});
}

test('pods that ARC makes and the guard marks keep every label by which ARC finds them (I1)', async ({
	rig,
}) => {
	const space = await Space.make(rig);
	const metadata = { name: 'example', namespace: space.name };
	await rig.apply({
		apiVersion: api.slice(6),
		kind: 'RunnerSet',
		metadata,
		spec: kinds.RunnerSet.spec(space.name),
	});
	const { metadata: made } = await rig.kube.get<KubeItem>(
		`${api}/namespaces/${space.name}/runnersets/example`,
	);
	const [pod = ''] = await statefulSetsOfArc(
		rig,
		{ namespace: space.name, name: 'example', uid: made.uid },
		1,
	);
	await space.registered([pod]);
	await space.listed([pod]);
	const before = (await space.pod(pod))?.metadata.labels ?? {};
	await space.runJob(pod, { known: true });
	const after = (await space.pod(pod))?.metadata.labels ?? {};
	for (const [key, value] of Object.entries(before)) assert.is(after[key], value, key);
	assert.is(after[arc.runnerSet], 'example');
	await space.endJob(pod);
	await eventually('its container has stopped', () => space.journal(pod).includes('container-stopped'));
});

test.run();
