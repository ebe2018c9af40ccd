/** What the plugin says of autoscalers, and which one acts on a set. */
import * as assert from 'uvu/assert';
import { autoscalersFor, targetOf } from '../../../../plugin/autoscalers/api.ts';
import {
	autoscalerStateOf,
	demandText,
	limitsText,
	nextChangeText,
	reasonsOf,
} from '../../../../plugin/autoscalers/state.ts';
import type { RunnersSet } from '../../../../plugin/sets/api.ts';
import { statusTexts, treeLines } from '../../../../plugin/verbs/status/tree.ts';
import { suite } from '../../../support/suite.ts';
import { type AutoscalerFields, autoscaler } from './autoscaler.ts';

const test = suite('plugin: autoscalers');
const nowMs = Date.parse('2026-11-23T12:00:00Z');

const set = (kind: 'RunnerSet' | 'RunnerDeployment', name = 'example', namespace = 'ci') =>
	({ apiVersion: 'v', kind, metadata: { name, namespace }, spec: {} }) as unknown as RunnersSet;

for (const [fields, state] of [
	[{ conditions: { ScalingActive: '' } }, 'active'],
	[{ conditions: { ScalingActive: '', AtMaximum: '' } }, 'at-maximum'],
	[{ conditions: { AtMaximum: '', TargetMissing: '' } }, 'target-missing'],
	[{ status: { observedGeneration: 1 }, conditions: { ScalingActive: '' } }, 'unseen'],
	[{ metadata: { deletionTimestamp: 't' } }, 'deleting'],
	[{ conditions: { ScalingActive: '', NoMaximum: '' } }, 'no-maximum'],
] as [AutoscalerFields, string][]) {
	test(`state ${state}: ${JSON.stringify(fields)}`, () => {
		assert.is(autoscalerStateOf(autoscaler(fields)), state);
	});
}

test('one that the server has never looked at is unseen', () => {
	const { status: _, ...fresh } = autoscaler();
	assert.is(autoscalerStateOf(fresh), 'unseen');
	assert.is(demandText(fresh), 'min 1, max 10');
});

test('a target without a kind is a RunnerDeployment, as in ARC; one without a name is none', () => {
	assert.equal(targetOf(autoscaler({ spec: { scaleTargetRef: { name: 'a' } } })), {
		kind: 'RunnerDeployment',
		name: 'a',
	});
	assert.is(targetOf(autoscaler({ spec: { scaleTargetRef: undefined } })), undefined);
});

test('of several for one set the oldest comes first, one that says TargetTaken last; others are not meant', () => {
	const all = [
		autoscaler({ name: 'a', conditions: { TargetTaken: '' } }),
		autoscaler({ name: 'b', metadata: { creationTimestamp: '2026-11-23T11:30:00Z' } }),
		autoscaler({ name: 'older' }),
		autoscaler({ name: 'c', spec: { scaleTargetRef: { kind: 'RunnerDeployment', name: 'example' } } }),
	];
	const found = (of: RunnersSet) => autoscalersFor(of, all).map(({ metadata }) => metadata.name);
	assert.equal(found(set('RunnerSet')), ['older', 'b', 'a']);
	assert.equal(found(set('RunnerDeployment')), ['c']);
	assert.equal(found(set('RunnerSet', 'example', 'elsewhere')), []);
	assert.equal(found(set('RunnerSet', 'other')), []);
});

const busy = autoscaler({
	spec: { minReplicas: undefined },
	status: {
		desiredReplicas: 5,
		openJobs: 6,
		waitingJobs: 2,
		suspectJobs: 1,
		spareReplicas: 1,
		heldReplicas: 2,
		nextScheduledChange: { time: '2026-11-23T15:00:00Z', minReplicas: 3 },
	},
	conditions: { ScalingActive: '6 open jobs, less the maximum', AtMaximum: 'the maximum of 5 holds' },
});

test('demand, limits, the next change and the reasons as text', () => {
	assert.is(
		demandText(busy),
		'2 jobs queued, 6 open, 1 suspect; min 1, max 10: 5 wanted, 1 of them spare, 2 more cannot be removed yet',
	);
	assert.is(nextChangeText(busy, nowMs), 'min 3 in 3h');
	assert.is(nextChangeText(busy, undefined), 'min 3 at 2026-11-23T15:00:00Z');
	assert.is(nextChangeText(autoscaler(), nowMs), undefined);
	assert.is(limitsText(autoscaler({ spec: { maxReplicas: undefined } })), 'min 1, no max');
	assert.equal(reasonsOf(busy), ['the maximum of 5 holds'], 'jobs and limits are shown already');
	const metrics = [{ type: 'PercentageRunnersBusy' }];
	const measured = { ...busy, spec: { ...busy.spec, metrics } };
	assert.equal(reasonsOf(measured), ['6 open jobs, less the maximum', 'the maximum of 5 holds']);
	assert.match(demandText(autoscaler({ status: { waitingJobs: 1 } })), /^1 job queued, 0 open; /);
});

test('the tree has it between its set and the runners, and a log names it', () => {
	const runner = {
		metadata: { name: 'example-a', namespace: 'ci' },
		spec: { containers: [{ name: 'runner' }] },
	};
	const lines = treeLines([{ set: set('RunnerSet'), runners: [runner], autoscaler: busy }], false, nowMs);
	assert.match(lines[2] ?? '', /^├─ autoscaler example +at-maximum +60m +2 jobs queued, .*; min 3 in 3h; /);
	assert.match(lines[3] ?? '', /^└─ example-a /);
	const alone = treeLines([{ set: set('RunnerSet'), runners: [], autoscaler: busy }], false, nowMs);
	assert.match(alone[2] ?? '', /^└─ autoscaler example /);
	const texts = statusTexts([{ set: set('RunnerSet'), runners: [], autoscaler: busy }], false, nowMs);
	const text = texts.get('runnerset/example autoscaler example') ?? '';
	assert.match(text, /^at-maximum; 2 jobs queued, .* min 3 at 2026-11-23T15:00:00Z; the maximum of 5 holds$/);
});

test.run();
