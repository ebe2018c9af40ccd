import * as assert from 'uvu/assert';
import { autoscalerSpec, metricTypes } from '../../../admission/api/schema/autoscale.ts';
import { demand } from '../../../admission/autoscale/rules/demand.ts';
import { desiredOf } from '../../../admission/autoscale/rules/desired.ts';
import {
	type ListedJob,
	type MetricFacts,
	repositoriesOf,
	suggestionOf,
} from '../../../admission/autoscale/rules/metrics.ts';
import type { Scope } from '../../../admission/runner/scope.ts';
import { suite } from '../../support/suite.ts';

const test = suite('metrics');
const repository: Scope = { kind: 'repository', owner: 'test', name: 'valid' };
const organization: Scope = { kind: 'organization', name: 'test' };
const enterprise: Scope = { kind: 'enterprise', name: 'corp' };
const byJobs = { type: 'TotalNumberOfQueuedAndInProgressWorkflowRuns', repositoryNames: ['valid'] };
const byBusy = { type: 'PercentageRunnersBusy' };

/** The labels of a set, as KnownSets has them. */
const having = (...labels: string[]) => new Set(['self-hosted', ...labels]);

const facts = (more: Partial<MetricFacts> = {}, jobs: readonly ListedJob[] = []): MetricFacts => ({
	scope: repository,
	replicas: 10,
	busy: 0,
	labels: having(),
	listed: () => ({ jobs }),
	...more,
});
const of = (metrics: unknown, some: MetricFacts) => suggestionOf(metrics, some);

/** `queued:self-hosted,custom completed:`: jobs as GitHub lists them. */
const listed = (texts: string): ListedJob[] =>
	texts
		.split(' ')
		.filter(Boolean)
		.map((text) => {
			const [status = '', labels = ''] = text.split(':');
			return { status, labels: labels.split(',').filter(Boolean) };
		});
const three = 'queued:self-hosted in_progress:self-hosted in_progress:self-hosted';
/** Three runs with six jobs, of which one has completed. */
const six = (labels: string) =>
	`queued:${labels} queued:${labels} in_progress:${labels} completed:${labels} in_progress:${labels} queued:${labels}`;

/** ARC's autoscaling_test.go: jobs, min, max, labels of the runners, result. */
const vectors: [string, string, number, number, string[], number][] = [
	['runs without ids: their jobs cannot be listed', '', 2, 3, [], 2],
	['3 runs with a job each', three, 2, 3, ['self-hosted'], 3],
	['3 jobs, at most 2', three, 2, 2, [], 2],
	['2 jobs, at least 2', 'queued:self-hosted in_progress:self-hosted', 2, 3, [], 2],
	['1 job that waits, at least 2', 'queued:self-hosted', 2, 3, [], 2],
	['1 job that runs, at least 2', 'in_progress:self-hosted', 2, 3, [], 2],
	['1 job that waits', 'queued:self-hosted', 1, 3, [], 1],
	['1 job that runs', 'in_progress:self-hosted', 1, 3, [], 1],
	['a run with an empty list of jobs', '', 0, 3, [], 0],
	['a job without labels', 'queued:', 0, 3, [], 0],
	['5 open jobs of 6', six('self-hosted'), 2, 10, [], 5],
	['5 open jobs of 6, self-hosted given', six('self-hosted'), 2, 10, ['self-hosted'], 5],
	['5 jobs with a label that no runner has', six('self-hosted,custom'), 2, 10, [], 2],
	['only self-hosted', six('self-hosted,custom'), 2, 10, ['self-hosted'], 2],
	['another label', six('self-hosted,custom'), 2, 10, ['custom2'], 2],
	['with that label', six('self-hosted,custom'), 2, 10, ['self-hosted', 'custom'], 5],
	['with that label alone', six('self-hosted,custom'), 2, 10, ['custom'], 5],
	['jobs of GitHub’s own runners', six(''), 2, 10, [], 2],
	['a label of managed runners', six('managed-runner-label'), 2, 10, ['self-hosted'], 2],
];

for (const scope of [repository, organization]) {
	for (const [promise, jobs, min, max, labels, expected] of vectors) {
		test(`ARC, ${scope.kind}: ${promise}: ${expected}`, () => {
			const metrics = suggestionOf([byJobs], facts({ scope, labels: having(...labels) }, listed(jobs)));
			assert.equal(metrics.problems, []);
			const spec = { minReplicas: min, maxReplicas: max, metrics: [byJobs] };
			const { desired } = desiredOf(spec, { metrics, spareFor: () => 0, ready: true }, 0);
			assert.is(demand([], [], desired, 0).desired, expected);
		});
	}
}

