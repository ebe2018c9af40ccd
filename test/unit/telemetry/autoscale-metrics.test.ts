/** What the metrics of jobs and autoscalers show, and that their number is bounded. */

import * as assert from 'uvu/assert';
import { type AutoscaleMetrics, mostSets } from '../../../admission/telemetry/autoscale-metrics.ts';
import { Metrics } from '../../../admission/telemetry/metrics.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { suite } from '../../support/suite.ts';

const test = suite('metrics of jobs and autoscalers');

function fresh(): { metrics: AutoscaleMetrics; series: (name: string) => Promise<string[]> } {
	const all = new Metrics(systemClock);
	const series = async (name: string) =>
		(await all.registry.getSingleMetricAsString(name)).split('\n').filter((line) => !line.startsWith('#'));
	return { metrics: all.autoscale, series };
}

const linux = { namespace: 'ci', set: 'linux' };

test("a job's wait is counted for its set, in seconds", async () => {
	const { metrics, series } = fresh();
	metrics.jobStarted(linux, 12_000);
	metrics.jobStarted(linux, -5);
	const lines = await series('runners_job_wait_seconds');
	assert.ok(lines.includes('runners_job_wait_seconds_sum{namespace="ci",set="linux"} 12'), lines.join('\n'));
	assert.ok(lines.includes('runners_job_wait_seconds_bucket{le="20",namespace="ci",set="linux"} 2'));
	assert.ok(lines.includes('runners_job_wait_seconds_bucket{le="10",namespace="ci",set="linux"} 1'));
});

test('jobs by state are those of the last look, and none once the leader has stopped', async () => {
	const { metrics, series } = fresh();
	metrics.jobs(
		new Map([
			['waiting', 3],
			['running', 2],
		]),
		1,
		Date.now() - 60_000,
	);
	metrics.jobs(new Map([['running', 1]]), 1, Date.now() - 60_000);
	assert.equal(await series('runners_jobs'), ['runners_jobs{state="running"} 1']);
	assert.equal(await series('runners_jobs_unmatched'), ['runners_jobs_unmatched 1']);
	const [oldest = ''] = await series('runners_job_oldest_wait_seconds');
	const seconds = Number(oldest.split(' ')[1]);
	assert.ok(seconds >= 60 && seconds < 90, oldest);

	metrics.desired(linux, 4);
	assert.equal(await series('runners_autoscaler_desired_replicas'), [
		'runners_autoscaler_desired_replicas{namespace="ci",set="linux"} 4',
	]);
	metrics.stopped();
	assert.equal(await series('runners_jobs'), []);
	assert.equal(await series('runners_autoscaler_desired_replicas'), []);
	assert.equal(await series('runners_job_oldest_wait_seconds'), ['runners_job_oldest_wait_seconds 0']);
});

test('a set that is gone leaves no series, and one too many shares those of the others', async () => {
	const { metrics, series } = fresh();
	metrics.jobStarted(linux, 1000);
	metrics.desired(linux, 4);
	metrics.notScaled(linux);
	assert.equal(await series('runners_autoscaler_desired_replicas'), []);
	assert.ok((await series('runners_job_wait_seconds')).length > 0);
	metrics.desired(linux, 4);
	metrics.forget(linux);
	assert.equal(await series('runners_job_wait_seconds'), []);
	assert.equal(await series('runners_autoscaler_desired_replicas'), []);

	for (let at = 0; at < mostSets + 5; at++) metrics.jobStarted({ namespace: 'ci', set: `set-${at}` }, 1000);
	const counts = (await series('runners_job_wait_seconds')).filter((line) => line.includes('_count'));
	assert.is(counts.length, mostSets + 1);
	assert.ok(counts.includes('runners_job_wait_seconds_count{namespace="",set=""} 5'), counts.at(-1));
	metrics.forget({ namespace: 'ci', set: `set-${mostSets + 1}` });
	assert.is(
		(await series('runners_job_wait_seconds')).filter((line) => line.includes('_count')).length,
		mostSets + 1,
	);
});

test('drift is counted by the event that was missed', async () => {
	const { metrics, series } = fresh();
	metrics.drift('completed');
	metrics.drift('completed');
	assert.equal(await series('runners_autoscale_drift_total'), [
		'runners_autoscale_drift_total{kind="completed"} 2',
	]);
});

test.run();
