/** With every replica down job pods are held up as runners are, and nothing else is; a runner's own clean-up passes. */
import * as assert from 'uvu/assert';
import { breakGlass, busy } from '../../../admission/api/keys.ts';
import { evict, remove } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import { runnerNamespace } from '../../rig/spaces.ts';
import { stage } from '../../rig/stage.ts';
import { jobPod } from '../../sim/job-pods.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { everyReplicaDies } from '../support/every-replica-dies.ts';
import { historyTests } from '../support/space-tests.ts';

const namespace = 'jobs-down';
const names = ['down-own', 'down-other', 'down-glass'];

/** Its own runner deletes it. */
const lost = [`${namespace}/down-own-workflow`];

const test = historyTests('job pods, every replica down', { prepare: () => stage('replicas') });

test.before(async ({ rig }) => {
	await runnerNamespace(rig, namespace);
	await rig.apply(...names.map((name) => runnerSetPod({ name, namespace, nodeName: 'node-1' })));
	await rig.agents.waitRegistered(names, 60_000);
	for (const name of names) await rig.agents.runJob(namespace, name);
	await rig.apply(...names.map((runner) => jobPod({ runner, namespace, nodeName: 'node-1' })));
	const bindings = ['--verb=get,list,create,delete', '--resource=pods'];
	await rig.ok(['-n', namespace, 'create', 'role', 'hooks', ...bindings]);
	const subject = `--serviceaccount=${namespace}:default`;
	await rig.ok(['-n', namespace, 'create', 'rolebinding', 'hooks', '--role=hooks', subject]);
	for (const name of names)
		await eventually(`the job pod of ${name} is marked busy`, async () => {
			const pod = await rig.pod(`${name}-workflow`, namespace);
			return pod?.metadata.labels?.[busy.label] === 'true' && pod.status?.phase === 'Running';
		});
	await everyReplicaDies(rig, namespace, 2 * names.length);
});
test.after.each(({ history }) => {
	assert.equal(history.violations({ lost, settled: false }), []);
});

test('DELETE is refused, by an admin and by another runner; the runner’s own clean-up needs no replica', async ({
	rig,
	call,
}) => {
	const refused = await remove(call, namespace, 'down-own-workflow');
	assert.is(refused.status, 500);
	assert.match(refused.message, 'failed calling webhook "pods.runners-admission.svc"');
	const path = `/api/v1/namespaces/${namespace}/pods/down-own-workflow`;
	const tokenOf = async (name: string) => {
		const uid = (await rig.pod(name, namespace))?.metadata.uid ?? '';
		const bound = ['--bound-object-kind=Pod', `--bound-object-name=${name}`, `--bound-object-uid=${uid}`];
		return (await rig.ok(['-n', namespace, 'create', 'token', 'default', ...bound])).trim();
	};
	assert.is((await call('DELETE', path, { token: await tokenOf('down-other') })).status, 500);
	assert.is((await rig.pod('down-own-workflow', namespace))?.metadata.deletionTimestamp, undefined);
	const own = await call('DELETE', path, { token: await tokenOf('down-own') });
	assert.is(own.status, 200, own.message);
	await rig.gone('down-own-workflow', namespace);
});

test('an eviction is refused by the API server itself: the back-stop budget answers 429', async ({
	call,
}) => {
	const refused = await evict(call, namespace, 'down-other-workflow');
	assert.is(refused.status, 429);
	assert.match(refused.message, "would violate the pod's disruption budget");
});

test('a pod with the hooks’ label and no job container, or a job container and no label, is nobody’s job (invariant 9)', async ({
	rig,
	call,
}) => {
	const plain = (name: string, labels: object, container: string) => ({
		apiVersion: 'v1',
		kind: 'Pod',
		metadata: { name, namespace, labels },
		spec: { nodeName: 'node-1', containers: [{ name: container, image: 'nginx' }] },
	});
	await rig.apply(
		plain('labelled', { 'runner-pod': 'down-other' }, 'web'),
		plain('named-workflow', {}, 'job'),
		plain('empty-workflow', { 'runner-pod': '' }, 'job'),
	);
	for (const name of ['labelled', 'named-workflow', 'empty-workflow'])
		assert.is((await remove(call, namespace, name)).status, 200, name);
});

test('break-glass passes', async ({ rig, call }) => {
	const annotation = `${breakGlass}=it hangs`;
	await rig.ok(['-n', namespace, 'annotate', 'pod', 'down-glass-workflow', annotation]);
	const deleted = await remove(call, namespace, 'down-glass-workflow');
	assert.is(deleted.status, 200, deleted.message);
});

test('a replica comes back: the job pod is refused while its runner works, and goes after', async ({
	rig,
	call,
}) => {
	await rig.addServer();
	await rig.guarded();
	const refused = await remove(call, namespace, 'down-other-workflow');
	assert.is(refused.status, 409);
	assert.match(refused.message, 'job pod of runner down-other');
	for (const name of names) await rig.agents.endJob(namespace, name);
	await rig.gone('down-other-workflow', namespace);
	for (const name of names) {
		await remove(call, namespace, name);
		await rig.gone(name, namespace);
	}
});

test.run();
