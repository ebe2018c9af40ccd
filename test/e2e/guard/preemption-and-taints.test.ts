/** Group B8: deleters that ask nobody (taint eviction, preemption, the pod garbage collector) against busy runners. */
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { busy, record } from '../../../admission/api/keys.ts';
import { apiCalls, remove } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import { type History, startHistory } from '../../rig/history.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { plainPod, runnerNamespace } from '../../rig/spaces.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { type LegacyPodOptions, runnerSetPod } from '../../sim/pods.ts';
import { suite } from '../../support/suite.ts';

interface Context {
	rig: Rig;
	history: History;
	/** The slow one, begun first: see its test. */
	nodeGone: Promise<NodeGone>;
}

interface NodeGone {
	/** HTTP status of the pod garbage collector's DELETE. */
	refusedWith: number;
	failedWhileAliveMs: number | undefined;
	releasedMs: number;
}

const podCollector = 'system:serviceaccount:kube-system:pod-garbage-collector';
const scheduler = 'system:kube-scheduler';
const lost = ['b8-node/b8-lost'];

const test = suite<Context>('preemption and taints');

test.before(async (context) => {
	context.rig = await startRig({ nodes: ['n-taint', 'n-gone'] });
	const { rig } = context;
	context.history = await startHistory(rig);
	for (const namespace of ['b8-taint', 'b8-node', 'b8-one', 'b8-many', 'b8-two'])
		await runnerNamespace(rig, namespace);
	await rig.apply({
		apiVersion: 'scheduling.k8s.io/v1',
		kind: 'PriorityClass',
		metadata: { name: 'urgent' },
		value: 1_000_000,
	});
	context.nodeGone = loseNode(rig);
	context.nodeGone.catch(() => {}); // told by its test
});
test.after(async ({ rig, history }) => {
	if (rig) console.log(`\n${rig.github.callsTable()}`);
	history?.stop();
	await rig?.stop();
});
test.after.each(({ history }) => {
	assert.equal(history.violations({ lost, settled: false }), []);
});

/** A pod that leaves its node has the scheduler look again: without an event it does so every 5 min. */
async function nudge(rig: Rig, namespace: string, nodeName: string): Promise<void> {
	await rig.apply(plainPod('passer-by', namespace, { nodeName }));
	await rig.ok(['-n', namespace, 'delete', 'pod', 'passer-by', '--force', '--grace-period=0']);
}

const markedBusy = (rig: Rig, name: string, namespace: string) =>
	eventually(
		`${name} is marked busy`,
		async () => (await rig.pod(name, namespace))?.metadata.labels?.[busy.label] === 'true',
		{ withinMs: 15_000 },
	);

const askedBy = async (rig: Rig, name: string, namespace: string) =>
	(await rig.pod(name, namespace))?.metadata.annotations?.[record.requestedBy];

const refusals = (rig: Rig, user: string, pod: string, sinceMs: number) =>
	rig.logs(
		(line) =>
			line.user === user &&
			line.pod === pod &&
			Date.parse(line.time) >= sinceMs &&
			/denied|recorded/.test(line.msg),
	).length;

async function busyRunner(rig: Rig, options: LegacyPodOptions & { namespace: string }): Promise<void> {
	await rig.apply(runnerSetPod(options));
	await rig.agents.waitRegistered([options.name], 20_000);
	await rig.agents.runJob(options.namespace, options.name);
}

/**
 * A busy runner's Node object is deleted, its deletion having been asked for a moment before. What the pod garbage
 * collector does 40 to 60 s later, about when the bounded wait ends, is done here at once in its name.
 */
