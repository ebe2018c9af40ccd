/** A node whose kubelet syncs as a real one does, on a real API server; pod-worker.test.ts has its rules. */
import * as assert from 'uvu/assert';
import { type Cluster, startCluster } from '../../cluster/cluster.ts';
import { eventually } from '../../rig/eventually.ts';
import { type StartOptions, startAnnotation } from '../../sim/pod-plan.ts';
import { type LegacyPodOptions, runnerSetPod } from '../../sim/pods.ts';
import { type RunnerAgents, startRunnerAgents } from '../../sim/runner-agents.ts';
import { type GitHub, startGitHub } from '../../sim/simulator.ts';
import { suite } from '../../support/suite.ts';

interface Rig {
	cluster: Cluster;
	github: GitHub;
	agents: RunnerAgents;
	namespace: string;
}

const withinMs = 30_000;
let spaces = 0;

const test = suite<Rig>('a node whose kubelet syncs');

test.before(async (rig) => {
	rig.cluster = await startCluster();
	rig.github = await startGitHub();
	const { cluster, github } = rig;
	rig.agents = await startRunnerAgents({ cluster: cluster.kubeconfig, github, kubelet: { relistMs: 300 } });
	await cluster.addNode('node-1', { syncs: true });
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
test.after.each(({ agents }) => {
	assert.equal(
		agents.journal.filter(({ what }) => what === 'failure'),
		[],
	);
});

async function kubectl({ cluster, namespace }: Rig, ...args: string[]): Promise<string> {
	const done = await cluster.kubectl(['-n', namespace, ...args]);
	return done.code === 0 ? done.stdout : done.stderr;
}

async function create(rig: Rig, name: string, start: StartOptions, more: Partial<LegacyPodOptions> = {}) {
	const { namespace, cluster } = rig;
	const annotations = { [startAnnotation]: JSON.stringify(start) };
	const pod = runnerSetPod({ name, namespace, annotations, ...more });
	const done = await cluster.kubectl(['create', '-f', '-'], { input: JSON.stringify(pod) });
	assert.is(done.code, 0, done.stderr);
}

const happened = ({ agents, namespace }: Rig, pod: string) =>
	agents.journal
		.filter((entry) => entry.namespace === namespace && entry.pod === pod)
		.map(({ what }) => what);

const until = (rig: Rig, pod: string, what: ReturnType<typeof happened>[number]) =>
	eventually(`${pod}: ${what}`, () => happened(rig, pod).includes(what), { withinMs, everyMs: 20 });

const shown = (rig: Rig, pod: string) =>
	kubectl(
		rig,
		'get',
		'pod',
		pod,
		'-o',
		'jsonpath={.status.phase}{range .status.containerStatuses[*]} {.state}{end}',
	);

test('with one quick container it is as quick as kwok; a job runs, the container ends, the pod goes', async (rig) => {
	const { agents, namespace } = rig;
	await create(rig, 'a', {});
	await agents.waitRegistered(['a'], withinMs);
	await eventually('running', async () => (await shown(rig, 'a')).startsWith('Running {"running":'));
	assert.match(await kubectl(rig, 'logs', 'a', '-c', 'runner'), /Listening for Jobs/);
	await agents.runJob(namespace, 'a');
	await agents.endJob(namespace, 'a');
	await eventually('Succeeded', async () => (await shown(rig, 'a')).startsWith('Succeeded {"terminated":'));
	await kubectl(rig, 'delete', 'pod', 'a');
	await until(rig, 'a', 'pod-gone');
	assert.equal(happened(rig, 'a'), [
		'container-started',
		'registered',
		'job-started',
		'job-ended',
		'container-stopped',
		'pod-terminating',
		'pod-gone',
	]);
});

test('while a second image is pulled the runner works, and status and log say that it has not started', async (rig) => {
	const { agents, namespace } = rig;
	await create(rig, 'b', { pullMs: { docker: 8_000 } }, { dockerSidecar: true });
	await agents.waitRegistered(['b'], withinMs);
	await agents.runJob(namespace, 'b');
	const creating = '{"waiting":{"reason":"ContainerCreating"}}';
	assert.is(await shown(rig, 'b'), `Pending ${creating} ${creating}`);
	assert.match(
		await kubectl(rig, 'logs', 'b', '-c', 'runner'),
		'container "runner" in pod "b" is waiting to start: ContainerCreating',
	);
	await kubectl(rig, 'delete', 'pod', 'b', '--wait=false');
	await until(rig, 'b', 'pod-terminating');
	assert.equal(agents.killedJobs(), [], 'SIGTERM comes when the pull has ended');
	await until(rig, 'b', 'job-killed');
	await until(rig, 'b', 'pod-gone');
});

test('a pod deleted by force while its image is pulled is gone, and runs: it takes a job and ends by SIGKILL', async (rig) => {
	const { agents, namespace } = rig;
	const start = { pullMs: { runner: 1_500 }, sigterm: 'ignores' } as const;
	await create(rig, 'c', start, { terminationGracePeriodSeconds: 3 });
	await eventually('its status is written', async () =>
		(await shown(rig, 'c')).includes('ContainerCreating'),
	);
	await kubectl(rig, 'delete', 'pod', 'c', '--force', '--grace-period=0');
	await until(rig, 'c', 'pod-gone');
	assert.not(happened(rig, 'c').includes('container-started'));
	await agents.waitRegistered(['c'], withinMs);
	await agents.runJob(namespace, 'c');
	await until(rig, 'c', 'job-killed');
	assert.match(agents.killedJobs().at(-1)?.detail ?? '', /SIGKILL/);
	await create(rig, 'c', {});
	await eventually('the new pod of that name', () => happened(rig, 'c').lastIndexOf('registered') > 4);
});

test('a pod that is deleted before its volumes are mounted never starts', async (rig) => {
	await create(rig, 'd', { mountMs: 60_000 });
	await eventually('its status is written', async () =>
		(await shown(rig, 'd')).includes('ContainerCreating'),
	);
	await kubectl(rig, 'delete', 'pod', 'd');
	await until(rig, 'd', 'pod-gone');
	assert.equal(happened(rig, 'd'), ['pod-terminating', 'pod-gone']);
});

test('an image that cannot be pulled: status and log say so', async (rig) => {
	await create(rig, 'e', { pullFailsForMs: { runner: 'forever' } });
	await eventually('back-off', async () => (await shown(rig, 'e')).includes('ImagePullBackOff'));
	assert.match(
		await kubectl(rig, 'logs', 'e', '-c', 'runner'),
		'container "runner" in pod "e" is waiting to start: trying and failing to pull image',
	);
	await kubectl(rig, 'delete', 'pod', 'e');
	await until(rig, 'e', 'pod-gone');
});

test('with its container runtime away a kubelet answers for a log with 200 and a sentence', async (rig) => {
	const { agents, namespace } = rig;
	await create(rig, 'f', {});
	await eventually('running', async () => (await shown(rig, 'f')).startsWith('Running'));
	agents.setLog(namespace, 'f', 'lost');
	const log = await rig.cluster.kubectl(['-n', namespace, 'logs', 'f', '-c', 'runner']);
	assert.is(log.code, 0);
	assert.match(log.stdout, /^unable to retrieve container logs for containerd:\/\/[0-9a-f]{64}$/);
	agents.setLog(namespace, 'f', 'on');
	assert.match(await kubectl(rig, 'logs', 'f', '-c', 'runner'), /Listening for Jobs/);
});

test.run();
