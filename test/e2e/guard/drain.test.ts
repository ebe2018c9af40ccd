/** Group B of the acceptance scenarios: what a drain does to runners, with real kubectl and a real eviction API. */
import { spawn } from 'node:child_process';
import * as assert from 'uvu/assert';
import { busy, progress } from '../../../admission/api/keys.ts';
import type { KubectlResult } from '../../cluster/kubectl.ts';
import { evict } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import type { History } from '../../rig/history.ts';
import type { Rig } from '../../rig/rig.ts';
import { plainPod } from '../../rig/spaces.ts';
import { stage } from '../../rig/stage.ts';
import { runnerSetPod, staticRunnerPod } from '../../sim/pods.ts';
import { type Installed, installPlugin, Running } from '../support/plugin-process.ts';
import { Space } from '../support/space.ts';
import { type HistoryContext, historyTests } from '../support/space-tests.ts';

interface Context extends HistoryContext {
	plugin: Installed;
	/** An idle runner on a node that was cordoned before everything else. */
	cordoned: Space;
	space: Space;
	/** This test's own. */
	node: string;
}

const test = historyTests<Context>('drain', { prepare: () => stage('guard') });

test.before(async (context) => {
	const { rig } = context;
	context.plugin = await installPlugin();
	await rig.cluster.addNode('drain-cordoned');
	context.cordoned = await Space.make(rig);
	await context.cordoned.runners(['idle'], { nodeName: 'drain-cordoned' });
	await rig.ok(['cordon', 'drain-cordoned']);
});
test.after(async ({ plugin, cordoned }) => {
	await cordoned?.clear();
	await plugin?.remove();
});
test.before.each(async (context) => {
	context.space = await Space.make(context.rig);
	context.node = `drain-${context.space.name}`;
	await context.rig.cluster.addNode(context.node);
});
test.after.each(async ({ history, space }) => {
	assert.equal(await history.violationsAtRest(), []);
	await space.clear();
});

const drainArgs = (node: string) => ['drain', node, '--force', '--ignore-daemonsets'];

const drain = (rig: Rig, node: string, ...more: string[]): Promise<KubectlResult> =>
	rig.kubectl([...drainArgs(node), ...more]);

/** The pod runs, and nobody has stopped it. */
async function untouched(space: Space, ...names: string[]): Promise<void> {
	for (const name of names) {
		const pod = await space.pod(name);
		assert.equal([pod?.status?.phase, pod?.metadata.deletionTimestamp], ['Running', undefined], name);
	}
}

const recorded = (history: History, space: Space, name: string) =>
	eventually(`the deletion of ${name} is recorded`, () =>
		history.recorded().includes(`${space.name}/${name}`),
	);

test('drain of ARC’s and of scale-set runners: idle ones are unregistered and go, busy ones are waited for, drain ends by itself (B1)', async ({
	rig,
	history,
	space,
	node,
}) => {
	const working = ['busy', 'scale-busy'];
	const idle = ['idle-1', 'idle-2', 'scale-idle-1', 'scale-idle-2'];
	await Promise.all([
		space.runners(['busy', 'idle-1', 'idle-2'], { nodeName: node }),
		space.scaleSetRunners(['scale-busy', 'scale-idle-1', 'scale-idle-2'], { nodeName: node }),
	]);
	for (const name of working) await space.runJob(name);
	const draining = drain(rig, node);
	for (const name of idle) await space.gone(name);
	for (const name of working) await recorded(history, space, name);
	await untouched(space, ...working);
	for (const name of working) await space.endJob(name);
	for (const name of working) await space.gone(name);
	const drained = await draining;
	assert.is(drained.code, 0, drained.stderr);
	assert.match(drained.stdout, `node/${node} drained`);
	for (const name of working)
		assert.match(drained.stderr, new RegExp(`"${name}".*will retry after 5s.*runner ${name} is busy`));
	for (const name of idle) {
		// On a machine with much to do drain may have to ask once more, as GitHub or the log answers late: but it is not busy.
		assert.not.match(drained.stderr, new RegExp(`runner ${name} is busy`));
		assert.is(
			rig.github.journal.find((entry) => entry.name === name && entry.what === 'removed')?.cause,
			'api',
		);
	}
});

