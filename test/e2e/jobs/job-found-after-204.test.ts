/**
 * GitHub answers 204 to the DELETE of a runner, and in the quiet period after it the runner receives a job: its log shows it,
 * and the pod stays until the container stops. In simulated time, and for what else may happen then: test/unit/guard/subjects/runner/release.test.ts.
 */
import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { stage } from '../../rig/stage.ts';
import type { Job } from '../../sim/runner-agents.ts';
import { type Space, says } from '../support/space.ts';
import { spaceTests } from '../support/space-tests.ts';

const test = spaceTests('a job that comes after the 204', { prepare: () => stage('guard') });

/** Longer than any test: the runner's listener does not learn that it was removed. */
const neverLearned = { removedPollMs: 3_600_000 };

/** When GitHub has removed this runner, it gives it a job that was on its way. */
function jobAfterRemoval({ rig, name: namespace }: Space, pod: string): Promise<Job> {
	const given = Promise.withResolvers<Job>();
	const stop = rig.github.onRemoved((runner, cause) => {
		if (runner.name !== pod || cause !== 'api') return;
		stop();
		// The agents learn of the removal in the same turn, and before it is answered.
		setImmediate(() => given.resolve(rig.agents.runJob(namespace, pod, { unregistered: true })));
	});
	return given.promise;
}

/** How often the servers have counted a job that GitHub denied to have given. */
async function counted(rig: Rig): Promise<number> {
	const texts = await Promise.all(rig.servers.map((server) => server.metrics()));
	const line = /^runners_github_contradictions_total\{kind="removed-while-busy"\} (\d+)$/m;
	return texts.reduce((sum, text) => sum + Number(line.exec(text)?.[1] ?? 0), 0);
}

async function stays(rig: Rig, space: Space, name: string, countedBefore: number): Promise<void> {
	const job = jobAfterRemoval(space, name);
	says(await space.refused(name), 'Recorded: the pod is deleted when');
	const { displayName } = await job;
	await eventually('its answer is on its way', () => space.removals().length > 0);
	assert.equal(space.removals(), [204]);
	const event = await eventually('an Event says so', async () =>
		(await space.events(name)).find(({ reason }) => reason === 'JobProbablyLost'),
	);
	assert.is(event.type, 'Warning');
	says(event.message, displayName);
	assert.ok((await counted(rig)) > countedBefore, 'it is counted');
	await space.waits(name);
	assert.is((await space.pod(name))?.metadata.deletionTimestamp, undefined);
	says(await space.refused(name), /is busy/);
	assert.equal(space.killedJobs(), []);
}

for (const kind of ['ephemeral', 'static', 'scale set'] as const) {
	test(`${kind} runner: its pod stays, an Event says why, and it goes when the container stops`, async ({
		rig,
		space,
	}) => {
		rig.agents.set(space.name, neverLearned);
		if (kind === 'scale set') await space.scaleSetRunners(['a']);
		else await space.runners(['a'], { ephemeral: kind === 'ephemeral' });
		await stays(rig, space, 'a', await counted(rig));
		await space.endJob('a');
		await space.gone('a');
		assert.equal(space.removals(), [204], 'GitHub is not asked again');
		assert.equal(space.killedJobs(), []);
		const order = space.journal('a');
		assert.ok(order.indexOf('job-ended') < order.indexOf('pod-terminating'), order.join());
	});
}

test('its listener learns that it was removed and cancels the job: the pod goes only when the container has stopped', async ({
	rig,
	space,
}) => {
	rig.agents.set(space.name, { removedPollMs: 500 });
	await space.runners(['a']);
	const job = jobAfterRemoval(space, 'a');
	await space.delete('a'); // refused, unless the container has stopped by then
	const { id } = await job;
	await space.gone('a');
	const order = space.journal('a');
	assert.ok(order.indexOf('container-stopped') < order.indexOf('pod-terminating'), order.join());
	const killed = space.killedJobs().map((entry) => [entry.job, entry.detail]);
	assert.equal(killed, [[id, 'GitHub had removed its registration: its listener cancelled it']]);
});

test.run();
