/**
 * The guard's own pods, from its own Deployment. Nothing serves in them here, as in a cluster where every replica is
 * down: what guards runners must never hold up itself.
 */
import * as assert from 'uvu/assert';
import type { Pod } from '../../../admission/api/kinds.ts';
import { overlayFolder } from '../../../scripts/manifests/overlays.ts';
import { type ApiCall, apiCalls, evict, remove } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { plainPod } from '../../rig/spaces.ts';
import { stage } from '../../rig/stage.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { suite } from '../../support/suite.ts';
import { end } from '../support/space.ts';

interface Context {
	rig: Rig;
	call: ApiCall;
	stopCalls: () => void;
}

const namespace = 'runners-system';
const nodes = ['node-1', 'node-2', 'node-3'];
const overlay = overlayFolder('guard-only');

const test = suite<Context>("the guard's own pods");

test.before(async (context) => {
	context.rig = await stage('bare');
	const { rig } = context;
	const { call, stop } = apiCalls(readKubeconfig(rig.cluster.kubeconfig));
	Object.assign(context, { call, stopCalls: stop });
	await rig.cluster.addNode('node-3');
	await rig.ok(['apply', '--server-side', '-k', overlay]);
});
test.after(async ({ rig, stopCalls }) => {
	stopCalls?.();
	await rig?.ok(['delete', '-k', overlay, '--ignore-not-found']);
	await rig?.kube.delete('/api/v1/nodes/node-3');
	await end(rig);
});

/** Those that are ready and stay. */
async function ready({ rig }: Context): Promise<Pod[]> {
	const items = await rig.pods(namespace);
	const isReady = ({ status }: Pod) =>
		status?.conditions?.some(({ type, status: yes }) => type === 'Ready' && yes === 'True');
	return items.filter((pod) => isReady(pod) && !pod.metadata.deletionTimestamp);
}

/** Two replicas are ready, and the budget knows. */
function settled(context: Context): Promise<Pod[]> {
	return eventually(
		'two replicas are ready, one may go',
		async () => {
			const pods = await ready(context);
			const { status } = await budget(context);
			const asWanted = pods.length === 2 && status?.currentHealthy === 2 && status.disruptionsAllowed === 1;
			return asWanted ? pods : undefined;
		},
		{ withinMs: 60_000 },
	);
}

function budget({ rig }: Context) {
	return rig.kube.get<{ status?: { currentHealthy?: number; disruptionsAllowed?: number } }>(
		`/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets/runners-admission`,
	);
}

const nodeOf = (pod: Pod | undefined) => pod?.spec?.nodeName ?? '';

test('they run under the restricted level, on two nodes, with a priority that is limited elsewhere', async (context) => {
	const { call } = context;
	const pods = await settled(context);
	assert.is(new Set(pods.map(nodeOf)).size, 2);

	const create = (where: string, pod: object) =>
		call('POST', `/api/v1/namespaces/${where}/pods`, { body: pod });
	const critical = { priorityClassName: 'system-cluster-critical' };
	const limited = await create('default', plainPod('critical', 'default', critical));
	assert.match(limited.message, 'insufficient quota to match these scopes'); // with 500, not 403
	const loose = await create(namespace, plainPod('loose', namespace));
	assert.is(loose.status, 403);
	assert.match(loose.message, 'violates PodSecurity "restricted:latest"');
});

test('nobody answers: a runner cannot be deleted, as the other tests need it', async ({ rig, call }) => {
	const where = 'beside-own-pods';
	await rig.cluster.createNamespace(where);
	await rig.apply(runnerSetPod({ name: 'runner-0', namespace: where, nodeName: 'node-1' }));
	await eventually('it runs', async () => (await rig.pod('runner-0', where))?.status?.phase === 'Running');
	const refused = await remove(call, where, 'runner-0');
	assert.is(refused.status, 500);
	assert.match(refused.message, 'failed calling webhook "pods.runners-admission.svc"');
});

test('two evictions: one is admitted, the other is not before another replica is ready (H3)', async (context) => {
	const { rig, call } = context;
	const [first = '', second = ''] = (await settled(context)).map(({ metadata }) => metadata.name);
	await rig.ok(['cordon', ...nodes]); // nowhere to go for the one that would take its place
	assert.is((await evict(call, namespace, first)).status, 201);
	await eventually('the first has gone', async () => !(await rig.pod(first, namespace)));
	const refused = await evict(call, namespace, second);
	assert.is(refused.status, 429);
	assert.match(refused.message, "would violate the pod's disruption budget");
	await rig.ok(['uncordon', ...nodes]);
	await settled(context);
	const evicted = await evict(call, namespace, second);
	assert.is(evicted.status, 201, evicted.message);
});

test('kubectl drain of one node after the other that has a replica comes to its end, one replica is always there (H3)', async (context) => {
	const { rig } = context;
	let fewest = 2;
	const watching = setInterval(async () => {
		fewest = Math.min(fewest, (await ready(context)).length);
	}, 100);
	try {
		for (let round = 0; round < 2; round++) {
			const node = nodeOf((await settled(context))[0]);
			await rig.ok([
				...['drain', node, '--ignore-daemonsets', '--timeout=90s'],
				'--pod-selector=app.kubernetes.io/name=runners-admission',
			]);
			assert.not.ok((await settled(context)).map(nodeOf).includes(node));
		}
	} finally {
		clearInterval(watching);
		await rig.ok(['uncordon', ...nodes]);
	}
	assert.ok(fewest >= 1, `${fewest} replicas ready`); // the next may be ready before anybody has looked
});

test('a single replica: its node can be drained', async (context) => {
	const scale = (replicas: number) =>
		context.rig.kube.patch(`/apis/apps/v1/namespaces/${namespace}/deployments/runners-admission/scale`, {
			spec: { replicas },
		});
	await scale(1);
	const [only] = await eventually('one is left', async () => {
		const pods = await ready(context);
		const allowed = (await budget(context)).status?.disruptionsAllowed;
		return pods.length === 1 && allowed === 1 ? pods : undefined;
	});
	const evicted = await evict(context.call, namespace, only?.metadata.name ?? '');
	assert.is(evicted.status, 201, evicted.message);
	await scale(2);
	await settled(context);
});

test('replicas that are not ready hold up no drain', async (context) => {
	const { rig, call } = context;
	const pods = await settled(context);
	for (const { metadata } of pods) {
		await rig.kube.patch(`/api/v1/namespaces/${namespace}/pods/${metadata.name}/status`, {
			status: { conditions: [{ type: 'Ready', status: 'False' }] },
		});
	}
	await eventually('the budget knows', async () => (await budget(context)).status?.currentHealthy === 0);
	for (const { metadata } of pods) {
		const evicted = await evict(call, namespace, metadata.name);
		assert.is(evicted.status, 201, evicted.message);
	}
	await settled(context);
});

test('their namespace can be deleted whole', async ({ rig }) => {
	await rig.ok(['delete', 'namespace', namespace, '--timeout=90s']);
});

test.run();
