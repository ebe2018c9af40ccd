/** A RunnerSet's pod is made with its StatefulSet: what is made, in which order, and what happens where that fails. */
import * as assert from 'uvu/assert';
import type { StatefulSet } from '../../../admission/api/sets.ts';
import { KubeError } from '../../../admission/kube/client.ts';
import { claimsOf, podOf } from '../../../admission/sets/stateful-set/objects.ts';
import { revisionOf } from '../../../admission/sets/stateful-set/revision.ts';
import { suite } from '../../support/suite.ts';
import { SetsWorld } from '../support/sets-world.ts';
import { paths } from '../support/world.ts';

const test = suite('pods with their StatefulSets');

const claim = (name: string) => ({
	metadata: { name, labels: { of: name } },
	spec: { storageClassName: 'fast' },
});
const made = (spec: object = {}): StatefulSet =>
	({
		metadata: { name: 'example-x7k2p', namespace: 'ci', uid: 'uid-1', annotations: { a: '1' } },
		spec: {
			replicas: 1,
			serviceName: '',
			selector: { matchLabels: { app: 'example' } },
			template: {
				metadata: { labels: { app: 'example' } },
				spec: {
					containers: [{ name: 'runner' }],
					volumes: [
						{ name: 'work', emptyDir: {} },
						{ name: 'other', emptyDir: {} },
					],
				},
			},
			...spec,
		},
	}) as unknown as StatefulSet;
const controller = {
	apiVersion: 'apps/v1',
	kind: 'StatefulSet',
	name: 'example-x7k2p',
	uid: 'uid-1',
	controller: true,
	blockOwnerDeletion: true,
};

test('the pod has the labels, the owner and the volumes that the controller looks for', () => {
	const pod = podOf(
		made({ volumeClaimTemplates: [claim('work')], serviceName: 'runners' }),
		'example-x7k2p-abc',
	);
	assert.equal(pod, {
		apiVersion: 'v1',
		kind: 'Pod',
		metadata: {
			name: 'example-x7k2p-0',
			namespace: 'ci',
			labels: {
				app: 'example',
				'statefulset.kubernetes.io/pod-name': 'example-x7k2p-0',
				'apps.kubernetes.io/pod-index': '0',
				'controller-revision-hash': 'example-x7k2p-abc',
			},
			ownerReferences: [controller],
		},
		spec: {
			containers: [{ name: 'runner' }],
			hostname: 'example-x7k2p-0',
			subdomain: 'runners',
			volumes: [
				{ name: 'work', persistentVolumeClaim: { claimName: 'work-example-x7k2p-0' } },
				{ name: 'other', emptyDir: {} },
			],
		},
	});
});

for (const [whenDeleted, owners] of [
	['Delete', [controller]],
	['Retain', undefined],
] as const)
	test(`a claim that is to ${whenDeleted} with it has ${owners ? 'it as its controller' : 'no owner'}`, () => {
		const [one, ...more] = claimsOf(
			made({
				volumeClaimTemplates: [claim('work')],
				persistentVolumeClaimRetentionPolicy: { whenDeleted },
			}),
		);
		assert.equal(more, []);
		assert.equal(one?.metadata, {
			name: 'work-example-x7k2p-0',
			namespace: 'ci',
			labels: { of: 'work', app: 'example' },
			...(owners ? { ownerReferences: [...owners] } : {}),
		});
		assert.equal(one?.spec, { storageClassName: 'fast' });
	});

test('a revision has the name, the hash and the bytes of the controller (vectors of Kubernetes 1.36)', () => {
	const defaults = {
		restartPolicy: 'Always',
		terminationGracePeriodSeconds: 30,
		dnsPolicy: 'ClusterFirst',
		securityContext: {},
		schedulerName: 'default-scheduler',
	};
	const image = {
		name: 'main',
		image: 'bare',
		resources: {},
		terminationMessagePath: '/dev/termination-log',
		terminationMessagePolicy: 'File',
		imagePullPolicy: 'Always',
	};
	const labels = (app: string) => ({ labels: { app, more: 'yes' } });
	const vectors: [object, string][] = [
		[{ metadata: labels('plain'), spec: { containers: [image], ...defaults } }, '77f9f8475d'],
		[
			{
				metadata: labels('claims'),
				spec: {
					volumes: [
						{ name: 'other', emptyDir: {} },
						{ name: 'work', emptyDir: {} },
					],
					containers: [{ ...image, volumeMounts: [{ name: 'work', mountPath: '/work' }] }],
					...defaults,
				},
			},
			'6689fbc9dc',
		],
	];
	for (const [template, hash] of vectors)
		assert.is(revisionOf(made({ template })).name, `example-x7k2p-${hash}`);
});