test('drain with --timeout fails with a message that names the runner, and its job goes on (B2)', async ({
	rig,
	space,
	node,
}) => {
	await space.runners(['busy', 'idle'], { nodeName: node });
	await space.runJob('busy');
	const drained = await drain(rig, node, '--timeout=4s');
	assert.is(drained.code, 1);
	assert.match(drained.stderr, /runner busy is busy/);
	assert.match(drained.stderr, 'global timeout reached: 4s');
	await untouched(space, 'busy');
	assert.is(space.killedJobs().length, 0);
	// What drain gave up on is still recorded: nobody has to ask again.
	await space.endJob('busy');
	await space.gone('busy');
});

test('drained node: a static runner is unregistered when its job ends, before it gets another (B4)', async ({
	rig,
	history,
	space,
	node,
}) => {
	await rig.apply(staticRunnerPod(space.options('static', { nodeName: node })));
	await space.registered(['static']);
	await space.runJob('static');
	const draining = drain(rig, node);
	await recorded(history, space, 'static');
	// Until a list shows the job GitHub's 422 is all that is known: a list that shows none may be a late one, and the
	// runner is asked about half a minute later (invariant 5).
	await eventually("a list has taken the 422's place", async () => {
		const { labels, annotations } = (await space.pod('static'))?.metadata ?? {};
		return labels?.[busy.label] === 'true' && annotations?.[progress.refusal] === undefined;
	});
	await space.endJob('static');
	await space.gone('static');
	const order = space.journal('static');
	assert.ok(order.indexOf('removed-by-github') < order.indexOf('pod-terminating'), order.join());
	assert.is((await draining).code, 0);
});

test('an Eviction carries no labels: the busy runner is found all the same, other pods of its namespace go at once (B6)', async ({
	rig,
	call,
	space,
	node,
}) => {
	await space.runners(['busy'], { nodeName: node });
	await rig.apply(plainPod('web', space.name, { nodeName: node }));
	await space.runJob('busy', { known: true });
	await eventually('web runs', async () => (await space.pod('web'))?.status?.phase === 'Running');

	const refused = await evict(call, space.name, 'busy');
	assert.is(refused.status, 429);
	assert.is(refused.body.reason, 'TooManyRequests');
	assert.is((refused.body.details as { retryAfterSeconds?: number }).retryAfterSeconds, undefined);
	assert.match(refused.message, 'runner busy is busy');

	const passed = await evict(call, space.name, 'web');
	assert.is(passed.status, 201);
	await space.gone('web');
	await space.endJob('busy');
	await space.gone('busy');
});

test('eviction of a busy runner with a docker sidecar: goes when the runner has ended though the pod runs on (B6)', async ({
	rig,
	call,
	space,
	node,
}) => {
	await rig.apply(runnerSetPod(space.options('dind', { nodeName: node, dockerSidecar: true })));
	await space.registered(['dind']);
	await space.runJob('dind');
	assert.is((await evict(call, space.name, 'dind')).status, 429);
	await space.endJob('dind');
	await space.gone('dind');
});

