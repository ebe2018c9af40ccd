/**
 * actions-runner-controller #4602: a set's only runner hangs, idle and online at GitHub, and takes no job. There a job waited
 * 54 minutes behind it. Most of this file's time passes while the server waits until the job has been passed by for as long
 * as its policy says.
 */
import * as assert from 'uvu/assert';
import { Autoscaled } from '../../rig/autoscaled.ts';
import { eventually } from '../../rig/eventually.ts';
import { kinds, type SetUnderTest } from '../../rig/runner-sets.ts';
import { stage } from '../../rig/stage.ts';
import { setTests } from '../support/set-tests.ts';

const test = setTests('a runner that hangs', { prepare: () => stage('sets') });

const withinMs = 6 * 60_000;

/** A job waits behind the set's only runner: it starts on another one in time, and the one that passed it is replaced. */
async function jobPassesHungRunner(set: SetUnderTest): Promise<void> {
	const { rig, namespace } = set;
	const autoscaled = await Autoscaled.make(set, { minReplicas: 1, maxReplicas: 5 });
	await set.registered(1, withinMs);
	const [hung = ''] = set.live();
	rig.agents.hang(namespace, hung);
	const queuedMs = Date.now();
	const job = autoscaled.queue();
	await eventually(`the job of ${namespace} runs`, () => job.status === 'in_progress', { withinMs });
	console.log(`   ${set.kind}: the job started after ${Math.round((Date.now() - queuedMs) / 1_000)} s`);
	assert.is.not(job.runnerName, hung);
	assert.is(set.uids.size, 2, 'one runner was made for it');

	await eventually(
		`an Event names ${hung}`,
		async () => {
			const { items } = await rig.kube.get<{ items: { reason?: string; note?: string }[] }>(
				`/apis/events.k8s.io/v1/namespaces/${namespace}/events`,
			);
			return items.some(({ reason, note }) => reason === 'RunnersIgnoreJobs' && note?.includes(hung));
		},
		{ withinMs },
	);
	// The one that works is the minimum: none is made for the one that goes.
	await eventually(`${hung} is gone`, () => !set.all().includes(hung), { withinMs });
	assert.equal(set.live(), [job.runnerName]);
	await set.endJob(job.runnerName ?? '');
	await set.reaches(1, withinMs);
	await set.rests(1);
	assert.equal([set.most, set.uids.size], [2, 3]);
	assert.equal(set.journal('job-killed'), []);
}

test(`${kinds.join(', ')}: its job starts on another runner within 6 minutes, and it is replaced (#4602)`, async ({
	make,
}) => {
	const sets = await Promise.all(kinds.map((kind) => make(kind)));
	await Promise.all(sets.map(jobPassesHungRunner));
});

test.run();
