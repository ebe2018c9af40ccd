/** The plugin against a real API server without the guard: what it must do everywhere. */
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import * as assert from 'uvu/assert';
import { busy, progress, record } from '../../../admission/api/keys.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { plainPod } from '../../rig/spaces.ts';
import { stage } from '../../rig/stage.ts';
import { type LegacyPodOptions, runnerSetPod } from '../../sim/pods.ts';
import { suite } from '../../support/suite.ts';
import { type Finished, type Installed, installPlugin, Running } from '../support/plugin-process.ts';
import { end } from '../support/space.ts';

interface Context {
	rig: Rig;
	plugin: Installed;
	/** Runs the plugin as admin. */
	runners: (...args: string[]) => Promise<Finished>;
	start: (...args: string[]) => Running;
}

const test = suite<Context>('kubectl runners, without the guard');
/** Nodes of this file's own. */
const nodes = ['drained', 'interrupted'];

test.before(async (context) => {
	[context.rig, context.plugin] = await Promise.all([stage('bare'), installPlugin()]);
	const env = { KUBECONFIG: context.rig.cluster.kubeconfig };
	context.runners = (...args) => context.plugin.run(args, env);
	context.start = (...args) => context.plugin.start(args, env);
	await Promise.all(nodes.map((node) => context.rig.cluster.addNode(node)));
});

test.after(async ({ rig, plugin }) => {
	await Promise.all(nodes.map((node) => rig?.kube.delete(`/api/v1/nodes/${node}`)));
	await Promise.all([end(rig), plugin?.remove()]);
});

/** Makes runners in a namespace of their own and waits until their containers run. */
async function given(rig: Rig, namespace: string, ...pods: LegacyPodOptions[]): Promise<void> {
	await rig.cluster.createNamespace(namespace);
	rig.agents.set(namespace, { registrationDelayMs: 60 * 60_000 }); // nobody asks GitHub here
	const made = pods.map((pod) => runnerSetPod({ set: 'example', nodeName: 'node-1', ...pod, namespace }));
	await rig.apply(...made);
	const awaited = pods.filter((pod) => pod.nodeName !== 'nowhere').length;
	await eventually(`the pods of ${namespace} run`, async () => {
		const running = (await rig.pods(namespace)).filter(({ status }) => status?.phase === 'Running');
		return running.length === awaited;
	});
}

const path = (namespace: string, pod: string) => `/api/v1/namespaces/${namespace}/pods/${pod}`;
const change = (rig: Rig, namespace: string, pod: string, metadata: object) =>
	rig.kube.patch(path(namespace, pod), { metadata });
const hold = (rig: Rig, namespace: string, pod: string) =>
	change(rig, namespace, pod, { finalizers: ['test/hold'] });
const letGo = (rig: Rig, namespace: string, pod: string) => change(rig, namespace, pod, { finalizers: null });
const remove = (rig: Rig, namespace: string, ...pods: string[]) =>
	Promise.all(pods.map((pod) => rig.kube.delete(path(namespace, pod))));
const namesOf = async (rig: Rig, namespace: string) =>
	(await rig.pods(namespace)).map(({ metadata }) => metadata.name);

/** A PodDisruptionBudget that forbids to evict the pods with the label kept=yes, in force. */
async function budget(rig: Rig, namespace: string): Promise<void> {
	const metadata = { name: 'keep', namespace };
	const spec = { minAvailable: 1, selector: { matchLabels: { kept: 'yes' } } };
	await rig.apply({ apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata, spec });
	type Budget = { status?: { observedGeneration?: number } };
	await eventually('the budget is in force', async () => {
		const { status } = await rig.kube.get<Budget>(budgetPath(namespace));
		return status?.observedGeneration;
	});
}
const budgetPath = (namespace: string) => `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets/keep`;

const idle = { annotations: { [progress.runnerId]: '7' } };
const onJob = {
	labels: { [busy.label]: 'true' },
	/** Twelve minutes ago when it is read, however long the tests take. */
	get annotations() {
		return {
			[progress.runnerId]: '8',
			[busy.job]: 'build (octo-org/app, run 42)',
			[busy.since]: new Date(Date.now() - 720_000).toISOString(),
		};
	},
};
const recorded = {
	get [record.requestedAt]() {
		return new Date().toISOString();
	},
	[record.requestedBy]: 'alice',
	[record.options]: '{"via":"eviction","gracePeriodSeconds":30}',
	[record.proof]: 'signed',
};

