/** The simulated runners' logs, read as the product reads them: through the API server, from the nodes' kubelet. */
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { type Cluster, startCluster } from '../../cluster/cluster.ts';
import { eventually } from '../../rig/eventually.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { runnerSetPod, staticRunnerPod } from '../../sim/pods.ts';
import { type RunnerAgents, startRunnerAgents } from '../../sim/runner-agents.ts';
import { type GitHub, startGitHub } from '../../sim/simulator.ts';
import { suite } from '../../support/suite.ts';

interface Rig {
	cluster: Cluster;
	github: GitHub;
	agents: RunnerAgents;
	namespace: string;
}

const withinMs = 20_000;
let spaces = 0;

const test = suite<Rig>('logs of simulated runners');

test.before(async (rig) => {
	rig.cluster = await startCluster();
	await rig.cluster.addNode('node-1');
	rig.github = await startGitHub();
	rig.agents = await startRunnerAgents({ cluster: rig.cluster.kubeconfig, github: rig.github });
	await rig.cluster.addNode('node-2');
});
test.after(async ({ cluster, github, agents }) => {
	agents?.stop();
	await github?.stop();
	await cluster?.stop();
});
test.before.each(async (rig) => {
	rig.namespace = `test-${++spaces}`;
	await rig.cluster.createNamespace(rig.namespace);
});

interface Reply {
	status: number;
	text: string;
}

function request(rig: Rig, pod: string, query: string): Promise<IncomingMessage> {
	const { server, ca, cert, key } = readKubeconfig(rig.cluster.kubeconfig);
	const url = new URL(`/api/v1/namespaces/${rig.namespace}/pods/${pod}/log?${query}`, server);
	return new Promise((resolve, reject) => {
		get(url, { ca: ca!, cert: cert!, key: key!, agent: false }, resolve).once('error', reject);
	});
}

async function log(rig: Rig, pod: string, query = 'container=runner'): Promise<Reply> {
	const response = await request(rig, pod, query);
	const pieces: Buffer[] = [];
	for await (const piece of response) pieces.push(piece as Buffer);
	return { status: response.statusCode ?? 0, text: Buffer.concat(pieces).toString() };
}

async function start(rig: Rig, pod: ReturnType<typeof runnerSetPod>): Promise<void> {
	const done = await rig.cluster.kubectl(['create', '-f', '-'], { input: JSON.stringify(pod) });
	assert.is(done.code, 0, done.stderr);
	await rig.agents.waitRegistered([pod.metadata.name], withinMs);
}