async function loseNode(rig: Rig): Promise<NodeGone> {
	const [name, namespace] = ['b8-lost', 'b8-node'];
	await busyRunner(rig, { name, namespace, nodeName: 'n-gone' });
	await rig.kubectl(['-n', namespace, 'delete', 'pod', name, '--wait=false']);
	const fromMs = Date.now();
	await rig.ok(['delete', 'node', 'n-gone']);
	await rig.kube.patch(`/api/v1/namespaces/${namespace}/pods/${name}/status`, {
		status: { phase: 'Failed' },
	});
	const { call, stop } = apiCalls(readKubeconfig(rig.cluster.kubeconfig));
	const collected = await remove(call, namespace, name, { gracePeriodSeconds: 0 }, podCollector);
	stop();
	let failedWhileAliveMs: number | undefined;
	await eventually(
		'released',
		async () => {
			const pod = await rig.pod(name, namespace);
			if (pod?.status?.phase === 'Failed' && !pod.metadata.deletionTimestamp)
				failedWhileAliveMs ??= Date.now() - fromMs;
			return !pod || pod.metadata.deletionTimestamp;
		},
		{ withinMs: 100_000, everyMs: 250 },
	);
	return { refusedWith: collected.status, failedWhileAliveMs, releasedMs: Date.now() - fromMs };
}

test('NoExecute taint: refused, recorded, the job goes on; the pod goes when its job ends though the controller has given up (B8)', async ({
	rig,
}) => {
	const namespace = 'b8-taint';
	await rig.runners([{ name: 'b8-idle', namespace, nodeName: 'n-taint' }]);
	await busyRunner(rig, { name: 'b8-busy', namespace, nodeName: 'n-taint' });
	await rig.ok(['taint', 'node', 'n-taint', 'maintenance=now:NoExecute']);
	await rig.gone('b8-idle', namespace);
	await eventually('recorded', () => askedBy(rig, 'b8-busy', namespace));
	assert.is(await askedBy(rig, 'b8-busy', namespace), 'system:serviceaccount:kube-system:node-controller');
	await sleep(2_500); // its five tries are over
	assert.is((await rig.pod('b8-busy', namespace))?.status?.phase, 'Running');
	await rig.agents.endJob(namespace, 'b8-busy');
	await rig.gone('b8-busy', namespace);
});

test('preemption of a busy runner not yet marked: at most one refused DELETE each 3 s; the urgent pod gets the place when the job ends (B8)', async ({
	rig,
}) => {
	const namespace = 'b8-one';
	await rig.cluster.addNode('n-one', { pods: 1, labels: { pool: 'one' } });
	await busyRunner(rig, { name: 'b8-victim', namespace, nodeName: 'n-one' });
	const fromMs = Date.now();
	await rig.apply(
		plainPod('urgent-one', namespace, { priorityClassName: 'urgent', nodeSelector: { pool: 'one' } }),
	);
	await eventually('asked', () => askedBy(rig, 'b8-victim', namespace));
	assert.is(await askedBy(rig, 'b8-victim', namespace), scheduler);
	await sleep(12_000);
	const tries = refusals(rig, scheduler, `${namespace}/b8-victim`, fromMs);
	// One more: the API server reviews the first DELETE anew when the record has changed the pod under it.
	const most = Math.ceil((Date.now() - fromMs) / 3_000) + 1;
	console.log(`preemption: ${tries} refused DELETEs in ${((Date.now() - fromMs) / 1000).toFixed(1)} s`);
	assert.ok(tries >= 1 && tries <= most, `${tries} refused DELETEs, at most ${most} are expected`);
	assert.is((await rig.pod('b8-victim', namespace))?.status?.phase, 'Running');
	await rig.agents.endJob(namespace, 'b8-victim');
	await rig.gone('b8-victim', namespace);
	await eventually(
		'the urgent pod runs',
		async () => (await rig.pod('urgent-one', namespace))?.status?.phase === 'Running',
		{ withinMs: 15_000 },
	);
});

