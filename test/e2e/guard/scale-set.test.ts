/** Runner pods of gha-runner-scale-set: the same promises, and an idle one goes with its EphemeralRunner (A18, A1 to A5). */
import * as assert from 'uvu/assert';
import type { EphemeralRunner } from '../../../admission/api/kinds.ts';
import { eventually } from '../../rig/eventually.ts';
import { stage } from '../../rig/stage.ts';
import { KubeError } from '../../sim/kube.ts';
import { ephemeralRunner, scaleSetPod } from '../../sim/scale-set-pods.ts';
import { credentialsSecret, type Space, says } from '../support/space.ts';
import { spaceTests } from '../support/space-tests.ts';

const test = spaceTests('scale set', { prepare: () => stage('guard') });

async function owner(space: Space, name: string): Promise<EphemeralRunner | undefined> {
	try {
		return await space.rig.kube.get(
			`/apis/actions.github.com/v1alpha1/namespaces/${space.name}/ephemeralrunners/${name}`,
		);
	} catch (error) {
		if (error instanceof KubeError && error.status === 404) return undefined;
		throw error;
	}
}

const jobKnown = (space: Space, name: string) =>
	eventually(
		`${name} has a job in its EphemeralRunner`,
		async () => (await owner(space, name))?.status?.jobId,
	);

test('scale-set pod whose EphemeralRunner has a job: refused with the job’s name, without a call to GitHub (A1, A18)', async ({
	space,
}) => {
	await space.scaleSetRunners(['a']);
	const job = await space.runJob('a');
	await jobKnown(space, 'a');
	const said = await space.refused('a');
	says(said, /is busy/);
	says(said, `build (${job.repository}, run ${job.workflowRunId})`);
	says(said, `kubectl runners why a -n ${space.name}`);
	assert.equal(space.removals(), []);
	assert.is((await space.pod('a'))?.metadata.deletionTimestamp, undefined);
	assert.ok(await owner(space, 'a'));
	assert.equal(space.killedJobs(), []);
});

test('idle scale-set pod: GitHub unregisters it, then its EphemeralRunner is deleted with it, by one kubectl delete (A2, A18)', async ({
	space,
}) => {
	await space.scaleSetRunners(['a']);
	await space.deleted('a');
	assert.equal(space.removals(), [204]);
	const order = space.journal('a');
	assert.ok(order.indexOf('removed-by-github') < order.indexOf('pod-terminating'), order.join());
	await space.gone('a');
	assert.is(await owner(space, 'a'), undefined);
	assert.equal(space.rig.github.runners(space.scope), []);
});

test('scale-set pod whose job is not in its EphemeralRunner yet: GitHub says 422, refused, nothing is deleted (A3, A18)', async ({
	rig,
	space,
}) => {
	await space.scaleSetRunners(['a']);
	// The job has begun at GitHub; the scale set's listener has not reported it yet.
	space.listsAsIdle('a');
	rig.github.setBusy(rig.agents.runnerId(space.name, 'a') ?? 0, true);
	says(await space.refused('a'), /is busy/);
	await space.refused('a', '--force', '--grace-period=0');
	assert.equal(space.removals(), [422]);
	assert.ok(await owner(space, 'a'));
	assert.is((await space.pod('a'))?.metadata.deletionTimestamp, undefined);
});

test('scale-set pod: its job ends, the recorded deletion is carried out without another call to GitHub (A4)', async ({
	space,
}) => {
	await space.scaleSetRunners(['a']);
	await space.runJob('a');
	await jobKnown(space, 'a');
	await space.refused('a');
	await space.endJob('a');
	await space.gone('a');
	assert.equal(space.removals(), []);
	assert.equal(space.killedJobs(), []);
});