const time = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ`;

test('an ephemeral runner says that it listens, works, is done and exits, on any node', async (rig) => {
	const { agents, namespace } = rig;
	for (const nodeName of ['node-1', 'node-2']) {
		const name = `a-${nodeName}`;
		await start(rig, runnerSetPod({ name, namespace, nodeName }));
		const idle = String.raw`^\n√ Connected to GitHub\n\nCurrent runner version: '2\.\d+\.\d'\n${time}: Listening for Jobs\n`;
		const works = `${idle}${time}: Running job: build\n`;
		const done = `${works}${time}: Job build completed with result: Succeeded\n(?:.*\\n)*Exiting runner\\.\\.\\.\n`;
		assert.match((await log(rig, name)).text, new RegExp(`${idle}$`));
		await agents.runJob(namespace, name);
		assert.match((await log(rig, name)).text, new RegExp(`${works}$`));
		await agents.endJob(namespace, name);
		assert.match((await log(rig, name)).text, new RegExp(`${done}$`));
	}
});

test('a static runner does not say again that it listens', async (rig) => {
	const { agents, namespace } = rig;
	await start(rig, staticRunnerPod({ name: 'b', namespace }));
	await agents.runJob(namespace, 'b');
	await agents.endJob(namespace, 'b');
	const { text } = await log(rig, 'b');
	assert.match(text, /completed with result: Succeeded\n$/);
	assert.is(text.split('Listening for Jobs').length, 2);
	await agents.runJob(namespace, 'b');
	assert.match((await log(rig, 'b')).text, /completed .*\n.*: Running job: build\n$/);
});

test('tailLines chooses from the end, limitBytes from there on, timestamps come in front', async (rig) => {
	const { agents, namespace } = rig;
	await start(rig, runnerSetPod({ name: 'c', namespace }));
	agents.print(namespace, 'c', 'one\ntwo\n');
	agents.print(namespace, 'c', 'thr');
	agents.print(namespace, 'c', 'ee\n');
	assert.is((await log(rig, 'c', 'container=runner&tailLines=2')).text, 'two\nthree\n');
	assert.is((await log(rig, 'c', 'container=runner&tailLines=2&limitBytes=5')).text, 'two\nt');
	assert.match(
		(await log(rig, 'c', 'container=runner&tailLines=1&timestamps=true')).text,
		/^\d{4}-\d\d-\d\dT[\d:.]+Z three\n$/,
	);
	await sleep(2_100);
	agents.print(namespace, 'c', 'four\n');
	assert.is((await log(rig, 'c', 'container=runner&sinceSeconds=1')).text, 'four\n');
});

test('gigabytes are streamed and held by nobody; the parts of an endless line count as lines', async (rig) => {
	const { agents, namespace } = rig;
	await start(rig, runnerSetPod({ name: 'd', namespace }));
	const heldMb = () => process.memoryUsage().rss / 2 ** 20;
	const before = heldMb();
	agents.flood(namespace, 'd', 8 * 2 ** 30, 200);
	agents.flood(namespace, 'd', 8 * 2 ** 30);
	agents.print(namespace, 'd', 'last\n');
	assert.is((await log(rig, 'd', 'container=runner&tailLines=1')).text, 'last\n');
	assert.is((await log(rig, 'd', 'container=runner&tailLines=3&limitBytes=1000')).text, 'x'.repeat(1000));
	const response = await request(rig, 'd', 'container=runner');
	let bytes = 0;
	for await (const piece of response) {
		bytes += (piece as Buffer).length;
		if (bytes > 64 * 2 ** 20) break;
	}
	assert.ok(heldMb() - before < 200, `${heldMb() - before} MiB`);
});

test('a runner whose trace is printed repeats its lines in it', async (rig) => {
	const { agents, namespace } = rig;
	agents.set(namespace, { printLogToStdout: true });
	await start(rig, staticRunnerPod({ name: 'e', namespace }));
	await agents.runJob(namespace, 'e');
	const { text } = await log(rig, 'e');
	assert.match(
		text,
		new RegExp(String.raw`\n\[RUNNER ${time} INFO Terminal\] WRITE LINE: ${time}: Listening for Jobs\n`),
	);
	assert.match(
		text,
		new RegExp(String.raw`\n${time}: Running job: build\n(?:\[WORKER ${time} INFO .*\n){40}$`),
	);
});

test('a followed log shows what comes, and ends with its pod', async (rig) => {
	const { agents, cluster, namespace } = rig;
	await start(rig, runnerSetPod({ name: 'f', namespace }));
	const response = await request(rig, 'f', 'container=runner&follow=true');
	let text = '';
	response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
	const ended = new Promise((resolve) => response.once('end', resolve));
	await eventually('what is there', () => text.endsWith('Listening for Jobs\n'));
	await agents.runJob(namespace, 'f');
	await eventually('what comes', () => text.endsWith('Running job: build\n'));
	await cluster.kubectl(['-n', namespace, 'delete', 'pod', 'f']);
	await ended;
	assert.match(text, /completed with result: Canceled\n/);
});

test('a reader that leaves a followed log, or one that nobody answers, does no harm', async (rig) => {
	const { agents, namespace } = rig;
	await start(rig, runnerSetPod({ name: 'g', namespace }));
	(await request(rig, 'g', 'container=runner&follow=true')).destroy();
	await agents.runJob(namespace, 'g');
	assert.match((await log(rig, 'g')).text, /Running job: build\n$/);
});

test('a kubelet that fails, that does not answer, and whose node is stopped', async (rig) => {
	const { agents, cluster, namespace } = rig;
	await start(rig, runnerSetPod({ name: 'h', namespace, nodeName: 'node-2' }));
	agents.set(namespace, { log: 'silent' });
	const refused = await log(rig, 'h');
	assert.is(refused.status, 500);
	assert.match(refused.text, /unable to read the log/);

	const silence = async () => {
		const answer = log(rig, 'h').then((reply) => `answered ${reply.status}`);
		return Promise.race([answer, sleep(1_500, 'nothing')]);
	};
	agents.set(namespace, { log: 'off' });
	assert.is(await silence(), 'nothing');
	agents.set(namespace, {});
	assert.is((await log(rig, 'h')).status, 200);
	await cluster.stopKubelet('node-2');
	await eventually('the stopped kubelet is silent', async () => (await silence()) === 'nothing');
	await cluster.startKubelet('node-2');
	await eventually('it answers again', async () => (await silence()) === 'answered 200');
});

test('no log of an unknown pod, of a container that has not started, or of one before the first', async (rig) => {
	const { cluster, namespace } = rig;
	assert.is((await log(rig, 'nobody')).status, 404);
	const held = runnerSetPod({
		name: 'i',
		namespace,
		nodeName: 'node-1',
		annotations: { 'test.runners/hold-start': 'true' },
	});
	const done = await cluster.kubectl(['create', '-f', '-'], { input: JSON.stringify(held) });
	assert.is(done.code, 0, done.stderr);
	await eventually('the agent knows the pod', async () => (await log(rig, 'i')).status === 400);
	assert.match((await log(rig, 'i')).text, /waiting to start/);
	await cluster.kubectl(['-n', namespace, 'annotate', 'pod', 'i', 'test.runners/hold-start-']);
	await rig.agents.waitRegistered(['i'], withinMs);
	assert.is((await log(rig, 'i', 'container=runner&previous=true')).status, 400);
});

test('a container that was restarted in its pod has a new log, and the one before', async (rig) => {
	const { agents, cluster, namespace } = rig;
	const pod = runnerSetPod({ name: 'j', namespace });
	pod.spec.restartPolicy = 'Always';
	await start(rig, pod);
	await agents.runJob(namespace, 'j');
	await agents.endJob(namespace, 'j');
	await eventually('it listens anew', async () =>
		/^\n.*\n\n.*\n.*: Listening for Jobs\n$/.test((await log(rig, 'j')).text),
	);
	assert.match((await log(rig, 'j', 'container=runner&previous=true')).text, /Exiting runner/);
	await cluster.kubectl(['-n', namespace, 'delete', 'pod', 'j', '--wait=false']);
});

test.run();