test('list: every runner with set, state, job, id and node; other pods are not shown', async (context) => {
	const { rig, runners } = context;
	await given(
		rig,
		'list',
		{ name: 'a-idle', ...idle },
		{ name: 'b-busy', ...onJob },
		{ name: 'c-draining', ...onJob, annotations: { ...onJob.annotations, ...recorded } },
		{ name: 'd-pending', nodeName: 'nowhere' },
		{ name: 'e-starting' },
	);
	await rig.apply(plainPod('web', 'list'));

	const listed = await runners('list', '-n', 'list');
	assert.is(listed.code, 0, listed.stderr);
	const rows = listed.stdout
		.trim()
		.split('\n')
		.map((line) => line.split(/ {2,}/));
	assert.equal(rows[0], ['NAME', 'SET', 'STATE', 'JOB', 'RUNNER ID', 'NODE', 'AGE']);
	assert.equal(
		rows.slice(1).map((row) => row.slice(0, 6)),
		[
			['a-idle', 'example', 'idle', '<none>', '7', 'node-1'],
			['b-busy', 'example', 'busy', 'build (octo-org/app, run 42)', '8', 'node-1'],
			['c-draining', 'example', 'draining', 'build (octo-org/app, run 42)', '8', 'node-1'],
			// a node that no kubelet looks after: bound, but nothing starts
			['d-pending', 'example', 'starting', '<none>', '<none>', 'nowhere'],
			['e-starting', 'example', 'starting', '<none>', '<none>', 'node-1'],
		],
	);

	const wide = await runners('get', '-A', '-owide', '-l', 'actions-runner/busy=true', '--no-headers');
	assert.match(
		wide.stdout,
		/^list +b-busy .* octo-org +12m +<none> +<none> +<none>\nlist +c-draining .* octo-org +12m +alice +<none> +<none>\n$/,
	);
	const names = await runners('list', '-n', 'list', '-o', 'name');
	assert.is(names.stdout, 'pod/a-idle\npod/b-busy\npod/c-draining\npod/d-pending\npod/e-starting\n');
	const json = JSON.parse((await runners('list', '-n', 'list', '-o', 'json')).stdout);
	assert.is(json.kind, 'List');
	assert.equal(
		json.items.map((pod: { kind: string; metadata: { name: string; managedFields?: object } }) => [
			pod.kind,
			pod.metadata.name,
			pod.metadata.managedFields,
		]),
		names.stdout
			.trim()
			.split('\n')
			.map((name) => ['Pod', name.slice(4), undefined]),
	);
	// kubectl reads our YAML as it reads its own
	const yaml = (await runners('list', '-n', 'list', 'a-idle', '-o', 'yaml')).stdout;
	const again = await rig.ok(['create', '-f', '-', '--dry-run=client', '-o', 'json'], yaml);
	assert.equal(JSON.parse(again).spec, json.items[0].spec);

	const none = await runners('list', '-n', 'no-such-namespace');
	assert.equal(
		[none.code, none.stdout, none.stderr],
		[0, '', 'No resources found in no-such-namespace namespace.\n'],
	);
	const other = await runners('list', 'web', '-n', 'list');
	assert.equal([other.code, other.stderr], [1, 'error: pod "web" is not a runner; use kubectl for it\n']);
});

test('list -w: the table, then one line for every change that shows, until Ctrl-C', async ({
	rig,
	start,
}) => {
	await given(rig, 'watch', { name: 'r-0', ...idle });
	const watching = start('list', '-w', '-n', 'watch');
	await watching.prints(/^r-0 .* idle /m);
	await change(rig, 'watch', 'r-0', { annotations: { unrelated: 'change' } });
	await change(rig, 'watch', 'r-0', { labels: { [busy.label]: 'true' } });
	await watching.prints(/^r-0 .* busy /m);
	await remove(rig, 'watch', 'r-0');
	await watching.prints(/^r-0 .* deleted /m);
	watching.interrupt();
	const { code, stdout } = await watching.end();
	assert.is(code, 130);
	assert.equal(
		stdout
			.trim()
			.split('\n')
			.map((line) => line.split(/ +/)[2]),
		['STATE', 'idle', 'busy', 'draining', 'deleted'],
	);
});

