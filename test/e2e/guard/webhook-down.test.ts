/** With every replica down only runner pods are held up (invariant 9), and busy ones live on. */
import { spawn } from 'node:child_process';
import * as assert from 'uvu/assert';
import { breakGlass, busy } from '../../../admission/api/keys.ts';
import { evict, remove } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import { plainPod, runnerNamespace } from '../../rig/spaces.ts';
import { stage } from '../../rig/stage.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { everyReplicaDies } from '../support/every-replica-dies.ts';
import { Running } from '../support/plugin-process.ts';
import { historyTests } from '../support/space-tests.ts';

const namespace = 'down';
const legacy = ['down-busy', 'down-glass', 'down-pending', 'down-done', 'down-budget', 'down-drain'];
const scaleSet = 'down-scale-set';
const working = ['down-busy', 'down-glass', 'down-budget', 'down-drain', scaleSet];
/** Their loss is asked for, or the known limit. */
const lost = ['down/down-glass', 'down/down-idle'];

const test = historyTests('every replica down', { prepare: () => stage('replicas') });

test.before(async ({ rig }) => {
	await rig.cluster.addNode('n-drain');
	await runnerNamespace(rig, namespace);
	await rig.apply(
		...legacy.map((name) =>
			runnerSetPod({
				name,
				namespace,
				...(name === 'down-pending'
					? { unbound: true }
					: { nodeName: name === 'down-drain' ? 'n-drain' : 'node-1' }),
				labels: name === 'down-budget' ? { team: 'ci' } : {},
			}),
		),
		runnerSetPod({ name: 'down-idle', namespace, nodeName: 'node-1' }),
	);
	await rig.scaleSetRunners([{ name: scaleSet, namespace, nodeName: 'node-1' }]);
	await rig.agents.waitRegistered(['down-idle', ...legacy.filter((name) => name !== 'down-pending')], 60_000);
	for (const name of [...working, 'down-done']) await rig.agents.runJob(namespace, name);
	for (const name of working) {
		await eventually(
			`${name} is marked busy`,
			async () => (await rig.pod(name, namespace))?.metadata.labels?.[busy.label] === 'true',
		);
	}
	await rig.agents.endJob(namespace, 'down-done');
	await everyReplicaDies(rig, namespace, working.length);
});
test.after.each(({ history }) => {
	assert.equal(history.violations({ lost, settled: false }), []);
});

test('pods that are no runners are created, evicted and deleted as ever, in the runners’ namespace and elsewhere (A16, H1, invariant 9)', async ({
	rig,
	call,
}) => {
	for (const space of [namespace, 'default']) {
		await rig.apply(plainPod('web-1', space), plainPod('web-2', space));
		await eventually('web runs', async () => (await rig.pod('web-2', space))?.status?.phase === 'Running');
		const deleted = await remove(call, space, 'web-1');
		assert.is(deleted.status, 200);
		const evicted = await evict(call, space, 'web-2');
		assert.is(evicted.status, 201, evicted.message);
		await rig.gone('web-1', space);
		await rig.gone('web-2', space);
	}
});

test('new runners start and work', async ({ rig }) => {
	await rig.runners([{ name: 'down-new', namespace, nodeName: 'node-1' }]);
	await rig.agents.runJob(namespace, 'down-new');
	await rig.agents.endJob(namespace, 'down-new');
});

test('DELETE of a live runner is refused, busy or idle, ARC’s or a scale set’s, with and without --force (H1)', async ({
	rig,
	call,
}) => {
	const failed = 'failed calling webhook "pods.runners-admission.svc"';
	for (const name of ['down-busy', 'down-idle', scaleSet]) {
		for (const options of [{}, { gracePeriodSeconds: 0 }]) {
			const deleted = await remove(call, namespace, name, options);
			assert.is(deleted.status, 500);
			assert.match(deleted.message, failed);
			assert.is((await rig.pod(name, namespace))?.metadata.deletionTimestamp, undefined);
		}
	}
	const refused = await rig.kubectl(['-n', namespace, 'delete', 'pod', 'down-busy', '--force']);
	assert.is(refused.code, 1);
	assert.match(refused.stderr, failed);
});

test('eviction of a busy runner is refused by the API server itself: the back-stop budget answers 429', async ({
	call,
}) => {
	for (const name of ['down-busy', scaleSet]) {
		const refused = await evict(call, namespace, name);
		assert.is(refused.status, 429);
		assert.match(refused.message, "would violate the pod's disruption budget");
	}
});

test('drain waits for a busy runner, retrying each 5 s, and ends when its job has ended', async ({ rig }) => {
	const env = { ...process.env, KUBECONFIG: rig.cluster.kubeconfig };
	const args = ['drain', 'n-drain', '--force', '--ignore-daemonsets'];
	const draining = new Running(spawn(rig.cluster.kubectlPath, args, { env }));
	await draining.prints(/will retry after 5s/);
	assert.is((await rig.pod('down-drain', namespace))?.metadata.deletionTimestamp, undefined);
	await rig.agents.endJob(namespace, 'down-drain');
	const drained = await draining.end();
	assert.is(drained.code, 0, drained.stderr);
});

test("a busy runner under a user's own budget as well: its eviction is refused", async ({ rig, call }) => {
	await rig.apply({
		apiVersion: 'policy/v1',
		kind: 'PodDisruptionBudget',
		metadata: { name: 'team-ci', namespace },
		spec: { minAvailable: 0, selector: { matchLabels: { team: 'ci' } } },
	});
	const refused = await evict(call, namespace, 'down-budget');
	console.log(`two budgets: ${refused.status} ${refused.message}`);
	assert.ok(refused.status >= 400);
	assert.is((await rig.pod('down-budget', namespace))?.metadata.deletionTimestamp, undefined);
});

test('a pod that is terminating already can finish', async ({ rig, call }) => {
	// Break-glass is the one way a live runner's pod begins to terminate now; its node's last DELETE must pass.
	await rig.ok([
		'-n',
		namespace,
		'annotate',
		'pod',
		'down-glass',
		`${breakGlass}=the guard is down, the node burns`,
	]);
	const deleted = await remove(call, namespace, 'down-glass');
	assert.is(deleted.status, 200, deleted.message);
	await rig.gone('down-glass', namespace);
});

test('known limit: an idle runner, which has no busy mark, can be evicted while every replica is down', async ({
	rig,
	call,
}) => {
	const evicted = await evict(call, namespace, 'down-idle');
	assert.is(evicted.status, 201, evicted.message);
	await rig.gone('down-idle', namespace);
});

test('a replica comes back: what was refused meanwhile can be deleted, busy ones are still guarded', async ({
	rig,
	call,
}) => {
	await rig.addServer();
	await rig.guarded();
	const deleted = await rig.kubectl(['-n', namespace, 'delete', 'pod', 'down-busy', '--wait=false']);
	assert.match(deleted.stderr, 'runner down-busy is busy');
	await rig.ok(['-n', namespace, 'delete', 'pod', 'down-pending', 'down-done', 'down-new']);
	for (const name of ['down-busy', 'down-budget', scaleSet]) {
		await rig.agents.endJob(namespace, name);
		await remove(call, namespace, name);
		await rig.gone(name, namespace);
	}
});

test.run();
