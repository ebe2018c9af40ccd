/**
 * Others at work on a RunnerSet's StatefulSets while it makes and removes them: a StatefulSet controller that stands still,
 * is slow or starts anew, our own crash, somebody who deletes pods, the set or the namespace, quotas and policies. Whatever
 * happens there are never more pods than wanted, no name is used twice, no job is killed, and nothing is left over.
 */
import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import { failures } from '../../rig/history.ts';
import type { SetUnderTest } from '../../rig/runner-sets.ts';
import { KubeError, type KubeItem } from '../../sim/kube.ts';
import { raceSuite } from '../support/race-suite.ts';
import {
	bothCome,
	claim,
	counted,
	crash,
	failedCreate,
	isRefused,
	restartedController,
	scaleAll,
	slowController,
	withClaims,
	withoutController,
} from '../support/set-races.ts';
import { comesTo, runners, usedTwice, waiting } from '../support/set-remains.ts';

const { test, together, sets } = raceSuite('races on the StatefulSets of RunnerSets');
let crashes = 0;

const holdStart = 'test.runners/hold-start';
const annotations = (annotations: object) => ({ metadata: { annotations } });

together({
	'somebody deletes pods at the moment they are there: others come, under no name that has registered':
		async ({ rig, make, added }) => {
			const held = await make(0, { podAnnotations: { [holdStart]: 'ImagePullBackOff' } });
			const asked = new Map<string, Promise<unknown>>();
			const path = (name: string) => `/api/v1/namespaces/${held.namespace}/pods/${name}`;
			await added(held, 'pods', ({ metadata: { name, uid } }) => {
				// On a node already: refused, recorded, and carried out a moment later.
				const refused = (error: unknown) => assert.match(String(error), 'is starting');
				if (asked.size < 6) asked.set(uid, rig.kube.delete(path(name)).catch(refused));
			});
			await held.scale(12);
			await eventually('six were deleted', () => asked.size === 6);
			await Promise.all(asked.values());
			await eventually('these are gone', async () =>
				(await rig.pods(held.namespace)).every(({ metadata: { uid = '' } }) => !asked.has(uid)),
			);
			await comesTo(held, { ...runners(12), registrations: 0 });
			// As the API server has them: the watch may not have shown yet one that came again under its name.
			for (const { metadata } of await rig.pods(held.namespace))
				await rig.kube.patch(path(metadata.name), annotations({ [holdStart]: null }));
			await comesTo(held, runners(12));
			assert.ok(held.most <= 12, `${held.most} at a time`);
			assert.equal(usedTwice(held), []);
		},

	'the namespace is deleted while the set grows: all of it goes': async ({ rig, make, added }) => {
		const set = await make(0);
		const begun = Promise.withResolvers<void>();
		await added(set, 'pods', () => begun.resolve());
		await set.scale(20);
		await begun.promise;
		const path = `/api/v1/namespaces/${set.namespace}`;
		await rig.kube.delete(path);
		await eventually(
			'the namespace is gone',
			() =>
				rig.kube.get(path).then(
					() => false,
					(error: unknown) => error instanceof KubeError && error.status === 404,
				),
			{ withinMs: 90_000 },
		);
		assert.equal(rig.github.runners(set.scope), []);
		assert.ok(set.most <= 20, `${set.most} at a time`);
		assert.equal(set.reused(), []);
	},

	'a quota has room for three pods: the set says so, and all come when it has more': async ({
		rig,
		make,
	}) => {
		const set = await make(0);
		const quotas = `/api/v1/namespaces/${set.namespace}/resourcequotas`;
		const quota = await rig.kube.create<KubeItem>(quotas, {
			apiVersion: 'v1',
			kind: 'ResourceQuota',
			metadata: { name: 'few' },
			spec: { hard: { pods: '3' } },
		});
		const path = `${quotas}/${quota.metadata.name}`;
		await eventually('the quota holds', async () => {
			const { status } = await rig.kube.get<{ status?: { hard?: object } }>(path);
			return status?.hard;
		});
		await set.scale(12);
		await failedCreate(set, /exceeded quota: few/);
		await set.online(3);
		await rig.kube.patch(path, { spec: { hard: { pods: '20' } } });
		await comesTo(set, runners(12));
		assert.equal([set.most, set.uids.size], [12, 12]);
	},

	'a policy refuses claims: the set says so, and all runners come when it is lifted': async ({
		rig,
		make,
	}) => {
		const set = await make(0, withClaims);
		const name = `no-claims-in-${set.namespace}`;
		const group = { apiVersion: 'admissionregistration.k8s.io/v1', metadata: { name } };
		const resourceRules = [
			{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['persistentvolumeclaims'] },
		];
		const matchResources = {
			namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': set.namespace } },
		};
		await rig.apply(
			{
				...group,
				kind: 'ValidatingAdmissionPolicy',
				spec: {
					failurePolicy: 'Fail',
					matchConstraints: { resourceRules },
					validations: [{ expression: 'false', message: 'no volumes here' }],
				},
			},
			{
				...group,
				kind: 'ValidatingAdmissionPolicyBinding',
				spec: { policyName: name, validationActions: ['Deny'], matchResources },
			},
		);
		const claims = `/api/v1/namespaces/${set.namespace}/persistentvolumeclaims?dryRun=All`;
		await eventually('the policy is in force', () =>
			rig.kube.create(claims, { apiVersion: 'v1', kind: 'PersistentVolumeClaim', ...claim }).then(
				() => false,
				(error: unknown) => /no volumes here/.test(String(error)),
			),
		);
		await set.scale(8);
		await failedCreate(set, /no volumes here/);
		await rig.kube.delete(`/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/${name}`);
		await comesTo(set, waiting(8));
		assert.equal([set.most, set.uids.size], [8, 8]);
		await set.scale(0);
		await comesTo(set, {});
	},

	'50 runners complete at once: all are replaced, no name comes again': async ({ make }) => {
		const set = await make(50);
		const first = set.live();
		await set.work(...first);
		await set.finish(...first);
		await comesTo(set, runners(50));
		await set.online(50);
		assert.equal(
			set.live().filter((name) => first.includes(name)),
			[],
		);
		assert.equal([set.most, set.uids.size, set.journal('job-ended').length], [50, 100, 50]);
	},
});

