/** The simulated runners on a real API server: all other tests rely on them, so they must be right themselves. */
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { type Cluster, startCluster } from '../../cluster/cluster.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { endContainer } from '../../sim/container-exit.ts';
import { Kube } from '../../sim/kube.ts';
import { runnerDeploymentPod, runnerSetPod, staticRunnerPod } from '../../sim/pods.ts';
import { type RunnerAgents, type RunnerAgentsOptions, startRunnerAgents } from '../../sim/runner-agents.ts';
import type { PodItem } from '../../sim/runner-pod.ts';
import { ephemeralRunner, ephemeralRunnerCrd, scaleSetPod } from '../../sim/scale-set-pods.ts';
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

const test = suite<Rig>('simulated runners');

test.before(async (rig) => {
	rig.cluster = await startCluster();
	await rig.cluster.addNode('node-1');
	await apply(rig, ephemeralRunnerCrd);
});
test.after(async ({ cluster }) => cluster.stop());
test.before.each(async (rig) => {
	rig.namespace = `test-${++spaces}`;
	await rig.cluster.createNamespace(rig.namespace);
	rig.github = await startGitHub();
	rig.agents = await startRunnerAgents({ cluster: rig.cluster.kubeconfig, github: rig.github });
});
test.after.each(async ({ cluster, namespace, agents, github }) => {
	const failure = agents.journal.filter((entry) => entry.what === 'failure');
	agents.stop();
	await github.stop();
	await cluster.kubectl(['-n', namespace, 'delete', 'pods', '--all', '--force', '--grace-period=0']);
	assert.equal(failure, []);
});

async function apply({ cluster }: Rig, manifest: object): Promise<{ metadata: { uid: string } }> {
	const done = await cluster.kubectl(['create', '-f', '-', '-o', 'json'], {
		input: JSON.stringify(manifest),
	});
	assert.is(done.code, 0, done.stderr);
	return JSON.parse(done.stdout);
}

async function kubectl({ cluster, namespace }: Rig, ...args: string[]): Promise<string> {
	const done = await cluster.kubectl(['-n', namespace, ...args]);
	assert.is(done.code, 0, done.stderr);
	return done.stdout;
}

async function eventually(what: string, verify: () => boolean | Promise<boolean>): Promise<void> {
	const deadline = Date.now() + withinMs;
	while (!(await verify())) {
		if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
		await sleep(50);
	}
}

async function otherAgents(rig: Rig, options: Partial<RunnerAgentsOptions>): Promise<void> {
	rig.agents.stop();
	rig.agents = await startRunnerAgents({ cluster: rig.cluster.kubeconfig, github: rig.github, ...options });
}

const happened = (rig: Rig, pod: string) =>
	rig.agents.journal.filter((entry) => entry.pod === pod).map((entry) => entry.what);

test('ephemeral runner: registers, works, leaves GitHub, its container ends, the pod stays until deleted', async (rig) => {
	const { agents, github, namespace } = rig;
	await apply(rig, runnerSetPod({ name: 'a-0', namespace }));
	await agents.waitRegistered(['a-0'], withinMs);
	const [runner] = github.runners('orgs/octo-org');
	assert.equal(
		[runner!.name, runner!.ephemeral, runner!.busy, runner!.status],
		['a-0', true, false, 'online'],
	);

	await agents.runJob(namespace, 'a-0');
	assert.ok(github.runner(runner!.id)!.busy);
	await agents.endJob(namespace, 'a-0');
	assert.equal(github.runners('orgs/octo-org'), []);
	await eventually('pod Succeeded', async () => {
		const phase = await kubectl(rig, 'get', 'pod', 'a-0', '-o', 'jsonpath={.status.phase}');
		return phase === 'Succeeded';
	});
	await kubectl(rig, 'delete', 'pod', 'a-0');
	await eventually('pod gone', () => happened(rig, 'a-0').at(-1) === 'pod-gone');
	const order = [
		'registered',
		'job-started',
		'job-ended',
		'container-stopped',
		'pod-terminating',
		'pod-gone',
	];
	assert.equal(
		happened(rig, 'a-0').filter((what) => what !== 'offline'),
		order,
	);
	assert.equal(agents.killedJobs(), []);
	assert.ok(agents.medianReleaseMs()! > 0);
});

