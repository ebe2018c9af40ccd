/** A thousand events, some doubled, late or lost, two replicas, and the leader is killed in the middle. */
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { Autoscaled } from '../../rig/autoscaled.ts';
import { eventually } from '../../rig/eventually.ts';
import { failures, type History, startHistory } from '../../rig/history.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { SetUnderTest } from '../../rig/runner-sets.ts';
import { leads } from '../../rig/server-process.ts';
import type { WorkflowJob } from '../../sim/jobs.ts';
import { suite } from '../../support/suite.ts';

interface Context {
	rig: Rig;
	history: History;
	set: SetUnderTest;
	autoscaled: Autoscaled;
}

const test = suite<Context>('a storm of events');

/** Each is queued, in progress and completed: 1,002 events. */
const jobCount = 334;
const queuedWithinMs = 10_000;
const maxReplicas = 60;
/** GitHub is asked about what differs at least this often. */
const pollMs = 60_000;

test.before(async (context) => {
	context.rig = await startRig({
		sets: true,
		replicas: 2,
		server: { eventsSecret: 'the secret of the storm' },
	});
	context.history = await startHistory(context.rig);
	context.set = await SetUnderTest.make(context.rig, 'RunnerSet', { withoutHooks: true });
	context.autoscaled = await Autoscaled.make(context.set, { maxReplicas });
});
test.after(async ({ rig, history, set }) => {
	set?.stop();
	history?.stop();
	await rig?.stop();
});

test('1,002 events, 5 % doubled, 5 % late, 2 % lost, the leader killed: one runner for each job, none killed, the count right within one poll', async ({
	rig,
	history,
	set,
	autoscaled,
}) => {
	const { hook } = autoscaled;
	const lost = hook.fault({ kind: 'lost', every: 50 });
	const doubled = hook.fault({ kind: 'doubled', every: 20 });
	const late = hook.fault({ kind: 'late', delayMs: 1_500, every: 19 });
	const jobs: WorkflowJob[] = [];
	const fromMs = Date.now();
	for (let index = 0; index < jobCount; index++) {
		await sleep(Math.max(0, fromMs + (index * queuedWithinMs) / jobCount - Date.now()));
		jobs.push(autoscaled.queue({ durationMs: 300 }));
		if (index !== jobCount / 2) continue;
		const leader = rig.servers.find(leads);
		assert.ok(leader, 'no replica leads');
		leader.signal('SIGKILL');
		await leader.exited;
		void rig.addServer();
	}
	const left = () => jobs.filter(({ status }) => status !== 'completed').length;
	await eventually('all jobs are done', () => left() === 0, { withinMs: 300_000 });
	const doneMs = Date.now();
	// A job whose events were lost may have had two runners: the one that is left would stay idle for ten minutes.
	await autoscaled.patch({ scaleDownDelaySecondsAfterScaleOut: 1 });
	await set.reaches(0, 120_000);
	await eventually(
		'no job is open any more',
		async () => {
			const { openJobs, waitingJobs, desiredReplicas } = (await autoscaled.object()).status ?? {};
			return openJobs === 0 && waitingJobs === 0 && desiredReplicas === 0;
		},
		{ withinMs: pollMs },
	);
	console.log(
		`all done after ${((doneMs - fromMs) / 1000).toFixed(0)} s, counted right ${((Date.now() - doneMs) / 1000).toFixed(0)} s later; ${set.uids.size} pods for ${jobCount} jobs; ${lost.hits()} events lost, ${doubled.hits()} doubled, ${late.hits()} late`,
	);
	// Without job hooks only GitHub's events report a job that takes 300 ms: where these are lost, its runner may as well
	// have crashed, and the job has another one until GitHub is asked.
	assert.ok(set.uids.size <= jobCount + lost.hits(), `${set.uids.size} pods for ${jobCount} jobs`);
	assert.ok(set.most <= maxReplicas, `${set.most} at a time`);
	assert.equal(set.journal('job-killed'), []);
	assert.equal(set.reused(), []);
	assert.equal(await failures(rig, history), []);
});

test.run();
