import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { readAudit } from '../../cluster/audit.ts';
import { type Cluster, startCluster } from '../../cluster/cluster.ts';
import { recordedProcesses } from '../../cluster/processes.ts';
import { eventually } from '../../rig/eventually.ts';
import { suite } from '../../support/suite.ts';

const test = suite<{ first: Cluster; second: Cluster; scratch: string }>('embedded cluster');

interface Pod {
	metadata: { uid: string; deletionTimestamp?: string };
	spec: { nodeName?: string };
	status: { phase: string; containerStatuses?: { state: { running?: object } }[] };
}

test.before(async (context) => {
	const log = (line: string) => console.error(line);
	context.scratch = await mkdtemp(join(tmpdir(), 'cluster-test-'));
	[context.first, context.second] = await Promise.all([
		startCluster({ log, audit: {} }),
		startCluster({ log }),
	]);
	await Promise.all([context.first.addNode('node-1'), context.second.addNode('node-2')]);
});

test.after(async ({ first, second, scratch }) => {
	await Promise.all([first?.stop(), second?.stop()]);
	await rm(scratch, { recursive: true });
});

async function apply(cluster: Cluster, object: object): Promise<void> {
	const result = await cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(object) });
	assert.is(result.code, 0, result.stderr);
}

function pod(name: string, annotations: Record<string, string> = {}, spec: object = {}): object {
	return {
		apiVersion: 'v1',
		kind: 'Pod',
		metadata: { name, annotations },
		spec: { containers: [{ name: 'runner', image: 'runner' }], ...spec },
	};
}

async function getPod(cluster: Cluster, name: string): Promise<Pod | undefined> {
	const result = await cluster.kubectl(['get', 'pod', name, '-o', 'json']);
	if (result.code === 0) return JSON.parse(result.stdout) as Pod;
	if (result.stderr.includes('NotFound')) return undefined;
	throw new Error(result.stderr);
}

function phase(cluster: Cluster, name: string, wanted: string): Promise<Pod> {
	return eventually(`pod ${name} is ${wanted}`, async () => {
		const found = await getPod(cluster, name);
		return found?.status.phase === wanted ? found : undefined;
	});
}

function gone(cluster: Cluster, name: string): Promise<boolean> {
	return eventually(`pod ${name} is gone`, async () => (await getPod(cluster, name)) === undefined);
}

function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch {
		return false;
	}
}

test('two clusters at once know nothing of each other', async ({ first, second }) => {
	assert.is.not(first.server, second.server);
	await first.createNamespace('only-first');
	const other = await second.kubectl(['get', 'namespace', 'only-first']);
	assert.is(other.code, 1);
	assert.match(other.stderr, /NotFound/);
});

test('a pod is scheduled and runs; it does not complete by itself', async ({ first }) => {
	const spec = {
		initContainers: [
			{ name: 'prepare', image: 'x' },
			{ name: 'dind', image: 'x', restartPolicy: 'Always', securityContext: { privileged: true } },
		],
	};
	await apply(first, pod('runs', {}, spec));
	const running = await phase(first, 'runs', 'Running');
	assert.is(running.spec.nodeName, 'node-1');
	assert.ok(running.status.containerStatuses?.[0]?.state.running);
	await sleep(2_000);
	assert.is((await getPod(first, 'runs'))?.status.phase, 'Running');
});

test('a status that a test writes stays', async ({ first }) => {
	await apply(first, pod('completes'));
	await phase(first, 'completes', 'Running');
	const state = { terminated: { exitCode: 0, reason: 'Completed', finishedAt: new Date().toISOString() } };
	const status = {
		phase: 'Succeeded',
		containerStatuses: [
			{ name: 'runner', image: 'runner', imageID: '', ready: false, restartCount: 0, started: false, state },
		],
	};
	const patch = ['patch', 'pod', 'completes', '--subresource=status', '--type=merge'];
	assert.is((await first.kubectl([...patch, '-p', JSON.stringify({ status })])).code, 0);
	await sleep(2_000);
	assert.is((await getPod(first, 'completes'))?.status.phase, 'Succeeded');
});

test('a pod that is held back never starts, until it is let go', async ({ first }) => {
	await apply(first, pod('held', { 'test.runners/hold-start': 'true' }));
	await eventually('scheduled', async () => (await getPod(first, 'held'))?.spec.nodeName);
	await sleep(1_500);
	const held = await getPod(first, 'held');
	assert.is(held?.status.phase, 'Pending');
	assert.is(held?.status.containerStatuses, undefined);
	await first.kubectl(['annotate', 'pod', 'held', 'test.runners/hold-start-']);
	await phase(first, 'held', 'Running');
});

test('a deleted pod goes within a second or so', async ({ first }) => {
	await apply(first, pod('deleted'));
	await phase(first, 'deleted', 'Running');
	const result = await first.kubectl(['delete', 'pod', 'deleted']);
	assert.is(result.code, 0, result.stderr);
	assert.ok(result.elapsedMs < 5_000, `${result.elapsedMs} ms`);
});

