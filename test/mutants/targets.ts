/** The rules that are broken, and the unit tests of which one has to fail. The fastest tests come first. */
interface Target {
	file: string;
	tests: readonly string[];
}

const loop = 'test/unit/guard/deletion-loop.test.ts';
const jobPodDeletions = 'test/unit/guard/subjects/job-pod/deletions.test.ts';
const hooks = 'test/unit/jobs/hooks/rules.test.ts';
const sets = 'test/unit/sets/reconciler.test.ts';

const asked = ['demand', 'doubt', 'holders', 'job-status', 'asking'].map(
	(name) => `test/unit/autoscale/${name}.test.ts`,
);
const polled = ['rules', 'due', 'poll'].map((name) => `test/unit/autoscale/poll/${name}.test.ts`);
const schedules = ['test/unit/autoscale/schedule.test.ts'];

export const targets: readonly Target[] = [
	{
		file: 'admission/guard/subjects/runner/rules/decide.ts',
		tests: [
			'test/unit/guard/subjects/runner/decide.test.ts',
			'test/unit/guard/subjects/runner/release.test.ts',
			loop,
		],
	},
	{
		file: 'admission/guard/rules/busy-marks.ts',
		tests: ['test/unit/guard/busy-marks.test.ts', 'test/unit/guard/busy-polling.test.ts'],
	},
	{
		file: 'admission/guard/subjects/runner/release.ts',
		tests: ['test/unit/guard/subjects/runner/release.test.ts', loop, sets],
	},
	{
		file: 'admission/guard/rules/retry.ts',
		tests: ['test/unit/guard/retry.test.ts'],
	},
	{
		file: 'admission/guard/rules/message.ts',
		tests: ['test/unit/guard/denials.test.ts', 'test/unit/guard/subjects/job-pod/message.test.ts'],
	},
	{ file: 'admission/guard/rules/elapsed.ts', tests: ['test/unit/guard/subjects/runner/decide.test.ts'] },
	{ file: 'admission/guard/rules/open-signals.ts', tests: ['test/unit/guard/open-signals.test.ts'] },
	{ file: 'admission/guard/rules/unknown.ts', tests: ['test/unit/guard/unknown.test.ts'] },
	{ file: 'admission/guard/open-signals.ts', tests: ['test/unit/guard/open-signals.test.ts'] },
	{
		file: 'admission/jobs/rules/job-signals.ts',
		tests: [
			'test/unit/jobs/job-signals.test.ts',
			'test/unit/runner/signal-sources.test.ts',
			'test/unit/jobs/record-report.test.ts',
			'test/unit/guard/busy-marks.test.ts',
		],
	},
	{ file: 'admission/jobs/rules/runner-log.ts', tests: ['test/unit/jobs/runner-log.test.ts'] },
	{
		file: 'admission/jobs/rules/marks.ts',
		tests: ['test/unit/jobs/record-report.test.ts', 'test/unit/guard/busy-marks.test.ts'],
	},
	{ file: 'admission/jobs/record-report.ts', tests: ['test/unit/jobs/record-report.test.ts'] },
	{ file: 'admission/jobs/followed-logs.ts', tests: ['test/unit/jobs/followed-logs.test.ts'] },
	{ file: 'admission/runner/job-signals.ts', tests: ['test/unit/jobs/job-signals.test.ts'] },
	{ file: 'admission/guard/waiting-deletions.ts', tests: [loop] },
	{ file: 'admission/guard/deletion-loop.ts', tests: [loop, jobPodDeletions] },
	{ file: 'admission/guard/subjects/runner/deletions.ts', tests: [loop] },
	{ file: 'admission/guard/subjects/job-pod/deletions.ts', tests: [jobPodDeletions] },
	{
		file: 'admission/guard/record-denial.ts',
		tests: ['test/unit/guard/record-denial.test.ts', 'test/unit/guard/subjects/runner/release.test.ts'],
	},
	{ file: 'admission/guard/rules/bound-pod.ts', tests: ['test/unit/guard/subjects/job-pod/decide.test.ts'] },
	{
		file: 'admission/guard/subjects/runner/rules/message.ts',
		tests: ['test/unit/guard/subjects/runner/message.test.ts', 'test/unit/guard/denials.test.ts', loop],
	},
	{
		file: 'admission/runner/guarded-pod.ts',
		tests: ['test/unit/runner/guarded-pod.test.ts', 'test/unit/runner/record.test.ts'],
	},
	{
		file: 'admission/runner/record.ts',
		tests: [
			'test/unit/runner/record.test.ts',
			'test/unit/runner/pin.test.ts',
			'test/unit/guard/subjects/runner/release.test.ts',
		],
	},
	{
		file: 'admission/github/rules/share.ts',
		tests: ['test/unit/github/share.test.ts', 'test/unit/cluster/replicas.test.ts'],
	},
	{ file: 'admission/github/rules/slots.ts', tests: ['test/unit/github/slots.test.ts'] },
	{ file: 'admission/api/printable.ts', tests: ['test/unit/api/printable.test.ts'] },
	{ file: 'admission/runner/name-owner.ts', tests: ['test/unit/runner/name-owner.test.ts'] },
	{
		file: 'admission/guard/rules/edits.ts',
		tests: ['test/unit/guard/edits.test.ts', 'test/unit/guard/handlers.test.ts'],
	},
	{ file: 'admission/sets/rules/start-backoff.ts', tests: ['test/unit/sets/plan.test.ts', sets] },
	{ file: 'admission/webhook/rules/caller-path.ts', tests: ['test/unit/webhook/caller-path.test.ts'] },
	{ file: 'admission/webhook/rules/route.ts', tests: ['test/unit/webhook/route.test.ts'] },
	{ file: 'admission/webhook/rules/unproven.ts', tests: ['test/unit/webhook/unproven.test.ts'] },
	...['bounded-map', 'deadline', 'fixed-window', 'gate', 'sliding-window', 'token-bucket'].map((name) => ({
		file: `admission/time/${name}.ts`,
		tests: [`test/unit/time/${name}.test.ts`],
	})),
	{
		file: 'admission/guard/unauthenticated-callers.ts',
		tests: [
			'test/unit/guard/unauthenticated-callers.test.ts',
			'test/unit/guard/subjects/job-pod/review.test.ts',
		],
	},
	{
		file: 'admission/guard/subjects/job-pod/rules/decide.ts',
		tests: ['test/unit/guard/subjects/job-pod/decide.test.ts'],
	},
	{
		file: 'admission/guard/subjects/job-pod/rules/edits.ts',
		tests: ['test/unit/guard/subjects/job-pod/edits.test.ts'],
	},
	{
		file: 'admission/guard/subjects/job-pod/rules/marks.ts',
		tests: ['test/unit/guard/subjects/job-pod/marks.test.ts'],
	},
	{
		file: 'admission/guard/subjects/job-pod/rules/message.ts',
		tests: ['test/unit/guard/subjects/job-pod/message.test.ts'],
	},
	{
		file: 'admission/runner/job-pod.ts',
		tests: [
			'test/unit/guard/subjects/job-pod/decide.test.ts',
			'test/unit/guard/subjects/job-pod/review.test.ts',
		],
	},
	{ file: 'admission/jobs/events/rules/delivery.ts', tests: ['test/unit/jobs/events/delivery.test.ts'] },
	{ file: 'admission/jobs/events/rules/runner-of.ts', tests: ['test/unit/jobs/events/runner-of.test.ts'] },
	{ file: 'admission/jobs/events/rules/lost.ts', tests: ['test/unit/jobs/events/lost-deliveries.test.ts'] },
	{ file: 'admission/jobs/hooks/rules/caller.ts', tests: [hooks] },
	{ file: 'admission/jobs/hooks/rules/payload.ts', tests: [hooks] },
	{ file: 'admission/jobs/hooks/rules/inject.ts', tests: ['test/unit/jobs/hooks/inject.test.ts'] },
	{ file: 'admission/webhook/apply.ts', tests: ['test/unit/jobs/hooks/other-pods.test.ts'] },
	{ file: 'admission/sets/rules/plan.ts', tests: ['test/unit/sets/plan.test.ts', sets] },
	{ file: 'admission/sets/rules/phase.ts', tests: ['test/unit/sets/phase.test.ts', sets] },
	{ file: 'admission/sets/reconciler.ts', tests: [sets, 'test/unit/sets/demand-source.test.ts'] },
	{ file: 'admission/autoscale/rules/demand.ts', tests: asked },
	{ file: 'admission/autoscale/rules/doubt.ts', tests: asked },
	{ file: 'admission/autoscale/rules/holders.ts', tests: asked },
	{ file: 'admission/autoscale/rules/job-status.ts', tests: asked },
	{ file: 'admission/autoscale/rules/asking.ts', tests: asked },
	{ file: 'admission/autoscale/rules/open-jobs.ts', tests: ['test/unit/autoscale/open-jobs.test.ts'] },
	{ file: 'admission/autoscale/publisher.ts', tests: ['test/unit/autoscale/publisher.test.ts'] },
	...['allowance', 'drift', 'due', 'targets'].map((name) => ({
		file: `admission/autoscale/poll/rules/${name}.ts`,
		tests: polled,
	})),
	{ file: 'admission/autoscale/rules/routing.ts', tests: ['test/unit/autoscale/routing.test.ts'] },
	{ file: 'admission/autoscale/rules/waits.ts', tests: ['test/unit/autoscale/routing.test.ts'] },
	{ file: 'admission/autoscale/rules/schedule.ts', tests: schedules },
	{ file: 'admission/autoscale/rules/recurrence.ts', tests: schedules },
	{ file: 'admission/autoscale/rules/wall-clock.ts', tests: schedules },
	{ file: 'admission/autoscale/rules/metrics.ts', tests: ['test/unit/autoscale/metrics.test.ts'] },
	{ file: 'admission/autoscale/rules/spare.ts', tests: ['test/unit/autoscale/spare.test.ts'] },
	{ file: 'admission/autoscale/rules/desired.ts', tests: ['test/unit/autoscale/desired.test.ts'] },
	{
		file: 'admission/autoscale/rules/fields.ts',
		tests: ['test/unit/autoscale/metrics.test.ts', 'test/unit/autoscale/desired.test.ts'],
	},
];