test('a terminating scale-set pod may be deleted by force (A5)', async ({ rig, space }) => {
	await space.scaleSetRunners(['a']);
	await space.ok(
		'patch',
		'pod',
		'a',
		'--type=merge',
		'-p',
		'{"metadata":{"finalizers":["test.runners/hold"]}}',
	);
	await space.deleted('a', '--wait=false');
	const before = rig.github.calls.length;
	await space.deleted('a', '--force', '--grace-period=0', '--wait=false');
	assert.is(space.calls('delete').filter((call) => rig.github.calls.indexOf(call) >= before).length, 0);
	await space.ok('patch', 'pod', 'a', '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
	await space.gone('a');
});

test('deleting the EphemeralRunner of a busy pod does not delete the pod: the garbage collector is refused like anybody (A1)', async ({
	space,
}) => {
	await space.scaleSetRunners(['a']);
	await space.runJob('a');
	await jobKnown(space, 'a');
	await space.ok('delete', 'ephemeralrunner', 'a', '--wait=false');
	const askedBy = async () => (await space.annotations('a'))['actions-runner/deletion-requested-by'];
	// The garbage collector looks for new kinds every 30 s.
	const recorded = async () => (await askedBy())?.includes('generic-garbage-collector');
	await eventually('recorded', recorded, { withinMs: 120_000 });
	assert.is((await space.pod('a'))?.metadata.deletionTimestamp, undefined);
	assert.equal(space.killedJobs(), []);
	await space.endJob('a');
	await space.gone('a');
});

test('a scale-set pod that has not started is unregistered first, by one call, since its runner is registered before (A6)', async ({
	rig,
	space,
}) => {
	const options = {
		name: 'a',
		namespace: space.name,
		githubConfigUrl: `https://github.com/${space.name}`,
		githubConfigSecret: credentialsSecret,
	};
	await rig.apply(ephemeralRunner(options));
	const uid = (await owner(space, 'a'))?.metadata.uid ?? '';
	await rig.apply(
		scaleSetPod({ ...options, ownerUid: uid, annotations: { 'test.runners/hold-start': 'true' } }),
	);
	await eventually('scheduled', async () => (await space.pod('a'))?.spec?.nodeName);
	await eventually('its runner is registered', async () => (await owner(space, 'a'))?.status?.runnerId);
	await space.deleted('a');
	assert.equal(space.removals(), [204]);
});

test('busy scale-set pods: dry-run and --force are refused, break-glass is not and its Event names the job (A11, A12, A15)', async ({
	space,
}) => {
	await space.scaleSetRunners(['a']);
	const job = await space.runJob('a');
	await jobKnown(space, 'a');
	says(await space.refused('a', '--dry-run=server'), 'Dry run: nothing is recorded.');
	assert.is((await space.annotations('a'))['actions-runner/deletion-requested-by'], undefined);
	await space.refused('a', '--force', '--grace-period=0');
	await space.ok('annotate', 'pod', 'a', 'actions-runner/break-glass=stuck');
	await space.deleted('a', '--as=oncall', '--as-group=system:masters');
	const event = await eventually('the Event', async () =>
		(await space.events('a')).find((one) => one.reason === 'BreakGlass'),
	);
	says(event.message, `oncall (unverified) deletes runner a, which ran build (${job.repository}`);
	says(event.message, `run ${job.workflowRunId})`);
});

test('idle and busy scale-set pods under kubectl delete pod --all: the idle go, the busy stay (A14)', async ({
	space,
}) => {
	await space.scaleSetRunners(['busy', 'idle-1', 'idle-2']);
	await space.runJob('busy');
	const done = await space.kubectl('delete', 'pod', '--all');
	assert.is.not(done.code, 0);
	says(done.stderr, 'runner busy ');
	// kubectl does not wait for those that it has deleted where others were refused.
	await eventually(
		'the idle ones are gone',
		async () => (await space.rig.pods(space.name)).map((pod) => pod.metadata.name).join() === 'busy',
	);
	assert.equal([await owner(space, 'idle-1'), await owner(space, 'idle-2')], [undefined, undefined]);
	assert.ok(await owner(space, 'busy'));
	assert.equal(space.killedJobs(), []);
});

test.run();
