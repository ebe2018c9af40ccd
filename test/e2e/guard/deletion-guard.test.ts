/** Who deletes a runner pod, what happens then: group A of the acceptance scenarios, for the pods of ARC's RunnerSets. */
import * as assert from 'uvu/assert';
import { progress } from '../../../admission/api/keys.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { stage } from '../../rig/stage.ts';
import { runnerDeploymentPod, runnerSetPod } from '../../sim/pods.ts';
import { says } from '../support/space.ts';
import { spaceTests } from '../support/space-tests.ts';

/** GitHub's list shows a job this much later than it began: only the log and a DELETE show what happens in between. */
const hintDelayMs = 1_500;
const test = spaceTests('deletion guard', { prepare: () => stage('guard'), hintDelayMs });

const removeRecord = [
	'actions-runner/deletion-requested-at-',
	'actions-runner/deletion-requested-by-',
	'actions-runner/deletion-options-',
	'actions-runner/deletion-proof-',
];

test('busy runner: kubectl delete is refused, says why and what comes next, and the job goes on (A1, invariant 1)', async ({
	space,
}) => {
	await space.runners(['a']);
	await space.runJob('a', { known: true });
	const said = await space.refused('a');
	says(said, /Conflict/);
	says(said, 'runner a is busy (');
	says(said, `Recorded: the pod is deleted when the job ends. See: kubectl runners why a -n ${space.name}`);

	const pod = await space.pod('a');
	assert.is(pod?.metadata.deletionTimestamp, undefined);
	assert.is(pod?.metadata.annotations?.['actions-runner/deletion-requested-by'], 'admin');
	assert.equal(space.journal('a'), ['registered', 'job-started']);
	assert.equal(space.removals(), [], 'known to be busy: GitHub need not be asked');
	await eventually('the pod says that its deletion waits', async () => {
		const condition = space.condition(await space.pod('a'), 'DeletionPending');
		return condition?.status === 'True' && condition.reason === 'Busy';
	});
});

test('idle runner: GitHub unregisters it first, then it goes; one kubectl delete is enough (A2)', async ({
	space,
}) => {
	await space.runners(['a']);
	await space.deleted('a');
	assert.equal(space.removals(), [204]);
	const order = space.journal('a');
	assert.ok(order.indexOf('removed-by-github') < order.indexOf('pod-terminating'), order.join());
	assert.equal(space.killedJobs(), []);
	await space.gone('a');
	assert.equal(space.rig.github.runners(space.scope), []);
});

test('a runner that works though GitHub lists it as idle: its log says so, and GitHub is not asked to remove it (A3)', async ({
	space,
}) => {
	await space.runners(['a']);
	space.listsAsIdle('a');
	const { displayName } = await space.runJob('a');
	says(await space.refused('a'), new RegExp(`runner a is busy \\(\\d+s\\): ${displayName}\\.`));
	assert.equal(space.removals(), []);
	assert.is((await space.pod('a'))?.metadata.deletionTimestamp, undefined);
	assert.equal(space.killedJobs(), []);
});

test('a runner that became busy after GitHub listed it as idle: GitHub says 422, the delete is refused (A3)', async ({
	space,
}) => {
	await space.runners(['a']);
	space.assigned('a');
	const said = await space.refused('a');
	says(said, 'runner a');
	says(said, /is busy/);
	assert.equal(space.removals(), [422]);
	await space.runJob('a');
	await space.refused('a');
	assert.equal(space.removals(), [422]);
	assert.is((await space.pod('a'))?.metadata.deletionTimestamp, undefined);
	assert.equal(space.killedJobs(), []);
});

test('the job ends: the recorded deletion is carried out though nobody asks again, without a call to GitHub (A4)', async ({
	space,
}) => {
	await space.runners(['a']);
	space.assigned('a');
	await space.refused('a');
	await space.runJob('a');
	await space.endJob('a');
	await space.gone('a');
	assert.equal(space.removals(), [422], 'from before the end');
	assert.equal(space.killedJobs(), []);
	await eventually('an Event tells it', async () =>
		(await space.events('a')).some((event) => event.reason === 'DeletionCompleted'),
	);
});

test('the job has ended: a retried delete is allowed at once, without a call to GitHub (A4)', async ({
	space,
}) => {
	await space.runners(['a']);
	await space.runJob('a');
	await space.refused('a');
	await space.ok('annotate', 'pod', 'a', ...removeRecord);
	await space.endJob('a');
	await eventually('the container has stopped', () => space.journal('a').includes('container-stopped'));
	// The record is gone: the loop leaves the pod to whoever asks again.
	await space.deleted('a');
	assert.equal(space.removals(), []);
});