test('the bytes of a revision are those of Go: keys in the order of their bytes, what HTML knows escaped', () => {
	const annotations = { b: '<&>\u2028\u2029', '10': 'ten', '9': 'nine', é: 'é', none: undefined };
	const { json } = revisionOf(made({ template: { metadata: { annotations } } }));
	assert.ok(
		json.endsWith(
			',"revision":1,"data":{"spec":{"template":{"$patch":"replace","metadata":{"annotations":{"10":"ten","9":"nine","b":"\\u003c\\u0026\\u003e\\u2028\\u2029","é":"é"}}}}}}',
		),
		json,
	);
	assert.equal(JSON.parse(json).metadata.annotations, { a: '1' });
});

const revisions = '/apis/apps/v1/controllerrevisions';
const claims = '/api/v1/persistentvolumeclaims';
const started = async (
	replicas: number,
	spec: object = {},
	before: (world: SetsWorld) => void = () => {},
) => {
	const world = new SetsWorld('RunnerSet');
	before(world);
	world.put(replicas, { spec });
	await world.start();
	return world;
};
const count = (world: SetsWorld, collection: string) => [...world.api.each(collection)].length;
const posts = (world: SetsWorld) =>
	world.api.calls
		.filter(({ method }) => method === 'POST')
		.map(({ collection }) => collection.slice(collection.lastIndexOf('/') + 1))
		.filter((resource) => resource !== 'events');

test('200 runners: all StatefulSets and pods first, then their revisions; each once', async () => {
	const world = await started(200);
	await world.settled(200);
	await world.clock.until('the books are kept', () => count(world, revisions) === 200, 10_000);
	const order = posts(world);
	assert.ok(order.lastIndexOf('pods') < order.indexOf('controllerrevisions'), 'a revision came before a pod');
	assert.equal(
		['statefulsets', 'pods', 'controllerrevisions'].map(
			(one) => order.filter((resource) => resource === one).length,
		),
		[200, 200, 200],
	);
	await world.end();
});

test('claims are there before the pod; they and the revision go with the runner where the set says so', async () => {
	for (const [whenDeleted, left] of [
		['Delete', 0],
		['Retain', 2],
	] as const) {
		const world = await started(2, {
			volumeClaimTemplates: [claim('work')],
			persistentVolumeClaimRetentionPolicy: { whenDeleted },
		});
		await world.settled(2);
		assert.is(count(world, claims), 2);
		const order = posts(world);
		assert.ok(order.indexOf('persistentvolumeclaims') < order.indexOf('pods'));
		const last = (method: string, resource: string) =>
			world.api.calls.findLastIndex(
				(call) => call.method === method && call.collection.endsWith(`/${resource}`),
			);
		world.scale(0);
		await world.clock.until('all is gone', () => count(world, revisions) + world.live().length === 0, 10_000);
		await world.clock.pass(1_000);
		assert.is(count(world, claims), left, whenDeleted);
		assert.ok(last('DELETE', 'statefulsets') < last('DELETE', 'controllerrevisions'));
		await world.end();
	}
});

test('a claim whose owner reference somebody has taken away, to keep its volume, stays', async () => {
	const world = await started(1, {
		volumeClaimTemplates: [claim('work')],
		persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete' },
	});
	await world.settled(1);
	const [kept] = [...world.api.each(claims)];
	world.api.update(claims, kept?.metadata.name ?? '', 'ci', ({ metadata }) => {
		metadata.ownerReferences = [];
	});
	world.scale(0);
	await world.clock.until('all is gone', () => count(world, revisions) + world.live().length === 0, 10_000);
	await world.clock.pass(1_000);
	assert.is(count(world, claims), 1);
	await world.end();
});

test('... also where it is taken away while the claim is being deleted', async () => {
	const world = await started(1, {
		volumeClaimTemplates: [claim('work')],
		persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete' },
	});
	await world.settled(1);
	const request = world.api.request.bind(world.api);
	world.api.request = (method, path, options) => {
		if (method === 'DELETE' && path.includes('/persistentvolumeclaims/'))
			world.api.update(claims, path.split('/').at(-1) ?? '', 'ci', ({ metadata }) => {
				metadata.ownerReferences = [];
			});
		return request(method, path, options);
	};
	world.scale(0);
	await world.clock.until('all is gone', () => count(world, revisions) + world.live().length === 0, 10_000);
	await world.clock.pass(1_000);
	assert.is(world.api.callsTo('DELETE', /persistentvolumeclaims/).length, 1);
	assert.is(count(world, claims), 1);
	await world.end();
});

for (const [whenDeleted, writes, left] of [
	['Delete', 'nobody writes', 0],
	['Delete', 'somebody writes on it at the same moment', 0],
	['Retain', 'nobody writes', 2],
] as const)
	test(`the controller was quicker with a claim, and has not said yet that it is to ${whenDeleted}; ${writes}: ${left} are left`, async () => {
		const world = await started(
			2,
			{
				volumeClaimTemplates: [claim('work')],
				persistentVolumeClaimRetentionPolicy: { whenDeleted },
			},
			({ api }) => {
				api.admission.push(({ operation, resource, object: { metadata } }) => {
					if (operation === 'CREATE' && resource === 'statefulsets')
						api.put(claims, { metadata: { name: `work-${metadata.name}-0`, namespace: 'ci' } });
					return undefined;
				});
				const conflict = new KubeError(409, 'Conflict', 'the object has been modified');
				if (writes !== 'nobody writes') api.fail('PATCH', /persistentvolumeclaims/, conflict, 2);
			},
		);
		await world.settled(2);
		assert.is(count(world, claims), 2);
		world.scale(0);
		await world.clock.until('all is gone', () => count(world, revisions) + world.live().length === 0, 10_000);
		await world.clock.pass(1_000);
		assert.is(count(world, claims), left);
		await world.end();
	});

