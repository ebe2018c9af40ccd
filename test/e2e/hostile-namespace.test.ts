/**
 * What somebody with all of a namespace's rights (ClusterRole edit) can do with labels, annotations and env: at worst
 * hold up their own pods. The table in docs/security.md names these tests.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { readKubeconfig } from '../github/cluster-access.ts';
import { runnerSetPod } from '../github/pods.ts';
import { ephemeralRunner, scaleSetPod } from '../github/scale-set-pods.ts';
import { apiCalls, evict } from '../rig/api-call.ts';
import { eventually } from '../rig/eventually.ts';
import { type Rig, startRig } from '../rig/rig.ts';
import { plainPod } from '../rig/spaces.ts';
import { suite } from '../rig/suite.ts';
import { end, Space, says } from './space.ts';

interface Context {
	rig: Rig;
	/** Whose runner is attacked; asked about with the server's own credentials, as the attacker's pods are. */
	victim: Space;
	evil: Space;
}

const test = suite<Context>('hostile namespace');
const taken = 'another pod of the cluster is registered under that name';

test.before(async (context) => {
	context.rig = await startRig();
});
test.after(({ rig }) => end(rig));
test.before.each(async (context) => {
	const { rig } = context;
	context.victim = await Space.make(rig);
	context.evil = await Space.make(rig);
	await context.evil.ok('create', 'rolebinding', 'mallory', '--clusterrole=edit', '--user=mallory');
	await context.victim.runners(['victim']);
});
test.after.each(async ({ rig, victim, evil }) => {
	assert.equal(
		rig.logs(({ level, msg }) => level === 'error' && !couldNot.includes(msg)),
		[],
	);
	await Promise.all([victim.clear(), evil.clear()]);
});

/** Of a pod that the API server itself can hardly change. */
const couldNot = ['deletion could not be judged', 'the deletion could not be recorded'];

const mallory = (space: Space, ...args: string[]) => space.kubectl(...args, '--as=mallory');

/** A pod of the attacker's that runs, and says that it is this runner of the victim's. */
async function spoof(
	{ rig, evil, victim }: Context,
	name: string,
	more: Parameters<Space['options']>[1] = {},
): Promise<void> {
	const pod = runnerSetPod(evil.options(name, { organization: victim.name, runnerName: 'victim', ...more }));
	// The simulated runner must not register: the attacker's container does not, or it would replace the victim.
	pod.metadata.annotations['test.runners/no-register'] = 'true';
	await rig.apply(pod);
	await eventually('runs', async () => (await evil.pod(name))?.status?.phase === 'Running');
}

/** The victim's runner is where it was, and the victim can have it deleted as ever. */
async function unharmed({ rig, victim }: Context): Promise<void> {
	await sleep(1_500);
	assert.equal(victim.removals(), []);
	assert.ok(rig.github.find(victim.scope, 'victim'), 'still registered');
	await victim.deleted('victim');
	assert.equal(victim.removals(), [204]);
}

test('RUNNER_NAME and RUNNER_ORG of another namespace’s idle runner: deleting that pod unregisters nobody', async (context) => {
	const { evil } = context;
	await spoof(context, 'innocent');
	for (const flags of [[], ['--force', '--grace-period=0'], ['--dry-run=server']]) {
		const refused = await mallory(evil, 'delete', 'pod', 'innocent', ...flags);
		says(refused.stderr, taken);
		assert.not.match(refused.stderr, `${context.victim.name}/`, 'the other pod is not named to a stranger');
	}
	await unharmed(context);
});

test('... nor where the pod is called like the runner, has its id, a forged complete-timestamp, another case of its name', async (context) => {
	const { evil, rig, victim } = context;
	await sleep(1_100); // younger, by times that are to the second
	const id = rig.agents.runnerId(victim.name, 'victim');
	await spoof(context, 'victim', { annotations: { 'actions-runner/id': `${id}` } });
	await spoof(context, 'upper', { runnerName: 'VICTIM', organization: victim.name.toUpperCase() });
	await evil.ok(
		...['annotate', 'pod', 'victim', 'upper', '--overwrite', 'actions-runner/unregistration-proof=AAAA'],
		`actions-runner/unregistration-complete-timestamp=${new Date().toISOString()}`,
	);
	for (const name of ['victim', 'upper']) says((await mallory(evil, 'delete', 'pod', name)).stderr, taken);
	await unharmed(context);
});

