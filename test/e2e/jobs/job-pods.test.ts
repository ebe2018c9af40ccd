/** containerMode kubernetes: the job runs in a pod of its own, and dies with it. It is kept as its runner's pod is. */
import { spawn } from 'node:child_process';
import * as assert from 'uvu/assert';
import { autoscalerMarks, breakGlass, busy, record } from '../../../admission/api/keys.ts';
import { evict, remove } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import { stage } from '../../rig/stage.ts';
import { jobPod, stepJob } from '../../sim/job-pods.ts';
import { type Installed, installPlugin, Running } from '../support/plugin-process.ts';
import { Space, says } from '../support/space.ts';
import { type HistoryContext, historyTests } from '../support/space-tests.ts';

interface Context extends HistoryContext {
	/** `namespace/name` of the pods that their own runner has deleted, or whose job is lost with a node. */
	lost: string[];
	plugin: Installed;
	space: Space;
}

const test = historyTests<Context>('job pods', { prepare: () => stage('guard') });

test.before(async (context) => {
	context.lost = [];
	context.plugin = await installPlugin();
});
test.after(({ plugin }) => plugin?.remove());
test.before.each(async (context) => {
	context.space = await Space.make(context.rig);
});
test.after.each(async ({ history, space, lost }) => {
	assert.equal(await history.violationsAtRest({ lost }), []);
	assert.equal(
		space.killedJobs().filter(({ pod }) => !lost.includes(`${space.name}/${pod}`)),
		[],
	);
	await space.clear();
});

/** Runners that run a job, each with the pod of its job; nobody but their logs has said so yet. */
async function working(
	space: Space,
	names: readonly string[],
	{ nodeName, ephemeral = true }: { nodeName?: string; ephemeral?: boolean } = {},
): Promise<void> {
	await space.runners([...names], { ephemeral, ...(nodeName === undefined ? {} : { nodeName }) });
	for (const name of names) await space.runJob(name);
	const placed = nodeName === undefined ? {} : { nodeName };
	await space.rig.apply(...names.map((runner) => jobPod({ runner, namespace: space.name, ...placed })));
	for (const name of names) await runs(space, `${name}-workflow`);
}

const runs = (space: Space, name: string) =>
	eventually(`${name} runs`, async () => (await space.pod(name))?.status?.phase === 'Running');

async function untouched(space: Space, ...names: string[]): Promise<void> {
	for (const name of names) {
		const pod = await space.pod(name);
		assert.equal([pod?.status?.phase, pod?.metadata.deletionTimestamp], ['Running', undefined], name);
	}
}

/** A token of the service account `default`, which all runners of a test share, bound to this pod as the kubelet's are. */
async function tokenOf(space: Space, name: string): Promise<string> {
	const uid = (await space.pod(name))?.metadata.uid ?? '';
	const bound = ['--bound-object-kind=Pod', `--bound-object-name=${name}`, `--bound-object-uid=${uid}`];
	return (await space.ok('create', 'token', 'default', ...bound)).trim();
}

/** The runner's own service account may delete pods, as the hooks need it. */
async function mayCleanUp(space: Space): Promise<void> {
	await space.ok('create', 'role', 'hooks', '--verb=get,list,create,delete', '--resource=pods');
	await space.ok('create', 'rolebinding', 'hooks', '--role=hooks', `--serviceaccount=${space.name}:default`);
}

test('kubectl delete, --force and an eviction: refused at once, recorded, and carried out when the job has ended (A19)', async ({
	call,
	space,
}) => {
	await working(space, ['r1', 'r2', 'r3']);
	says(await space.refused('r1-workflow', '--wait=false'), /job pod of runner r1, which is busy: .*Recorded/);
	await space.refused('r2-workflow', '--wait=false', '--force', '--grace-period=0');
	const evicted = await evict(call, space.name, 'r3-workflow');
	assert.is(evicted.status, 429, evicted.message);
	says(evicted.message, 'job pod of runner r3');
	const names = ['r1', 'r2', 'r3'];
	for (const name of names)
		assert.ok((await space.annotations(`${name}-workflow`))[record.requestedBy], name);
	await untouched(space, ...names, ...names.map((name) => `${name}-workflow`));
	assert.equal(
		(await space.events('r1-workflow')).map(({ reason }) => reason),
		['DeletionRecorded'],
	);
	for (const name of names) {
		await space.endJob(name);
		await space.gone(`${name}-workflow`);
	}
	assert.equal(space.removals(), [], 'GitHub is asked nothing');
});

