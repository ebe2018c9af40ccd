/** Static (non-ephemeral) runners: asked once, retried at a bounded rate, gone when GitHub lets them go (A9). */
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { stage } from '../../rig/stage.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { suite } from '../../support/suite.ts';
import { end, Space, says } from '../support/space.ts';

const test = suite<{ rig: Rig; space: Space }>('static runner');

test.before(async (context) => {
	context.rig = await stage('guard');
});
test.after(({ rig }) => end(rig));
test.before.each(async (context) => {
	context.space = await Space.make(context.rig);
});
test.after.each(async ({ space }) => space.clear());

test('busy static runner: refused once, unregistered soon after its job ends, and gone though nobody asks again (A9)', async ({
	space,
}) => {
	await space.runners(['a'], { ephemeral: false });
	await space.runJob('a');
	says(await space.refused('a'), 'Recorded: the pod is deleted when the job ends');
	await sleep(8_000);
	assert.equal(space.removals(), [422], 'GitHub’s list says busy: it is not asked to remove it');
	assert.is((await space.pod('a'))?.metadata.deletionTimestamp, undefined);
	await space.endJob('a');
	await space.gone('a', 10_000);
	assert.equal(space.removals(), [422, 204]);
	const order = space.journal('a');
	assert.ok(order.indexOf('removed-by-github') < order.indexOf('pod-terminating'), order.join());
	assert.equal(space.killedJobs(), []);
});

test('the next pod of a deleted one’s name is another runner: not released on what GitHub said of the first (A9)', async ({
	space,
}) => {
	await space.runners(['a'], { ephemeral: false });
	await space.deleted('a');
	await space.rig.apply(runnerSetPod(space.options('a', { ephemeral: false })));
	await space.registered(['a']);
	const late = space.listsAsIdle('a');
	await space.runJob('a');
	await space.refused('a');
	assert.equal(space.removals(), [204, 422]);
	late.clear();
	await space.endJob('a');
	await space.gone('a', 45_000);
	assert.equal(space.killedJobs(), []);
});

test('static runner whose job GitHub’s list does not show: at most one DELETE in 30 s, one line in the log (A9)', async ({
	space,
}) => {
	await space.runners(['a'], { ephemeral: false });
	const late = space.listsAsIdle('a');
	await space.runJob('a');
	await space.refused('a');
	for (let time = 0; time < 5; time++) {
		await sleep(6_000);
		await space.refused('a');
	}
	await sleep(3_000);
	const times = space.calls('delete').map((call) => call.atMs);
	const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
	assert.ok(
		gaps.every((gap) => gap >= 30_000),
		`ms between DELETEs: ${gaps.join(', ') || '-'}`,
	);
	assert.ok(times.length <= 2, `${times.length} DELETEs`);
	assert.equal(space.log(['warn', 'error']), []);
	const told = space
		.log()
		.filter((line) => line.msg === 'deletion recorded' || line.msg === 'recorded deletion waits');
	assert.is(told.length, 2, told.map((line) => line.msg).join());
	late.clear();
	await space.endJob('a');
	await space.gone('a', 45_000);
	assert.equal(space.killedJobs(), []);
});

test('a static runner that takes job after job is asked about by every list, and is never interrupted (A9)', async ({
	space,
}) => {
	await space.runners(['a'], { ephemeral: false });
	await space.runJob('a');
	await space.refused('a');
	for (let job = 0; job < 3; job++) {
		await sleep(2_000);
		await space.endJob('a');
		await space.runJob('a');
	}
	assert.equal(space.killedJobs(), []);
	assert.is((await space.pod('a'))?.metadata.deletionTimestamp, undefined);
	await space.endJob('a');
	await space.gone('a', 45_000);
	assert.is(space.removals().at(-1), 204);
	assert.equal(space.killedJobs(), []);
});

test('an idle static runner is unregistered and goes with one kubectl delete (A2)', async ({ space }) => {
	await space.runners(['a'], { ephemeral: false });
	await space.deleted('a');
	assert.equal(space.removals(), [204]);
	await eventually('gone from GitHub', () => space.rig.github.runners(space.scope).length === 0);
});

test.run();
