/** Jobs that no event reports: GitHub is asked. */
import * as assert from 'uvu/assert';
import { Autoscaled } from '../../rig/autoscaled.ts';
import { eventually } from '../../rig/eventually.ts';
import { stage } from '../../rig/stage.ts';
import { setTests } from '../support/set-tests.ts';

const test = setTests('an autoscaler that no event reaches', { prepare: () => stage('sets') });

test('jobs that queued before it was there and after get their runners, and their ends are noticed', async ({
	make,
	rig,
}) => {
	const set = await make('RunnerDeployment');
	const repository = `${set.namespace}/app`;
	const before = rig.github.jobs.queue({ repository });
	rig.github.jobs.queue({ repository, labels: ['ubuntu-latest'] });
	const autoscaled = await Autoscaled.make(set);
	autoscaled.hook.fault({ kind: 'never' });
	await eventually('the first job runs', () => before.status === 'in_progress', { withinMs: 60_000 });
	await autoscaled.says('it runs', ({ openJobs, waitingJobs }) => openJobs === 1 && waitingJobs === 0);
	await set.endJob(before.runnerName ?? '');
	await autoscaled.says('it is over', ({ openJobs }) => openJobs === 0);
	await set.reaches(0);
	const after = autoscaled.queue();
	await eventually('the second job runs', () => after.status === 'in_progress', { withinMs: 120_000 });
	await autoscaled.says(
		'the second runs',
		({ openJobs, waitingJobs }) => openJobs === 1 && waitingJobs === 0,
	);
	await set.endJob(after.runnerName ?? '');
	await autoscaled.says('nothing is open', ({ openJobs }) => openJobs === 0);
	await set.reaches(0);
	assert.is(set.uids.size, 2, 'a runner for each of them, and none for the job of another label');
});

test.run();
