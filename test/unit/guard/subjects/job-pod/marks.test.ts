import * as assert from 'uvu/assert';
import { busy } from '../../../../../admission/api/keys.ts';
import { planJobPodMarks } from '../../../../../admission/guard/subjects/job-pod/rules/marks.ts';
import { readJobPod } from '../../../../../admission/runner/job-pod.ts';
import type { JobSignal } from '../../../../../admission/runner/job-signals.ts';
import { readRunnerPod } from '../../../../../admission/runner/runner-pod.ts';
import { suite } from '../../../../support/suite.ts';
import { noon, pod } from '../../../runner/pods.ts';
import { endedJobPod, jobPodObject } from './pods.ts';

const test = suite('job pods: marks');

const reviewed: JobSignal = {
	by: 'hook',
	key: 'k',
	state: 'working',
	sinceMs: noon,
	job: { name: 'build', repository: 'octo-org/app', runId: 42 },
};

/** The busy label after the change, and the job; undefined: nothing is changed. */
function marks(
	its: { label?: string; signals?: JobSignal[]; status?: ReturnType<typeof endedJobPod> } | undefined,
	change: { label?: string; ended?: boolean; terminating?: boolean } = {},
) {
	const labelled = (label?: string) => (label === undefined ? {} : { labels: { [busy.label]: label } });
	const object = jobPodObject({
		metadata: {
			...labelled(change.label),
			...(change.terminating ? { deletionTimestamp: '2026-11-23T12:00:00Z' } : {}),
		},
		...(change.ended ? { status: endedJobPod('job', 'postgres') } : {}),
	});
	const runner =
		its &&
		pod({ metadata: { ...labelled(its.label), annotations: { [busy.job]: 'test' } }, status: its.status });
	const read = runner && { object: runner, pod: { ...readRunnerPod(runner)!, signals: its.signals ?? [] } };
	const planned = planJobPodMarks(object, readJobPod(object)!, read, noon);
	return planned && [planned.labels[busy.label], planned.annotations[busy.job]];
}

test('its runner is busy, by its mark or by a signal that is not yet shown as a mark', () => {
	assert.equal(marks({ label: 'true' }), ['true', 'test']);
	assert.equal(marks({ signals: [reviewed] }), ['true', 'build (octo-org/app, run 42)']);
	assert.equal(marks({ label: 'unknown', signals: [reviewed] }), ['true', 'build (octo-org/app, run 42)']);
	assert.equal(marks({ label: 'true' }, { label: 'unknown' }), ['true', 'test']);
});

test('what it shows already is not written again', () => {
	const labels = { [busy.label]: 'true' };
	const shown = jobPodObject({ metadata: { labels, annotations: { [busy.job]: 'test' } } });
	const object = pod({ metadata: { labels, annotations: { [busy.job]: 'test' } } });
	const runner = { object, pod: readRunnerPod(object)! };
	assert.is(planJobPodMarks(shown, readJobPod(shown)!, runner, noon), undefined);
});

test('nothing is known of its runner', () => {
	assert.equal(marks({ label: 'unknown' }), ['unknown', undefined]);
	assert.equal(marks({ label: 'unknown' }, { label: 'unknown' }), undefined);
	assert.equal(marks({ label: 'unknown' }, { label: 'true' }), ['unknown', undefined]);
});

test('its runner is idle, has stopped or is gone, or the job pod has ended: no mark', () => {
	const stopped = { phase: 'Failed', containerStatuses: [{ name: 'runner', state: { terminated: {} } }] };
	for (const [its, ended] of [
		[{}, false],
		[undefined, false],
		[{ label: 'true', signals: [reviewed], status: stopped }, false],
		[{ label: 'true', signals: [reviewed] }, true],
	] as const) {
		assert.equal(marks(its as never, { label: 'true', ended }), [null, undefined]);
		assert.equal(marks(its as never, { ended }), undefined);
	}
});

test('a pod that is terminating is left as it is', () => {
	assert.is(marks({ label: 'true' }, { terminating: true }), undefined);
});

test.run();
