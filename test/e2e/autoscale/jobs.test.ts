/** Group D with an autoscaler: jobs that wait at GitHub get their runners, and nothing else makes one. */
import * as assert from 'uvu/assert';
import { Autoscaled } from '../../rig/autoscaled.ts';
import { eventually } from '../../rig/eventually.ts';
import { kinds, type SetUnderTest } from '../../rig/runner-sets.ts';
import { stage } from '../../rig/stage.ts';
import type { WorkflowJob } from '../../sim/jobs.ts';
import { setTests } from '../support/set-tests.ts';

const test = setTests('sets that an autoscaler drives', { prepare: () => stage('sets') });

for (const kind of kinds) {
	test(`${kind}: two jobs are queued, each gets a runner, and a third whose label no set has gets none (D12)`, async ({
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

/** Whether the server has read what this set may have to run. */
function firstReadEnded({ rig, kind, namespace, name }: SetUnderTest): boolean {
	const key = `${kind} ${namespace}/${name}`;
	const says = 'the repositories of a set have been read for the first time';
	return rig.logs(({ msg, set }) => msg === says && set === key).length > 0;
}

/** Waits until these jobs run, and the server knows it. */
async function run({ hook }: Autoscaled, ...jobs: WorkflowJob[]): Promise<void> {
	await eventually('the jobs run', () => jobs.every(({ status }) => status === 'in_progress'), {
		withinMs: 60_000,
	});
	await hook.idle();
}

test('a completed event is late: nothing is made again (D1); the next queued job has its runner within 10 s (D2)', async ({
	make,
}) => {
	const set = await make('RunnerSet');
	const autoscaled = await Autoscaled.make(set);
	const first = autoscaled.queue();
	await run(autoscaled, first);
	const late = autoscaled.hook.fault({ kind: 'late', delayMs: 15_000, action: 'completed', times: 1 });
	await set.endJob(first.runnerName ?? '');
	await set.reaches(0);
	await set.rests(0);
	assert.is(set.uids.size, 1);
	const second = autoscaled.queue();
	const tookMs = await set.reaches(1);
	assert.ok(tookMs < 10_000, `its pod came after ${tookMs} ms`);
	await eventually('it runs', () => second.status === 'in_progress', { withinMs: 60_000 });
	assert.is(late.hits(), 1);
	await autoscaled.hook.idle();
	await set.rests(1);
	assert.is(set.uids.size, 2);
	await set.endJob(second.runnerName ?? '');
});

test('at the maximum with a backlog: when one finishes the next starts at once (D11); the status says why it waits', async ({
	make,
}) => {
	const set = await make('RunnerDeployment');
	const autoscaled = await Autoscaled.make(set, { maxReplicas: 1 });
	const jobs = [autoscaled.queue(), autoscaled.queue(), autoscaled.queue()];
	const isRunning = ({ status }: WorkflowJob) => status === 'in_progress';
	for (let left = 3; left > 0; left--) {
		await eventually('one of them runs', () => jobs.some(isRunning), { withinMs: 60_000 });
		await autoscaled.hook.idle();
		const working = jobs.find(isRunning);
		if (left === 3)
			await autoscaled.says('it is at its maximum', ({ conditions = [], waitingJobs }) =>
				conditions.some(({ type, status }) => type === 'AtMaximum' && status === 'True' && waitingJobs === 2),
			);
		await set.endJob(working?.runnerName ?? '');
	}
	await set.reaches(0);
	assert.is(set.uids.size, 3);
});

test('a delivery that comes twice, and one that comes after its job has completed: one runner for each job (D13)', async ({
	make,
}) => {
	// Their job hooks report that they worked: the events come after their end.
	const set = await make('RunnerSet', { withoutHooks: false });
	const autoscaled = await Autoscaled.make(set);
	autoscaled.hook.fault({ kind: 'doubled', times: 2 });
	autoscaled.hook.fault({ kind: 'after-completed' });
	const jobs = [autoscaled.queue({ durationMs: 500 }), autoscaled.queue({ durationMs: 500 })];
	await eventually('both are done', () => jobs.every(({ status }) => status === 'completed'), {
		withinMs: 60_000,
	});
	await autoscaled.hook.idle();
	await set.reaches(0);
	await set.rests(0);
	assert.is(set.uids.size, 2);
});

test('a queued event that could not be delivered is fetched later, and a job without an event is found (#2306)', async ({
	make,
}) => {
	const set = await make('RunnerSet');
	// An organization's repositories are listed once an hour: this one has to be known when the list is read for a new set.
	const other = `${set.namespace}/other`;
	set.rig.github.jobs.queue({ repository: other, labels: ['ubuntu-latest'] });
	const autoscaled = await Autoscaled.make(set);
	// The webhook has to be known before its lost deliveries can be asked for.
	const known = autoscaled.queue();
	await run(autoscaled, known);
	await eventually('the first read has ended, and finds nothing that is queued now', () =>
		firstReadEnded(set),
	);
	autoscaled.hook.fault({ kind: 'lost', action: 'queued', times: 1 });
	const lost = autoscaled.queue();
	autoscaled.hook.fault({ kind: 'never', action: 'queued', times: 1 });
	const never = autoscaled.queue({ repository: other });
	const runs = () => [lost, never].every(({ status }) => status === 'in_progress');
	await eventually('both have their runners', runs, { withinMs: 240_000 });
	for (const { runnerName } of [known, lost, never]) await set.endJob(runnerName ?? '');
	await set.reaches(0);
});

test('cancelled in the queue: its runner goes when it has been idle for the delay; a raised minimum acts at once (D6)', async ({
	make,
}) => {
	const set = await make('RunnerSet');
	const autoscaled = await Autoscaled.make(set, { scaleDownDelaySecondsAfterScaleOut: 3 });
	const job = autoscaled.queue({ labels: ['self-hosted', 'linux'], scope: 'orgs/nobody' });
	await set.online(1);
	set.rig.github.jobs.cancel(job.id);
	await set.reaches(0);
	const before = (await set.object()).spec.effectiveTime;
	await autoscaled.patch({ minReplicas: 2 });
	assert.ok((await set.reaches(2)) < 10_000);
	const stamped = await eventually('replicas are shown', async () => {
		const { spec } = await set.object();
		return spec.replicas === 2 ? spec : undefined;
	});
	assert.ok((stamped.effectiveTime ?? '') > (before ?? ''), 'the webhook has stamped it');
	await autoscaled.patch({ minReplicas: 0 });
	await set.reaches(0);
});

test.run();
