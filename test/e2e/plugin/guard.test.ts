/** The plugin where the guard is installed: what a person sees of a refused, recorded, completed deletion. */

import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { busy, record } from '../../../admission/api/keys.ts';
import { type JobSignal, writeSignals } from '../../../admission/runner/job-signals.ts';
import { eventually } from '../../rig/eventually.ts';
import { random } from '../../rig/random.ts';
import type { Rig } from '../../rig/rig.ts';
import { stage } from '../../rig/stage.ts';
import { suite } from '../../support/suite.ts';
import { type Finished, type Installed, installPlugin, type Running } from '../support/plugin-process.ts';
import { end, Space } from '../support/space.ts';

interface Context {
	rig: Rig;
	plugin: Installed;
	space: Space;
	/** The plugin, in the test's namespace. */
	runners: (...args: string[]) => Promise<Finished>;
	start: (...args: string[]) => Running;
}

const test = suite<Context>('kubectl runners, with the guard');
/** Only this file's runners are on it: it is drained. */
const node = 'to-drain-by-plugin';

test.before(async (context) => {
	[context.rig, context.plugin] = await Promise.all([stage('guard'), installPlugin()]);
	const env = { KUBECONFIG: context.rig.cluster.kubeconfig };
	context.space = await Space.make(context.rig);
	const { rig, space, plugin } = context;
	const here = ['-n', space.name];
	context.runners = (...args) => plugin.run([...args, ...here], env);
	context.start = (...args) => plugin.start([...args, ...here], env);

	await rig.cluster.addNode(node);
	await space.runners(['busy-0', 'idle-0', 'why-0', 'stuck-0'], { nodeName: 'node-1' });
	await space.runners(['left-0', 'idle-1', 'idle-2'], { nodeName: node });
	await space.runners(['kept-0'], { ephemeral: false });
	// All at once: GitHub's list is read every 10 s.
	const busy = ['busy-0', 'why-0', 'kept-0', 'stuck-0', 'left-0'];
	for (const name of busy) await space.runJob(name);
	for (const name of busy) await space.busy(name);
});
test.after(async ({ rig, space, plugin }) => {
	await space?.clear();
	await Promise.all([end(rig), plugin?.remove()]);
});

test('delete of a busy runner waits for the job, says so, and kills nothing', async ({
	space,
	runners,
	start,
}) => {
	const listed = await runners('list', '--no-headers');
	assert.match(listed.stdout, /^busy-0 +example-runnerset +busy +(<unknown>|build) +\d+ +node-1 /m);
	assert.match(listed.stdout, /^idle-0 +example-runnerset +idle +<none> +\d+ +node-1 /m);

	const deleting = start('delete', 'busy-0', 'idle-0');
	await deleting.prints(/^pod "idle-0" deleted from /m);
	await deleting.prints(
		/^pod "busy-0" not deleted yet: it is busy \(\d+s\)(: build)?\. Recorded: the pod is deleted when the job ends$/m,
	);
	await deleting.prints(new RegExp(`^waiting for ${space.name}/busy-0: busy`, 'm'));
	assert.match((await runners('list', 'busy-0')).stdout, /draining/);
	await space.endJob('busy-0');
	const { code, stdout, stderr } = await deleting.end();
	assert.equal([code, stderr], [0, '']);
	assert.match(stdout, /^pod "busy-0" deleted from /m);
	assert.equal(space.killedJobs(), []);
});

test('why: the verdict with its reason, who asked, and what can be typed; it changes nothing', async (context) => {
	const { space, runners } = context;
	const before = await runners('why', 'why-0');
	assert.is(before.code, 0, before.stderr);
	assert.match(before.stdout, /^Deletion: +denied \(busy\)$/m);
	assert.match(before.stdout, /^Because: +it is busy \(\d+s\)(: build)?$/m);
	assert.match(before.stdout, /^Recorded: +no deletion is waiting$/m);
	assert.match(before.stdout, /^To request: +kubectl runners delete why-0 -n /m);
	assert.is((await space.annotations('why-0'))[record.requestedBy], undefined);

	const asked = await runners('delete', 'why-0', '--wait=false', '--grace-period=5');
	assert.is(asked.code, 0, asked.stderr);
	const after = await runners('why', 'why-0');
	assert.match(
		after.stdout,
		/^Recorded: +a deletion, grace period 5s, .*requested by admin \(unverified\) \d+s ago/m,
	);
	assert.match(after.stdout, /^To cancel: +kubectl runners cancel why-0 -n /m);
	// On a slow machine `why` may say first that the guard did not answer in time.
	await eventually('the guard has answered', async () => {
		const { verdict, reason } = JSON.parse((await runners('why', 'why-0', '-o', 'json')).stdout);
		return verdict === 'denied' && reason === 'busy';
	});
	await space.endJob('why-0');
	await space.gone('why-0');
});

