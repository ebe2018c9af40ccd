/** The simulated runners run the job hooks of their pods: real scripts, with the files that a kubelet would make. */
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Cluster, startCluster } from '../../cluster/cluster.ts';
import { eventually } from '../../rig/eventually.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { Kube } from '../../sim/kube.ts';
import { type PodManifest, runnerSetPod, staticRunnerPod } from '../../sim/pods.ts';
import { type HookOptions, type RunnerAgents, startRunnerAgents } from '../../sim/runner-agents.ts';
import { type GitHub, startGitHub } from '../../sim/simulator.ts';
import { suite } from '../../support/suite.ts';

interface HookReport {
	phase: string;
	token: string;
	text: string;
}

interface Rig {
	cluster: Cluster;
	kube: Kube;
	github: GitHub;
	agents: RunnerAgents;
	receiver: Server;
	reports: HookReport[];
	url: string;
	namespace: string;
}

const withinMs = 20_000;
let spaces = 0;

const test = suite<Rig>('job hooks of simulated runners');

test.before(async (rig) => {
	rig.cluster = await startCluster();
	await rig.cluster.addNode('node-1');
	rig.kube = new Kube(readKubeconfig(rig.cluster.kubeconfig));
	rig.github = await startGitHub();
	rig.agents = await startRunnerAgents({ cluster: rig.cluster.kubeconfig, github: rig.github });
	rig.reports = [];
	rig.receiver = createServer((request, response) => {
		let text = '';
		request.setEncoding('utf8').on('data', (piece: string) => (text += piece));
		request.on('end', () => {
			const token = (request.headers.authorization ?? '').replace('Bearer ', '');
			rig.reports.push({ phase: (request.url ?? '').slice(1), token, text });
			response.end();
		});
	});
	await new Promise<void>((listening) => rig.receiver.listen(0, '127.0.0.1', listening));
	rig.url = `http://127.0.0.1:${(rig.receiver.address() as AddressInfo).port}`;
});
test.after(async ({ cluster, kube, github, agents, receiver }) => {
	agents?.stop();
	kube?.stop();
	receiver?.closeAllConnections();
	receiver?.close();
	await github?.stop();
	await cluster?.stop();
});
test.before.each(async (rig) => {
	rig.namespace = `test-${++spaces}`;
	rig.reports.length = 0;
	await rig.cluster.createNamespace(rig.namespace);
});
test.after.each(({ agents }) => {
	assert.equal(
		agents.journal.filter(({ what }) => what === 'failure'),
		[],
	);
});

/** Its own path says which phase it is; it reports everything that it knows. */
const reporter = (url: string) => `#!/bin/sh
case $0 in *job-started*) phase=started ;; *) phase=completed ;; esac
report="$GITHUB_REPOSITORY|$GITHUB_WORKFLOW|$GITHUB_JOB|$GITHUB_RUN_ID|$GITHUB_RUN_ATTEMPT|$RUNNER_NAME|$RUNNER_TRACKING_ID"
curl -s --data-binary "$report" -H "Authorization: Bearer $(cat /etc/test-hooks/token)" ${url}/$phase
echo "reported $phase"
`;

const paths = {
	started: '/etc/arc/hooks/job-started.d/test.sh',
	completed: '/etc/arc/hooks/job-completed.d/test.sh',
};

/** As a webhook would leave it: script in an annotation, one volume of files, mounts of them. */
function hooked(pod: PodManifest, script: string, { variables = false, image = '' } = {}): PodManifest {
	pod.metadata.annotations['test.runners/script'] = script;
	const fieldRef = { fieldPath: "metadata.annotations['test.runners/script']" };
	pod.spec.volumes = [
		{
			name: 'hooks',
			projected: {
				sources: [
					{ downwardAPI: { items: [{ path: 'hook.sh', mode: 0o755, fieldRef }] } },
					{ serviceAccountToken: { audience: 'test-audience', expirationSeconds: 3600, path: 'token' } },
				],
			},
		},
	];
	const [container] = pod.spec.containers as { env: object[]; volumeMounts: object[]; image: string }[];
	container!.volumeMounts = [
		{ name: 'hooks', mountPath: '/etc/test-hooks', readOnly: true },
		...Object.values(paths).map((mountPath) => ({ name: 'hooks', mountPath, subPath: 'hook.sh' })),
	];
	if (image) container!.image = image;
	if (variables)
		container!.env.push(
			{ name: 'ACTIONS_RUNNER_HOOK_JOB_STARTED', value: paths.started },
			{ name: 'ACTIONS_RUNNER_HOOK_JOB_COMPLETED', value: paths.completed },
		);
	return pod;
}