test('ARC: no metrics say nothing, whatever the target has', () => {
	for (const none of [undefined, null, []])
		assert.equal(of(none, facts({ replicas: 3 })), { replicas: undefined, problems: [] });
});

test('jobs: labels are compared without case, and with those that GitHub gives (ARC: neither, #951)', () => {
	const { replicas } = of(
		[byJobs],
		facts(
			{ labels: having('gpu', 'linux', 'x64') },
			listed('queued:Self-Hosted,Linux,X64 queued:gpu queued:arm64'),
		),
	);
	assert.is(replicas, 2);
});

test('jobs: only what is queued or runs counts, not what waits for an approval', () => {
	const some = listed('queued:x in_progress:x completed:x waiting:x pending:x requested:x :x');
	assert.is(of([byJobs], facts({ labels: having('x') }, some)).replicas, 2);
});

test('jobs: one with more labels than are read is not counted', () => {
	const jobs = [{ status: 'queued', labels: undefined }, ...listed('queued:x')];
	assert.is(of([byJobs], facts({ labels: having('x') }, jobs)).replicas, 1);
});

test('jobs: of several repositories together; one that was never listed, and the metric says nothing', () => {
	const two = [{ ...byJobs, repositoryNames: ['One', 'Test/two'] }];
	const asked: string[] = [];
	const some = (problem: string | undefined, jobs: ListedJob[] | undefined) =>
		of(two, {
			...facts({ scope: organization, labels: having('x') }),
			listed: (name) => {
				asked.push(name);
				return name === 'test/one' ? { jobs: listed('queued:x') } : { jobs, problem };
			},
		});
	assert.equal(some(undefined, listed('queued:x queued:x')), { replicas: 3, problems: [] });
	assert.equal(asked, ['test/one', 'test/two']);
	const failing = 'spec.metrics[0]: Test/two: GitHub answers 404';
	assert.equal(some('GitHub answers 404', undefined), { replicas: undefined, problems: [failing] });
	assert.equal(some('GitHub answers 404', listed('queued:x')), { replicas: 2, problems: [failing] });
	assert.is(of(two, facts({ scope: organization, listed: () => ({ jobs: undefined }) })).replicas, undefined);
	const turned = [{ ...byJobs, repositoryNames: ['Test/two', 'One'] }];
	const first = (name: string) => ({ jobs: name === 'test/one' ? listed('queued:x') : undefined });
	const found = of(turned, facts({ scope: organization, labels: having('x'), listed: first }));
	assert.is(found.replicas, undefined);
	const second = facts({ scope: organization, labels: having('x'), listed: first, replicas: 0 });
	assert.is(of([byBusy, ...turned], second).replicas, undefined);
});

test('jobs: which repositories are listed', () => {
	const two = [byBusy, { ...byJobs, repositoryNames: ['One', 'Test/two', 'One'] }];
	assert.equal(repositoriesOf(two, organization), ['test/One', 'Test/two']);
	assert.equal(repositoriesOf(two, repository), ['test/valid'], 'the list is ignored, as in ARC');
	assert.equal(repositoriesOf([{ ...byBusy, repositoryNames: ['One'] }], organization), []);
	assert.equal(repositoriesOf([byBusy, byBusy, byJobs], organization), []);
	assert.equal(repositoriesOf([{ ...byJobs, repositoryNames: ['octo/app'] }], enterprise), ['octo/app']);
	for (const none of [undefined, 'x', [null], [{ ...byJobs, repositoryNames: ['a/b/c'] }]])
		assert.equal(repositoriesOf(none, organization), []);
	assert.equal(repositoriesOf(two, undefined), []);
});

test('jobs: a repository of another owner is not asked about, nor counted, and the others are', () => {
	const metrics = [{ ...byJobs, repositoryNames: ['One', 'octo-org/secret'] }];
	assert.equal(repositoriesOf(metrics, organization), ['test/One']);
	const { replicas, problems } = of(
		metrics,
		facts({ scope: organization, labels: having('x') }, listed('queued:x queued:x')),
	);
	assert.is(replicas, 2);
	assert.match(problems.join(), /octo-org\/secret is not of test/);
});

const named = (scope: Scope | undefined, repositoryNames: unknown) =>
	of([{ ...byJobs, repositoryNames }], facts({ scope })).problems.join();