test("a user's own PodDisruptionBudget: both are respected, neither deadlocks the drain (B7)", async ({
	rig,
	space,
	node,
}) => {
	const labels = { team: 'ci' };
	await space.runners(['busy', 'idle-1', 'idle-2'], { nodeName: node, labels });
	await rig.apply({
		apiVersion: 'policy/v1',
		kind: 'PodDisruptionBudget',
		metadata: { name: 'team-ci', namespace: space.name },
		spec: { minAvailable: 2, selector: { matchLabels: labels } },
	});
	await eventually('the budget is counted', async () => {
		const budget = await rig.kube.get<{ status?: { disruptionsAllowed?: number } }>(
			`/apis/policy/v1/namespaces/${space.name}/poddisruptionbudgets/team-ci`,
		);
		return budget.status?.disruptionsAllowed === 1;
	});
	await space.runJob('busy');

	const env = { ...process.env, KUBECONFIG: rig.cluster.kubeconfig };
	const draining = new Running(spawn(rig.cluster.kubectlPath, drainArgs(node), { env }));
	// One idle runner may go; then the user's budget is used up, though the guard lets the other one go as well.
	await draining.prints(/would violate the pod's disruption budget/);
	const left = async () => (await rig.pods(space.name)).length;
	await eventually('one idle runner is gone', async () => (await left()) === 2);
	assert.equal(
		space.removals().filter((status) => status === 204),
		[204, 204],
	);
	await untouched(space, 'busy');
	// The job ends: an ended pod needs no budget. The other idle runner needs replacements elsewhere.
	await space.endJob('busy');
	await space.gone('busy');
	assert.is(await left(), 1);
	await space.runners(['new-1', 'new-2'], { nodeName: 'node-1', labels });
	const drained = await draining.end();
	assert.is(drained.code, 0, drained.stderr);
	const names = (await rig.pods(space.name)).map((pod) => pod.metadata.name);
	assert.equal(names.sort(), ['new-1', 'new-2']);
});

test('spot notice: idle runners leave GitHub and the node at once, a busy one runs on to its end (B10)', async ({
	rig,
	call,
	space,
	node,
}) => {
	const names = ['busy', 'idle-1', 'idle-2'];
	await space.runners(names, { nodeName: node });
	await space.runJob('busy', { known: true });
	// As termination handlers do: taint the node, evict all of it, again and again, with what is left of two minutes.
	await rig.ok(['taint', 'node', node, 'spot-itn=true:NoSchedule']);
	const handler = 'system:serviceaccount:kube-system:termination-handler';
	const answers = await Promise.all(
		names.map((name) => evict(call, space.name, name, { gracePeriodSeconds: 110 }, handler)),
	);
	assert.equal(
		answers.map(({ status }) => status),
		[429, 201, 201],
	);
	for (const name of ['idle-1', 'idle-2']) await space.gone(name);
	for (let seconds = 109; seconds > 106; seconds--)
		assert.is((await evict(call, space.name, 'busy', { gracePeriodSeconds: seconds })).status, 429);
	await space.endJob('busy');
	await space.gone('busy');
});

test('drain --dry-run=server of busy and idle runners writes nothing, neither here nor at GitHub', async ({
	rig,
	history,
	space,
	node,
}) => {
	await space.scaleSetRunners(['busy', 'idle'], { nodeName: node });
	await space.runJob('busy');
	await eventually('marked busy, the last of it the condition', async () =>
		(await space.pod('busy'))?.status?.conditions?.some(
			({ type, status }) => type === busy.condition && status === 'True',
		),
	);
	const writes = await history.writesDuring(async () => {
		const drained = await drain(rig, node, '--dry-run=server', '--timeout=4s');
		assert.match(drained.stderr, 'Dry run: nothing is recorded.');
	}, space.name);
	assert.equal(writes, []);
	await space.endJob('busy');
});

test('kubectl runners drain: cordons, says for whom it waits, exit code 2 at --timeout and 0 when all have left (B11)', async ({
	rig,
	plugin,
	space,
	node,
}) => {
	await space.scaleSetRunners(['busy', 'idle'], { nodeName: node });
	await space.runJob('busy');
	const env = { KUBECONFIG: rig.cluster.kubeconfig };

	const late = await plugin.run(['drain', node, '--timeout=4s'], env);
	assert.is(late.code, 2, late.stderr);
	assert.match(late.stdout, `node/${node} cordoned`);
	assert.match(late.stdout, /^pod\/idle evicted$/m);
	assert.match(late.stdout, `${space.name}/busy not evicted yet: it is busy`);
	assert.match(late.stderr, 'busy');
	await untouched(space, 'busy');

	const draining = plugin.start(['drain', node], env);
	await draining.prints(new RegExp(`^waiting for ${space.name}/busy: busy`, 'm'));
	await space.endJob('busy');
	const drained = await draining.end();
	assert.is(drained.code, 0, drained.stderr);
	assert.match(drained.stdout, new RegExp(`^node/${node} drained of runners`, 'm'));
	assert.equal(await rig.pods(space.name), []);
});

test('cordon alone is no request to delete: an idle runner on a node that was cordoned before all these tests is still there', async ({
	rig,
	cordoned,
}) => {
	await untouched(cordoned, 'idle');
	assert.ok(rig.github.find(cordoned.scope, 'idle'));
	assert.equal(cordoned.removals(), []);
});

test.run();
