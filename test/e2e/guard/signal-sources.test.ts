/**
 * GitHub is one source among several: the runner's own log is read before GitHub is asked to remove a runner, and
 * once more after it has. What would take a minute is noted here as the server notes it, with its signature.
 */
import * as assert from 'uvu/assert';
import { progress } from '../../../admission/api/keys.ts';
import { absentOf, idleOf, registeredAs } from '../../../admission/runner/record.ts';
import { readRunnerPod } from '../../../admission/runner/runner-pod.ts';
import { eventually } from '../../rig/eventually.ts';
import { stage } from '../../rig/stage.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { type Space, says } from '../support/space.ts';
import { spaceTests } from '../support/space-tests.ts';

const test = spaceTests('sources', { prepare: () => stage('guard'), ownCredentials: true });

/** Lists before this one count where two must be a minute apart. */
const longAgoMs = 61_000;

/** The server's own note of what GitHub's lists have shown, since a minute ago. */
async function noted(space: Space, name: string, noteOf: typeof absentOf): Promise<void> {
	const [pod, signer] = [await space.pod(name), await space.signer()];
	const runner = pod && readRunnerPod(pod);
	assert.ok(runner, name);
	await space.forge(
		name,
		noteOf(runner, Date.now() - longAgoMs, signer.signStatement) as Record<string, string>,
	);
}

test('GitHub would remove a runner that works, as if it were idle: its log says that it works, and GitHub is not asked', async ({
	rig,
	space,
}) => {
	await space.runners(['a', 'b'], { ephemeral: false });
	for (const name of ['a', 'b']) await space.runJob(name);
	rig.github.lie({ says: 'idle', scope: space.scope });
	for (const name of ['a', 'b']) says(await space.refused(name), /is busy \(\d+s\): /);
	await space.waits('a', 'b');
	assert.equal(space.removals(), []);
	await space.endJob('a');
	await space.gone('a');
	assert.equal(space.removals(), [204]);
	assert.is((await space.pod('b'))?.metadata.deletionTimestamp, undefined);
	assert.equal(space.killedJobs(), []);
});

test('a job that GitHub gives to a runner with its 204: its log shows it in the quiet period, the pod stays until it ends, and it is reported', async ({
	rig,
	space,
}) => {
	// Its listener would cancel the job when it notices the removal.
	rig.agents.set(space.name, { removedPollMs: 2 ** 31 - 1 });
	await space.runners(['a'], { ephemeral: false });
	const deleting = space.delete('a');
	await eventually('GitHub has removed it', () => space.journal('a').includes('removed-by-github'), {
		everyMs: 20,
	});
	await rig.agents.runJob(space.name, 'a', { unregistered: true });
	const { code, stderr } = await deleting;
	assert.is.not(code, 0);
	says(stderr, /runner a is busy \(\d+s\): /);
	assert.is((await space.annotations('a'))[progress.proof], undefined, 'GitHub was wrong');
	await eventually('an Event tells that the job is probably lost at GitHub', async () =>
		(await space.events('a')).some(({ reason }) => reason === 'JobProbablyLost'),
	);
	await space.waits('a');
	assert.equal(space.killedJobs(), []);
	await space.endJob('a');
	await space.gone('a');
	assert.equal(space.killedJobs(), []);
	assert.is(space.removals()[0], 204);
});

for (const log of ['off', 'silent'] as const) {
	test(`a log that cannot be read (${log}): GitHub is asked only when its lists have shown the runner idle for a minute`, async ({
		rig,
		space,
	}) => {
		await space.runners(['a']);
		rig.agents.set(space.name, { log });
		const said = await space.refused('a');
		assert.not.match(said, 'failed calling webhook');
		says(said, 'runner a may be busy: its log is unreadable');
		says(said, 'the pod is deleted after it has been idle for a minute');
		assert.equal(space.removals(), []);
		assert.ok((await space.annotations('a'))[progress.idleSince]);
		await noted(space, 'a', idleOf);
		await space.gone('a');
		assert.equal(space.removals(), [204]);
	});
}

test('an ephemeral runner that GitHub’s lists lack goes only where its log says that it is idle', async ({
	rig,
	space,
}) => {
	const names = ['idle', 'works', 'unread'];
	rig.github.lie({ says: 'absent', scope: space.scope, idleToo: true });
	await rig.apply(...names.map((name) => runnerSetPod(space.options(name))));
	await space.registered(names);
	// They were listed before.
	const listedOnce: typeof absentOf = (runner, _, sign) =>
		registeredAs(runner, rig.agents.runnerId(space.name, runner.name) ?? 0, sign);
	for (const name of names) await noted(space, name, listedOnce);
	await space.runJob('works');
	rig.agents.flood(space.name, 'unread', 5 * 1024 * 1024);
	for (const name of names) await noted(space, name, absentOf);
	says(await space.refused('works'), /is busy \(\d+s\): /);
	says(await space.refused('unread'), 'may be busy: GitHub no longer lists it');
	await space.deleted('idle');
	await space.waits('works', 'unread');
	for (const name of ['works', 'unread'])
		assert.is((await space.pod(name))?.metadata.deletionTimestamp, undefined, name);
	assert.equal(space.killedJobs(), []);
});

test('a runner that GitHub has never listed goes ten minutes after its start only where its log says that it is idle (A7)', async ({
	space,
}) => {
	for (const name of ['idle', 'mute']) {
		await space.rig.apply(
			runnerSetPod(space.options(name, { annotations: { 'test.runners/no-register': 'true' } })),
		);
		await eventually('runs', async () => (await space.pod(name))?.status?.phase === 'Running');
		const startedAt = new Date(Date.now() - 20 * 60_000).toISOString().replace(/\.\d+Z/, 'Z');
		const containerStatuses = (await space.pod(name))?.status?.containerStatuses?.map((status) => ({
			...status,
			state: { running: { startedAt } },
		}));
		await space.patch(`${name}/status`, { status: { containerStatuses } });
		await noted(space, name, absentOf);
	}
	space.listens('idle');
	await space.deleted('idle');
	says(await space.refused('mute'), 'may be busy: GitHub no longer lists it');
	assert.is((await space.pod('mute'))?.metadata.deletionTimestamp, undefined);
	assert.equal(
		space.removals().filter((status) => status !== 404),
		[],
	);
});

test.run();