test('why: says that no guard is installed, and what is recorded', async ({ rig, runners }) => {
	await given(rig, 'why', { name: 'r-0', ...onJob, annotations: { ...onJob.annotations, ...recorded } });
	const shown = await runners('why', 'r-0', '-n', 'why');
	assert.is(shown.code, 0, shown.stderr);
	assert.match(shown.stdout, /^Deletion: +unguarded \(guard-not-installed\)$/m);
	assert.match(shown.stdout, /^Sources: +runner's log +not known: its log does not say whether it works$/m);
	assert.match(shown.stdout, /^ +GitHub's list +working since /m);
	assert.match(shown.stdout, /^Job: +build \(octo-org\/app, run 42\), busy for 12m$/m);
	assert.match(
		shown.stdout,
		/^Recorded: +an eviction, grace period 30s, requested by alice \(unverified\) \d+s ago/m,
	);
	assert.match(shown.stdout, /^To cancel: +kubectl runners cancel r-0 -n why$/m);
	const data = JSON.parse((await runners('why', 'r-0', '-n', 'why', '-o', 'json')).stdout);
	assert.equal([data.verdict, data.recorded.requestedBy], ['unguarded', 'alice']);
	assert.is((await rig.pod('r-0', 'why'))?.status?.phase, 'Running');
});

test('delete: waits until the pods are gone; --wait=false does not; a dry run changes nothing', async (context) => {
	const { rig, runners } = context;
	const names = ['r-0', 'r-1', 'r-2', 'r-3'];
	await given(rig, 'delete', ...names.map((name) => ({ name, ...idle })));

	const client = await runners('delete', 'r-0', '-n', 'delete', '--dry-run');
	assert.is(client.stdout, 'pod "r-0" deleted from delete namespace (dry run)\n');
	const server = await runners('delete', 'r-0', '-n', 'delete', '--dry-run=server');
	assert.is(server.stdout, 'pod "r-0" deleted from delete namespace (server dry run)\n');

	const one = await runners('delete', 'pod/r-0', '-n', 'delete');
	assert.equal([one.code, one.stdout, one.stderr], [0, 'pod "r-0" deleted from delete namespace\n', '']);
	assert.equal(await namesOf(rig, 'delete'), ['r-1', 'r-2', 'r-3']);

	const quick = await runners('delete', 'r-1', '-n', 'delete', '--wait=false');
	assert.is(quick.stdout, 'pod "r-1" deleted from delete namespace\n');

	const all = await runners('delete', '-l', 'runnerset-name=example', '-n', 'delete', '--timeout', '30s');
	assert.is(all.code, 0, all.stderr);
	assert.equal(await namesOf(rig, 'delete'), []);
	const none = await runners('delete', '--all', '-n', 'delete');
	assert.equal([none.code, none.stderr], [0, 'No resources found\n']);
});

test('delete of what does not exist or is no runner: kubectl-style errors, and the others are deleted', async (context) => {
	const { rig, runners } = context;
	await given(rig, 'missing', { name: 'r-0', ...idle });
	const some = await runners('delete', 'r-0', 'ghost', '-n', 'missing');
	assert.equal([some.code, some.stdout], [1, 'pod "r-0" deleted from missing namespace\n']);
	assert.is(some.stderr, 'Error from server (NotFound): pods "ghost" not found\n');
	const ignored = await runners('delete', 'ghost', '-n', 'missing', '--ignore-not-found');
	assert.is(ignored.code, 0);
	const many = await runners('delete', 'a', 'b', 'c', 'd', 'e', '-n', 'missing');
	assert.is(many.stderr.trim().split('\n').length, 3);
});

test('delete --now writes the reason on the pod before it deletes', async ({ rig, runners }) => {
	const held = { ...onJob, name: 'r-0', terminationGracePeriodSeconds: 30 };
	await given(rig, 'now', held);
	await hold(rig, 'now', 'r-0');
	const refused = await runners('delete', 'r-0', '-n', 'now', '--now');
	assert.equal([refused.code, refused.stdout], [1, '']);
	assert.match(refused.stderr, /^error: --now kills the job.*--reason TEXT\n$/);

	const timedOut = await runners('delete', 'r-0', '-n', 'now', '--now', '--reason', 'stuck', '--timeout=3s');
	assert.is(timedOut.code, 2);
	assert.is(timedOut.stderr, 'error: timed out waiting for the condition on pods/r-0\n');
	const pod = await rig.pod('r-0', 'now');
	assert.is(pod?.metadata.annotations?.['actions-runner/break-glass'], 'stuck');
	assert.ok(pod?.metadata.deletionTimestamp);
	await letGo(rig, 'now', 'r-0');
});

test('wait: for gone, idle and busy; a timeout is exit code 2', async ({ rig, runners, start }) => {
	await given(rig, 'wait', { name: 'r-0', ...onJob }, { name: 'r-1', ...idle });
	assert.is((await runners('wait', 'r-1', '--for=idle', '-n', 'wait')).stdout, 'pod/r-1 condition met\n');
	const late = await runners('wait', 'r-0', 'r-1', '--for', 'idle', '-n', 'wait', '--timeout=4s');
	assert.equal([late.code, late.stderr], [2, 'error: timed out waiting for the condition on pods/r-0\n']);
	assert.match(late.stdout, /waiting for wait\/r-0: busy for \d+m: build \(octo-org\/app, run 42\)/);

	const waiting = start('wait', 'r-0', '--for=idle', '-n', 'wait');
	await waiting.prints(/busy for \d+m: build/);
	await change(rig, 'wait', 'r-0', { labels: { [busy.label]: null } });
	assert.is((await waiting.end()).code, 0);

	const gone = start('wait', 'r-0', 'r-1', '-n', 'wait');
	await gone.prints(/nobody has requested the deletion of pod "r-0" yet/);
	await remove(rig, 'wait', 'r-0', 'r-1');
	const { code, stdout } = await gone.end();
	assert.is(code, 0);
	assert.match(stdout, /pod\/r-0 condition met/);
	assert.match(stdout, /pod\/r-1 condition met/);
	assert.is((await runners('wait', 'r-0', '-n', 'wait')).code, 1);
});

test('a wait survives a restart of the API server', async ({ rig, start }) => {
	await given(rig, 'restart', { name: 'r-0', ...idle });
	const waiting = start('wait', 'r-0', '-n', 'restart');
	await waiting.prints(/waiting for restart\/r-0: idle/);
	await rig.cluster.killApiServer();
	await waiting.prints(/trying again/);
	await rig.cluster.startApiServer();
	await remove(rig, 'restart', 'r-0');
	assert.is((await waiting.end()).code, 0);
});

test('cancel: removes the record and the attempt, and commands that wait report that', async ({
	rig,
	runners,
	start,
}) => {
	const annotations = {
		...onJob.annotations,
		...recorded,
		[progress.attempt]: `${new Date().toISOString()} replica-1`,
	};
	await given(rig, 'cancel', { name: 'r-0', ...onJob, annotations }, { name: 'r-1', ...idle });
	const waiting = start('wait', 'r-0', '-n', 'cancel');
	await waiting.prints(/waiting for cancel\/r-0: busy/);

	const cancelled = await runners('cancel', 'r-0', 'r-1', '-n', 'cancel');
	assert.is(cancelled.code, 0, cancelled.stderr);
	assert.is(
		cancelled.stdout,
		'pod/r-0 deletion cancelled (requested by alice)\npod/r-1 has no recorded deletion\n',
	);
	const { annotations: left = {} } = (await rig.pod('r-0', 'cancel'))?.metadata ?? {};
	assert.equal(Object.keys(left).sort(), [progress.runnerId, busy.job, busy.since].sort());
	const shown = await waiting.end();
	assert.equal(
		[shown.code, shown.stderr],
		[1, 'error: pod "r-0" stays: its recorded deletion was cancelled\n'],
	);
});

test('cancel of an unregistered or terminating runner is refused', async ({ rig, runners }) => {
	const completed = {
		...recorded,
		[progress.runnerId]: '7',
		[progress.completedAt]: '2026-11-23T10:00:00Z',
		[progress.proof]: 'signed',
	};
	await given(rig, 'late', { name: 'r-0', annotations: completed }, { name: 'r-1', annotations: recorded });
	await hold(rig, 'late', 'r-1');
	await remove(rig, 'late', 'r-1');
	const refused = await runners('cancel', 'r-0', 'r-1', '-n', 'late');
	assert.is(refused.code, 1);
	assert.match(
		refused.stderr,
		/"r-0" cannot be cancelled: its runner was unregistered .* 2026-11-23T10:00:00Z\n/,
	);
	assert.match(refused.stderr, /"r-1" cannot be cancelled: it is terminating\n$/);
	await letGo(rig, 'late', 'r-1');
});

test('drain: cordons, evicts the runners and only those, waits for a budget as kubectl drain does', async (context) => {
	const { rig, runners, start } = context;
	await given(
		rig,
		'drain',
		{ name: 'r-0', nodeName: 'drained', ...idle },
		{ name: 'r-1', nodeName: 'drained', labels: { kept: 'yes' }, ...idle },
	);
	await rig.apply(plainPod('web', 'drain', { nodeName: 'drained' }));
	await budget(rig, 'drain');

	const dry = await runners('drain', 'drained', '--dry-run=server');
	assert.is(dry.code, 0, dry.stderr);
	assert.match(dry.stdout, /^node\/drained cordoned \(server dry run\)$/m);
	assert.match(dry.stdout, /^pod\/r-0 evicted \(server dry run\)$/m);
	assert.match(dry.stdout, /^drain\/r-1 not evicted yet: Cannot evict pod as it would violate/m);

	const late = await runners('drain', 'drained', '--timeout=6s');
	assert.equal([late.code, late.stderr], [2, 'error: timed out waiting for the condition on pods/r-1\n']);
	assert.match(late.stdout, /^node\/drained cordoned$/m);
	assert.match(late.stdout, /^pod\/r-0 evicted$/m);

	const draining = start('drain', 'drained');
	await draining.prints(/waiting for drain\/r-1: idle: Cannot evict pod as it would violate/);
	await rig.kube.delete(budgetPath('drain'));
	const done = await draining.end();
	assert.is(done.code, 0, done.stderr);
	assert.match(done.stdout, /^node\/drained already cordoned$/m);
	assert.match(done.stdout, /^node\/drained drained of runners: 1 runner has left in \d+s$/m);
	assert.match(
		done.stdout,
		/^1 other pod is left on the node; for those: kubectl drain drained --ignore-daemonsets$/m,
	);
	assert.equal(await namesOf(rig, 'drain'), ['web']);
});

test('Ctrl-C in a drain: the node stays cordoned, and what is recorded can be cancelled', async (context) => {
	const { rig, start } = context;
	const labels = { ...onJob.labels, kept: 'yes' };
	await given(rig, 'interrupt', { name: 'r-0', nodeName: 'interrupted', ...onJob, labels });
	await budget(rig, 'interrupt');
	const draining = start('drain', 'interrupted');
	await draining.prints(/waiting for interrupt\/r-0: .*; Cannot evict/);
	await change(rig, 'interrupt', 'r-0', { annotations: recorded });
	await draining.prints(/run 42\)\n/);
	draining.interrupt();
	const { code, stderr } = await draining.end();
	assert.is(code, 130);
	const lines = stderr.trim().split('\n');
	assert.is(lines[0], 'node/interrupted stays cordoned; 1 runner is still on it');
	assert.match(lines[1] ?? '', /still recorded.*kubectl runners cancel r-0 -n interrupt$/);
	assert.is(lines.length, 2);
});

test('without permission: one line with the message of the API server, exit code 1', async ({
	rig,
	plugin,
}) => {
	await given(rig, 'forbidden', { name: 'r-0', ...idle });
	const env = { KUBECONFIG: await rig.cluster.kubeconfigFor('bob', ['devs']) };
	const pods = 'Error from server \\(Forbidden\\): pods is forbidden: User "bob" cannot list resource "pods"';
	for (const [args, message] of [
		[['list', '-n', 'forbidden'], pods],
		[['list', '-A', '-o', 'json'], pods],
		[['list', '-w', '-n', 'forbidden'], pods],
		[['why', 'r-0', '-n', 'forbidden'], 'pods "r-0" is forbidden: User "bob" cannot get'],
		[['delete', 'r-0', '-n', 'forbidden'], 'pods "r-0" is forbidden: User "bob" cannot get'],
		[['cancel', 'r-0', '-n', 'forbidden'], 'pods "r-0" is forbidden: User "bob" cannot get'],
		[['drain', 'node-1'], 'nodes "node-1" is forbidden: User "bob" cannot get'],
	] as const) {
		const refused = await plugin.run([...args], env);
		assert.is(refused.code, 1, args.join(' '));
		assert.match(
			refused.stderr,
			new RegExp(`^(Error from server \\(Forbidden\\): )?.*${message}`),
			args.join(' '),
		);
		assert.is(refused.stderr.trim().split('\n').length, 1);
		assert.is(refused.stdout, '');
	}
	const asBob = await plugin.run(['list', '-n', 'forbidden', '--as=bob'], {
		KUBECONFIG: rig.cluster.kubeconfig,
	});
	assert.match(asBob.stderr, /User "bob" cannot list/);
	const inGroup = ['list', '-n', 'forbidden', '--as=bob', '--as-group=devs', '--as-group=system:masters'];
	assert.is((await plugin.run(inGroup, { KUBECONFIG: rig.cluster.kubeconfig })).code, 0);
	const noToken = await plugin.run(['list', '--token=wrong'], { KUBECONFIG: env.KUBECONFIG });
	assert.is(noToken.code, 1);
});

test('kubectl runners: kubectl finds the plugin, passes arguments, exit code and completion', async (context) => {
	const { rig, plugin } = context;
	await given(rig, 'dispatch', { name: 'r-0', ...idle });
	const env = {
		...process.env,
		KUBECONFIG: rig.cluster.kubeconfig,
		PATH: plugin.path(dirname(rig.cluster.kubectlPath)),
	};
	const run = (...args: string[]) => new Running(spawn(rig.cluster.kubectlPath, args, { env })).end();
	const listed = await run('runners', 'list', '-n', 'dispatch', '-o', 'name');
	assert.equal([listed.code, listed.stdout], [0, 'pod/r-0\n']);
	assert.is((await run('runners', 'why', 'ghost', '-n', 'dispatch')).code, 1);
	const help = await run('runners', 'drain', '--help');
	assert.is(help.code, 0);
	assert.match(help.stdout, /kubectl runners drain worker-1/);
	const verbs = await run('__complete', 'runners', 'dr');
	assert.match(verbs.stdout, /^drain\t[A-Z]/m);
	const pods = await run('__complete', 'runners', 'delete', '-n', 'dispatch', '');
	assert.match(pods.stdout, /^r-0\tidle\n:4\n/);
	const nodes = await run('__complete', 'runners', 'drain', 'node');
	assert.match(nodes.stdout, /^node-1\nnode-2\n:4\n/);
	const spaces = await run('__complete', 'runners', 'list', '-n', 'disp');
	assert.match(spaces.stdout, /^dispatch\n:4\n/);
});

test('version: of the plugin, the cluster and whether the guard is there', async ({ runners }) => {
	const text = await runners('version');
	assert.match(
		text.stdout,
		/^Client Version: v\d+\.\d+\.\d+.*\nServer Version: v1\.\d+.*\nGuard: not installed/,
	);
	const data = JSON.parse((await runners('version', '-o', 'json')).stdout);
	assert.is(data.guard, 'not-installed');
});

test('a cluster without RunnerSets: no such resource type, and one line of advice', async ({ runners }) => {
	for (const args of [
		['scale', 'example', '--replicas=1'],
		['list', 'sets'],
		['list', 'sets', '-w'],
		['status'],
		['status', 'example', '-w'],
		['drain', 'runnerset/example'],
	]) {
		const { code, stdout, stderr } = await runners(...args);
		assert.equal([code, stdout], [1, ''], args.join(' '));
		assert.match(
			stderr,
			/^error: the server doesn't have a resource type "runnersets"\n[A-Z].*kubectl runners list\n$/,
			args.join(' '),
		);
	}
});

test.run();