async function start(rig: Rig, pod: PodManifest, hooks?: HookOptions | 'off'): Promise<string> {
	rig.agents.set(rig.namespace, hooks === undefined ? {} : { hooks });
	const done = await rig.cluster.kubectl(['create', '-f', '-'], { input: JSON.stringify(pod) });
	assert.is(done.code, 0, done.stderr);
	await rig.agents.waitRegistered([pod.metadata.name], withinMs);
	return pod.metadata.name;
}

const phases = ({ reports }: Rig) => reports.map(({ phase }) => phase);
const ran = ({ agents, namespace }: Rig) =>
	agents.journal.filter((entry) => entry.namespace === namespace && entry.what === 'hook-ran');
const log = async (rig: Rig, pod: string) =>
	(await rig.cluster.kubectl(['-n', rig.namespace, 'logs', pod])).stdout;

test('ARC’s image runs what is in its folders, with the job’s variables and a token of this pod', async (rig) => {
	const { agents, kube, namespace, reports } = rig;
	const name = await start(rig, hooked(staticRunnerPod({ name: 'a', namespace }), reporter(rig.url)));
	const job = await agents.runJob(namespace, name, { key: 'test', workflow: 'Night | ly' });
	await eventually('it has started', () => reports.length === 1);
	await agents.endJob(namespace, name);
	assert.equal(phases(rig), ['started', 'completed']);
	const [{ token, text }] = reports as [HookReport];
	const run = `${job.workflowRunId}|1|a|${job.trackingId}`;
	assert.is(text, `octo-org/app|Night | ly|test|${run}`);
	assert.is(reports[1]!.text, text);
	assert.equal(
		ran(rig).map(({ hook }) => [hook!.phase, hook!.exitCode, hook!.output]),
		[
			['started', 0, 'reported started\n'],
			['completed', 0, 'reported completed\n'],
		],
	);
	const { status } = await kube.create<{
		status: { authenticated: boolean; audiences: string[]; user: { extra: Record<string, string[]> } };
	}>('/apis/authentication.k8s.io/v1/tokenreviews', {
		apiVersion: 'authentication.k8s.io/v1',
		kind: 'TokenReview',
		spec: { token, audiences: ['test-audience'] },
	});
	assert.equal([status.authenticated, status.audiences], [true, ['test-audience']]);
	assert.equal(status.user.extra['authentication.kubernetes.io/pod-name'], ['a']);
});

test('in ARC’s image variables change nothing, and the first hook that fails ends it and the job', async (rig) => {
	const { agents, github, namespace } = rig;
	const pod = hooked(runnerSetPod({ name: 'b', namespace }), 'exit 3\n', { variables: true });
	const imageFiles = { '/etc/arc/hooks/job-started.d/zz-later': '#!/bin/sh\necho later\n' };
	const name = await start(rig, pod, { imageFiles });
	const job = await agents.runJob(namespace, name);
	await eventually('the container stopped', () =>
		agents.journal.some((entry) => entry.namespace === namespace && entry.what === 'container-stopped'),
	);
	assert.equal(
		ran(rig).map(({ hook }) => [hook!.phase, hook!.exitCode, hook!.output]),
		[
			['started', 3, ''],
			['completed', 3, ''],
		],
	);
	assert.is(github.jobs.get(job.number)!.conclusion, 'failure');
	assert.match(await log(rig, name), /completed with result: Failed\n/);
	assert.equal(agents.killedJobs(), []);
});

test('GitHub’s image runs what the variables name, and nothing without them', async (rig) => {
	const { agents, namespace } = rig;
	const image = 'ghcr.io/actions/actions-runner:latest';
	const without = hooked(staticRunnerPod({ name: 'c', namespace }), reporter(rig.url), { image });
	const variables = hooked(staticRunnerPod({ name: 'd', namespace }), reporter(rig.url), {
		image,
		variables: true,
	});
	for (const pod of [without, variables]) {
		const name = await start(rig, pod);
		await agents.runJob(namespace, name);
		await agents.endJob(namespace, name);
	}
	assert.equal(
		ran(rig).map(({ pod, hook }) => [pod, hook!.phase]),
		[
			['d', 'started'],
			['d', 'completed'],
		],
	);
	assert.equal(phases(rig), ['started', 'completed']);
});

test('an image with hooks of its own runs these, unless the pod names others', async (rig) => {
	const { agents, namespace } = rig;
	const script = `echo "called as $ACTIONS_RUNNER_HOOK_JOB_STARTED"\n[ "$0" = "$ACTIONS_RUNNER_HOOK_JOB_STARTED" ] && echo same\nexit 0\n`;
	const pods = [
		hooked(staticRunnerPod({ name: 'e', namespace }), script),
		hooked(staticRunnerPod({ name: 'f', namespace }), script, { variables: true }),
	];
	for (const pod of pods) {
		const name = await start(rig, pod, { layout: 'own-hook' });
		await agents.runJob(namespace, name);
		await agents.endJob(namespace, name);
	}
	const [own, , others] = ran(rig).map(({ hook }) => hook!.output);
	assert.is(own, "the image's own hook: started\n");
	assert.match(others!, /^called as .*\/job-started\.d\/test\.sh\nsame\n$/);
});

