/**
 * Somebody with all of a namespace's rights (ClusterRole edit) gives their own pod the name of another namespace's runner, to
 * have GitHub unregister it: at worst they hold up their own pod. The table in docs/security.md names these tests.
 */
import * as assert from 'uvu/assert';
import { apiCalls, evict } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import { stage } from '../../rig/stage.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { ephemeralRunner, scaleSetPod } from '../../sim/scale-set-pods.ts';
import { says } from '../support/space.ts';
import { type Attack, attackTests, mallory } from '../support/space-tests.ts';

const test = attackTests('hostile names', {
	prepare: () => stage('guard'),
	async unharmed({ rig }) {
		assert.equal(
			rig.logs(({ level }) => level === 'error'),
			[],
		);
	},
});
const taken = 'its name is taken';

/** A pod of the attacker's that runs, says that it is this runner of the victim's, and in its log that it is idle. */
async function spoof(
	{ rig, evil, victim }: Attack,
	name: string,
	more: Parameters<Attack['evil']['options']>[1] = {},
): Promise<void> {
	const pod = runnerSetPod(evil.options(name, { organization: victim.name, runnerName: 'victim', ...more }));
	// The simulated runner must not register: the attacker's container does not, or it would replace the victim.
	pod.metadata.annotations['test.runners/no-register'] = 'true';
	await rig.apply(pod);
	await eventually('runs', async () => (await evil.pod(name))?.status?.phase === 'Running');
	evil.listens(name);
}

/** After these deletions have been judged twice, the victim's runner is where it was, and can be deleted as ever. */
async function unharmed({ rig, victim, evil }: Attack, ...names: string[]): Promise<void> {
	await evil.waits(...names);
	assert.equal(victim.removals(), []);
	assert.ok(rig.github.find(victim.scope, 'victim'), 'still registered');
	await victim.deleted('victim');
	// Then nobody else uses the name: what is recorded for the attacker's pods asks GitHub about it, which knows it no longer.
	const known = victim.removals().filter((status) => status !== 404);
	assert.equal(known, [204]);
}

test('RUNNER_NAME and RUNNER_ORG of another namespace’s idle runner: deleting that pod unregisters nobody', async (context) => {
	const { evil } = context;
	await spoof(context, 'innocent');
	for (const flags of [[], ['--force', '--grace-period=0'], ['--dry-run=server']]) {
		const refused = await mallory(evil, 'delete', 'pod', 'innocent', ...flags);
		says(refused.stderr, taken);
		assert.not.match(
			refused.stderr,
			`${context.victim.name}/`,
			'the other pod is not named to somebody without rights to it',
		);
	}
	await unharmed(context, 'innocent');
});

test('... nor where the pod is called like the runner, has its id, a forged complete-timestamp, another case of its name', async (context) => {
	const { evil, rig, victim } = context;
	// Younger, by times that are to the second.
	const made = Date.parse((await victim.pod('victim'))?.metadata.creationTimestamp ?? '');
	await eventually('another second', () => Date.now() >= made + 1_000);
	const id = rig.agents.runnerId(victim.name, 'victim');
	await spoof(context, 'victim', { annotations: { 'actions-runner/runner-id': `${id}` } });
	await spoof(context, 'upper', { runnerName: 'VICTIM', organization: victim.name.toUpperCase() });
	for (const name of ['victim', 'upper'])
		await evil.forge(name, {
			'actions-runner/unregistration-proof': 'AAAA',
			'actions-runner/unregistered-at': new Date().toISOString(),
		});
	for (const name of ['victim', 'upper']) says((await mallory(evil, 'delete', 'pod', name)).stderr, taken);
	await unharmed(context, 'victim', 'upper');
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
	await unharmed(context, 'innocent');
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
	type Shown = { status?: { runnerName?: string } };
	await eventually('it is registered, and its owner says so', async () => {
		const { status } = await rig.kube.get<Shown>(path);
		return status?.runnerName === 'scale'; // ARC's own write, which would overwrite the one below
	});
	await rig.kube.patch(`${path}/status`, { status: { runnerName: 'victim', runnerId } });
	const odd = 'its EphemeralRunner names another runner';
	says((await mallory(evil, 'delete', 'pod', 'scale')).stderr, odd);
	await unharmed(context, 'scale');
});

test('the id of a runner that nobody here has a pod for is believed only under its own name', async (context) => {
	const { rig, evil, victim } = context;
	const elsewhere = rig.github.addRunner({ scope: victim.scope, name: 'on-a-machine' });
	await spoof(context, 'guess', {
		runnerName: 'guess',
		annotations: { 'actions-runner/runner-id': `${elsewhere}` },
	});
	await mallory(evil, 'delete', 'pod', 'guess');
	await unharmed(context, 'guess');
	assert.ok(rig.github.runner(elsewhere), 'still registered');
});

test('a busy runner’s name on one’s own pod: the victim’s job and its record stay the victim’s', async (context) => {
	const { evil, victim } = context;
	await spoof(context, 'innocent');
	await victim.runJob('victim', { known: true });
	await mallory(evil, 'delete', 'pod', 'innocent');
	await evil.waits('innocent');
	await evil.ok('annotate', 'pod', 'innocent', 'actions-runner/break-glass=mine');
	assert.is((await mallory(evil, 'delete', 'pod', 'innocent', '--wait=false')).code, 0);
	await evil.gone('innocent');
	assert.equal([victim.killedJobs(), victim.removals()], [[], []]);
	assert.is((await victim.pod('victim'))?.metadata.deletionTimestamp, undefined);
	await victim.endJob('victim');
});

test.run();