test('jobs: names that can’t be used are said', () => {
	assert.is(
		named(organization, undefined),
		'spec.metrics[0].repositoryNames is required for runners of an organization',
	);
	assert.is(
		named(enterprise, []),
		'spec.metrics[0].repositoryNames is required for runners of an enterprise',
	);
	assert.is(
		named(enterprise, ['a/b', 'app']),
		'spec.metrics[0].repositoryNames[1]: invalid value "app": must be OWNER/NAME',
		'ARC serves no enterprises here at all',
	);
	assert.is(
		named(organization, [7]),
		'spec.metrics[0].repositoryNames[0]: invalid value 7: must be NAME or OWNER/NAME',
	);
	assert.is(
		named(organization, ['a/b/c']),
		'spec.metrics[0].repositoryNames[0]: invalid value "a/b/c": must be NAME or OWNER/NAME',
	);
	assert.is(
		named(organization, new Array(100_000).fill('app')),
		'spec.metrics[0].repositoryNames has 100000 entries: at most 250 are supported',
	);
	assert.is(named(undefined, ['app']), 'spec.metrics[0]: the target has no repository or organization');
});

/** PercentageRunnersBusy: what is given, replicas, busy, result. */
const steps: [string, object, number | undefined, number, number | undefined][] = [
	['at the upper threshold: factor 1.3, rounded up', {}, 10, 8, 13],
	['rounded up', {}, 5, 4, 7],
	['between the thresholds nothing changes', {}, 10, 7, 10],
	['at the lower threshold nothing changes', {}, 10, 3, 10],
	['below it: factor 0.7, cut off', {}, 10, 2, 7],
	['cut off', {}, 5, 1, 3],
	['one idle runner is cut to 0, which says nothing', {}, 1, 0, undefined],
	['no replicas count as 1', {}, undefined, 1, 2],
	['more busy than wanted', {}, 2, 5, 3],
	['the documented factors', { scaleUpThreshold: '0.75', scaleUpFactor: '1.4' }, 4, 3, 6],
	[
		'the documented anti-flapping',
		{ scaleUpThreshold: '0.75', scaleDownThreshold: '0.25', scaleUpFactor: '2', scaleDownFactor: '0.5' },
		5,
		1,
		2,
	],
	['adjustments up', { scaleUpAdjustment: 2, scaleDownAdjustment: 1 }, 4, 4, 6],
	['adjustments down', { scaleUpAdjustment: 2, scaleDownAdjustment: 1 }, 4, 0, 3],
	['an adjustment of 0 counts as absent', { scaleUpAdjustment: 0, scaleUpFactor: '2' }, 4, 4, 8],
	['down below 0 says nothing', { scaleDownAdjustment: 3 }, 1, 0, undefined],
	[
		'an adjustment and the other direction’s factor',
		{ scaleUpAdjustment: 2, scaleDownFactor: '.5' },
		4,
		0,
		2,
	],
	['an adjustment beside an empty factor', { scaleUpAdjustment: 2, scaleUpFactor: '' }, 4, 4, 6],
	['empty texts are absent', { scaleUpFactor: '', scaleUpThreshold: '' }, 10, 8, 13],
	['as many as Kubernetes can count', { scaleUpFactor: '1e300' }, 10, 10, 2 ** 31 - 1],
	['0 wanted and none busy: ARC’s NaN says nothing either', {}, 0, 0, undefined],
	['0 wanted and some busy: of 0 no factor makes more in ARC (#2850); here all that work count', {}, 0, 2, 3],
	['the same with an adjustment', { scaleUpAdjustment: 2 }, 0, 1, 3],
];
for (const [promise, metric, replicas, busy, expected] of steps) {
	test(`busy: ${promise}`, () => {
		const found = of([{ ...byBusy, ...metric }], facts({ replicas, busy }));
		assert.equal(found, { replicas: expected, problems: [] });
	});
}

test('each metric that the custom resource names is computed, and its description names all', () => {
	for (const type of metricTypes)
		assert.not.match(of([{ type }], facts()).problems.join(), 'invalid value', type);
	const { metrics } = autoscalerSpec.properties;
	const { description = '' } = metrics.items.properties.type as { description?: string };
	for (const type of metricTypes) assert.match(description, type);
});

const both = [byBusy, byJobs];
test('two metrics: the second counts where the first says 0 or less, also with 0', () => {
	const jobs = listed('queued:self-hosted queued:self-hosted');
	assert.is(of(both, facts({ replicas: 10, busy: 10 }, jobs)).replicas, 13);
	assert.is(of(both, facts({ replicas: 1, busy: 0 }, jobs)).replicas, 2);
	assert.is(of(both, facts({ replicas: 0, busy: 0 }, [])).replicas, 0);
	assert.is(of([byJobs], facts()).replicas, undefined, 'with one it says nothing');
});