test('a busy pod that is deleted is a killed job', async (rig) => {
	const { agents, github, namespace } = rig;
	await apply(rig, runnerDeploymentPod({ name: 'b', namespace, repository: 'octo-org/app' }));
	await agents.waitRegistered(['b'], withinMs);
	assert.is(github.runners('repos/octo-org/app').length, 1);
	const job = await agents.runJob(namespace, 'b');
	await kubectl(rig, 'delete', 'pod', 'b');
	await eventually('job killed', () => agents.killedJobs().length === 1);
	assert.is(agents.killedJobs()[0]!.job, job.id);
	assert.match(agents.killedJobs()[0]!.detail!, /SIGTERM/);
});

test('so is one whose deletion waits for a finalizer: SIGTERM does not wait', async (rig) => {
	const { agents, namespace } = rig;
	await apply(rig, runnerSetPod({ name: 'f-0', namespace, arcFinalizers: true }));
	await agents.waitRegistered(['f-0'], withinMs);
	await agents.runJob(namespace, 'f-0');
	await kubectl(rig, 'delete', 'pod', 'f-0', '--wait=false');
	await eventually('job killed', () => agents.killedJobs().length === 1);
	await kubectl(rig, 'patch', 'pod', 'f-0', '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
});

test('so is one removed by force', async (rig) => {
	const { agents, namespace } = rig;
	await apply(rig, runnerSetPod({ name: 'g-0', namespace }));
	await agents.waitRegistered(['g-0'], withinMs);
	await agents.runJob(namespace, 'g-0');
	await kubectl(rig, 'delete', 'pod', 'g-0', '--force', '--grace-period=0');
	await eventually('job killed', () => agents.killedJobs().length === 1);
});

test('an idle pod that is deleted leaves an offline runner at GitHub', async (rig) => {
	const { agents, github, namespace } = rig;
	await apply(rig, runnerSetPod({ name: 'c-0', namespace, enterprise: 'octo' }));
	await agents.waitRegistered(['c-0'], withinMs);
	await kubectl(rig, 'delete', 'pod', 'c-0');
	await eventually('pod gone', () => happened(rig, 'c-0').at(-1) === 'pod-gone');
	assert.equal(
		github.runners('enterprises/octo').map((runner) => runner.status),
		['offline'],
	);
	assert.equal(agents.killedJobs(), []);
});

test('static runner: idle again after its job, and takes the next', async (rig) => {
	const { agents, github, namespace } = rig;
	await apply(rig, staticRunnerPod({ name: 'd-0', namespace }));
	await agents.waitRegistered(['d-0'], withinMs);
	const id = agents.runnerId(namespace, 'd-0')!;
	for (let round = 0; round < 2; round++) {
		await agents.runJob(namespace, 'd-0');
		await agents.endJob(namespace, 'd-0');
		assert.equal([github.runner(id)!.busy, github.runner(id)!.status], [false, 'online']);
	}
	const phase = await kubectl(rig, 'get', 'pod', 'd-0', '-o', 'jsonpath={.status.phase}');
	assert.is(phase, 'Running');
});

test('a queue of jobs keeps a static runner busy: the next starts the moment one ends', async (rig) => {
	const { agents, github, namespace } = rig;
	await apply(rig, staticRunnerPod({ name: 'q-0', namespace, runnerLabels: ['gpu'] }));
	await agents.waitRegistered(['q-0'], withinMs);
	agents.queueJobs({ count: 3, durationMs: 50, labels: ['gpu'] });
	agents.queueJobs({ count: 1, labels: ['other'] });
	await eventually(
		'three jobs done',
		() => happened(rig, 'q-0').filter((what) => what === 'job-ended').length === 3,
	);
	assert.equal([agents.queued(), github.runners()[0]!.busy], [1, false]);
});

test('a registration needs a token that GitHub gave out for the scope, plain or from a Secret', async (rig) => {
	const { github, namespace } = rig;
	await otherAgents(rig, { checkTokens: true });
	const made = await fetch(`${github.url}/orgs/octo-org/actions/runners/registration-token`, {
		method: 'POST',
		headers: { authorization: 'token test-token' },
	});
	const { token } = (await made.json()) as { token: string };
	await kubectl(rig, 'create', 'secret', 'generic', 'registration', `--from-literal=token=${token}`);
	const withToken = (name: string, env: object) => {
		const pod = runnerSetPod({ name, namespace });
		const [runner] = pod.spec.containers as { env: object[] }[];
		runner!.env.push({ name: 'RUNNER_TOKEN', ...env });
		return apply(rig, pod);
	};
	await withToken('plain-0', { value: token });
	await withToken('secret-0', { valueFrom: { secretKeyRef: { name: 'registration', key: 'token' } } });
	await withToken('wrong-0', { value: 'AAAA' });
	await rig.agents.waitRegistered(['plain-0', 'secret-0'], withinMs);
	await eventually('refused', () => happened(rig, 'wrong-0').includes('registration-failed'));
});

test('a job with a duration ends by itself', async (rig) => {
	const { agents, namespace } = rig;
	await apply(rig, runnerSetPod({ name: 'e-0', namespace }));
	await agents.waitRegistered(['e-0'], withinMs);
	await agents.runJob(namespace, 'e-0', { durationMs: 200 });
	await eventually('container stopped', () => happened(rig, 'e-0').includes('container-stopped'));
	assert.equal(agents.killedJobs(), []);
});

test('with a docker sidecar the pod stays Running when its runner has ended', async (rig) => {
	const { agents, namespace } = rig;
	await apply(rig, runnerSetPod({ name: 'h-0', namespace, dockerSidecar: true }));
	await agents.waitRegistered(['h-0'], withinMs);
	await agents.runJob(namespace, 'h-0');
	await agents.endJob(namespace, 'h-0');
	await eventually('container stopped', () => happened(rig, 'h-0').includes('container-stopped'));
	assert.is(await kubectl(rig, 'get', 'pod', 'h-0', '-o', 'jsonpath={.status.phase}'), 'Running');
});

test('GitHub removed an idle runner: it can get no job, and its container keeps running by default', async (rig) => {
	const { agents, github, namespace } = rig;
	await apply(rig, runnerSetPod({ name: 'i-0', namespace }));
	await agents.waitRegistered(['i-0'], withinMs);
	const path = `${github.url}/orgs/octo-org/actions/runners/${agents.runnerId(namespace, 'i-0')}`;
	const removed = await fetch(path, { method: 'DELETE', headers: { authorization: 'token test-token' } });
	assert.is(removed.status, 204);
	await agents.runJob(namespace, 'i-0').then(
		() => assert.unreachable(),
		(error: Error) => assert.match(error.message, 'not online'),
	);
	assert.is(await kubectl(rig, 'get', 'pod', 'i-0', '-o', 'jsonpath={.status.phase}'), 'Running');

	await otherAgents(rig, { exitWhenRemovedMs: 50 });
	await rig.agents.waitRegistered(['i-0'], withinMs);
	github.removeRunner(rig.agents.runnerId(namespace, 'i-0')!, 'api');
	await eventually('container stopped', () => happened(rig, 'i-0').includes('container-stopped'));
});

test('GitHub removed a runner that works: its listener notices it, cancels the job and exits', async (rig) => {
	const { github, namespace } = rig;
	await otherAgents(rig, { removedPollMs: 300 });
	const { agents } = rig;
	github.lie({ says: 'idle' });
	const pods = [runnerSetPod({ name: 'r-0', namespace }), staticRunnerPod({ name: 'r-1', namespace })];
	for (const pod of pods) {
		const { name } = pod.metadata;
		await apply(rig, pod);
		await agents.waitRegistered([name], withinMs);
		const job = await agents.runJob(namespace, name);
		const path = `${github.url}/orgs/octo-org/actions/runners/${agents.runnerId(namespace, name)}`;
		const removed = await fetch(path, { method: 'DELETE', headers: { authorization: 'token test-token' } });
		assert.is(removed.status, 204);
		await eventually('container stopped', () => happened(rig, name).includes('container-stopped'));
		const [killed] = agents.killedJobs().filter((entry) => entry.pod === name);
		assert.is(killed?.job, job.id);
		assert.match(killed!.detail!, /GitHub had removed its registration/);
		const log = await kubectl(rig, 'logs', name, '-c', 'runner');
		assert.match(
			log,
			/\nThe runner no longer exists on the server\..*\n.*: Job build completed with result: Canceled\n/,
		);
	}
});

test('a job that was on its way reaches a runner whose registration is gone', async (rig) => {
	const { agents, github, namespace } = rig;
	await apply(rig, runnerSetPod({ name: 'o-0', namespace }));
	await agents.waitRegistered(['o-0'], withinMs);
	github.removeRunner(agents.runnerId(namespace, 'o-0')!, 'api');
	await agents.runJob(namespace, 'o-0', { unregistered: true });
	assert.match(await kubectl(rig, 'logs', 'o-0', '-c', 'runner'), /: Running job: build\n$/);
	await agents.endJob(namespace, 'o-0');
	await eventually('container stopped', () => happened(rig, 'o-0').includes('container-stopped'));
	assert.equal(agents.killedJobs(), []);
});

test('a job has a workflow, a run and an attempt, at GitHub and here', async (rig) => {
	const { agents, github, namespace } = rig;
	await apply(rig, staticRunnerPod({ name: 'w-0', namespace, runnerLabels: ['gpu'] }));
	await agents.waitRegistered(['w-0'], withinMs);
	const asked = { workflow: 'Nightly', key: 'test', displayName: 'test (20)', runAttempt: 2 };
	const job = await agents.runJob(namespace, 'w-0', { ...asked, repository: 'octo-org/lib' });
	assert.match(job.htmlUrl, `octo-org/lib/actions/runs/${job.workflowRunId}/job/${job.number}`);
	assert.match(await kubectl(rig, 'logs', 'w-0', '-c', 'runner'), /: Running job: test \(20\)\n$/);
	const known = () => {
		const { status, conclusion, runnerName, workflow, labels } = github.jobs.get(job.number)!;
		return [status, conclusion, runnerName, workflow, labels];
	};
	assert.equal(known(), ['in_progress', null, 'w-0', 'Nightly', ['gpu']]);
	await agents.endJob(namespace, 'w-0');
	assert.equal(known().slice(0, 2), ['completed', 'success']);
});

test('a worker that is killed: its listener says so, or not even that, and goes on', async (rig) => {
	const { agents, github, namespace } = rig;
	await apply(rig, staticRunnerPod({ name: 'x-0', namespace }));
	await apply(rig, runnerSetPod({ name: 'x-1', namespace }));
	await agents.waitRegistered(['x-0', 'x-1'], withinMs);
	const logOf = (name: string) => kubectl(rig, 'logs', name, '-c', 'runner');
	await agents.runJob(namespace, 'x-0');
	await agents.killWorker(namespace, 'x-0');
	assert.match(await logOf('x-0'), /: Job build completed with result: Failed\n$/);
	const job = await agents.runJob(namespace, 'x-0');
	await agents.killWorker(namespace, 'x-0', { log: false });
	assert.match(await logOf('x-0'), /: Running job: build\n$/);
	assert.is(github.jobs.get(job.number)!.conclusion, 'failure');
	assert.is(github.find('orgs/octo-org', 'x-0')!.busy, false);
	await agents.runJob(namespace, 'x-1');
	await agents.killWorker(namespace, 'x-1');
	await eventually('container stopped', () => happened(rig, 'x-1').includes('container-stopped'));
	assert.equal(agents.killedJobs(), []);
});

test('an annotation and a delay hold a registration back', async (rig) => {
	const { github, namespace } = rig;
	await otherAgents(rig, { registrationDelayMs: 1500 });
	const mute = { annotations: { 'test.runners/no-register': 'true' } };
	await apply(rig, runnerSetPod({ name: 'mute-0', namespace, ...mute }));
	await apply(rig, runnerSetPod({ name: 'late-0', namespace }));
	await eventually('both run', async () => {
		const phases = await kubectl(rig, 'get', 'pods', '-o', 'jsonpath={.items[*].status.phase}');
		return phases === 'Running Running';
	});
	assert.equal(github.runners(), []);
	await rig.agents.waitRegistered(['late-0'], withinMs);
	assert.is(github.find('orgs/octo-org', 'mute-0'), undefined);
});

test('scale set: registered offline first, online with its pod, the job in the EphemeralRunner’s status', async (rig) => {
	const { agents, github, namespace } = rig;
	const status = async () =>
		JSON.parse(await kubectl(rig, 'get', 'ephemeralrunner', 's', '-o', 'json')).status as Record<
			string,
			unknown
		>;
	const owner = await apply(rig, ephemeralRunner({ name: 's', namespace }));
	const hold = { annotations: { 'test.runners/hold-start': 'true' } };
	await apply(rig, scaleSetPod({ name: 's', namespace, ownerUid: owner.metadata.uid, ...hold }));
	await eventually('offline at GitHub', () => github.find('repos/octo-org/app', 's')?.status === 'offline');
	await kubectl(rig, 'annotate', 'pod', 's', 'test.runners/hold-start-');
	await agents.waitRegistered(['s'], withinMs);
	const id = github.find('repos/octo-org/app', 's')!.id;
	assert.equal([(await status()).runnerId, (await status()).runnerName], [id, 's']);

	const job = await agents.runJob(namespace, 's');
	await eventually('job in status', async () => (await status()).jobId === job.id);
	assert.equal(
		[(await status()).jobRepositoryName, (await status()).workflowRunId],
		['octo-org/app', job.workflowRunId],
	);
	await agents.endJob(namespace, 's');
	assert.is(github.runner(id), undefined);
	await eventually('container stopped', () => happened(rig, 's').includes('container-stopped'));
});

test('pods that are no runners are left alone', async (rig) => {
	const { cluster, namespace, github } = rig;
	const done = await cluster.kubectl(['-n', namespace, 'run', 'web', '--image=nginx']);
	assert.is(done.code, 0, done.stderr);
	await eventually(
		'runs',
		async () => (await kubectl(rig, 'get', 'pod', 'web', '-o', 'jsonpath={.status.phase}')) === 'Running',
	);
	assert.equal([github.runners(), rig.agents.journal], [[], []]);
});

test('while the API server is away jobs go on, and what happened meanwhile is made up for', async (rig) => {
	const { agents, cluster, namespace } = rig;
	for (const name of ['k-0', 'l-0']) await apply(rig, runnerSetPod({ name, namespace }));
	await agents.waitRegistered(['k-0', 'l-0'], withinMs);
	await agents.runJob(namespace, 'k-0');
	await agents.runJob(namespace, 'l-0');
	await cluster.killApiServer();
	const ending = agents.endJob(namespace, 'k-0');
	await sleep(500);
	assert.equal(happened(rig, 'k-0').at(-1), 'job-ended');
	await cluster.startApiServer();
	await ending;
	await eventually('container stopped', () => happened(rig, 'k-0').includes('container-stopped'));
	assert.equal(agents.killedJobs(), []);
	await kubectl(rig, 'delete', 'pod', 'l-0', '--wait=false');
	await eventually('the watch works again', () => agents.killedJobs().length === 1);
});

test('a pod of the same name is another runner; --replace keeps the id', async (rig) => {
	const { agents, namespace, github } = rig;
	await apply(rig, runnerSetPod({ name: 'm-0', namespace }));
	await agents.waitRegistered(['m-0'], withinMs);
	const before = github.find('orgs/octo-org', 'm-0')!.id;
	await kubectl(rig, 'delete', 'pod', 'm-0');
	await apply(rig, runnerSetPod({ name: 'm-0', namespace }));
	await eventually('online again', () => github.find('orgs/octo-org', 'm-0')?.status === 'online');
	assert.is(github.find('orgs/octo-org', 'm-0')!.id, before);
	assert.is(new Set(agents.journal.filter((entry) => entry.pod === 'm-0').map((entry) => entry.uid)).size, 2);
});

test('the end of a container never hits a later pod of the same name', async (rig) => {
	const { agents, cluster, namespace } = rig;
	await apply(rig, runnerSetPod({ name: 'n-0', namespace }));
	await agents.waitRegistered(['n-0'], withinMs);
	const old = JSON.parse(await kubectl(rig, 'get', 'pod', 'n-0', '-o', 'json')) as PodItem;
	await kubectl(rig, 'delete', 'pod', 'n-0');
	await apply(rig, runnerSetPod({ name: 'n-0', namespace }));
	const runs = async () =>
		(await kubectl(rig, 'get', 'pod', 'n-0', '-o', 'jsonpath={.status.phase}')) === 'Running';
	await eventually('the new pod runs', runs);
	const kube = new Kube(readKubeconfig(cluster.kubeconfig));
	await endContainer(kube, () => old);
	kube.stop();
	assert.ok(await runs());
});

test.run();
