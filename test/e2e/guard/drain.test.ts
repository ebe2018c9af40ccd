/** Group B of the acceptance scenarios: what a drain does to runners, with real kubectl and a real eviction API. */
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { busy, progress } from '../../../admission/api/keys.ts';
import type { KubectlResult } from '../../cluster/kubectl.ts';
import { type ApiCall, apiCalls, evict } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import { type History, startHistory } from '../../rig/history.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { plainPod, runnerNamespace } from '../../rig/spaces.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { runnerSetPod, staticRunnerPod } from '../../sim/pods.ts';
import { suite } from '../../support/suite.ts';
import { type Installed, installPlugin } from '../support/plugin-process.ts';

interface Context {
	rig: Rig;
	history: History;
	call: ApiCall;
	stopCalls: () => void;
	plugin: Installed;
}

const nodes = [
	'n-legacy',
	'n-scale-set',
	'n-timeout',
	'n-static',
	'n-evict',
	'n-budget',
	'n-spare',
	'n-spot',
	'n-dry',
	'n-plugin',
];

const test = suite<Context>('drain');

test.before(async (context) => {
	context.rig = await startRig({ nodes });
	context.history = await startHistory(context.rig);
	const { call, stop } = apiCalls(readKubeconfig(context.rig.cluster.kubeconfig));
	Object.assign(context, { call, stopCalls: stop });
	context.plugin = await installPlugin();
});
test.after(async ({ rig, history, stopCalls, plugin }) => {
	if (rig) console.log(`\n${rig.github.callsTable()}\nmedian release ${rig.agents.medianReleaseMs()} ms`);
	stopCalls?.();
	history?.stop();
	await Promise.all([rig?.stop(), plugin?.remove()]);
});
test.after.each(async ({ history }) => {
	assert.equal(await history.violationsAtRest(), []);
});

const drain = (rig: Rig, node: string, ...more: string[]): Promise<KubectlResult> =>
	rig.kubectl(['drain', node, '--force', '--ignore-daemonsets', ...more]);

const phaseOf = async (rig: Rig, name: string, namespace: string) =>
	(await rig.pod(name, namespace))?.status?.phase;

/** One busy and two idle runners are on the node: drains it, ends the job after a refusal, says what happened. */
async function drainOneBusyTwoIdle(rig: Rig, node: string, namespace: string, [busyOne, ...idle]: string[]) {
	const busyPod = busyOne ?? '';
	await rig.agents.runJob(namespace, busyPod);
	const draining = drain(rig, node);
	for (const name of idle) await rig.gone(name, namespace);
	await sleep(1_500);
	assert.is(await phaseOf(rig, busyPod, namespace), 'Running');
	assert.is((await rig.pod(busyPod, namespace))?.metadata.deletionTimestamp, undefined);
	await rig.agents.endJob(namespace, busyPod);
	await rig.gone(busyPod, namespace);
	const drained = await draining;
	assert.is(drained.code, 0, drained.stderr);
	assert.match(
		drained.stderr,
		new RegExp(`"${busyPod}".*will retry after 5s.*runner ${busyPod} .*running a job`),
	);
	assert.match(drained.stdout, `node/${node} drained`);
	for (const name of idle) {
		assert.not.match(drained.stderr, `"${name}"`);
		assert.is(
			rig.github.journal.find((entry) => entry.name === name && entry.what === 'removed')?.cause,
			'api',
		);
	}
}

test('drain of ARC runners: idle ones are unregistered and go, the busy one is waited for, drain ends by itself (B1)', async ({
	rig,
}) => {
	await runnerNamespace(rig, 'b1-legacy');
	const names = ['b1-busy', 'b1-idle-1', 'b1-idle-2'];
	await rig.runners(names.map((name) => ({ name, namespace: 'b1-legacy', nodeName: 'n-legacy' })));
	await drainOneBusyTwoIdle(rig, 'n-legacy', 'b1-legacy', names);
});

test('drain of scale-set runners: the same (B1)', async ({ rig }) => {
	await runnerNamespace(rig, 'b1-scale-set');
	const names = ['b1s-busy', 'b1s-idle-1', 'b1s-idle-2'];
	await rig.scaleSetRunners(
		names.map((name) => ({ name, namespace: 'b1-scale-set', nodeName: 'n-scale-set' })),
	);
	await drainOneBusyTwoIdle(rig, 'n-scale-set', 'b1-scale-set', names);
});

test('drain with --timeout fails with a message that names the runner, and its job goes on (B2)', async ({
	rig,
}) => {
	await runnerNamespace(rig, 'b2');
	await rig.runners(['b2-busy', 'b2-idle'].map((name) => ({ name, namespace: 'b2', nodeName: 'n-timeout' })));
	await rig.agents.runJob('b2', 'b2-busy');
	const drained = await drain(rig, 'n-timeout', '--timeout=7s');
	assert.is(drained.code, 1);
	assert.match(drained.stderr, /runner b2-busy .*running a job/);
	assert.match(drained.stderr, 'global timeout reached: 7s');
	assert.is(await phaseOf(rig, 'b2-busy', 'b2'), 'Running');
	assert.is(rig.agents.killedJobs().length, 0);
	// What drain gave up on is still recorded: nobody has to ask again.
	await rig.agents.endJob('b2', 'b2-busy');
	await rig.gone('b2-busy', 'b2');
});