test('a refused last DELETE of a kubelet is tried again, as that of a real one', async ({ first }) => {
	const meta = { name: 'no-kubelet-deletes' };
	await apply(first, {
		apiVersion: 'admissionregistration.k8s.io/v1',
		kind: 'ValidatingAdmissionPolicy',
		metadata: meta,
		spec: {
			matchConstraints: {
				resourceRules: [
					{ apiGroups: [''], apiVersions: ['v1'], operations: ['DELETE'], resources: ['pods'] },
				],
			},
			validations: [{ expression: '!("system:nodes" in request.userInfo.groups)', message: 'not yet' }],
		},
	});
	await apply(first, {
		apiVersion: 'admissionregistration.k8s.io/v1',
		kind: 'ValidatingAdmissionPolicyBinding',
		metadata: meta,
		spec: { policyName: meta.name, validationActions: ['Deny'] },
	});
	const asNode = ['--as=system:node:node-1', '--as-group=system:nodes', '--dry-run=server'];
	await apply(first, pod('refused'));
	await phase(first, 'refused', 'Running');
	await eventually('the policy works', async () =>
		(await first.kubectl(['delete', 'pod', 'refused', ...asNode])).stderr.includes('not yet'),
	);

	await first.kubectl(['delete', 'pod', 'refused', '--wait=false']);
	await sleep(2_000);
	assert.ok((await getPod(first, 'refused'))?.metadata.deletionTimestamp, 'it hangs');
	await first.kubectl(['delete', 'validatingadmissionpolicybinding', meta.name]);
	await gone(first, 'refused');
});

test('a node whose kubelet has stopped starts and stops nothing until it is back', async ({ second }) => {
	await apply(second, pod('there'));
	await phase(second, 'there', 'Running');
	const renewed = async () =>
		(
			await second.kubectl([
				'get',
				'lease',
				'-n',
				'kube-node-lease',
				'node-2',
				'-o',
				'jsonpath={.spec.renewTime}',
			])
		).stdout;

	await second.stopKubelet('node-2');
	await sleep(1_000);
	const before = await renewed();
	await apply(second, pod('late'));
	await eventually('scheduled', async () => (await getPod(second, 'late'))?.spec.nodeName);
	await second.kubectl(['delete', 'pod', 'there', '--wait=false']);
	await sleep(12_000); // a lease is renewed every 10 s
	assert.is(await renewed(), before);
	assert.is((await getPod(second, 'late'))?.status.phase, 'Pending');
	assert.ok((await getPod(second, 'there'))?.metadata.deletionTimestamp, 'hangs Terminating');

	await second.startKubelet('node-2');
	await phase(second, 'late', 'Running');
	await gone(second, 'there');
	assert.is.not(await renewed(), before);
});

test('controllers, scheduler and kubelets are users of their own', async ({ first }) => {
	await apply(first, {
		apiVersion: 'apps/v1',
		kind: 'ReplicaSet',
		metadata: { name: 'set' },
		spec: {
			replicas: 1,
			selector: { matchLabels: { app: 'set' } },
			template: {
				metadata: { labels: { app: 'set' } },
				spec: { containers: [{ name: 'runner', image: 'x' }] },
			},
		},
	});
	const ready = ['wait', '--for=jsonpath={.status.readyReplicas}=1', 'replicaset/set', '--timeout=15s'];
	assert.is((await first.kubectl(ready)).code, 0);
	assert.is((await first.kubectl(['delete', 'replicaset', 'set'])).code, 0);

	const did = async () => {
		const events = await readAudit(first.folder);
		const pods = events.filter(
			({ objectRef, stage }) => objectRef?.resource === 'pods' && stage === 'ResponseComplete',
		);
		return new Set(
			pods.map(({ user, impersonatedUser, verb, objectRef }) => {
				const { username } = impersonatedUser ?? user; // the pod-reaper acts as the pod's node
				return `${verb} ${objectRef?.subresource ?? ''} ${username}`;
			}),
		);
	};
	for (const line of [
		'create  system:serviceaccount:kube-system:replicaset-controller',
		'create binding system:kube-scheduler',
		'delete  system:serviceaccount:kube-system:generic-garbage-collector',
		'delete  system:node:node-1',
	]) {
		await eventually(line, async () => (await did()).has(line));
	}
});

test('kubeconfigs for any user, group and service account', async ({ first }) => {
	const whoami = async (kubeconfig: string) => {
		const result = await first.kubectl(['auth', 'whoami', '-o', 'json'], { env: { KUBECONFIG: kubeconfig } });
		assert.is(result.code, 0, result.stderr);
		return JSON.parse(result.stdout).status.userInfo;
	};
	const person = await whoami(await first.kubeconfigFor('jane', ['dev', 'ops']));
	assert.is(person.username, 'jane');
	assert.equal(person.groups, ['dev', 'ops', 'system:authenticated']);

	await first.kubectl(['create', 'serviceaccount', 'robot']);
	const robot = await whoami(await first.serviceAccountKubeconfig('default', 'robot'));
	assert.is(robot.username, 'system:serviceaccount:default:robot');
	const denied = await first.kubectl(['auth', 'can-i', 'delete', 'pods'], {
		env: { KUBECONFIG: await first.kubeconfigFor('jane', []) },
	});
	assert.is(denied.stdout.trim(), 'no', 'RBAC is on');
});

