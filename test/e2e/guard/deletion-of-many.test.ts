/** Many deletions, repeated ones, dry runs, and what is no runner: what they cost at GitHub, and whom they touch (A14 to A16). */
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { suite } from '../../support/suite.ts';
import { end, Space, says } from '../support/space.ts';

const test = suite<{ rig: Rig; space: Space }>('deletion of many');

/** GitHub's list shows a job this much later than it began: what happens in between can only be told by DELETE. */
const hintDelayMs = 1_500;

test.before(async (context) => {
	context.rig = await startRig({ github: { hintDelayMs } });
});
test.after(({ rig }) => end(rig));
test.before.each(async (context) => {
	context.space = await Space.make(context.rig);
});
test.after.each(async ({ space }) => space.clear());

test('busy ephemeral runner: however often it is asked for, GitHub hears one DELETE, and one info line tells the 422', async ({
	space,
}) => {
	await space.runners(['a']);
	await space.runJob('a');
	for (let time = 0; time < 5; time++) await space.refused('a');
	await sleep(hintDelayMs);
	await space.refused('a', '--force', '--grace-period=0');
	assert.equal(space.removals(), [422]);
	const lines = space.log();
	assert.is(lines.filter((line) => line.msg === 'deletion recorded' && line.reason === 'busy').length, 1);
	const words = lines.map((line) => line.msg);
	assert.is(new Set(words).size, words.length, words.join());
	assert.ok(
		lines.every((line) => line.level === 'info'),
		JSON.stringify(lines),
	);
});

test('kubectl delete pod --all over 3 idle and 2 busy runners: the idle go, the busy stay and are named (A14)', async ({
	space,
}) => {
	await space.runners(['busy-1', 'busy-2', 'idle-1', 'idle-2', 'idle-3']);
	for (const name of ['busy-1', 'busy-2']) await space.runJob(name);
	const done = await space.kubectl('delete', 'pod', '--all');
	assert.is.not(done.code, 0);
	for (const name of ['busy-1', 'busy-2']) says(done.stderr, `runner ${name} (`);
	assert.not.match(done.stderr, 'idle');
	// kubectl waits for nothing where one of many was refused.
	for (const name of ['idle-1', 'idle-2', 'idle-3']) await space.gone(name);
	assert.equal(
		(await space.rig.pods(space.name)).map((pod) => pod.metadata.name),
		['busy-1', 'busy-2'],
	);
	assert.equal(space.killedJobs(), []);
	assert.equal(space.removals().sort(), [204, 204, 204, 422, 422]);
});

test('deletecollection, whose request has no name: the right runners go, the right ones are refused and recorded (A14)', async ({
	space,
}) => {
	await space.runners(['busy-1', 'idle-1', 'idle-2']);
	await space.runJob('busy-1');
	const collection = () =>
		space.kubectl('delete', '--raw', `/api/v1/namespaces/${space.name}/pods?labelSelector=runnerset-name`);
	// The API server goes through a collection in the order of names and stops at the first refusal.
	const first = await collection();
	says(first.stderr + first.stdout, 'runner busy-1 ');
	assert.is((await space.annotations('busy-1'))['actions-runner/deletion-requested-by'], 'admin');
	const rest = await space.kubectl(
		'delete',
		'--raw',
		`/api/v1/namespaces/${space.name}/pods?fieldSelector=metadata.name!=busy-1`,
	);
	assert.is(rest.code, 0, rest.stderr);
	await Promise.all([space.gone('idle-1'), space.gone('idle-2')]);
	assert.equal(space.killedJobs(), []);
	assert.is((await space.pod('busy-1'))?.metadata.deletionTimestamp, undefined);
});

test('--dry-run=server: the same verdict, and nothing is written to GitHub or on the pod (A15)', async ({
	space,
}) => {
	await space.runners(['idle', 'busy']);
	await space.runJob('busy', { known: true });
	const before = [await space.pod('idle'), await space.pod('busy')];
	const done = await space.deleted('idle', '--dry-run=server');
	says(done.stdout, 'dry run');
	says(await space.refused('busy', '--dry-run=server'), 'This is a dry run: nothing was recorded.');
	await sleep(1_000);
	assert.equal(space.removals(), []);
	const after = [await space.pod('idle'), await space.pod('busy')];
	assert.equal(
		after.map((pod) => pod?.metadata.resourceVersion),
		before.map((pod) => pod?.metadata.resourceVersion),
	);
	assert.equal([await space.events('idle'), await space.events('busy')], [[], []]);
	assert.equal(space.rig.github.runners(space.scope).length, 2);
});

test('50 idle runners are deleted with 50 DELETEs that answer 204 and at most 2 lists', async ({ space }) => {
	const names = Array.from({ length: 50 }, (_, index) => `r-${index}`);
	await space.runners(names);
	const lists = space.calls('list').length;
	const done = await space.kubectl('delete', 'pod', '--all');
	assert.is(done.code, 0, done.stderr);
	assert.equal(await space.rig.pods(space.name), []);
	assert.equal(space.removals(), Array(50).fill(204));
	assert.ok(space.calls('list').length - lists <= 2, `${space.calls('list').length - lists} lists`);
});

test('20 busy runners whose job is known: no DELETE at all; unknown: one 422 each', async ({ space }) => {
	const known = Array.from({ length: 10 }, (_, index) => `known-${index}`);
	const unknown = Array.from({ length: 10 }, (_, index) => `unknown-${index}`);
	await space.runners([...known, ...unknown]);
	for (const name of known) await space.runJob(name);
	for (const name of known) await space.busy(name);
	for (const name of unknown) await space.runJob(name);
	for (let time = 0; time < 2; time++) {
		const done = await space.kubectl('delete', 'pod', '--all');
		assert.is.not(done.code, 0);
	}
	assert.equal(space.removals(), Array(10).fill(422));
	assert.equal(space.killedJobs(), []);
	assert.is((await space.rig.agents.endAllJobs()) >= 20, true);
	await eventually('all are gone', async () => (await space.rig.pods(space.name)).length === 0, {
		withinMs: 20_000,
	});
	assert.equal(space.removals(), Array(10).fill(422));
});

test('a pod that is no runner is never refused or delayed, not even while the guard is down; a live runner is (A16)', async ({
	rig,
	space,
}) => {
	await space.runners(['a']);
	const plain = () =>
		space.ok('run', 'web', '--image=nginx', '--overrides={"spec":{"terminationGracePeriodSeconds":0}}');
	const goesAtOnce = async () => {
		await plain();
		await eventually('web runs', async () => (await space.pod('web'))?.status?.phase === 'Running');
		const done = await space.deleted('web');
		assert.ok(done.elapsedMs < 3_000, `${done.elapsedMs} ms`);
	};
	await goesAtOnce();
	await rig.servers[0]?.stop();
	await goesAtOnce();
	says(await space.refused('a'), 'failed calling webhook "pods.runners-admission.svc"');
	assert.is((await space.pod('a'))?.metadata.deletionTimestamp, undefined);
});

test.run();