test('drained node: a static runner is unregistered when its job ends, before it gets another (B4)', async ({
	rig,
	history,
}) => {
	await runnerNamespace(rig, 'b4');
	await rig.apply(staticRunnerPod({ name: 'b4-static', namespace: 'b4', nodeName: 'n-static' }));
	await rig.agents.waitRegistered(['b4-static'], 20_000);
	await rig.agents.runJob('b4', 'b4-static');
	const draining = drain(rig, 'n-static');
	await eventually('the eviction is recorded', () => history.recorded().includes('b4/b4-static'));
	// Until a list shows the job GitHub's 422 is all that is known: a list that shows none may be a late one, and the
	// runner is asked about half a minute later (invariant 5).
	await eventually("a list has taken the 422's place", async () => {
		const { labels, annotations } = (await rig.pod('b4-static', 'b4'))?.metadata ?? {};
		return labels?.[busy.label] === 'true' && annotations?.[progress.failureMessage] === undefined;
	});
	await rig.agents.endJob('b4', 'b4-static');
	const endedMs = Date.now();
	await rig.gone('b4-static', 'b4');
	console.log(`static runner released ${Date.now() - endedMs} ms after its job`);
	assert.is((await draining).code, 0);
});

test('cordon alone is no request to delete: an idle runner on the node stays', async ({ rig }) => {
	await runnerNamespace(rig, 'b4-cordon');
	await rig.runners([{ name: 'b4-cordoned', namespace: 'b4-cordon', nodeName: 'n-spare' }]);
	await rig.ok(['cordon', 'n-spare']);
	await sleep(1_500);
	assert.is(await phaseOf(rig, 'b4-cordoned', 'b4-cordon'), 'Running');
	assert.ok(rig.github.find('orgs/octo-org', 'b4-cordoned'));
	await rig.ok(['uncordon', 'n-spare']);
});

test('an Eviction carries no labels: the busy runner is found all the same, other pods of its namespace go at once (B6)', async ({
	rig,
	call,
}) => {
	await runnerNamespace(rig, 'b6');
	await rig.runners([{ name: 'b6-busy', namespace: 'b6', nodeName: 'n-evict' }]);
	await rig.apply(plainPod('b6-web', 'b6', { nodeName: 'n-evict' }));
	await rig.agents.runJob('b6', 'b6-busy');
	await eventually('web runs', async () => (await phaseOf(rig, 'b6-web', 'b6')) === 'Running');

	const refused = await evict(call, 'b6', 'b6-busy');
	assert.is(refused.status, 429);
	assert.is(refused.body.reason, 'TooManyRequests');
	assert.is((refused.body.details as { retryAfterSeconds?: number }).retryAfterSeconds, undefined);
	assert.match(refused.message, 'running a job');

	const passed = await evict(call, 'b6', 'b6-web');
	assert.is(passed.status, 201);
	assert.ok(passed.tookMs < 1_000, `${passed.tookMs} ms`);
	await rig.gone('b6-web', 'b6');
	await rig.agents.endJob('b6', 'b6-busy');
	await rig.gone('b6-busy', 'b6');
});

test('eviction of a busy runner with a docker sidecar: goes when the runner has ended though the pod runs on (B6)', async ({
	rig,
	call,
}) => {
	const name = 'b6-dind';
	await rig.apply(runnerSetPod({ name, namespace: 'b6', nodeName: 'n-evict', dockerSidecar: true }));
	await rig.agents.waitRegistered([name], 20_000);
	await rig.agents.runJob('b6', name);
	await eventually(
		'marked busy',
		async () => (await rig.pod(name, 'b6'))?.metadata.labels?.[busy.label] === 'true',
	);
	assert.is((await evict(call, 'b6', name)).status, 429);
	await rig.agents.endJob('b6', name);
	await rig.gone(name, 'b6');
});

