/**
 * Many deletions, repeated ones, dry runs: what they cost at GitHub, and whom they touch (A14, A15). Thirty idle ones at once are in
 * replicas.test.ts, pods that are no runners in webhook-down.test.ts.
 */
import * as assert from 'uvu/assert';
import { busy as marks } from '../../../admission/api/keys.ts';
import { eventually } from '../../rig/eventually.ts';
import { stage } from '../../rig/stage.ts';
import { says } from '../support/space.ts';
import { spaceTests } from '../support/space-tests.ts';

/** GitHub's list shows a job this much later than it began: only the log and a DELETE show what happens in between. */
const hintDelayMs = 1_500;
const test = spaceTests('deletion of many', { prepare: () => stage('guard'), hintDelayMs });

test('busy ephemeral runner: however often it is asked for, GitHub receives one DELETE, and one info line reports the 422', async ({
	space,
}) => {
	await space.runners(['a']);
	space.assigned('a');
	for (let time = 0; time < 5; time++) await space.refused('a');
	await space.runJob('a');
	await space.busy('a');
	await space.refused('a', '--force', '--grace-period=0');
	assert.equal(space.removals(), [422]);
	const lines = space.log();
	assert.is(lines.filter((line) => line.msg === 'deletion recorded' && line.reason === 'busy').length, 1);
	const messages = lines.map((line) => line.msg);
	assert.is(new Set(messages).size, messages.length, messages.join());
	assert.ok(
		lines.every((line) => line.level === 'info'),
		JSON.stringify(lines),
	);
});

test('kubectl delete pod --all over 3 idle and 2 busy runners: the idle go, the busy stay and are named (A14)', async ({
	space,
}) => {
	await space.runners(['busy-1', 'busy-2', 'idle-1', 'idle-2', 'idle-3']);
	await space.runJob('busy-1');
	space.assigned('busy-2');
	const done = await space.kubectl('delete', 'pod', '--all');
	assert.is.not(done.code, 0);
	for (const name of ['busy-1', 'busy-2']) says(done.stderr, `runner ${name} is busy`);
	const errors = done.stderr.split('\n').filter((line) => !line.startsWith('Warning:'));
	assert.not.match(errors.join('\n'), 'idle');
	// kubectl waits for nothing where one of many was refused.
	for (const name of ['idle-1', 'idle-2', 'idle-3']) await space.gone(name);
	assert.equal(
		(await space.rig.pods(space.name)).map((pod) => pod.metadata.name),
		['busy-1', 'busy-2'],
	);
	assert.equal(space.killedJobs(), []);
	assert.equal(space.removals().sort(), [204, 204, 204, 422], 'the log of busy-1 says that it works');
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
	// The last that the leader writes of a job is its name, by the log.
	await eventually(
		'its job is named',
		async () => (await space.pod('busy'))?.metadata.annotations?.[marks.job],
	);
	const before = [await space.pod('idle'), await space.pod('busy')];
	const done = await space.deleted('idle', '--dry-run=server');
	says(done.stdout, 'dry run');
	says(await space.refused('busy', '--dry-run=server'), 'Dry run: nothing is recorded.');
	assert.equal(space.removals(), []);
	const after = [await space.pod('idle'), await space.pod('busy')];
	assert.equal(
		after.map((pod) => pod?.metadata.resourceVersion),
		before.map((pod) => pod?.metadata.resourceVersion),
	);
	assert.equal([await space.events('idle'), await space.events('busy')], [[], []]);
	assert.equal(space.rig.github.runners(space.scope).length, 2);
});

test('busy runners whose job a list or the log shows: no DELETE at all; neither does: one 422 each', async ({
	space,
}) => {
	const listed = ['listed-1', 'listed-2', 'listed-3'];
	const logged = ['logged-1', 'logged-2', 'logged-3'];
	const unknown = ['unknown-1', 'unknown-2', 'unknown-3'];
	const all = [...listed, ...logged, ...unknown];
	await space.runners(all);
	for (const name of listed) await space.runJob(name);
	for (const name of listed) await space.busy(name);
	for (const name of logged) await space.runJob(name);
	for (const name of unknown) space.assigned(name);
	for (let time = 0; time < 2; time++) {
		const done = await space.kubectl('delete', 'pod', '--all');
		assert.is.not(done.code, 0);
	}
	assert.equal(space.removals(), [422, 422, 422]);
	for (const name of unknown) await space.runJob(name);
	assert.equal(space.killedJobs(), []);
	for (const name of all) await space.endJob(name);
	await eventually('all are gone', async () => (await space.rig.pods(space.name)).length === 0);
	assert.equal(space.removals(), [422, 422, 422]);
});

test.run();
