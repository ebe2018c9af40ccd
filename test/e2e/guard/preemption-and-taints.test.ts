/**
 * Group B8: deleters that ask nobody (taint eviction, preemption, the pod garbage collector) against busy runners. Several
 * urgent pods at once are in fifty-busy.test.ts.
 */
import * as assert from 'uvu/assert';
import { progress, record } from '../../../admission/api/keys.ts';
import { nodeGone } from '../../../admission/runner/statements.ts';
import { readAudit } from '../../cluster/audit.ts';
import { apiCalls, remove } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import { type History, startHistory } from '../../rig/history.ts';
import type { Rig } from '../../rig/rig.ts';
import { plainPod, urgentPriority } from '../../rig/spaces.ts';
import { nodeController, scheduler, stage } from '../../rig/stage.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { suite } from '../../support/suite.ts';
import { end, Space } from '../support/space.ts';

interface Context {
	rig: Rig;
	history: History;
	space: Space;
	lost: string[];
}

const podCollector = 'system:serviceaccount:kube-system:pod-garbage-collector';

const test = suite<Context>('preemption and taints');

test.before(async (context) => {
	context.rig = await stage('guard');
	const { rig } = context;
	context.history = await startHistory(rig);
	context.lost = [];
	await rig.apply(urgentPriority);
});
test.after(async ({ rig, history }) => {
	history?.stop();
	await end(rig);
});
test.before.each(async (context) => {
	context.space = await Space.make(context.rig);
});
test.after.each(async ({ history, space, lost }) => {
	await space.clear();
	assert.equal(history.violations({ lost, settled: false }), []);
});

const askedBy = async (space: Space, name: string) => (await space.annotations(name))[record.requestedBy];

/**
 * When this user's refused DELETEs of the pod came, ms since the epoch. From the API server's audit log: it reviews one
 * DELETE once more whenever the pod has changed under it, so that the guard's log may report more.
 */
const refusals = async ({ rig, name }: Space, user: string, pod: string): Promise<number[]> =>
	(await readAudit(rig.cluster.folder))
		.filter(
			({ user: { username }, objectRef, responseStatus }) =>
				username === user &&
				objectRef?.namespace === name &&
				objectRef.name === pod &&
				[409, 429].includes(responseStatus?.code ?? 0),
		)
		.map(({ requestReceivedTimestamp }) => Date.parse(requestReceivedTimestamp));

const runs = async (space: Space, name: string) => (await space.pod(name))?.status?.phase === 'Running';

const urgentPod = (space: Space, pool: string) =>
	plainPod('urgent', space.name, { priorityClassName: 'urgent', nodeSelector: { pool } });

test('NoExecute taint: refused, recorded, the job goes on; the pod goes when its job ends though the controller has given up (B8)', async ({
	rig,
	space,
}) => {
	await rig.cluster.addNode('n-taint');
	await space.runners(['idle', 'busy'], { nodeName: 'n-taint' });
	await space.runJob('busy');
	await rig.ok(['taint', 'node', 'n-taint', 'maintenance=now:NoExecute']);
	await space.gone('idle');
	const tries = async () => (await refusals(space, nodeController, 'busy')).length;
	await eventually('its five tries are over', async () => (await tries()) === 5);
	assert.is(await askedBy(space, 'busy'), nodeController);
	assert.ok(await runs(space, 'busy'));
	await space.endJob('busy');
	await space.gone('busy');
	assert.is(await tries(), 5);
});

test('preemption of a busy runner not yet marked: at most one refused DELETE each 3 s; the urgent pod gets the place when the job ends (B8)', async ({
	rig,
	space,
}) => {
	await rig.cluster.addNode('n-one', { pods: 1, labels: { pool: 'one' } });
	await space.runners(['victim'], { nodeName: 'n-one' });
	await space.runJob('victim');
	await rig.apply(urgentPod(space, 'one'));
	const tries = () => refusals(space, scheduler, 'victim');
	await eventually('asked for four times', async () => (await tries()).length >= 4);
	assert.is(await askedBy(space, 'victim'), scheduler);
	const asked = await tries();
	const gaps = asked.slice(1).map((atMs, index) => atMs - (asked[index] ?? 0));
	assert.ok(Math.min(...gaps) >= 2_900, `${gaps} ms`);
	assert.ok(await runs(space, 'victim'));
	await space.endJob('victim');
	await space.gone('victim');
	await eventually('the urgent pod runs', () => runs(space, 'urgent'));
});

test('two nodes fit: the scheduler spares the busy runner and takes the idle one (B8)', async ({
	rig,
	space,
}) => {
	for (const node of ['n-two-a', 'n-two-b'])
		await rig.cluster.addNode(node, { pods: 1, labels: { pool: 'two' } });
	// Without the mark the younger pod would be the victim (measured): the busy one is the younger.
	await space.runners(['older-idle'], { nodeName: 'n-two-a' });
	const created = Date.parse((await space.pod('older-idle'))?.metadata.creationTimestamp ?? '');
	await eventually('the next second, the resolution of creation times', () => Date.now() >= created + 1_000);
	await space.scaleSetRunners(['younger-busy'], { nodeName: 'n-two-b' });
	await space.runJob('younger-busy', { known: true });
	await rig.apply(urgentPod(space, 'two'));
	await eventually('the urgent pod runs', () => runs(space, 'urgent'));
	assert.is((await space.pod('urgent'))?.spec?.nodeName, 'n-two-a');
	assert.equal(await refusals(space, scheduler, 'younger-busy'), []);
	assert.ok(await runs(space, 'younger-busy'));
	await space.endJob('younger-busy');
});

test('node gone: phase Failed from the pod garbage collector is not believed; released after the bounded wait, with an Event (B8)', async ({
	rig,
	space,
	lost,
}) => {
	lost.push(`${space.name}/lost`);
	await rig.cluster.addNode('n-gone');
	await space.runners(['lost'], { nodeName: 'n-gone' });
	await space.runJob('lost');
	await space.refused('lost');
	await rig.ok(['delete', 'node', 'n-gone']);
	// What the pod garbage collector does 40 to 60 s later is done here at once in its name.
	const path = `/api/v1/namespaces/${space.name}/pods/lost`;
	await rig.kube.patch(`${path}/status`, { status: { phase: 'Failed' } });
	const { call, stop } = apiCalls(readKubeconfig(rig.cluster.kubeconfig));
	const collected = await remove(call, space.name, 'lost', { gracePeriodSeconds: 0 }, podCollector);
	stop();
	assert.is(collected.status, 409);
	const since = await eventually(
		'it is written down since when the node is missing',
		async () => (await space.annotations('lost'))[progress.nodeGoneSince],
	);
	assert.is((await space.pod('lost'))?.metadata.deletionTimestamp, undefined);
	// A minute passes; test/unit/guard/deletion-loop.test.ts has the loop wait for it.
	const longAgo = new Date(Date.parse(since.split(' ')[0] ?? '') - 60_000).toISOString();
	await space.forge('lost', { [progress.nodeGoneSince]: longAgo });
	await space.waits('lost'); // nobody has signed that
	const { uid = '' } = (await space.pod('lost'))?.metadata ?? {};
	const proof = (await space.signer()).signStatement(nodeGone(uid, 'n-gone', longAgo));
	await space.forge('lost', { [progress.nodeGoneSince]: `${longAgo} ${proof}` });
	await space.gone('lost');
	await eventually('an Event tells it', async () =>
		(await space.events('lost')).some(
			({ reason, message }) => reason === 'NodeGone' && message.includes('its job is lost'),
		),
	);
});

test.run();
