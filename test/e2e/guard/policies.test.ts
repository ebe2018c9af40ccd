/** What the API server does by itself, with every replica down: the policies of manifests/. */
import * as assert from 'uvu/assert';
import { names } from '../../../admission/api/keys.ts';
import { type ApiCall, apiCalls } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { stage } from '../../rig/stage.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { suite } from '../../support/suite.ts';
import { everyReplicaDies } from '../support/every-replica-dies.ts';
import { end, Space } from '../support/space.ts';

interface Context {
	rig: Rig;
	/** With a busy runner, and its budgets. */
	space: Space;
	call: ApiCall;
	stopCalls: () => void;
}

const test = suite<Context>('policies, with every replica down');

const budgets = (namespace: string) => `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`;
const merge = 'application/merge-patch+json';

test.before(async (context) => {
	const rig = await stage('replicas');
	context.rig = rig;
	const { call, stop } = apiCalls(readKubeconfig(rig.cluster.kubeconfig));
	Object.assign(context, { call, stopCalls: stop });
	const space = await Space.make(rig);
	context.space = space;
	for (const [user, role] of [
		['editor', 'edit'],
		['owner', 'admin'],
	] as const)
		await space.bind(user, role);
	await space.runners(['busy']);
	await space.runJob('busy', { known: true });
	await everyReplicaDies(rig, space.name, 1);
});
test.after(async ({ rig, space, stopCalls }) => {
	stopCalls?.();
	await space?.clear();
	await end(rig);
});

const users = { editor: [], owner: [], somebody: ['system:masters'] } as const;

test('nobody deletes or changes the back-stop budgets, and the refusal says what to do instead', async ({
	space,
	call,
}) => {
	const path = budgets(space.name);
	const before = await call('GET', path);
	for (const name of Object.values(names.backstops)) {
		const one = `${path}/${name}`;
		for (const [as, groups] of Object.entries(users)) {
			const change = (metadata: object, spec?: object) =>
				call('PATCH', one, { as, groups: [...groups], type: merge, body: { metadata, spec } });
			const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'gone', uid: 'of-nothing' };
			const refusals = {
				delete: await call('DELETE', one, { as, groups: [...groups] }),
				'dry run': await call('DELETE', `${one}?dryRun=All`, { as, groups: [...groups] }),
				all: await call('DELETE', path, { as, groups: [...groups] }),
				minAvailable: await change({}, { minAvailable: 0 }),
				selector: await change({}, { selector: { matchLabels: { app: 'none' } } }),
				owner: await change({ ownerReferences: [owner] }),
				label: await change({ labels: { 'app.kubernetes.io/managed-by': 'me' } }),
			};
			for (const [what, { status, message }] of Object.entries(refusals)) {
				assert.is(status, 403, `${as}: ${what}: ${message}`);
				assert.match(message, 'kubectl runners uninstall', what);
			}
		}
		const allowed = {
			status: { disruptionsAllowed: 9, currentHealthy: 9, desiredHealthy: 0, expectedPods: 9 },
		};
		const forged = await call('PATCH', `${one}/status`, { as: 'somebody', type: merge, body: allowed });
		assert.is(forged.status, 403, forged.message);
	}
	const versions = (body: Record<string, unknown>) =>
		(body.items as { metadata: { resourceVersion: string } }[]).map(
			({ metadata }) => metadata.resourceVersion,
		);
	assert.equal(versions((await call('GET', path)).body), versions(before.body));
});

test('what changes nothing of them is allowed: a migration of stored versions, an annotation', async ({
	space,
	call,
}) => {
	const path = `${budgets(space.name)}/${names.backstops.true}`;
	const { body } = await call('GET', path);
	const replaced = await call('PUT', path, { body, as: 'editor', groups: [] });
	assert.is(replaced.status, 200, replaced.message);
	const annotated = await call('PATCH', path, {
		body: { metadata: { annotations: { note: 'mine' } } },
		type: merge,
		as: 'editor',
		groups: [],
	});
	assert.is(annotated.status, 200, annotated.message);
});

test('nobody else creates one, so that none is there already when the first runner comes', async ({
	rig,
	call,
}) => {
	const other = await Space.make(rig);
	await other.bind('editor', 'edit');
	const budget = (name: string) => ({
		apiVersion: 'policy/v1',
		kind: 'PodDisruptionBudget',
		metadata: { name },
		spec: { minAvailable: 0, selector: { matchLabels: { app: 'web' } } },
	});
	const create = (name: string) =>
		call('POST', budgets(other.name), { body: budget(name), as: 'editor', groups: [] });
	for (const name of Object.values(names.backstops)) assert.is((await create(name)).status, 403);
	assert.is((await create('web')).status, 201, "budgets of others are nobody's business");
	assert.is((await call('DELETE', `${budgets(other.name)}/web`, { as: 'editor', groups: [] })).status, 200);
});

test('the budgets go with their namespace', async ({ rig, space, call }) => {
	const leaving = await Space.make(rig);
	const { body } = await call('GET', budgets(space.name));
	const server = 'system:serviceaccount:runners-system:runners-admission';
	for (const { metadata, spec } of body.items as { metadata: { name: string }; spec: object }[]) {
		const copy = {
			apiVersion: 'policy/v1',
			kind: 'PodDisruptionBudget',
			metadata: { name: metadata.name },
			spec,
		};
		const made = await call('POST', budgets(leaving.name), { body: copy, as: server, groups: [] });
		assert.is(made.status, 201, made.message);
	}
	await rig.ok(['delete', 'namespace', leaving.name, '--timeout=60s']);
	await eventually('the namespace is gone', async () => {
		const { status } = await call('GET', `/api/v1/namespaces/${leaving.name}`);
		return status === 404;
	});
});

test.run();
