/** What the API server does by itself, with every replica down: the policies of manifests/. */
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { busy, names } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { type ApiCall, apiCalls, evict } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { plainPod } from '../../rig/spaces.ts';
import { stage } from '../../rig/stage.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { runnerSetPod } from '../../sim/pods.ts';
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

const test = suite<Context>('policies');

const budgets = (namespace: string) => `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`;
const pods = ({ name }: Space) => `/api/v1/namespaces/${name}/pods`;
const policyFile = join(import.meta.dirname, '../../../manifests/components/creation-policy/policy.yaml');
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
});
test.after(async ({ rig, space, stopCalls }) => {
	stopCalls?.();
	if (rig) await rig.ok(['delete', '--ignore-not-found', '-f', policyFile]);
	await space?.clear();
	await end(rig);
});

test('a new runner pod is unknown from its creation on, by the webhook; another pod is not', async ({
	space,
	call,
}) => {
	const create = async (pod: object) => {
		const { status, message, body } = await call('POST', `${pods(space)}?dryRun=All`, { body: pod });
		assert.is(status, 201, message);
		return (body as unknown as Pod).metadata.labels?.[busy.label];
	};
	assert.is(await create(runnerSetPod(space.options('new'))), 'unknown');
	assert.is(await create(runnerSetPod(space.options('new', { labels: { [busy.label]: 'true' } }))), 'true');
	assert.is(await create(plainPod('web', space.name)), undefined);
});

test('from here on every replica is down', ({ rig, space }) => everyReplicaDies(rig, space.name, 1));

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

test('a runner pod made with every replica down: where the API server marks it, its eviction is refused', async ({
	rig,
	space,
	call,
}) => {
	const { body } = await call('GET', '/apis/admissionregistration.k8s.io/v1');
	const served = (body.resources as { name: string }[]).some(
		({ name }) => name === 'mutatingadmissionpolicies',
	);
	assert.ok(served, 'this API server serves the policy, so install applies it');
	const unmarked = 'made-before';
	await rig.apply(runnerSetPod(space.options(unmarked)));
	await rig.ok(['apply', '--server-side', '--validate=strict', '-f', policyFile]);
	await eventually('the API server marks pods', async () => {
		const made = await call('POST', `${pods(space)}?dryRun=All`, {
			body: runnerSetPod(space.options('try')),
		});
		return (made.body as unknown as Pod).metadata.labels?.[busy.label] === 'unknown';
	});
	await rig.apply(runnerSetPod(space.options('loose')), plainPod('web', space.name));
	await space.rig.scaleSetRunners([{ name: 'of-scale-set', namespace: space.name }]);
	for (const name of ['loose', 'of-scale-set', 'web', unmarked])
		await eventually(`${name} runs`, async () => (await space.pod(name))?.status?.phase === 'Running');
	assert.is((await space.pod('web'))?.metadata.labels?.[busy.label], undefined);
	for (const name of ['loose', 'of-scale-set']) {
		const refused = await evict(call, space.name, name);
		assert.is(refused.status, 429, `${name}: ${refused.message}`);
		assert.match(refused.message, "would violate the pod's disruption budget");
	}
	for (const name of ['web', unmarked]) {
		const evicted = await evict(call, space.name, name);
		assert.is(evicted.status, 201, `${name}: ${evicted.message}`);
	}
});

test.run();