test('a container action of older hooks, whose pod has only its Job’s label: refused, recorded, and carried out after the job (A19)', async ({
	call,
	space,
}) => {
	await working(space, ['r1']);
	const job = stepJob({ runner: 'r1', namespace: space.name });
	await space.rig.apply(job);
	const selector = `batch.kubernetes.io/job-name=${job.metadata.name}`;
	const name = await eventually('its pod is there', async () =>
		(await space.ok('get', 'pods', '-l', selector, '-o', 'jsonpath={.items[*].metadata.name}')).trim(),
	);
	await runs(space, name);
	const evicted = await evict(call, space.name, name);
	assert.is(evicted.status, 429, evicted.message);
	says(evicted.message, 'job pod of runner r1, which is busy');
	says(await space.refused(name, '--wait=false', '--force', '--grace-period=0'), 'job pod of runner r1');
	assert.ok((await space.annotations(name))[record.requestedBy]);
	await eventually(
		'the back-stop holds it',
		async () => (await space.pod(name))?.metadata.labels?.[busy.label],
	);
	await untouched(space, 'r1', name);
	await space.endJob('r1');
	await space.gone(name);
	assert.equal(space.removals(), []);
});

test('kubectl runners: list shows it under its runner, why explains, cancel takes the request back', async ({
	rig,
	plugin,
	space,
}) => {
	await working(space, ['r1']);
	const runners = async (...args: string[]) => {
		const done = await plugin.run([...args, '-n', space.name], { KUBECONFIG: rig.cluster.kubeconfig });
		assert.is(done.code, 0, done.stderr);
		return done.stdout;
	};
	says(await runners('list', '--no-headers'), /^r1 .*\n└─ r1-workflow +<none> +running .*\n$/);
	assert.is(await runners('list', '-o', 'name'), 'pod/r1\n');
	const why = await runners('why', 'r1-workflow');
	says(why, /^Deletion: +denied \(busy\)$/m);
	says(why, /^Because: +it is a job pod of runner r1, which is busy/m);
	assert.is((await space.annotations('r1-workflow'))[record.requestedBy], undefined, 'why records nothing');
	await space.refused('r1-workflow', '--wait=false');
	says(await runners('list', 'r1', '--no-headers'), /^r1 /);
	says(await runners('why', 'r1-workflow'), /^To cancel: /m);
	says(await runners('cancel', 'r1-workflow'), 'deletion cancelled');
	assert.is((await space.annotations('r1-workflow'))[record.requestedBy], undefined);
	await space.endJob('r1');
	says(await runners('why', 'r1-workflow'), /^Deletion: +allowed \((runner-exited|runner-gone)\)$/m);
});

test('the runner cleans up after its job itself; another runner’s token of the same service account does not (A20)', async ({
	call,
	space,
	lost,
}) => {
	await working(space, ['own', 'other']);
	await mayCleanUp(space);
	const body = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 };
	const path = `/api/v1/namespaces/${space.name}/pods/own-workflow`;
	const other = await call('DELETE', path, { body, token: await tokenOf(space, 'other') });
	assert.is(other.status, 409, other.message);
	says(other.message, 'job pod of runner own');
	const unbound = (await space.ok('create', 'token', 'default')).trim();
	assert.is((await call('DELETE', path, { body, token: unbound })).status, 409);
	await untouched(space, 'own-workflow', 'other-workflow');
	lost.push(`${space.name}/own-workflow`);
	const own = await call('DELETE', path, { body, token: await tokenOf(space, 'own') });
	assert.is(own.status, 200, own.message);
	await space.gone('own-workflow');
	for (const name of ['own', 'other']) await space.endJob(name);
});

test('a node is drained with the runner and its job’s pod: both are waited for, and no job is lost', async ({
	rig,
	call,
	space,
	lost,
}) => {
	const node = `jobs-${space.name}`;
	await rig.cluster.addNode(node);
	await working(space, ['r1', 'r2'], { nodeName: node });
	await mayCleanUp(space);
	const env = { ...process.env, KUBECONFIG: rig.cluster.kubeconfig };
	const args = ['drain', node, '--force', '--ignore-daemonsets', '--delete-emptydir-data'];
	const draining = new Running(spawn(rig.cluster.kubectlPath, args, { env }));
	await draining.prints(/job pod of runner r1/);
	await draining.prints(/will retry after 5s/);
	await untouched(space, 'r1', 'r1-workflow', 'r2', 'r2-workflow');
	// r1 deletes its job's pod, r2 does not come to it.
	lost.push(`${space.name}/r1-workflow`);
	const token = await tokenOf(space, 'r1');
	const cleaned = await call('DELETE', `/api/v1/namespaces/${space.name}/pods/r1-workflow`, { token });
	assert.is(cleaned.status, 200, cleaned.message);
	await space.endJob('r1');
	await untouched(space, 'r2', 'r2-workflow');
	await space.endJob('r2');
	const drained = await draining.end();
	assert.is(drained.code, 0, drained.stderr);
	for (const name of ['r1', 'r1-workflow', 'r2', 'r2-workflow']) assert.is(await space.pod(name), undefined);
});