test('... nor by an eviction, by the deletion loop, or by the deletion of the whole namespace', async (context) => {
	const { evil, rig } = context;
	await spoof(context, 'innocent');
	const { call, stop } = apiCalls(readKubeconfig(rig.cluster.kubeconfig));
	const evicted = await evict(call, evil.name, 'innocent', {}, 'mallory').finally(stop);
	assert.is(evicted.status, 429);
	says(evicted.message, taken);
	await rig.ok(['delete', 'namespace', evil.name, '--wait=false']);
	await eventually(
		'it is recorded',
		async () => (await evil.annotations('innocent'))['actions-runner/deletion-requested-by'],
	);
	await sleep(3_000);
	await unharmed(context);
});

test('... nor by an EphemeralRunner of one’s own that says so', async (context) => {
	const { rig, evil, victim } = context;
	const options = {
		name: 'scale',
		namespace: evil.name,
		githubConfigUrl: `https://github.com/${victim.name}`,
	};
	const owner = ephemeralRunner(options);
	await rig.apply({ ...owner, spec: { ...owner.spec, githubConfigSecret: undefined } });
	const path = `/apis/actions.github.com/v1alpha1/namespaces/${evil.name}/ephemeralrunners/scale`;
	const { metadata } = await rig.kube.get<{ metadata: { uid: string } }>(path);
	const pod = scaleSetPod({ ...options, ownerUid: metadata.uid });
	await rig.apply(pod);
	await eventually('runs', async () => (await evil.pod('scale'))?.status?.phase === 'Running');
	const runnerId = rig.agents.runnerId(victim.name, 'victim');
	await eventually('the simulated one is registered', () => rig.github.find(victim.scope, 'scale'));
	await rig.kube.patch(`${path}/status`, { status: { runnerName: 'victim', runnerId } });
	says((await mallory(evil, 'delete', 'pod', 'scale')).stderr, taken);
	await unharmed(context);
});

test('the id of a runner that nobody here has a pod for is believed only under its own name', async (context) => {
	const { rig, evil, victim } = context;
	const elsewhere = rig.github.addRunner({ scope: victim.scope, name: 'on-a-machine' });
	await spoof(context, 'guess', {
		runnerName: 'guess',
		annotations: { 'actions-runner/id': `${elsewhere}` },
	});
	await mallory(evil, 'delete', 'pod', 'guess');
	await sleep(1_500);
	assert.ok(rig.github.runner(elsewhere), 'still registered');
	await unharmed(context);
});

test('a busy runner’s name on one’s own pod: the victim’s job and its record stay the victim’s', async (context) => {
	const { evil, victim } = context;
	await spoof(context, 'innocent');
	await victim.runJob('victim', { known: true });
	await mallory(evil, 'delete', 'pod', 'innocent');
	await evil.ok('annotate', 'pod', 'innocent', 'actions-runner/break-glass=mine');
	assert.is((await mallory(evil, 'delete', 'pod', 'innocent', '--wait=false')).code, 0);
	await evil.gone('innocent');
	await sleep(1_000);
	assert.equal([victim.killedJobs(), victim.removals()], [[], []]);
	assert.is((await victim.pod('victim'))?.metadata.deletionTimestamp, undefined);
	await victim.endJob('victim');
});

test('a Secret of another purpose, and names that lead elsewhere: nothing of them is told or read', async (context) => {
	const { rig, evil } = context;
	await evil.ok('create', 'secret', 'generic', 'database', '--from-literal=password=hunter2-hunter2');
	const names = {
		'other-purpose': ['database', 'it has neither github_token nor'],
		up: ['../../runners-system/secrets/runners-admission-proof', 'is not the path of an object'],
		query: ['database?watch=true', 'is not the path of an object'],
		encoded: ['..%2f..%2frunners-system', 'is not the path of an object'],
		newline: ['a\nb', 'is not the path of an object'],
	} as const;
	for (const [name, [credentialsSecret]] of Object.entries(names))
		await rig.apply(runnerSetPod(evil.options(name, { credentialsSecret })));
	await evil.registered(Object.keys(names));
	for (const [name, [, said]] of Object.entries(names)) {
		const { stderr } = await mallory(evil, 'delete', 'pod', name);
		says(stderr, said);
		assert.not.match(stderr, 'hunter2');
	}
	assert.equal(evil.removals(), []);
});

