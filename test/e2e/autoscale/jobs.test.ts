/** Group D with an autoscaler: jobs that wait at GitHub get their runners, and nothing else makes one. */
import * as assert from 'uvu/assert';
import { Autoscaled } from '../../rig/autoscaled.ts';
import { eventually } from '../../rig/eventually.ts';
import { kinds } from '../../rig/runner-sets.ts';
import { stage } from '../../rig/stage.ts';
import { setTests } from '../support/set-tests.ts';

const test = setTests('sets that an autoscaler drives', { prepare: () => stage('sets') });

for (const kind of kinds) {
	test(`${kind}: two jobs are queued, each gets a runner, and a third of another organization's gets none`, async ({
		make,
	}) => {
		const set = await make(kind);
		const autoscaled = await Autoscaled.make(set);
		const jobs = [autoscaled.queue(), autoscaled.queue()];
		autoscaled.queue({ labels: ['self-hosted', 'gpu'] });
		await eventually('both jobs run', () => jobs.every(({ status }) => status === 'in_progress'), {
			withinMs: 60_000,
		});
		await autoscaled.says('2 jobs run, and 2 runners are wanted', ({ openJobs, desiredReplicas }) => {
			return openJobs === 2 && desiredReplicas === 2;
		});
		assert.is(set.uids.size, 2);
		for (const { runnerName } of jobs) await set.endJob(runnerName ?? '');
		await set.reaches(0);
		await autoscaled.says('nothing is wanted', ({ desiredReplicas }) => desiredReplicas === 0);
		await set.rests(0);
		assert.is(set.uids.size, 2, 'no runner was replaced');
	});
}

test.run();
