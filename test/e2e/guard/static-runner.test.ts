/**
 * Static (non-ephemeral) runners: asked once, gone when GitHub lets them go (A9). That GitHub is asked again at most every 30 s
 * while a list does not show the job is tested with a fake clock in test/unit/guard/deletion-loop.test.ts.
 */
import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import { stage } from '../../rig/stage.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { type Space, says } from '../support/space.ts';
import { spaceTests } from '../support/space-tests.ts';

const test = spaceTests('static runner', { prepare: () => stage('guard') });

/** A list that is begun from now on has been read, and what follows from it has begun: the next one is on its way. */
async function nextList(space: Space): Promise<void> {
	const before = space.calls('list').length;
	await eventually('two more lists', () => space.calls('list').length > before + 1);
}

test('busy static runner: refused once, unregistered soon after its job ends, and gone though nobody asks again (A9)', async ({
	space,
}) => {
	await space.runners(['a'], { ephemeral: false });
	await space.runJob('a');
	says(await space.refused('a'), 'Recorded: the pod is deleted when the job ends');
	await nextList(space);
	assert.equal(space.removals(), [], 'its log says that it works: GitHub is not asked to remove it');
	assert.is((await space.pod('a'))?.metadata.deletionTimestamp, undefined);
	await space.endJob('a');
	await space.gone('a');
	assert.equal(space.removals(), [204]);
	const order = space.journal('a');
	assert.ok(order.indexOf('removed-by-github') < order.indexOf('pod-terminating'), order.join());
	assert.equal(space.killedJobs(), []);
});

test('busy static runner of whose job its log did not know yet: one 422, and GitHub is asked again when its job has ended (A9)', async ({
	space,
}) => {
	await space.runners(['a'], { ephemeral: false });
	space.assigned('a');
	says(await space.refused('a'), /is busy/);
	await space.runJob('a');
	await nextList(space);
	assert.equal(space.removals(), [422], 'GitHub’s list says busy: it is not asked to remove it');
	await space.endJob('a');
	await space.gone('a');
	assert.equal(space.removals(), [422, 204]);
	assert.equal(space.killedJobs(), []);
});

test('the next pod of a deleted one’s name is another runner: not released on what GitHub said of the first (A9)', async ({
	space,
}) => {
	await space.runners(['a'], { ephemeral: false });
	await space.deleted('a');
	await space.rig.apply(runnerSetPod(space.options('a', { ephemeral: false })));
	await space.registered(['a']);
	space.listsAsIdle('a');
	space.assigned('a');
	await space.refused('a');
	assert.equal(space.removals(), [204, 422]);
	await space.runJob('a');
	await space.refused('a');
	assert.is((await space.pod('a'))?.metadata.deletionTimestamp, undefined);
	assert.equal(space.killedJobs(), []);
});

test('a static runner that takes job after job is asked about by every list, and is never interrupted (A9)', async ({
	space,
}) => {
	await space.runners(['a'], { ephemeral: false });
	await space.runJob('a');
	await space.refused('a');
	for (let job = 0; job < 2; job++) {
		await nextList(space);
		await space.endJob('a');
		await space.runJob('a');
	}
	assert.equal(space.killedJobs(), []);
	assert.is((await space.pod('a'))?.metadata.deletionTimestamp, undefined);
	await space.endJob('a');
	await space.gone('a');
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