test('why: right at once for a runner that has just received a job, in 30 random moments, without job hooks', async ({
	space,
	runners,
}) => {
	const names = Array.from({ length: 30 }, (_, index) => `moment-${index}`);
	await space.runners(names);
	const { between } = random();
	let early = 0;
	const tookMs: number[] = [];
	for (const name of names) {
		const job = await space.runJob(name);
		await sleep(between(0, 400));
		const shown = await runners('why', name, '-o', 'json');
		tookMs.push(shown.elapsedMs);
		const marked = (await space.pod(name))?.metadata.labels?.[busy.label] === 'true';
		if (!marked) early += 1;
		const { verdict, reason, runner, job: named, sources } = JSON.parse(shown.stdout);
		assert.equal([verdict, reason, runner.state], ['denied', 'busy', 'busy'], shown.stdout);
		assert.match(named.name, job.displayName, shown.stdout);
		const [log] = sources as { by: string; state: string; job?: { name: string } }[];
		assert.equal([log?.by, log?.state, log?.job?.name], ['log', 'working', job.displayName]);
	}
	const [fastest, median, slowest] = [0, 15, 29].map((rank) =>
		Math.round(tookMs.toSorted((one, other) => one - other)[rank] ?? 0),
	);
	console.log(
		`\n  ${early} of 30 before GitHub's list had shown the job; why took ${fastest} to ${slowest} ms, median ${median} ms`,
	);
	assert.ok(early >= 5, `only ${early} of 30 were asked about before GitHub's list had shown their job`);

	const fresh = 'fresh-0';
	await space.runners([fresh]);
	const { displayName } = await space.runJob(fresh);
	const { stdout } = await runners('why', fresh);
	assert.match(stdout, new RegExp(`^Job: +${displayName}, busy for \\d+s$`, 'm'));
	assert.match(stdout, new RegExp(`^Sources: +runner's log +working since .*: ${displayName}$`, 'm'));
	assert.match(stdout, /^ +job hook +this pod has no job hooks$/m);
	assert.match(stdout, /^ +GitHub's DELETE +GitHub has not been asked$/m);
	assert.not.match(stdout, /allowed|, idle$/m);
	assert.equal(space.removals().includes(422), false);
	for (const name of [...names, fresh]) await space.endJob(name);
});

test("why: of a scale set's runner also what its EphemeralRunner says", async ({ space, runners }) => {
	await space.scaleSetRunners(['er-0']);
	const idle = (await runners('why', 'er-0')).stdout;
	assert.match(idle, /^Deletion: +allowed \(idle\)$/m);
	assert.match(idle, /^Sources: +runner's log +idle since /m);
	assert.match(idle, /^ +EphemeralRunner +has no job$/m);
	const { displayName } = await space.runJob('er-0');
	const shown = (await runners('why', 'er-0')).stdout;
	assert.match(shown, /^Deletion: +denied \(busy\)$/m);
	assert.match(shown, new RegExp(`^Sources: +runner's log +working since .*: ${displayName}$`, 'm'));
	await eventually('its EphemeralRunner has the job', async () =>
		new RegExp(`^ +EphemeralRunner +working: ${displayName} \\(.*, run \\d+\\)$`, 'm').test(
			(await runners('why', 'er-0')).stdout,
		),
	);
	await space.endJob('er-0');
});

test('list: workflow and run of a job that a source has described; json has the sources', async ({
	rig,
	space,
	runners,
}) => {
	await space.runners(['described-0']);
	const pod = await space.pod('described-0');
	if (!pod) throw new Error('no pod described-0');
	const sign = (await space.signer()).signStatement;
	const signal: JobSignal = {
		by: 'event',
		key: '7',
		state: 'working',
		sinceMs: Date.now(),
		job: {
			name: 'build',
			repository: 'octo-org/app',
			workflow: 'CI',
			runId: 42,
			attempt: 1,
			url: 'https://github.com/octo-org/app/actions/runs/42/job/7',
		},
	};
	const text = writeSignals([signal], { uid: pod.metadata.uid ?? '', restarts: 0 }, sign) ?? '';
	await space.forge('described-0', { [busy.signals]: text });
	const wide = await runners('list', 'described-0', '-o', 'wide', '--no-headers');
	assert.match(
		wide.stdout,
		/^described-0 .* busy +build \(octo-org\/app, run 42\) .* CI +https:\S+\/job\/7\n$/,
	);
	const all = await runners('list', '-o', 'wide');
	assert.match(all.stdout, /^described-0 .* CI +https:\S+\/job\/7$/m, 'in protobuf as well');
	const { runner } = JSON.parse((await runners('list', 'described-0', '-o', 'json')).stdout);
	assert.is(runner.state, 'busy');
	assert.equal([runner.job.workflow, runner.job.runId, runner.job.url], ['CI', 42, signal.job.url]);
	assert.equal(runner.sources, [
		{ by: 'event', state: 'working', since: new Date(signal.sinceMs).toISOString(), job: signal.job },
	]);
	const why = await runners('why', 'described-0');
	assert.match(why.stdout, /^ +GitHub's event +working since .*: build \(octo-org\/app, run 42\)$/m);
	assert.match(why.stdout, /^Sources: +runner's log +idle since /m);
	assert.match(why.stdout, /^Deletion: +denied \(busy\)$/m);
	assert.is(rig.agents.killedJobs().length, 0);
});

test('cancel: the runner stays, outlives its job, and commands that wait for it report that', async ({
	space,
	runners,
	start,
}) => {
	const deleting = start('delete', 'kept-0');
	await deleting.prints(/waiting for .*kept-0: busy/);
	const cancelled = await runners('cancel', 'kept-0');
	assert.is(cancelled.stdout, 'pod/kept-0 deletion cancelled (requested by admin)\n');
	const { code, stderr } = await deleting.end();
	assert.equal([code, stderr], [1, 'error: pod "kept-0" stays: its recorded deletion was cancelled\n']);
	await space.endJob('kept-0');
	const idle = await runners('wait', 'kept-0', '--for=idle', '--timeout=30s');
	assert.is(idle.code, 0, idle.stderr);
	assert.ok(await space.pod('kept-0'));
});

test('delete --now --reason: kills the job, by a mark that says why', async ({ space, runners }) => {
	const done = await runners('delete', 'stuck-0', '--now', '--reason', 'stuck, ticket 4711');
	assert.is(done.code, 0, done.stderr);
	assert.is(await space.pod('stuck-0'), undefined);
	assert.equal(
		space.killedJobs().map(({ pod }) => pod),
		['stuck-0'],
	);
	const events = await space.events('stuck-0');
	assert.ok(events.some(({ reason, message }) => reason === 'BreakGlass' && message.includes('ticket 4711')));
});

test('drain: idle runners leave at once, the busy one when its job ends (B11)', async ({
	space,
	runners,
	start,
}) => {
	// On a loaded machine the idle one takes some seconds as well, and only the busy one is to be late.
	const late = await runners('drain', node, '--timeout=30s');
	assert.is(late.code, 2);
	assert.match(late.stdout, /^pod\/idle-1 evicted$/m);
	assert.match(late.stdout, new RegExp(`^${space.name}/left-0 not evicted yet: it is busy \\(\\d+s\\)`, 'm'));
	assert.match(
		late.stderr,
		/timed out waiting for the condition on pods\/left-0\n.*kubectl runners cancel left-0/,
	);

	const draining = start('drain', node);
	await draining.prints(new RegExp(`^waiting for ${space.name}/left-0: busy`, 'm'));
	await space.endJob('left-0');
	const { code, stdout, stderr } = await draining.end();
	assert.is(code, 0, stderr);
	assert.match(stdout, /^node\/to-drain-by-plugin drained of runners: 1 runner has left in \d+s$/m);
	assert.not.ok(space.journal('left-0').includes('job-killed'));
});

test.run();
