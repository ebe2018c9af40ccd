/** The plugin where the guard is installed: what a person sees of a refused, recorded, completed deletion. */

import * as assert from 'uvu/assert';
import { breakGlass, record } from '../../../admission/api/keys.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { suite } from '../../support/suite.ts';
import { type Finished, type Installed, installPlugin, type Running } from '../support/plugin-process.ts';
import { Space } from '../support/space.ts';

interface Context {
	rig: Rig;
	plugin: Installed;
	runners: (...args: string[]) => Promise<Finished>;
	start: (...args: string[]) => Running;
}

const test = suite<Context>('kubectl runners, with the guard');

test.before(async (context) => {
	[context.rig, context.plugin] = await Promise.all([
		startRig({ nodes: ['node-1', 'to-drain'] }),
		installPlugin(),
	]);
	const env = { KUBECONFIG: context.rig.cluster.kubeconfig };
	context.runners = (...args) => context.plugin.run(args, env);
	context.start = (...args) => context.plugin.start(args, env);
});

test.after(async ({ rig, plugin }) => {
	await Promise.all([rig?.stop(), plugin?.remove()]);
});

test('delete of a busy runner waits for the job, says so, and kills nothing', async ({
	rig,
	runners,
	start,
}) => {
	const space = await Space.make(rig);
	await space.runners(['busy-0', 'idle-0'], { nodeName: 'node-1' });
	await space.runJob('busy-0', { known: true });

	const listed = await runners('list', '-n', space.name, '--no-headers');
	assert.match(listed.stdout, /^busy-0 +example-runnerset +busy +<unknown> +\d+ +node-1 /m);
	assert.match(listed.stdout, /^idle-0 +example-runnerset +idle +<none> +\d+ +node-1 /m);

	const deleting = start('delete', 'busy-0', 'idle-0', '-n', space.name);
	await deleting.prints(/^pod "idle-0" deleted from /m);
	await deleting.prints(
		/^pod "busy-0" not deleted yet: it is busy for \d+s\. Recorded: the pod is deleted when the job ends$/m,
	);
	await deleting.prints(new RegExp(`^waiting for ${space.name}/busy-0: busy`, 'm'));
	assert.match((await runners('list', 'busy-0', '-n', space.name)).stdout, /draining/);
	await space.endJob('busy-0');
	const { code, stdout, stderr } = await deleting.end();
	assert.equal([code, stderr], [0, '']);
	assert.match(stdout, /^pod "busy-0" deleted from /m);
	assert.equal(space.killedJobs(), []);
});

test('why: the verdict with its reason, who asked, and what can be typed; it changes nothing', async (context) => {
	const { rig, runners } = context;
	const space = await Space.make(rig);
	await space.runners(['busy-0']);
	await space.runJob('busy-0', { known: true });
	const before = await runners('why', 'busy-0', '-n', space.name);
	assert.is(before.code, 0, before.stderr);
	assert.match(before.stdout, /^Deletion: +denied \(busy\)$/m);
	assert.match(before.stdout, /^Because: +it is busy for \d+s$/m);
	assert.match(before.stdout, /^Recorded: +no deletion is waiting$/m);
	assert.match(before.stdout, /^To request: +kubectl runners delete busy-0 -n /m);
	assert.is((await space.annotations('busy-0'))[record.requestedBy], undefined);

	const asked = await runners('delete', 'busy-0', '-n', space.name, '--wait=false', '--grace-period=5');
	assert.is(asked.code, 0, asked.stderr);
	const after = await runners('why', 'busy-0', '-n', space.name);
	assert.match(after.stdout, /^Recorded: +a deletion, grace period 5s, .*asked for by admin \d+s ago/m);
	assert.match(after.stdout, /^To cancel: +kubectl runners cancel busy-0 -n /m);
	const { verdict, reason } = JSON.parse(
		(await runners('why', 'busy-0', '-n', space.name, '-o', 'json')).stdout,
	);
	assert.equal([verdict, reason], ['denied', 'busy']);
	await space.endJob('busy-0');
	await space.gone('busy-0');
});