test('a job that ends before its actions are downloaded runs neither hook; nor does a killed worker the second', async (rig) => {
	const { agents, namespace, reports } = rig;
	const early = await start(rig, hooked(staticRunnerPod({ name: 'g', namespace }), reporter(rig.url)), {
		delayMs: 60_000,
	});
	await agents.runJob(namespace, early);
	await agents.endJob(namespace, early);
	assert.equal(ran(rig), []);
	const killed = await start(rig, hooked(staticRunnerPod({ name: 'h', namespace }), reporter(rig.url)));
	await agents.runJob(namespace, killed);
	await eventually('it has started', () => reports.length === 1);
	await agents.killWorker(namespace, killed);
	await agents.runJob(namespace, killed);
	await eventually('the next has started', () => reports.length === 2);
	await agents.endJob(namespace, killed);
	assert.equal(phases(rig), ['started', 'started', 'completed']);
});

test('a worker is at work until its last hook has run and its logs are uploaded', async (rig) => {
	const { agents, github, namespace, reports } = rig;
	const name = await start(rig, hooked(staticRunnerPod({ name: 'i', namespace }), reporter(rig.url)), {
		finishMs: 400,
	});
	await agents.runJob(namespace, name);
	const ending = agents.endJob(namespace, name);
	await eventually('the last hook', () => phases(rig).at(-1) === 'completed');
	assert.ok(github.runner(agents.runnerId(namespace, name)!)!.busy);
	assert.match(await log(rig, name), /Running job: build\n$/);
	await ending;
	assert.is(github.runner(agents.runnerId(namespace, name)!)!.busy, false);
	assert.is(reports.length, 2);
});

test('what is mounted whole follows the annotations; a script mounted by itself never changes', async (rig) => {
	const { agents, namespace, cluster } = rig;
	const name = await start(rig, hooked(staticRunnerPod({ name: 'j', namespace }), 'echo first\n'));
	const changed = [
		'-n',
		namespace,
		'annotate',
		'--overwrite',
		'pod',
		name,
		'test.runners/script=echo second',
	];
	assert.is((await cluster.kubectl(changed)).code, 0);
	const root = await agents.root(namespace, name);
	for (let round = 0; round < 2; round++) {
		await agents.runJob(namespace, name);
		await agents.endJob(namespace, name);
	}
	assert.equal(
		ran(rig).map(({ hook }) => hook!.output),
		Array(4).fill('first\n'),
	);
	await eventually('the folder follows', async () => {
		await agents.runJob(namespace, name);
		await agents.endJob(namespace, name);
		return (await readFile(join(root, 'etc/test-hooks/hook.sh'), 'utf8')) === 'echo second';
	});
});

test('hooks that are switched off do not run, and a pod that is being deleted ends its hook', async (rig) => {
	const { agents, namespace, cluster } = rig;
	const off = await start(rig, hooked(staticRunnerPod({ name: 'k', namespace }), reporter(rig.url)), 'off');
	await agents.runJob(namespace, off);
	await agents.endJob(namespace, off);
	assert.equal(ran(rig), []);
	const name = await start(rig, hooked(staticRunnerPod({ name: 'l', namespace }), 'sleep 600\n'));
	await agents.runJob(namespace, name);
	await cluster.kubectl(['-n', namespace, 'delete', 'pod', name]);
	await eventually('its hook has ended', () => ran(rig).length === 1);
	assert.is(ran(rig)[0]!.hook!.exitCode, undefined);
	assert.is(agents.killedJobs().length, 1);
});

test('a hundred jobs at once: each runs its hooks, a few at a time', async (rig) => {
	const { agents, namespace } = rig;
	const names = Array.from({ length: 100 }, (_, index) => `m-${index}`);
	rig.agents.set(namespace, {});
	const pods = names.map((name) => hooked(staticRunnerPod({ name, namespace }), 'exit 0\n'));
	const list = { apiVersion: 'v1', kind: 'List', items: pods };
	const done = await rig.cluster.kubectl(['create', '-f', '-'], { input: JSON.stringify(list) });
	assert.is(done.code, 0, done.stderr);
	await agents.waitRegistered(names, 60_000);
	await Promise.all(names.map((name) => agents.runJob(namespace, name)));
	await agents.endAllJobs();
	assert.is(ran(rig).length, 200);
	assert.ok(ran(rig).every(({ hook }) => hook!.exitCode === 0));
});

test.run();
