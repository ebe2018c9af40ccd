/** The product's own script of the job hooks, in pods as its webhook makes them, run in each layout of runner images. */
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import jsonpatch from 'jsonpatch';
import * as assert from 'uvu/assert';
import type { Pod } from '../../../admission/api/kinds.ts';
import { injectHooks } from '../../../admission/jobs/hooks/rules/inject.ts';
import { createAuthority, issueServer, type KeyPair } from '../../cluster/certificates.ts';
import { type Cluster, startCluster } from '../../cluster/cluster.ts';
import { eventually } from '../../rig/eventually.ts';
import { type PodManifest, staticRunnerPod } from '../../sim/pods.ts';
import { type HookOptions, type Job, type RunnerAgents, startRunnerAgents } from '../../sim/runner-agents.ts';
import { type GitHub, startGitHub } from '../../sim/simulator.ts';
import { suite } from '../../support/suite.ts';

interface Rig {
	cluster: Cluster;
	github: GitHub;
	agents: RunnerAgents;
	authority: KeyPair;
	receiver: Server;
	reports: { path: string; token: string; body: Record<string, string> }[];
	namespace: string;
}

const withinMs = 20_000;
let spaces = 0;

const test = suite<Rig>('the real script in simulated runners');

test.before(async (rig) => {
	rig.cluster = await startCluster();
	await rig.cluster.addNode('node-1');
	rig.github = await startGitHub();
	rig.agents = await startRunnerAgents({ cluster: rig.cluster.kubeconfig, github: rig.github });
	rig.authority = await createAuthority();
	rig.reports = [];
	rig.receiver = createServer(await issueServer(rig.authority), (request, response) => {
		let text = '';
		request.setEncoding('utf8').on('data', (piece: string) => (text += piece));
		request.on('end', () => {
			const token = (request.headers.authorization ?? '').replace('Bearer ', '');
			rig.reports.push({ path: request.url ?? '', token, body: JSON.parse(text) });
			response.writeHead(204).end();
		});
	});
	await new Promise<void>((listening) => rig.receiver.listen(0, '127.0.0.1', listening));
});
test.after(async ({ cluster, github, agents, receiver }) => {
	agents?.stop();
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

interface Made {
	image?: string;
	env?: { name: string; value: string }[];
	annotations?: Record<string, string>;
	hooks?: HookOptions;
	/** The CA that the pod trusts; default the receiver's. */
	authorities?: string;
}

/** A pod as the webhook leaves it, one job in it. */
async function job(rig: Rig, name: string, made: Made): Promise<Job> {
	const { cluster, agents, namespace, receiver, authority } = rig;
	agents.set(namespace, made.hooks ? { hooks: made.hooks } : {});
	const pod: PodManifest = staticRunnerPod({
		name,
		namespace,
		...(made.annotations ? { annotations: made.annotations } : {}),
	});
	const [container] = pod.spec.containers as { image: string; env: object[] }[];
	if (made.image) container!.image = made.image;
	container!.env.push(...(made.env ?? []));
	const operations = injectHooks(pod as unknown as Pod, {
		url: `https://localhost:${(receiver.address() as AddressInfo).port}`,
		authorities: made.authorities ?? authority.cert,
		address: undefined,
	});
	const patched = jsonpatch.apply_patch(pod, operations as never);
	const done = await cluster.kubectl(['create', '-f', '-'], { input: JSON.stringify(patched) });
	assert.is(done.code, 0, done.stderr);
	await agents.within((owned) => owned === namespace).waitRegistered([name], withinMs);
	const given = await agents.runJob(namespace, name, { workflow: 'A "night"' });
	await eventually('its first hook', () => outputs(rig, name).length > 0);
	await agents.endJob(namespace, name);
	return given;
}

const outputs = ({ agents, namespace }: Rig, pod: string) =>
	agents.journal
		.filter((entry) => entry.namespace === namespace && entry.pod === pod && entry.what === 'hook-ran')
		.map(({ hook }) => [hook!.exitCode, hook!.output]);

const both = [
	[0, ''],
	[0, ''],
];
const github = 'ghcr.io/actions/actions-runner:2.336.0';

for (const [layout, made] of [
	['ARC’s image', {}],
	['GitHub’s image', { image: github }],
	[
		'an image with hooks of its own, for which the variables are asked',
		{ hooks: { layout: 'own-hook' }, image: 'own', annotations: { 'actions-runner/job-hooks': 'variables' } },
	],
] as [string, Made][]) {
	test(`${layout}: both words come, with the job and the pod’s token`, async (rig) => {
		const { reports } = rig;
		const given = await job(rig, 'a', made);
		assert.equal(outputs(rig, 'a'), both);
		assert.equal(
			reports.map(({ path }) => path),
			['/hooks/started', '/hooks/completed'],
		);
		assert.equal(reports[0]!.body, {
			RUNNER_TRACKING_ID: given.trackingId,
			GITHUB_REPOSITORY: given.repository,
			GITHUB_WORKFLOW: 'A "night"',
			GITHUB_JOB: 'build',
			GITHUB_RUN_ID: String(given.workflowRunId),
			GITHUB_RUN_ATTEMPT: '1',
			GITHUB_SERVER_URL: 'https://github.com',
		});
		const signals = JSON.parse(Buffer.from(reports[0]!.token.split('.')[1]!, 'base64url').toString());
		assert.equal([signals.aud, signals['kubernetes.io'].pod.name], [['runners-admission'], 'a']);
	});
}

test('an image with hooks of its own keeps them, and says nothing to us', async (rig) => {
	await job(rig, 'b', { hooks: { layout: 'own-hook' }, image: 'own' });
	assert.equal(rig.reports, []);
	assert.match(outputs(rig, 'b')[0]![1] as string, "image's own hook");
});

test('a template’s own hook runs after ours, and its exit code is the job’s', async (rig) => {
	const path = '/opt/team/before.sh';
	const made = {
		image: github,
		env: [{ name: 'ACTIONS_RUNNER_HOOK_JOB_STARTED', value: path }],
		hooks: { imageFiles: { [path]: 'echo "team: $GITHUB_JOB"\nfalse\necho never\n' } },
	};
	const pod = job(rig, 'c', made).catch((error: Error) => error.message);
	await eventually('the job has failed', () =>
		rig.agents.journal.some(({ namespace, what }) => namespace === rig.namespace && what === 'job-ended'),
	);
	await pod;
	assert.equal(outputs(rig, 'c')[0], [1, 'team: build\n']);
	assert.equal(
		rig.reports.map(({ path }) => path),
		['/hooks/started', '/hooks/completed'],
	);
	const { stdout } = await rig.cluster.kubectl(['-n', rig.namespace, 'logs', 'c']);
	assert.match(stdout, /completed with result: Failed\n$/);
});

test('a server that is not trusted: the job goes on, and its log says so in one line', async (rig) => {
	const { cert } = await createAuthority();
	await job(rig, 'd', { authorities: cert });
	assert.equal(rig.reports, []);
	const phases = ['started', 'completed'];
	for (const [index, [code, output]] of outputs(rig, 'd').entries()) {
		assert.is(code, 0);
		const line = `^this job could not report to runners-admission that it has ${phases[index]} \\(code \\d+\\)\n$`;
		assert.match(output as string, new RegExp(line));
	}
	assert.is(outputs(rig, 'd').length, 2);
});

test.run();
