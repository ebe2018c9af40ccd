/** Older kubectl clients against the guard: what drain retries, what delete says, and with which exit codes (H8). */
import * as assert from 'uvu/assert';
import { type History, startHistory } from '../../rig/history.ts';
import { type Kubectl, type OlderKubectl, olderKubectls, unpackKubectl } from '../../rig/kubectl-versions.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { plainPod, runnerNamespace } from '../../rig/spaces.ts';
import { suite } from '../../support/suite.ts';

type Version = OlderKubectl | 'embedded';
const versions: readonly Version[] = [...olderKubectls, 'embedded'];

interface Context {
	rig: Rig;
	history: History;
	kubectls: Map<Version, Kubectl>;
}

const test = suite<Context>('kubectl versions');

test.before(async (context) => {
	context.rig = await startRig({ nodes: versions.map((version) => `n-${version}`) });
	const { rig } = context;
	context.history = await startHistory(rig);
	context.kubectls = new Map<Version, Kubectl>([
		['embedded', (args, options) => rig.cluster.kubectl(args, options)],
	]);
	for (const version of olderKubectls) context.kubectls.set(version, await unpackKubectl(rig, version));
});
test.after(async ({ rig, history }) => {
	history?.stop();
	await rig?.stop();
});
test.after.each(async ({ history }) => {
	assert.equal(await history.violationsAtRest(), []);
});

for (const version of versions) {
	const kubectlOf = ({ kubectls }: Context): Kubectl => {
		const kubectl = kubectls.get(version);
		assert.ok(kubectl);
		return kubectl;
	};
	const namespace = `kubectl-${version}`;
	const node = `n-${version}`;

	test(`kubectl ${version}: it is the version it says`, async (context) => {
		const told = await kubectlOf(context)(['version', '--client', '-o', 'json']);
		const { minor } = JSON.parse(told.stdout).clientVersion as { minor: string };
		assert.match(minor, version === 'embedded' ? /^36/ : new RegExp(`^${version.slice(1)}`));
	});

	test(`kubectl ${version} delete: a busy runner is refused at once with the message and exit code 1, an idle one and a plain pod go with 0 (H8)`, async (context) => {
		const { rig } = context;
		const kubectl = kubectlOf(context);
		await runnerNamespace(rig, namespace);
		const [working, idle] = [`${namespace}-busy`, `${namespace}-idle`];
		await rig.runners([working, idle].map((name) => ({ name, namespace, nodeName: node })));
		await rig.agents.runJob(namespace, working);
		for (const flags of [[], ['--force', '--grace-period=0'], ['--wait=false']]) {
			const refused = await kubectl(['-n', namespace, 'delete', 'pod', working, ...flags]);
			assert.is(refused.code, 1, refused.stdout);
			assert.match(refused.stderr, 'Error from server (Conflict)');
			assert.match(refused.stderr, new RegExp(`runner ${working} .*running a job`));
			assert.match(refused.stderr, `kubectl runners why ${working} -n ${namespace}`);
			assert.ok(refused.elapsedMs < 5_000, `${refused.elapsedMs} ms`);
			assert.is((await rig.pod(working, namespace))?.metadata.deletionTimestamp, undefined);
		}
		const dry = await kubectl(['-n', namespace, 'delete', 'pod', working, '--dry-run=server']);
		assert.is(dry.code, 1);
		const gone = await kubectl(['-n', namespace, 'delete', 'pod', idle]);
		assert.is(gone.code, 0, gone.stderr);
		await rig.apply(plainPod('web', namespace));
		assert.is((await kubectl(['-n', namespace, 'delete', 'pod', 'web'])).code, 0);
		await rig.agents.endJob(namespace, working);
		await rig.gone(working, namespace);
	});

	test(`kubectl ${version} drain: 429 is printed and retried each 5 s until the job ends, exit code 0; with --timeout 1 (H8)`, async (context) => {
		const { rig } = context;
		const kubectl = kubectlOf(context);
		const [working, idle] = [`${namespace}-b`, `${namespace}-i`];
		await rig.runners([working, idle].map((name) => ({ name, namespace, nodeName: node })));
		await rig.agents.runJob(namespace, working);
		const args = ['drain', node, '--force', '--ignore-daemonsets'];
		const late = await kubectl([...args, '--timeout=8s']);
		assert.is(late.code, 1);
		assert.match(late.stderr, new RegExp(`"${working}".*will retry after 5s.*running a job`));
		assert.match(late.stderr, 'global timeout reached: 8s');
		assert.is(late.stderr.match(/will retry after 5s/g)?.length, 2, late.stderr);
		await rig.gone(idle, namespace);
		const draining = kubectl(args);
		await new Promise((resolve) => setTimeout(resolve, 2_000));
		await rig.agents.endJob(namespace, working);
		const drained = await draining;
		assert.is(drained.code, 0, drained.stderr);
		assert.match(drained.stdout, `node/${node} drained`);
		assert.is(rig.agents.killedJobs().length, 0);
	});
}

test.run();