const foreign = (name: string, of: string | undefined) => ({
	metadata: {
		name,
		namespace: 'ci',
		uid: `uid-of-${name}`,
		ownerReferences: of
			? [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: name.slice(0, -2), uid: of, controller: true }]
			: [],
	},
	spec: { containers: [] },
});

test('the pod of a StatefulSet of the same name that is gone has the name: another one comes, it is left alone', async () => {
	let taken = '';
	const world = await started(3, {}, ({ api }) =>
		api.admission.push(({ operation, resource, object }) => {
			if (taken || operation !== 'CREATE' || resource !== 'statefulsets') return undefined;
			taken = `${object.metadata.name}-0`;
			api.put(paths.pods, foreign(taken, 'uid-of-the-one-before'));
			return undefined;
		}),
	);
	await world.clock.until(
		'three of its own',
		() => world.owners().length === 3 && world.live().length === 4,
		30_000,
	);
	assert.not(world.owners().includes(taken.slice(0, -2)));
	assert.is(world.pod(taken)?.metadata.uid, `uid-of-${taken}`);
	assert.is(world.mostPods, 4);
	await world.end();
});

test('whose pod has the name cannot be read: it counts as a runner, and no other one is made in its place', async () => {
	let shown = () => {};
	const world = await started(2, {}, ({ api }) => {
		api.fail('POST', /\/pods$/, new KubeError(409, 'AlreadyExists', 'pods "example-0" already exists'));
		api.fail('GET', /\/pods\/example-/, new KubeError(500, 'InternalError', 'etcd'), 2);
		const held = [api.holdWatches(paths.statefulSets), api.holdWatches(paths.pods)];
		shown = () => {
			for (const show of held) show();
		};
	});
	await world.clock.pass(20_000);
	assert.is(world.owners().length, 2);
	shown();
	await world.settled(2);
	assert.equal([world.owners().length, world.mostPods], [2, 2]);
	await world.end();
});

test('a pod of somebody else has the name: the StatefulSet goes again, and another one comes', async () => {
	let foreign = '';
	const world = await started(3, {}, ({ api }) =>
		api.admission.push(({ operation, resource, object }) => {
			if (foreign || operation !== 'CREATE' || resource !== 'statefulsets') return undefined;
			foreign = `${object.metadata.name}-0`;
			api.put(paths.pods, {
				metadata: { name: foreign, namespace: 'ci', uid: 'uid-foreign' },
				spec: { containers: [] },
			});
			return undefined;
		}),
	);
	await world.clock.until(
		'three of its own',
		() => world.owners().length === 3 && world.live().length === 4,
		30_000,
	);
	assert.not(world.owners().includes(foreign.slice(0, -2)));
	assert.is(world.pod(foreign)?.metadata.uid, 'uid-foreign', 'it is left alone');
	assert.is(world.mostPods, 4);
	await world.end();
});

test('the controller was quicker: its pod is taken', async () => {
	const world = await started(2, {}, ({ api }) => api.fail('POST', /\/pods$/, { delayMs: 200 }));
	await world.settled(2);
	assert.equal([world.owners().length, world.mostPods], [2, 2]);
	await world.end();
});

for (const [what, resource, code, reason] of [
	['a quota', 'pods', 403, 'Forbidden'],
	['a webhook that is away', 'pods', 500, 'InternalError'],
	['a policy for claims', 'persistentvolumeclaims', 403, 'Forbidden'],
	['an API server that does not answer', 'pods', 0, 'NoAnswer'],
] as const)
	test(`${what} refuses: it is left to the controller, which tries again, and said on the set`, async () => {
		const refusal = new KubeError(code, reason, 'exceeded quota: runners');
		const world = await started(2, { volumeClaimTemplates: [claim('work')] }, ({ api }) =>
			api.fail('POST', new RegExp(`/${resource}$`), refusal),
		);
		await world.settled(2);
		assert.equal([world.owners().length, world.mostPods], [2, 2]);
		const events = world.eventsOn('example').filter((one) => one === 'Warning FailedCreate').length;
		assert.is(events, code === 0 ? 0 : 1);
		await world.end();
	});

test('no revision can be made: that never matters', async () => {
	const world = await started(3, {}, ({ api }) =>
		api.fail('POST', /controllerrevisions$/, new KubeError(403, 'Forbidden', 'no')),
	);
	await world.settled(3);
	assert.equal([count(world, revisions), world.eventsOn('example')], [0, []]);
	await world.end();
});

test.run();
