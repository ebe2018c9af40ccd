/**
 * The guard's own pods, from its own Deployment. Nothing serves in them here, as in a cluster where every replica is
 * down: what guards runners must never hold up itself.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import type { Pod } from '../../../admission/api/kinds.ts';
import { type Cluster, startCluster } from '../../cluster/cluster.ts';
import { type ApiCall, apiCalls, evict, remove } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import { plainPod } from '../../rig/spaces.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { Kube } from '../../sim/kube.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { suite } from '../../support/suite.ts';

interface Context {
	cluster: Cluster;
	kube: Kube;
	call: ApiCall;
	stopCalls: () => void;
	scratch: string;
}

const namespace = 'runners-system';
const nodes = ['node-1', 'node-2', 'node-3'];

/** As GKE has it: pods of these priorities only where a quota admits them. */
const limitedPriorities = {
	apiVersion: 'apiserver.config.k8s.io/v1',
	kind: 'AdmissionConfiguration',
	plugins: [
		{
			name: 'ResourceQuota',
			configuration: {
				apiVersion: 'apiserver.config.k8s.io/v1',
				kind: 'ResourceQuotaConfiguration',
				limitedResources: [
					{
						resource: 'pods',
						matchScopes: [
							{
								scopeName: 'PriorityClass',
								operator: 'In',
								values: ['system-node-critical', 'system-cluster-critical'],
							},
						],
					},
				],
			},
		},
	],
};

const test = suite<Context>("the guard's own pods");

test.before(async (context) => {
	context.scratch = await mkdtemp(join(tmpdir(), 'own-pods-test-'));
	const config = join(context.scratch, 'admission.json');
	await writeFile(config, JSON.stringify(limitedPriorities));
	context.cluster = await startCluster({
		args: { 'kube-apiserver': [`--admission-control-config-file=${config}`] },
	});
	const { cluster } = context;
	const { call, stop } = apiCalls(readKubeconfig(cluster.kubeconfig));
	Object.assign(context, { call, stopCalls: stop });
	context.kube = new Kube(readKubeconfig(cluster.kubeconfig));
	await Promise.all(nodes.map((node) => cluster.addNode(node)));
	const overlay = join(import.meta.dirname, '../../../manifests/overlays/guard-only');
	const applied = await cluster.kubectl(['apply', '--server-side', '-k', overlay]);
	assert.is(applied.code, 0, applied.stderr);
});
test.after(async ({ cluster, kube, stopCalls, scratch }) => {
	kube?.stop();
	stopCalls?.();
	await cluster?.stop();
	await rm(scratch, { recursive: true, force: true });
});

/** Those that are ready and stay. */
async function ready({ kube }: Context): Promise<Pod[]> {
	const { items } = await kube.get<{ items: Pod[] }>(`/api/v1/namespaces/${namespace}/pods`);
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
		{ withinMs: 30_000 },
	);
}

function budget({ kube }: Context) {
	return kube.get<{ status?: { currentHealthy?: number; disruptionsAllowed?: number } }>(
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

test('nobody answers: a runner can not be deleted, which is what the rest is up against', async (context) => {
	const { cluster, call } = context;
	await cluster.kubectl(['create', '-f', '-'], {
		input: JSON.stringify(runnerSetPod({ name: 'runner-0', namespace: 'default', nodeName: 'node-1' })),
	});
	await eventually(
		'it runs',
		async () =>
			(await context.kube.get<Pod>('/api/v1/namespaces/default/pods/runner-0')).status?.phase === 'Running',
	);
	const refused = await remove(call, 'default', 'runner-0');
	assert.is(refused.status, 500);
	assert.match(refused.message, 'failed calling webhook "pods.runners-admission.svc"');
});

test('two evictions: one is admitted, the other is not before another replica is ready (H3)', async (context) => {
	const { cluster, call } = context;
	const [first = '', second = ''] = (await settled(context)).map(({ metadata }) => metadata.name);
	await cluster.kubectl(['cordon', ...nodes]); // nowhere to go for the one that would take its place
	assert.is((await evict(call, namespace, first)).status, 201);
	for (let round = 0; round < 3; round++) {
		const refused = await evict(call, namespace, second);
		assert.is(refused.status, 429);
		assert.match(refused.message, "would violate the pod's disruption budget");
		await sleep(500);
	}
	await cluster.kubectl(['uncordon', ...nodes]);
	await settled(context);
	const evicted = await evict(call, namespace, second);
	assert.is(evicted.status, 201, evicted.message);
});

test('kubectl drain of one node after the other that has a replica comes to its end, one replica is always there (H3)', async (context) => {
	const { cluster } = context;
	let fewest = 2;
	const watching = setInterval(async () => {
		fewest = Math.min(fewest, (await ready(context)).length);
	}, 50);
	try {
		for (let round = 0; round < 2; round++) {
			const node = nodeOf((await settled(context))[0]);
			const drained = await cluster.kubectl([
				...['drain', node, '--ignore-daemonsets', '--timeout=60s'],
				'--pod-selector=app.kubernetes.io/name=runners-admission',
			]);
			assert.is(drained.code, 0, drained.stderr);
			assert.not.ok((await settled(context)).map(nodeOf).includes(node));
		}
	} finally {
		clearInterval(watching);
		await cluster.kubectl(['uncordon', ...nodes]);
	}
	assert.ok(fewest >= 1, `${fewest} replicas ready`); // the next may be ready before anybody has looked
});

test('a single replica: its node can be drained', async (context) => {
	const { cluster } = context;
	const scale = (replicas: number) =>
		cluster.kubectl(['-n', namespace, 'scale', 'deployment/runners-admission', `--replicas=${replicas}`]);
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
	const { kube, call } = context;
	const pods = await settled(context);
	for (const { metadata } of pods) {
		await kube.patch(`/api/v1/namespaces/${namespace}/pods/${metadata.name}/status`, {
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

test('their namespace can be deleted whole', async (context) => {
	const deleted = await context.cluster.kubectl(['delete', 'namespace', namespace, '--timeout=60s']);
	assert.is(deleted.code, 0, deleted.stderr);
});

test.run();