test('annotations up to the API server’s limit: that pod can not be marked or recorded and stays; everybody else’s go', async (context) => {
	const { rig, evil } = context;
	const pod = runnerSetPod(evil.options('full', { annotations: { filler: 'x'.repeat(262_000) } }));
	await rig.apply(pod);
	await evil.runners(['neighbour']);
	await evil.registered(['full']);
	const refused = await mallory(evil, 'delete', 'pod', 'full');
	assert.is(refused.code, 1);
	says(refused.stderr, 'metadata.annotations: Too long');
	says(refused.stderr, 'The deletion could NOT be recorded');
	assert.is((await mallory(evil, 'delete', 'pod', 'neighbour')).code, 0);
	assert.ok(rig.github.find(evil.scope, 'full'), 'not unregistered without having been written down');
	await evil.ok('annotate', 'pod', 'full', 'filler-');
	assert.is((await mallory(evil, 'delete', 'pod', 'full')).code, 0);
	await unharmed(context);
});

test('pods as large as they come against the CEL conditions: held up or let go by themselves, others are not', async (context) => {
	const { rig, evil } = context;
	const variables = Array.from({ length: 3_000 }, (_, index) => ({ name: `V${index}`, value: 'RUNNER_ORG' }));
	const many = runnerSetPod(evil.options('many'));
	const [runner] = many.spec.containers as { name: string; env: object[] }[];
	runner?.env.unshift(...variables);
	const wide = plainPod('wide', evil.name) as { spec: { containers: object[] } };
	wide.spec.containers = Array.from({ length: 500 }, (_, index) => ({
		name: `c${index}`,
		image: 'nginx',
		env: variables.slice(0, 40),
	}));
	await rig.apply(many, wide);
	await evil.registered(['many']);
	const held = await mallory(evil, 'delete', 'pod', 'many', '--wait=false');
	console.log(`a runner with ${variables.length} variables: ${held.code} ${held.stderr.slice(0, 300)}`);
	const plain = await mallory(evil, 'delete', 'pod', 'wide', '--wait=false');
	console.log(`a plain pod with 500 containers: ${plain.code} ${plain.stderr.slice(0, 300)}`);
	if (held.code !== 0) assert.ok(await evil.pod('many'), 'refused is refused');
	await evil.ok('annotate', 'pod', 'many', 'actions-runner/break-glass=too large');
	await evil.kubectl('delete', 'pod', 'many', '--wait=false', '--force', '--grace-period=0');
	await evil.gone('many');
	await unharmed(context);
});

test('the busy label and an autoscaler’s marks on pods that are no runners: deleted as ever', async ({
	rig,
	evil,
}) => {
	const pod = plainPod('web', evil.name) as { metadata: { labels: Record<string, string> } };
	Object.assign(pod.metadata.labels, { 'actions-runner/busy': 'true', 'actions-runner': '' });
	await rig.apply(pod);
	await eventually('runs', async () => (await evil.pod('web'))?.status?.phase === 'Running');
	assert.is((await mallory(evil, 'delete', 'pod', 'web')).code, 0);
});

test('break-glass takes patch and delete on the pod, no less: not for viewers, not across namespaces', async ({
	victim,
	evil,
}) => {
	await victim.ok('create', 'rolebinding', 'viewer', '--clusterrole=view', '--user=viewer');
	await victim.runJob('victim', { known: true });
	const glass = 'actions-runner/break-glass=I want it';
	for (const user of ['viewer', 'mallory']) {
		for (const args of [
			['annotate', 'pod', 'victim', glass],
			['label', 'pod', 'victim', 'actions-runner-'],
			['delete', 'pod', 'victim'],
		]) {
			const done = await victim.kubectl(...args, `--as=${user}`);
			assert.is(done.code, 1);
			assert.match(done.stderr, 'Forbidden');
		}
	}
	assert.is((await victim.pod('victim'))?.metadata.deletionTimestamp, undefined);
	await evil.runners(['own']);
	await evil.runJob('own');
	// A reason as long as an annotation may be, with line breaks: one log line, one Event, no trouble.
	const reason = `line one\nline two ${'x'.repeat(100_000)}`;
	const body = { metadata: { annotations: { 'actions-runner/break-glass': reason } } };
	await evil.ok('patch', 'pod', 'own', '--as=mallory', '--type=merge', '-p', JSON.stringify(body));
	assert.is((await mallory(evil, 'delete', 'pod', 'own', '--wait=false')).code, 0);
	await evil.gone('own');
	const event = await eventually('the Event', async () =>
		(await evil.events('own')).find((one) => one.reason === 'BreakGlass'),
	);
	says(event.message, 'mallory deletes runner own');
	await victim.endJob('victim');
});

test.run();