test('kubectl: a time limit and an abort end it', async ({ first }) => {
	const watch = ['get', 'pods', '--watch'];
	const slow = await first.kubectl(watch, { timeoutMs: 700 });
	assert.is(slow.code, 124);
	assert.ok(slow.elapsedMs >= 700 && slow.elapsedMs < 3_000);
	const aborted = await first.kubectl(watch, { signal: AbortSignal.timeout(500) });
	assert.is(aborted.code, 130);
});

test('API server killed: nothing answers; restarted: all is as before, and goes on', async ({ second }) => {
	await apply(second, pod('survivor'));
	const before = await phase(second, 'survivor', 'Running');
	const server = second.server;

	await second.killApiServer();
	assert.is((await second.kubectl(['get', 'pods', '--request-timeout=2s'])).code, 1);
	await second.startApiServer();

	assert.is(second.server, server);
	assert.is((await getPod(second, 'survivor'))?.metadata.uid, before.metadata.uid);
	await apply(second, pod('after'));
	await phase(second, 'after', 'Running');
	assert.is((await second.kubectl(['delete', 'pod', 'survivor'])).code, 0);
	const nodes = await second.kubectl(['get', 'nodes', '--no-headers']);
	assert.match(nodes.stdout, /node-2 +Ready /);
});

test('stop ends every process and removes the folder; a second stop is harmless', async ({
	first,
	second,
}) => {
	for (const cluster of [first, second]) {
		const pids = Object.values(cluster.pids());
		assert.is(pids.length, 6);
		await Promise.all([cluster.stop(), cluster.stop()]);
		await cluster.stop();
		assert.equal(pids.filter(isAlive), []);
		assert.is(existsSync(cluster.folder), false);
	}
});

/** Another process that starts a cluster, and its folder. */
async function startElsewhere(): Promise<{ child: ChildProcess; folder: string }> {
	const module = JSON.stringify(join(import.meta.dirname, '..', '..', 'cluster', 'cluster.ts'));
	const script = `import(${module}).then((m) => m.startCluster()).then((c) => process.send(c.folder))`;
	const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
	const folder = await new Promise<string>((resolve, reject) => {
		child.once('message', (message) => resolve(String(message)));
		child.once('exit', () => reject(new Error('it ended before the cluster was up')));
	});
	return { child, folder };
}

test('a run ended with SIGTERM leaves no process and no folder', async () => {
	const { child, folder } = await startElsewhere();
	const pids = recordedProcesses(folder).map(({ pid }) => pid);
	assert.is(pids.length, 6);
	child.kill('SIGTERM');
	await eventually('all are gone', () => !pids.some(isAlive));
	await eventually('the folder is removed', () => !existsSync(folder));
	await eventually('the run has ended by the signal', () => child.signalCode === 'SIGTERM');
});

test('a run killed with SIGKILL: its cluster ends, and the next run removes the rest', async () => {
	const { child, folder } = await startElsewhere();
	child.kill('SIGKILL');
	await eventually('only kwok is left', () => {
		const names = recordedProcesses(folder).map(({ name }) => name);
		return names.length === 1 && names[0] === 'kwok';
	});
	const next = await startCluster();
	try {
		assert.equal(recordedProcesses(folder), []);
		assert.is(existsSync(folder), false);
	} finally {
		await next.stop();
	}
});

test('make cluster: up, up again, down, down again', async ({ scratch }) => {
	const folder = join(scratch, 'detached');
	const cli = join(import.meta.dirname, '..', '..', 'cluster', 'cli.ts');
	const run = async (...args: string[]) => {
		const child = spawn(process.execPath, [cli, ...args, '--folder', folder], {
			stdio: ['ignore', 'pipe', 'ignore'],
		});
		const output = Buffer.concat(await child.stdout.toArray()).toString();
		return { code: child.exitCode, output };
	};
	try {
		assert.match((await run('up', '--nodes', '1')).output, /export KUBECONFIG=/);
		const pids = recordedProcesses(folder).map(({ pid }) => pid);
		assert.is(pids.length, 6);
		assert.match((await run('up')).output, /runs already/);
		assert.equal(
			recordedProcesses(folder).map(({ pid }) => pid),
			pids,
		);
	} finally {
		assert.match((await run('down')).output, /ended \(6 processes\)/);
	}
	assert.is(existsSync(folder), false);
	assert.match((await run('down')).output, /No cluster runs/);
});

test.run();