test('cancel: the runner stays, outlives its job, and whoever waits is told', async ({
	rig,
	runners,
	start,
}) => {
	const space = await Space.make(rig);
	await space.runners(['kept-0'], { ephemeral: false });
	await space.runJob('kept-0', { known: true });
	const deleting = start('delete', 'kept-0', '-n', space.name);
	await deleting.prints(/waiting for .*kept-0: busy/);
	const cancelled = await runners('cancel', 'kept-0', '-n', space.name);
	assert.is(cancelled.stdout, 'pod/kept-0 deletion cancelled (was asked for by admin)\n');
	const { code, stderr } = await deleting.end();
	assert.equal([code, stderr], [1, 'error: pod "kept-0" stays: its recorded deletion was cancelled\n']);
	await space.endJob('kept-0');
	const idle = await runners('wait', 'kept-0', '--for=idle', '--timeout=30s', '-n', space.name);
	assert.is(idle.code, 0, idle.stderr);
	assert.ok(await space.pod('kept-0'));
});

test('delete --now --reason: kills the job, by a mark that says why', async ({ rig, runners }) => {
	const space = await Space.make(rig);
	await space.runners(['stuck-0']);
	await space.runJob('stuck-0', { known: true });
	const done = await runners(
		'delete',
		'stuck-0',
		'-n',
		space.name,
		'--now',
		'--reason',
		'stuck, ticket 4711',
	);
	assert.is(done.code, 0, done.stderr);
	assert.is(await space.pod('stuck-0'), undefined);
	assert.is(space.killedJobs().length, 1);
	const events = await space.events('stuck-0');
	assert.ok(events.some(({ reason, message }) => reason === 'BreakGlass' && message.includes('ticket 4711')));
	assert.is(breakGlass, 'actions-runner/break-glass');
});

test('drain: idle runners leave at once, the busy one when its job ends (B11)', async ({
	rig,
	runners,
	start,
}) => {
	const space = await Space.make(rig);
	await space.runners(['busy-0', 'idle-0', 'idle-1'], { nodeName: 'to-drain' });
	await space.runJob('busy-0', { known: true });

	const late = await runners('drain', 'to-drain', '--timeout=3s');
	assert.is(late.code, 2);
	assert.match(late.stdout, /^pod\/idle-0 evicted$/m);
	assert.match(late.stdout, new RegExp(`^${space.name}/busy-0 not evicted yet: it is busy for \\d+s`, 'm'));
	assert.match(
		late.stderr,
		/timed out waiting for the condition on pods\/busy-0\n.*kubectl runners cancel busy-0/,
	);

	const draining = start('drain', 'to-drain');
	await draining.prints(new RegExp(`^waiting for ${space.name}/busy-0: busy`, 'm'));
	await space.endJob('busy-0');
	const { code, stdout, stderr } = await draining.end();
	assert.is(code, 0, stderr);
	assert.match(stdout, /^node\/to-drain drained of runners: 1 runner has left in \d+s$/m);
	assert.equal(space.killedJobs(), []);
});

test('while no server answers: delete says so and deletes nothing, why says so too', async ({
	rig,
	runners,
}) => {
	const space = await Space.make(rig);
	await space.runners(['busy-0']);
	await space.runJob('busy-0', { known: true });
	await Promise.all(rig.servers.map((server) => server.stop()));
	const refused = await runners('delete', 'busy-0', '-n', space.name);
	assert.is(refused.code, 1);
	assert.match(
		refused.stderr,
		/^error: the guard does not answer, so nothing was deleted or recorded: .*\n$/,
	);
	const told = await runners('why', 'busy-0', '-n', space.name);
	assert.match(told.stdout, /^Deletion: +denied \(guard-unreachable\)$/m);
	assert.is((await space.pod('busy-0'))?.metadata.deletionTimestamp, undefined);
	const version = await runners('version');
	assert.match(version.stdout, /^Guard: installed$/m);
});

test.run();