const wrong: [string, unknown, string][] = [
	['not a list', { 0: byBusy }, 'spec.metrics must be a list'],
	['too many', [byBusy, byJobs, byJobs], 'spec.metrics has 3 entries: at most 2 are supported'],
	['not an object', ['x'], 'spec.metrics[0] must be an object'],
	[
		'no type',
		[{}],
		'spec.metrics[0].type: invalid value undefined: must be TotalNumberOfQueuedAndInProgressWorkflowRuns or PercentageRunnersBusy',
	],
	[
		'another type',
		[{ type: 'Cpu' }],
		'spec.metrics[0].type: invalid value "Cpu": must be TotalNumberOfQueuedAndInProgressWorkflowRuns or PercentageRunnersBusy',
	],
	[
		'the wrong order, once the first says 0',
		[byJobs, byBusy],
		'spec.metrics: of two entries the first must be PercentageRunnersBusy and the second TotalNumberOfQueuedAndInProgressWorkflowRuns',
	],
	[
		'a number',
		[{ ...byBusy, scaleUpThreshold: 0.8 }],
		'spec.metrics[0].scaleUpThreshold: invalid value 0.8: must be a decimal number such as "0.75"',
	],
	[
		'a text',
		[{ ...byBusy, scaleDownThreshold: 'x' }],
		'spec.metrics[0].scaleDownThreshold: invalid value "x": must be a decimal number such as "0.75"',
	],
	[
		'a space',
		[{ ...byBusy, scaleUpFactor: ' 2' }],
		'spec.metrics[0].scaleUpFactor: invalid value " 2": must be a decimal number such as "0.75"',
	],
	[
		'hexadecimal',
		[{ ...byBusy, scaleUpFactor: '0x2' }],
		'spec.metrics[0].scaleUpFactor: invalid value "0x2": must be a decimal number such as "0.75"',
	],
	[
		'ARC takes it',
		[{ ...byBusy, scaleUpFactor: 'NaN' }],
		'spec.metrics[0].scaleUpFactor: invalid value "NaN": must be a decimal number such as "0.75"',
	],
	[
		'infinite',
		[{ ...byBusy, scaleUpFactor: '1e999' }],
		'spec.metrics[0].scaleUpFactor: invalid value "1e999": must be a decimal number such as "0.75"',
	],
	[
		'below 0',
		[{ ...byBusy, scaleUpAdjustment: -1 }],
		'spec.metrics[0].scaleUpAdjustment: invalid value -1: must be a whole number, 0 or more',
	],
	[
		'both',
		[{ ...byBusy, scaleUpAdjustment: 1, scaleUpFactor: '2' }],
		'spec.metrics[0]: only one of scaleUpAdjustment and scaleUpFactor may be set',
	],
	[
		'both down',
		[{ ...byBusy, scaleDownAdjustment: 1, scaleDownFactor: '2' }],
		'spec.metrics[0]: only one of scaleDownAdjustment and scaleDownFactor may be set',
	],
];
for (const [promise, metrics, problem] of wrong) {
	test(`what can't be used says nothing, and why: ${promise}`, () =>
		assert.equal(of(metrics, facts()), { replicas: undefined, problems: [problem] }));
}

test('two that are wrong are both reported; a second that is never needed is not read, as in ARC', () => {
	const twice = [{ ...byBusy, scaleUpThreshold: 'x', scaleDownThreshold: 'y' }];
	assert.is(of(twice, facts()).problems.length, 2);
	const second = [byBusy, { type: 'x' }];
	assert.equal(of(second, facts({ busy: 10 })), { replicas: 13, problems: [] });
	assert.is(of(second, facts({ replicas: 0 })).problems.length, 1);
	for (const pair of [
		[byBusy, byBusy],
		[byJobs, byJobs],
	])
		assert.match(of(pair, facts({ replicas: 0 })).problems.join(), 'of two entries the first must be');
	const broken = [{ ...byBusy, scaleUpFactor: 'x' }, byJobs];
	assert.equal(of(broken, facts({}, listed('queued:self-hosted'))), {
		replicas: undefined,
		problems: ['spec.metrics[0].scaleUpFactor: invalid value "x": must be a decimal number such as "0.75"'],
	});
});

test.run();