test('a pod that is terminating already may be deleted by force, whatever it runs (A5)', async ({
	space,
}) => {
	const held = {
		...runnerSetPod(space.options('a', { annotations: { 'actions-runner/break-glass': 'test' } })),
	};
	held.metadata.finalizers = ['test.runners/hold'];
	await space.rig.apply(held);
	await space.registered(['a']);
	await space.runJob('a');
	await space.deleted('a', '--wait=false');
	assert.ok((await space.pod('a'))?.metadata.deletionTimestamp);
	await space.ok('annotate', 'pod', 'a', 'actions-runner/break-glass-');
	await space.deleted('a', '--force', '--grace-period=0', '--wait=false');
	await space.ok('patch', 'pod', 'a', '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
	await space.gone('a');
	assert.equal(space.removals(), []);
});

test('a pod that is on no node is deleted at once, without a call to GitHub (A6)', async ({ space }) => {
	await space.rig.apply(runnerSetPod({ ...space.options('a'), unbound: true }));
	await eventually('it is there', () => space.pod('a'));
	await space.deleted('a');
	await space.gone('a');
	assert.equal(space.calls(), []);
});

test('a pod on a node that has not been seen to run is kept, with --force too, and goes when it is idle (A6)', async ({
	space,
}) => {
	await space.rig.apply(
		runnerSetPod(space.options('a', { annotations: { 'test.runners/hold-start': 'true' } })),
	);
	await eventually('scheduled', async () => (await space.pod('a'))?.spec?.nodeName);
	says(
		await space.refused('a', '--force', '--grace-period=0'),
		'runner a is starting (on its node, not seen to run). Recorded: the pod is deleted when it is idle, or cannot start',
	);
	assert.equal(space.calls(), []);
	await space.ok('annotate', 'pod', 'a', 'test.runners/hold-start-');
	await space.gone('a');
	assert.equal(space.removals(), [204]);
	assert.equal(space.killedJobs(), []);
});

test('a pod whose image cannot be pulled is refused, and gone a moment later, without a call to GitHub (A6)', async ({
	space,
}) => {
	await space.rig.apply(
		runnerSetPod(space.options('a', { annotations: { 'test.runners/hold-start': 'ImagePullBackOff' } })),
	);
	await eventually(
		'its kubelet says so',
		async () => (await space.pod('a'))?.status?.containerStatuses?.[0]?.state?.waiting,
	);
	// On a slow machine the API server has this DELETE reviewed once more, and the pod may be gone by then: the Event outlives it.
	await space.delete('a');
	const recorded = await eventually('it was refused, and recorded', async () =>
		(await space.events('a')).find(({ reason }) => reason === 'DeletionRecorded'),
	);
	says(recorded.message, 'runner a is starting (ImagePullBackOff)');
	await space.gone('a');
	assert.equal(space.calls(), []);
});

test('a runner that is still registering is kept, and goes when it has come and been unregistered (A7)', async ({
	space,
}) => {
	await space.rig.apply(
		runnerSetPod(space.options('a', { annotations: { 'test.runners/no-register': 'true' } })),
	);
	await eventually('runs', async () => (await space.pod('a'))?.status?.phase === 'Running');
	says(await space.refused('a'), 'runner a is still registering at GitHub (it may get a job at any moment)');
	assert.equal(space.removals(), []);
	space.listens('a');
	space.rig.github.addRunner({ scope: space.scope, name: 'a' });
	await space.gone('a');
	assert.equal(space.removals(), [204]);
	assert.equal(space.rig.github.runners(space.scope), []);
});

test('a runner that has not registered 10 min after its start: noted since when GitHub lacks it (A7)', async ({
	space,
}) => {
	for (const name of ['asked-before', 'asked-after']) {
		await space.rig.apply(
			runnerSetPod(space.options(name, { annotations: { 'test.runners/no-register': 'true' } })),
		);
		await eventually('runs', async () => (await space.pod(name))?.status?.phase === 'Running');
	}
	await space.refused('asked-before');
	const runsFor = async (name: string, ms: number) => {
		const startedAt = new Date(Date.now() - ms).toISOString().replace(/\.\d+Z/, 'Z');
		const containerStatuses = (await space.pod(name))?.status?.containerStatuses?.map((status) => ({
			...status,
			state: { running: { startedAt } },
		}));
		await space.patch(`${name}/status`, { status: { containerStatuses } });
	};
	await runsFor('asked-before', 9 * 60_000);
	says(await space.refused('asked-before'), 'still registering');
	await runsFor('asked-after', 10 * 60_000 + 1_000);
	// One list is not enough: it goes when another one, a minute later, lacks it (test/unit/guard/deletion-loop.test.ts).
	says(await space.refused('asked-after'), 'still registering');
	assert.ok((await space.annotations('asked-after'))[progress.absentSince]);
	assert.is((await space.annotations('asked-before'))[progress.absentSince], undefined);
	assert.equal(space.removals(), []);
});

test('a pod whose runner has succeeded, failed or was evicted goes at once; what is left of it at GitHub is removed later (A8)', async ({
	space,
}) => {
	await space.runners(['succeeded', 'failed', 'evicted']);
	await space.runJob('succeeded');
	await space.endJob('succeeded');
	const failed = (await space.pod('failed'))?.status?.containerStatuses?.map((status) => ({
		...status,
		state: { terminated: { exitCode: 1, reason: 'Error', containerID: 'simulated://failed' } },
	}));
	const set = (name: string, status: object) => space.patch(`${name}/status`, { status });
	await set('failed', { phase: 'Failed', containerStatuses: failed });
	await set('evicted', {
		phase: 'Failed',
		reason: 'Evicted',
		message: 'The node was low on resource: memory.',
		containerStatuses: null,
	});
	space.rig.github.setStatus(space.rig.github.find(space.scope, 'evicted')?.id ?? 0, 'offline');
	await space.deleted('succeeded');
	await space.deleted('failed');
	await space.deleted('evicted');
	assert.equal(space.removals(), []);
	assert.equal(
		space.rig.github
			.runners(space.scope)
			.map((runner) => runner.name)
			.sort(),
		['evicted', 'failed'],
	);
	await eventually(
		'the dangling registrations are gone',
		() => space.rig.github.runners(space.scope).length === 0,
	);
});

test('a pod that only its phase calls Failed is refused while its container runs (A8)', async ({ space }) => {
	await space.runners(['a']);
	await space.runJob('a');
	await space.patch('a/status', { status: { phase: 'Failed' } });
	await space.refused('a');
	assert.equal(space.killedJobs(), []);
});

test('--force --grace-period=0 on a busy runner is refused like any other delete (A11)', async ({
	space,
}) => {
	await space.runners(['a']);
	await space.runJob('a');
	says(await space.refused('a', '--force', '--grace-period=0'), /is busy/);
	says(await space.refused('a', '--now'), /is busy/);
	assert.is((await space.pod('a'))?.metadata.deletionTimestamp, undefined);
	assert.equal(space.journal('a'), ['registered', 'job-started']);
});

test('break-glass: allowed, and Event, metric and log tell who, why and which job; without the right to annotate it is refused (A12)', async ({
	rig,
	space,
}) => {
	await space.runners(['a']);
	await space.runJob('a');
	await space.ok('create', 'role', 'deleter', '--verb=get,list,watch,delete', '--resource=pods');
	await space.ok('create', 'role', 'breaker', '--verb=get,list,watch,delete,patch', '--resource=pods');
	await space.ok('create', 'rolebinding', 'deleter', '--role=deleter', '--user=dev');
	await space.ok('create', 'rolebinding', 'breaker', '--role=breaker', '--user=oncall');
	const annotate = (user: string) =>
		space.kubectl('annotate', 'pod', 'a', 'actions-runner/break-glass=the runner hangs', `--as=${user}`);

	says((await annotate('dev')).stderr, 'Forbidden');
	await space.refused('a', '--as=dev');
	await space.busy('a');
	const before = await breakGlassCount(rig);
	assert.is((await annotate('oncall')).code, 0);
	await space.deleted('a', '--as=oncall');
	await space.gone('a');
	assert.is(space.killedJobs().length, 1);

	const event = await eventually('the Event', async () =>
		(await space.events('a')).find((one) => one.reason === 'BreakGlass'),
	);
	assert.is(event.type, 'Warning');
	says(
		event.message,
		/^oncall \(unverified\) deletes runner a, which ran build for \d+s, by actions-runner\/break-glass: the runner hangs$/,
	);
	assert.ok((await breakGlassCount(rig)) > before);
	const lines = space.log(['warn']).filter((line) => line.msg === 'break-glass');
	assert.is(lines.length, 1, JSON.stringify(lines));
	assert.equal([lines[0]?.user, lines[0]?.why], ['oncall', 'the runner hangs']);
});

async function breakGlassCount(rig: Rig): Promise<number> {
	const metrics = await Promise.all(rig.servers.map((server) => server.metrics()));
	const line = /^runners_admission_decisions_total\{verdict="allow",reason="break-glass"\} (\d+)$/m.exec(
		metrics.join('\n'),
	);
	return Number(line?.[1] ?? 0);
}

test('the labels of a live runner cannot be removed, nor its image changed; a runner without them is known by what it is (A13)', async ({
	space,
}) => {
	await space.runners(['a']);
	await space.rig.apply(runnerDeploymentPod(space.options('b')));
	const bare = runnerSetPod(space.options('c'));
	bare.metadata.labels = {};
	await space.rig.apply(bare);
	await space.registered(['b', 'c']);
	for (const name of ['a', 'b', 'c']) await space.runJob(name);
	const refused = async (...args: string[]) => {
		const done = await space.kubectl(...args);
		assert.is.not(done.code, 0, `${args.join(' ')}: ${done.stdout}`);
		says(done.stderr, /runner [abc] runs: /);
	};
	await refused('label', 'pod', 'a', 'runnerset-name-');
	await refused('label', 'pod', 'a', 'actions-runner-');
	await refused('label', 'pod', 'a', 'runnerset-name=other', '--overwrite');
	await refused('label', 'pod', 'b', 'runner-deployment-name-');
	for (const name of ['a', 'b', 'c'])
		await refused('set', 'image', `pod/${name}`, 'runner=example.com/other:1');
	await space.ok('label', 'pod', 'a', 'team=blue');
	for (const name of ['a', 'b', 'c']) says(await space.refused(name), /is busy/);
	await space.busy('a');
	await refused('label', 'pod', 'a', 'actions-runner/busy-');
	assert.equal(space.killedJobs(), []);
});

test.run();