for (const propagationPolicy of ['Background', 'Foreground'])
	together({
		[`the set is deleted while it grows (${propagationPolicy}): all of it goes`]: async ({
			rig,
			make,
			added,
		}) => {
			for (const options of [{}, withClaims]) {
				const set = await make(0, options);
				const begun = Promise.withResolvers<void>();
				await added(set, 'pods', () => begun.resolve());
				await set.scale(20);
				await begun.promise;
				await rig.kube.delete(set.path, { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy });
				await set.gone(90_000);
				await comesTo(set, {});
				assert.ok(set.most <= 20, `${set.most} at a time`);
				assert.equal(set.reused(), []);
			}
		},
	});

test('the server is killed between the creates, and on the way down: exactly 20 in the end, and then none', async ({
	rig,
	make,
	added,
}) => {
	const all = await Promise.all([make(0), make(0, withClaims)]);
	// GitHub's 204 may be lost with the server: then only the end of its container tells that the runner has gone.
	rig.agents.set(all[0].namespace, { hooks: 'off', exitWhenRemovedMs: 200 });
	const begun = Promise.withResolvers<void>();
	await Promise.all(all.map((set) => added(set, 'statefulsets', () => begun.resolve())));
	await scaleAll(all, 20);
	await begun.promise;
	await crash(rig);
	crashes += 1;
	await bothCome(all, 20);
	for (const set of all) assert.equal([set.most, set.uids.size], [20, 20]);
	await scaleAll(all, 0);
	await eventually('it has begun', () => all.some((one) => one.all().length < 20), { everyMs: 2 });
	await crash(rig);
	crashes += 1;
	await bothCome(all, 0);
	for (const set of all) assert.is(set.uids.size, 20);
});

test('the StatefulSet controller stands still: pods come and go without it, and then it changes nothing', async ({
	rig,
	make,
}) => {
	const [up, upClaims, down, downClaims, ended] = await Promise.all([
		make(0),
		make(0, withClaims),
		make(10),
		make(0, withClaims),
		make(10),
	]);
	await downClaims.scale(10);
	await comesTo(downClaims, waiting(10));
	const [before, first] = [await rig.pods(down.namespace), ended.live()];
	await ended.work(...first);
	await withoutController(rig, async () => {
		await Promise.all([
			scaleAll([up, upClaims], 10),
			scaleAll([down, downClaims], 0),
			ended.finish(...first),
		]);
		await Promise.all([up.online(10), upClaims.reaches(10), ended.online(10)]);
		await eventually('ten have gone', () => down.all().length + downClaims.all().length === 0);
		assert.equal(
			ended.live().filter((name) => first.includes(name)),
			[],
		);
		for (const pod of before) await isRefused(rig, pod);
	});
	await Promise.all([
		bothCome([up, upClaims], 10),
		bothCome([down, downClaims], 0),
		comesTo(ended, runners(10)),
	]);
	for (const set of [up, upClaims])
		await eventually('it has taken them over', async () => (await counted(set)) === 10);
	for (const [set, uids] of [
		[up, 10],
		[upClaims, 10],
		[down, 10],
		[downClaims, 10],
		[ended, 20],
	] as const)
		assert.equal([set.most, set.uids.size], [10, uids], set.namespace);
});

for (const [what, disturb] of [
	['is slow', slowController],
	['is killed, and another one starts', restartedController],
] as const)
	test(`the StatefulSet controller ${what} while the set grows and shrinks: no pod is made again`, async ({
		rig,
		make,
	}) => {
		const all = await Promise.all([make(0), make(0, withClaims)]);
		for (const wanted of [15, 0]) {
			await scaleAll(all, wanted);
			const begun = (set: SetUnderTest) => (wanted > 0 ? set.all().length > 0 : set.all().length < 15);
			await eventually('it has begun', () => all.some(begun), { everyMs: 2 });
			await disturb(rig, () => bothCome(all, wanted));
		}
		for (const set of all) assert.equal([set.most, set.uids.size], [15, 15]);
	});

test('meanwhile no invariant was violated, no name was used twice, and no error was logged', async ({
	rig,
	history,
}) => {
	assert.equal(await failures(rig, history, { crashes }), []);
	for (const set of sets) assert.equal(usedTwice(set), [], set.namespace);
});

test.run();