test("a user's own PodDisruptionBudget: both are respected, neither deadlocks the drain (B7)", async ({
	rig,
}) => {
	await runnerNamespace(rig, 'b7');
	const names = ['b7-busy', 'b7-idle-1', 'b7-idle-2'];
	await rig.runners(
		names.map((name) => ({ name, namespace: 'b7', nodeName: 'n-budget', labels: { team: 'ci' } })),
	);
	await rig.apply({
		apiVersion: 'policy/v1',
		kind: 'PodDisruptionBudget',
		metadata: { name: 'team-ci', namespace: 'b7' },
		spec: { minAvailable: 2, selector: { matchLabels: { team: 'ci' } } },
	});
	await eventually('the budget is counted', async () => {
		const budget = await rig.kube.get<{ status?: { disruptionsAllowed?: number } }>(
			'/apis/policy/v1/namespaces/b7/poddisruptionbudgets/team-ci',
		);
		return budget.status?.disruptionsAllowed === 1;
	});
	await rig.agents.runJob('b7', 'b7-busy');
	await eventually(
		'marked busy',
		async () => (await rig.pod('b7-busy', 'b7'))?.metadata.labels?.[busy.label] === 'true',
	);

	const draining = drain(rig, 'n-budget');
	// One idle runner may go; then the user's budget is used up, and the job goes on.
	await eventually('one idle runner is gone', async () => (await rig.pods('b7')).length === 2);
	await sleep(1_500);
	assert.is((await rig.pods('b7')).length, 2);
	// The job ends: an ended pod needs no budget. The other idle runner needs replacements elsewhere.
	await rig.agents.endJob('b7', 'b7-busy');
	await rig.gone('b7-busy', 'b7');
	await rig.runners(
		['b7-new-1', 'b7-new-2'].map((name) => ({
			name,
			namespace: 'b7',
			nodeName: 'n-spare',
			labels: { team: 'ci' },
		})),
	);
	const drained = await draining;
	assert.is(drained.code, 0, drained.stderr);
	assert.match(drained.stderr, "would violate the pod's disruption budget");
	assert.equal((await rig.pods('b7')).map((pod) => pod.metadata.name).sort(), ['b7-new-1', 'b7-new-2']);
});

test('spot notice: idle runners leave GitHub and the node at once, a busy one runs on to its end (B10)', async ({
	rig,
	call,
}) => {
	await runnerNamespace(rig, 'b10');
	const names = ['b10-busy', 'b10-idle-1', 'b10-idle-2'];
	await rig.runners(names.map((name) => ({ name, namespace: 'b10', nodeName: 'n-spot' })));
	await rig.agents.runJob('b10', 'b10-busy');
	// As termination handlers do: taint the node, evict all of it, again and again, with what is left of two minutes.
	await rig.ok(['taint', 'node', 'n-spot', 'spot-itn=true:NoSchedule']);
	const startedMs = Date.now();
	for (const name of names)
		await evict(
			call,
			'b10',
			name,
			{ gracePeriodSeconds: 110 },
			'system:serviceaccount:kube-system:termination-handler',
		);
	for (const name of names.slice(1)) await rig.gone(name, 'b10');
	assert.ok(Date.now() - startedMs < 5_000, `idle ones gone after ${Date.now() - startedMs} ms`);
	for (let seconds = 109; seconds > 106; seconds--) {
		assert.is((await evict(call, 'b10', 'b10-busy', { gracePeriodSeconds: seconds })).status, 429);
		await sleep(300);
	}
	await rig.agents.endJob('b10', 'b10-busy');
	await rig.gone('b10-busy', 'b10');
});

test('drain --dry-run=server of busy and idle runners writes nothing, neither here nor at GitHub', async ({
	rig,
	history,
}) => {
	await runnerNamespace(rig, 'dry');
	await rig.runners(['dry-busy', 'dry-idle'].map((name) => ({ name, namespace: 'dry', nodeName: 'n-dry' })));
	await rig.agents.runJob('dry', 'dry-busy');
	await eventually('marked busy, the last of it the condition', async () =>
		(await rig.pod('dry-busy', 'dry'))?.status?.conditions?.some(
			({ type, status }) => type === busy.condition && status === 'True',
		),
	);
	const writes = await history.writesDuring(async () => {
		const drained = await drain(rig, 'n-dry', 'n-plugin', '--dry-run=server', '--timeout=3s');
		console.log(`dry-run: exit code ${drained.code} ${drained.stderr.slice(0, 300)}`);
	});
	assert.equal(writes, []);
	await rig.agents.endJob('dry', 'dry-busy');
});

test('kubectl runners drain: cordons, says for whom it waits, exit code 2 at --timeout and 0 when all have left (B11)', async ({
	rig,
	plugin,
}) => {
	await runnerNamespace(rig, 'b11');
	const names = ['b11-busy', 'b11-idle'];
	await rig.scaleSetRunners(names.map((name) => ({ name, namespace: 'b11', nodeName: 'n-plugin' })));
	await rig.agents.runJob('b11', 'b11-busy');
	const env = { KUBECONFIG: rig.cluster.kubeconfig };

	const late = await plugin.run(['drain', 'n-plugin', '--timeout=3s'], env);
	assert.is(late.code, 2, late.stderr);
	assert.match(late.stdout, 'node/n-plugin cordoned');
	assert.match(late.stdout, /^pod\/b11-idle evicted$/m);
	assert.match(late.stdout, /b11\/b11-busy not evicted yet: it is busy/);
	assert.match(late.stderr, 'b11-busy');
	assert.is(await phaseOf(rig, 'b11-busy', 'b11'), 'Running');

	const draining = plugin.start(['drain', 'n-plugin'], env);
	await draining.prints(/^waiting for b11\/b11-busy: busy/m);
	await rig.agents.endJob('b11', 'b11-busy');
	const drained = await draining.end();
	assert.is(drained.code, 0, drained.stderr);
	assert.match(drained.stdout, /^node\/n-plugin drained of runners/m);
	assert.equal(await rig.pods('b11'), []);
});

test.run();