test('several urgent pods on one node: each asks for all victims, each at most once in 3 s; all get a place as jobs end (B8)', async ({
	rig,
}) => {
	const namespace = 'b8-many';
	await rig.cluster.addNode('n-many', { pods: 3, labels: { pool: 'many' } });
	const names = ['b8-many-0', 'b8-many-1', 'b8-many-2'];
	for (const name of names) await busyRunner(rig, { name, namespace, nodeName: 'n-many' });
	const fromMs = Date.now();
	const urgent = names.map((_, index) => `urgent-many-${index}`);
	await rig.apply(
		...urgent.map((name) =>
			plainPod(name, namespace, { priorityClassName: 'urgent', nodeSelector: { pool: 'many' } }),
		),
	);
	await sleep(7_000);
	// The scheduler counts the other urgent pods as placed already, so that each of the three wants up to three victims.
	const most = (Math.ceil((Date.now() - fromMs) / 3_000) + 1) * urgent.length;
	const tries = names.map((name) => refusals(rig, scheduler, `${namespace}/${name}`, fromMs));
	console.log(
		`three urgent pods, three victims: ${tries.join(', ')} refused DELETEs in ${((Date.now() - fromMs) / 1000).toFixed(1)} s`,
	);
	for (const count of tries)
		assert.ok(count <= most, `${count} refused DELETEs, at most ${most} are expected`);
	for (const name of names) {
		assert.is((await rig.pod(name, namespace))?.status?.phase, 'Running');
		await rig.agents.endJob(namespace, name);
		// Not all at once: a scheduler whose victims all vanish while it waits looks again only at the next event.
		await sleep(4_000);
	}
	const allRun = async () => {
		const pods = await Promise.all(urgent.map((name) => rig.pod(name, namespace)));
		return pods.every((pod) => pod?.status?.phase === 'Running');
	};
	for (let nudges = 0; !(await allRun()); nudges++) {
		assert.ok(nudges < 6, 'all urgent pods run');
		await eventually('', allRun, { withinMs: 10_000 }).catch(() => nudge(rig, namespace, 'n-many'));
	}
});

test('two nodes fit: the scheduler spares the busy runner and takes the idle one (B8)', async ({ rig }) => {
	const namespace = 'b8-two';
	for (const node of ['n-two-a', 'n-two-b'])
		await rig.cluster.addNode(node, { pods: 1, labels: { pool: 'two' } });
	// Without the mark the younger pod would be the victim (measured): the busy one is the younger.
	await rig.runners([{ name: 'b8-older-idle', namespace, nodeName: 'n-two-a' }]);
	await sleep(1_100); // creation times have a resolution of 1 s
	await busyRunner(rig, { name: 'b8-younger-busy', namespace, nodeName: 'n-two-b' });
	await markedBusy(rig, 'b8-younger-busy', namespace);
	const fromMs = Date.now();
	await rig.apply(
		plainPod('urgent-two', namespace, { priorityClassName: 'urgent', nodeSelector: { pool: 'two' } }),
	);
	await eventually(
		'the urgent pod runs',
		async () => (await rig.pod('urgent-two', namespace))?.status?.phase === 'Running',
		{ withinMs: 15_000 },
	);
	assert.is((await rig.pod('urgent-two', namespace))?.spec?.nodeName, 'n-two-a');
	assert.is(refusals(rig, scheduler, `${namespace}/b8-younger-busy`, fromMs), 0);
	assert.is((await rig.pod('b8-younger-busy', namespace))?.status?.phase, 'Running');
	await rig.agents.endJob(namespace, 'b8-younger-busy');
});

test('node gone: phase Failed from the pod garbage collector is not believed; released after the bounded wait, with an Event (B8)', async ({
	rig,
	nodeGone,
}) => {
	const { refusedWith, failedWhileAliveMs, releasedMs } = await nodeGone;
	assert.is(refusedWith, 409);
	console.log(`node gone: phase Failed after ${failedWhileAliveMs} ms, released after ${releasedMs} ms`);
	assert.ok(failedWhileAliveMs !== undefined && failedWhileAliveMs < releasedMs);
	assert.ok(releasedMs >= 60_000, `released after ${releasedMs} ms`);
	assert.ok(releasedMs < 75_000, `released after ${releasedMs} ms`);
	await eventually('an Event tells it', async () => {
		const events = await rig.kube.get<{ items: { reason: string; message: string }[] }>(
			'/api/v1/namespaces/b8-node/events',
		);
		return events.items.some(
			({ reason, message }) => reason === 'NodeGone' && message.includes('its job is lost'),
		);
	});
});

test.run();