test('a scale set’s runners, 15 at once: not one job pod of theirs goes before its job has ended', async ({
	rig,
	call,
	space,
}) => {
	const names = Array.from({ length: 15 }, (_, index) => `set-${index}`);
	await space.scaleSetRunners(names);
	for (const name of names) await space.runJob(name);
	await rig.apply(...names.map((runner) => jobPod({ runner, namespace: space.name })));
	for (const name of names) await runs(space, `${name}-workflow`);
	const answers = await Promise.all(
		names.flatMap((name) => [
			remove(call, space.name, `${name}-workflow`),
			evict(call, space.name, `${name}-workflow`),
		]),
	);
	assert.equal([...new Set(answers.map(({ status }) => status))].sort(), [409, 429]);
	const slowest = Math.max(...answers.map(({ tookMs }) => tookMs));
	console.log(`30 requests about 15 job pods: the slowest was answered after ${Math.round(slowest)} ms`);
	await untouched(space, ...names.map((name) => `${name}-workflow`));
	for (const name of names) await space.endJob(name);
	for (const name of names) await space.gone(`${name}-workflow`);
});

test('the node of the runner and its job’s pod is gone: both go, nobody is left to be waited for', async ({
	rig,
	space,
	lost,
}) => {
	const node = `gone-${space.name}`;
	await rig.cluster.addNode(node);
	lost.push(`${space.name}/r1`, `${space.name}/r1-workflow`);
	await working(space, ['r1'], { nodeName: node });
	await space.refused('r1-workflow', '--wait=false');
	await space.refused('r1', '--wait=false');
	await rig.ok(['delete', 'node', node]);
	// What says "for a minute" is signed by the server; a minute passes.
	await space.gone('r1', 150_000);
	await space.gone('r1-workflow', 30_000);
});

test('the namespace is deleted: the job goes on, then everything goes', async ({ rig, space }) => {
	await working(space, ['r1']);
	await rig.ok(['delete', 'namespace', space.name, '--wait=false']);
	await eventually('it is asked for', async () =>
		(await rig.kubectl(['get', 'namespace', space.name])).stdout.includes('Terminating'),
	);
	await new Promise((resolve) => setTimeout(resolve, 3_000));
	await untouched(space, 'r1', 'r1-workflow');
	await space.endJob('r1');
	await space.gone('r1-workflow');
	await space.gone('r1');
});

test('the label cannot be taken away, nor a deadline set, through pods or pods/status', async ({
	call,
	space,
}) => {
	await working(space, ['r1']);
	const path = `/api/v1/namespaces/${space.name}/pods/r1-workflow`;
	const type = 'application/merge-patch+json';
	for (const at of [path, `${path}/status`])
		for (const labels of [{ 'runner-pod': null }, { 'runner-pod': 'nobody' }, { [busy.label]: 'false' }]) {
			const edited = await call('PATCH', at, { body: { metadata: { labels } }, type });
			assert.is(edited.status, 403, `${at} ${JSON.stringify(labels)} ${edited.message}`);
			says(edited.message, 'must not be changed while it runs');
		}
	const deadline = { spec: { activeDeadlineSeconds: 1 } };
	assert.is((await call('PATCH', path, { body: deadline, type })).status, 403);
	assert.is((await call('PATCH', path, { body: { metadata: { labels: { team: 'a' } } }, type })).status, 200);
	await space.endJob('r1');
});

test('it carries the marks of its runner while that works; a left-over goes at the first request', async ({
	call,
	space,
}) => {
	await working(space, ['static'], { ephemeral: false });
	const label = async () => (await space.pod('static-workflow'))?.metadata.labels?.[busy.label];
	await space.busy('static');
	await eventually('the job’s pod is marked as well', async () => (await label()) === 'true');
	const marked = await space.annotations('static-workflow');
	for (const [key, value] of Object.entries(autoscalerMarks)) assert.is(marked[key], value);
	await space.endJob('static');
	await eventually('the mark is gone', async () => (await label()) === undefined, { withinMs: 60_000 });
	assert.is((await evict(call, space.name, 'static-workflow')).status, 201);
	await space.gone('static-workflow');
	await untouched(space, 'static');
});

test('break-glass; a dry run', async ({ call, space }) => {
	await working(space, ['r1']);
	const tried = await call('DELETE', `/api/v1/namespaces/${space.name}/pods/r1-workflow?dryRun=All`);
	assert.is(tried.status, 409);
	assert.is((await space.annotations('r1-workflow'))[record.requestedBy], undefined);
	await space.annotate('r1-workflow', { [breakGlass]: 'it hangs' });
	assert.is((await remove(call, space.name, 'r1-workflow')).status, 200);
	await space.gone('r1-workflow');
	await eventually('an Event says so', async () =>
		(await space.events('r1-workflow')).some(({ reason }) => reason === 'BreakGlass'),
	);
	await space.endJob('r1');
});

test.run();
