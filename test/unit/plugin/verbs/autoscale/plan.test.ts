/** What `kubectl runners autoscale` writes, refuses and warns of. */
import * as assert from 'uvu/assert';
import type { HorizontalRunnerAutoscaler } from '../../../../../admission/api/autoscale.ts';
import type { RunnersSet } from '../../../../../plugin/sets/api.ts';
import { type Limits, planAutoscale } from '../../../../../plugin/verbs/autoscale/plan.ts';
import { suite } from '../../../../support/suite.ts';
import { autoscaler } from '../../autoscalers/autoscaler.ts';

const test = suite('plugin: autoscale, what is written');

const set = (metadata: object = {}) =>
	({
		apiVersion: 'actions.summerwind.dev/v1alpha1',
		kind: 'RunnerSet',
		metadata: { name: 'example', namespace: 'ci', ...metadata },
		spec: {},
	}) as unknown as RunnersSet;

const plan = (limits: Limits, known: HorizontalRunnerAutoscaler[] = [], of = set()) =>
	planAutoscale(of, known, limits);

test('a set without one gets one of its name, which counts jobs', () => {
	const { existing, wanted, warnings } = plan({ min: 0, max: 5, delaySeconds: 90, spare: 2 });
	assert.equal([existing, warnings], [undefined, []]);
	assert.equal(wanted, {
		apiVersion: 'actions.summerwind.dev/v1alpha1',
		kind: 'HorizontalRunnerAutoscaler',
		metadata: { name: 'example', namespace: 'ci' },
		spec: {
			scaleTargetRef: { kind: 'RunnerSet', name: 'example' },
			minReplicas: 0,
			maxReplicas: 5,
			scaleDownDelaySecondsAfterScaleOut: 90,
			spare: { replicas: 2 },
			scaleUpTriggers: [{ githubEvent: { workflowJob: {} } }],
		},
	});
	assert.equal(Object.keys(plan({ max: 5 }).wanted.spec), [
		'scaleTargetRef',
		'maxReplicas',
		'scaleUpTriggers',
	]);
});

test('of one that is there only what is given is changed', () => {
	const before = autoscaler({ spec: { spare: { quantile: '0.9' }, metrics: [] } });
	const { existing, changes, wanted } = plan({ max: 20, spare: 1 }, [before]);
	assert.is(existing, before);
	assert.equal(changes, { maxReplicas: 20, spare: { quantile: '0.9', replicas: 1 } });
	assert.equal([wanted.spec.minReplicas, wanted.spec.maxReplicas, wanted.spec.metrics], [1, 20, []]);
});

for (const [name, limits, known, message] of [
	[
		'a new one without --max',
		{ min: 1 },
		[],
		/^error: --max=N is required for a set that has no autoscaler yet$/,
	],
	['min above max', { min: 5, max: 4 }, [], /--max=N must be larger or equal to --min=N, max: 4, min: 5/],
	['max below the default min', { max: 0 }, [], /max: 0, min: 1/],
	[
		'max below the min that is there',
		{ max: 2 },
		[autoscaler({ spec: { minReplicas: 3 } })],
		/max: 2, min: 3/,
	],
	[
		'its name is taken by the other kind',
		{ max: 2 },
		[autoscaler({ spec: { scaleTargetRef: { name: 'example' } } })],
		/^error: horizontalrunnerautoscaler\/example scales runnerdeployment\/example: use --name to give another name$/,
	],
] as [string, Limits, HorizontalRunnerAutoscaler[], RegExp][]) {
	test(`refused: ${name}`, () => assert.throws(() => plan(limits, known), message));
}

test('one under another name is changed, and that is said', () => {
	const other = autoscaler({ name: 'nightly' });
	const { existing, warnings } = plan({ max: 3 }, [other]);
	assert.is(existing, other);
	assert.equal(warnings, [
		'runnerset/example already has horizontalrunnerautoscaler/nightly, which is changed',
	]);
	const second = plan({ max: 3, name: 'second' }, [other]);
	assert.is(second.existing, undefined);
	assert.match(
		second.warnings[0] ?? '',
		/also the target of horizontalrunnerautoscaler\/nightly, and only one/,
	);
});

test('one for which no job counts is warned of', () => {
	const { warnings } = plan({ max: 3 }, [autoscaler({ spec: { scaleUpTriggers: undefined } })]);
	assert.match(warnings[0] ?? '', /has no workflowJob trigger and no metric, so it does not count jobs$/);
	const metric = autoscaler({ spec: { scaleUpTriggers: [], metrics: [{ type: 'PercentageRunnersBusy' }] } });
	assert.equal(plan({ max: 3 }, [metric]).warnings, []);
});

test('a number that is applied from a manifest again and again is warned of; a scale or our own is not', () => {
	const fields = (name: string) => ({ 'f:spec': { [`f:${name}`]: {} } });
	const by = (manager: string, operation: string, more: object = {}) => ({
		manager,
		operation,
		fieldsV1: fields('replicas'),
		...more,
	});
	const warned = (...managedFields: object[]) => plan({ max: 3 }, [], set({ managedFields })).warnings;
	assert.match(
		warned(by('argocd-controller', 'Apply'))[0] ?? '',
		/also written by argocd-controller: remove it from the manifest/,
	);
	assert.is(warned(by('kubectl-client-side-apply', 'Update')).length, 1);
	assert.equal(
		warned(
			by('kubectl', 'Update', { subresource: 'scale' }),
			by('kubectl-edit', 'Update'),
			by('runners-admission', 'Apply'),
			by('flux', 'Apply', { fieldsV1: fields('template') }),
		),
		[],
	);
});

test.run();
