import { readFileSync } from 'node:fs';
import { loadAll } from 'js-yaml';
import * as assert from 'uvu/assert';
import type { HorizontalRunnerAutoscaler } from '../../../admission/api/autoscale.ts';
import type { RunnerDeployment } from '../../../admission/api/sets.ts';
import {
	type DesiredFacts,
	desiredOf,
	type Evaluation,
	targetOf,
} from '../../../admission/autoscale/rules/desired.ts';
import { type MetricFacts, suggestionOf } from '../../../admission/autoscale/rules/metrics.ts';
import type { Desired } from '../../../admission/autoscale/rules/types.ts';
import { suite } from '../../support/suite.ts';

const test = suite('desired');
const now = Date.parse('2026-11-27T12:00:00Z');
const minute = 60_000;

const facts = (more: Partial<DesiredFacts> = {}): DesiredFacts => ({
	metrics: { replicas: undefined, problems: [] },
	spareFor: () => 0,
	ready: true,
	...more,
});
const of = (spec: unknown, more: Partial<DesiredFacts> = {}, nowMs = now): Evaluation =>
	desiredOf(spec, facts(more), nowMs);
const said = ({ findings }: Evaluation) => findings.map(({ type, message }) => `${type}: ${message}`);
const usual: Desired = {
	min: 1,
	max: 5,
	countsJobs: false,
	spare: 0,
	reserved: 0,
	suggestion: undefined,
	delayMs: 10 * minute,
	checkAfterMs: 10 * minute,
	ready: true,
};

/** ARC's documented manifests: which one, what is desired, what is reported; and a time at which it is evaluated. */
const documented: [string, Partial<Desired>, string[], string?][] = [
	// Two of four busy: between the thresholds, so as many as there are.
	['anti-flapping', { delayMs: 5 * minute, suggestion: 4 }, []],
	['pull-driven', {}, ['NoTrigger: there is no trigger, metric or schedule: there will always be 1 runner']],
	['queued-and-in-progress', { suggestion: 3 }, []],
	['percentage-factor', { suggestion: 4 }, []],
	['percentage-adjustment', { suggestion: 4 }, []],
	['combined', { suggestion: 4 }, []],
	['webhook', { max: 10, countsJobs: true, checkAfterMs: 30 * minute }, []],
	// ARC fails on these two: they have no maxReplicas.
	['scheduled-once', { max: 100 }, ['NoMaximum: spec.maxReplicas is missing: there are at most 100 runners']],
	[
		'scheduled-once',
		{ min: 100, max: 100 },
		['NoMaximum: spec.maxReplicas is missing: there are at most 100 runners'],
		'2021-06-02T00:00:00+09:00',
	],
	[
		'scheduled-weekly',
		{ max: 100 },
		['NoMaximum: spec.maxReplicas is missing: there are at most 100 runners'],
	],
	[
		'scheduled-weekly',
		{ min: 0, max: 100 },
		['NoMaximum: spec.maxReplicas is missing: there are at most 100 runners'],
		'2026-11-29T12:00:00+09:00',
	],
];

const metricFacts: MetricFacts = {
	scope: { kind: 'repository', owner: 'example', name: 'myrepo' },
	replicas: 4,
	busy: 2,
	labels: new Set(['self-hosted']),
	listed: () => ({ jobs: Array.from({ length: 3 }, () => ({ labels: ['self-hosted'], status: 'queued' })) }),
};

for (const kind of ['RunnerDeployment', 'RunnerSet'] as const) {
	for (const [name, expected, findings, at] of documented) {
		test(`ARC’s documented manifest ${name}, of a ${kind}${at ? `, ${at}` : ''}`, () => {
			const file = new URL(`../../fixtures/arc-autoscalers/${name}.yaml`, import.meta.url);
			const text = readFileSync(file, 'utf8');
			// As its comment says: "In case the scale target is RunnerSet".
			const chosen = kind === 'RunnerSet' ? text.replace(/kind: RunnerDeployment\n(?= {4}#)/, '') : text;
			const objects = loadAll(
				kind === 'RunnerSet' ? chosen.replace('# kind: RunnerSet', 'kind: RunnerSet') : chosen,
			) as (HorizontalRunnerAutoscaler | RunnerDeployment)[];
			const autoscaler = objects.find((object) => object.kind === 'HorizontalRunnerAutoscaler');
			const spec = (autoscaler as HorizontalRunnerAutoscaler).spec;
			const target = objects.find((object) => object.kind === 'RunnerDeployment');
			const targetName = spec.scaleTargetRef?.name ?? '';
			if (target) assert.is(target.metadata.name, targetName);
			assert.equal(targetOf(spec), { kind, name: targetName });

			const metrics = suggestionOf(spec.metrics, metricFacts);
			const found = of(spec, { metrics }, at ? Date.parse(at) : now);
			assert.equal(found.desired, { ...usual, ...expected });
			assert.equal(said(found), findings);
		});
	}
}

test('the target: RunnerDeployment where nothing is said, and nothing else than a set', () => {
	const target = (scaleTargetRef: unknown) => targetOf({ scaleTargetRef });
	assert.equal(target({ name: 'a' }), { kind: 'RunnerDeployment', name: 'a' });
	assert.equal(target({ kind: '', name: 'a' }), { kind: 'RunnerDeployment', name: 'a' });
	assert.is(
		target({ kind: 'Deployment', name: 'a' }),
		'spec.scaleTargetRef.kind: invalid value "Deployment": must be RunnerSet or RunnerDeployment',
	);
	for (const none of [undefined, null, 'x', {}, { name: '' }, { name: 7 }])
		assert.is(target(none), 'spec.scaleTargetRef.name is required');
	for (const spec of [undefined, null, 'x', []])
		assert.is(targetOf(spec), 'spec.scaleTargetRef.name is required');
});

const trigger = { githubEvent: { workflowJob: {} } };
const spec = (more: Record<string, unknown> = {}) => ({
	minReplicas: 1,
	maxReplicas: 5,
	scaleUpTriggers: [trigger],
	...more,
});

test('minReplicas: 1 where it is absent; what is not a whole number is reported and counts as absent, as in ARC for negative ones', () => {
	assert.is(of(spec({ minReplicas: undefined })).desired.min, 1);
	assert.is(of(spec({ minReplicas: 0 })).desired.min, 0);
	for (const minReplicas of [-1, 1.5, 'x', {}]) {
		const found = of(spec({ minReplicas }));
		assert.is(found.desired.min, 1);
		assert.equal(said(found), [
			`SpecInvalid: spec.minReplicas: invalid value ${JSON.stringify(minReplicas)}: must be a whole number, 0 or more`,
		]);
	}
});

test('without maxReplicas a safety ceiling holds, and a higher minimum', () => {
	assert.is(of(spec({ maxReplicas: undefined })).desired.max, 100);
	const high = of(spec({ maxReplicas: null, minReplicas: 150 }));
	assert.equal([high.desired.min, high.desired.max], [150, 150]);
	assert.equal(said(high), ['NoMaximum: spec.maxReplicas is missing: there are at most 150 runners']);
	const wrong = of(spec({ maxReplicas: -1 }));
	assert.is(wrong.desired.max, 1, 'somebody wanted a limit');
	assert.equal(said(wrong), [
		'SpecInvalid: spec.maxReplicas: invalid value -1: must be a whole number, 0 or more; there are at most 1 runner',
	]);
	assert.is(of(spec({ maxReplicas: '50', minReplicas: 0 })).desired.max, 1);
	assert.is(of(spec({ maxReplicas: '50', minReplicas: 3 })).desired.max, 3);
});

test('a minimum above the maximum counts, as in ARC, and is reported', () => {
	const found = of(spec({ minReplicas: 9 }));
	assert.equal([found.desired.min, found.desired.max], [9, 5]);
	assert.equal(said(found), [
		'SpecInvalid: spec.minReplicas 9 is above spec.maxReplicas 5: the minimum counts',
	]);
	const times = { startTime: '2026-11-27T00:00:00Z', endTime: '2026-11-28T00:00:00Z', minReplicas: 7 };
	const active = of(spec({ scheduledOverrides: [times] }));
	assert.is(active.desired.min, 7);
	assert.equal(said(active), [
		'SpecInvalid: minReplicas 7 of the active override is above spec.maxReplicas 5: the minimum counts',
	]);
	assert.is(active.changesAtMs, Date.parse('2026-11-28T00:00:00Z'));
	assert.equal(active.schedule.next, { atMs: Date.parse('2026-11-28T00:00:00Z'), minReplicas: 1 });
});

test('the delay: seconds, or the default', () => {
	const delay = (scaleDownDelaySecondsAfterScaleOut: unknown) =>
		of(spec({ scaleDownDelaySecondsAfterScaleOut }), { defaultDelayMs: 7_000 }).desired.delayMs;
	assert.equal(
		[delay(300), delay(0), delay(undefined), delay(-1), delay('x')],
		[300_000, 0, 7_000, 7_000, 7_000],
	);
	assert.is(of(spec()).desired.delayMs, 600_000);
});

test('duration: as Go reads it; the shortest of several, at least a minute, 10 minutes where there is none', () => {
	const after = (...durations: unknown[]) =>
		of(spec({ scaleUpTriggers: durations.map((duration) => ({ ...trigger, duration })) })).desired
			.checkAfterMs;
	const cases: [unknown, number][] = [
		['30m', 30 * minute],
		['1h30m0s', 90 * minute],
		['1.5h', 90 * minute],
		['90s', 90_000],
		['10s', minute],
		['0', 10 * minute],
		['-5m', 10 * minute],
		['', 10 * minute],
		[undefined, 10 * minute],
	];
	for (const [duration, ms] of cases) assert.is(after(duration), ms, String(duration));
	assert.is(after('30m', '5m'), 5 * minute);
	assert.equal(said(of(spec({ scaleUpTriggers: [{ ...trigger, duration: '' }] }))), []);
	for (const duration of ['x', '10', '5 m', 10, {}, '1h,']) {
		const found = of(spec({ scaleUpTriggers: [{ ...trigger, duration }] }));
		assert.is(found.desired.checkAfterMs, 10 * minute);
		const text = JSON.stringify(duration);
		assert.equal(said(found), [
			`SpecInvalid: spec.scaleUpTriggers[0].duration: invalid value ${text}: must be a duration such as 30m; 10m is used`,
		]);
	}
});

test('jobs count where some trigger says workflowJob, and it is reported where none does (ARC #999)', () => {
	const none = (scaleUpTriggers: unknown, more = {}) => of(spec({ scaleUpTriggers, ...more }));
	const dead = [
		{ githubEvent: { workflowJob: [] } },
		{ githubEvent: {} },
		{ githubEvent: { checkRun: {} } },
		{},
		null,
		'x',
		{ githubEvent: null },
	];
	for (const one of dead) {
		const found = none([one]);
		assert.is(found.desired.countsJobs, false);
		assert.equal(said(found), [
			'NoTrigger: no entry of spec.scaleUpTriggers has githubEvent.workflowJob, and other triggers have no effect: there will always be 1 runner',
		]);
	}
	assert.ok(none([...dead, trigger]).desired.countsJobs);
	const metrics = [{ type: 'PercentageRunnersBusy' }];
	assert.equal(said(none([], { metrics })), []);
	assert.equal(said(none([{}], { metrics })), [
		'NoTrigger: no entry of spec.scaleUpTriggers has githubEvent.workflowJob, and other triggers have no effect',
	]);
	assert.equal(said(none({})), [
		'SpecInvalid: spec.scaleUpTriggers must be a list',
		'NoTrigger: there is no trigger, metric or schedule: there will always be 1 runner',
	]);
	assert.equal(said(none([], { spare: { replicas: 1 } })), []);
	const capacityReservations = [{ expirationTime: '2026-11-28T00:00:00Z', replicas: 1 }];
	assert.equal(said(none([], { capacityReservations })), []);
});

test('reservations that people write count until they expire', () => {
	const at = (ms: number) => new Date(now + ms).toISOString();
	const capacityReservations = [
		{ expirationTime: at(5 * minute), replicas: 2 },
		{ expirationTime: at(3 * minute), replicas: 3, effectiveTime: at(minute) },
		{ expirationTime: at(0), replicas: 9 },
		{ replicas: 9 },
		{ expirationTime: at(2 * minute) },
	];
	const found = of(spec({ capacityReservations }));
	assert.equal([found.desired.reserved, found.changesAtMs], [5, now + 2 * minute]);
	assert.equal(said(found), []);
	assert.is(of(spec({ capacityReservations }), {}, now + 4 * minute).desired.reserved, 2);
	const wrong = of(
		spec({
			capacityReservations: [
				{ expirationTime: 'x', replicas: 1 },
				{ expirationTime: at(1), replicas: -1 },
				7,
			],
		}),
	);
	assert.is(wrong.desired.reserved, 0);
	assert.equal(said(wrong), [
		'SpecInvalid: spec.capacityReservations[0].expirationTime: invalid value "x": must be a time as in RFC 3339; spec.capacityReservations[1].replicas: invalid value -1: must be a whole number, 0 or more',
	]);
	const odd = [
		{ expirationTime: 7, replicas: 1 },
		{ expirationTime: at(-1), replicas: 'x' },
	];
	assert.equal(said(of(spec({ capacityReservations: odd }))), [
		'SpecInvalid: spec.capacityReservations[0].expirationTime: invalid value 7: must be a time as in RFC 3339',
	]);
	const times = { startTime: at(0), endTime: at(minute), minReplicas: 1 };
	assert.is(of(spec({ capacityReservations, scheduledOverrides: [times] })).changesAtMs, now + minute);
	assert.equal(said(of(spec({ capacityReservations: 'x' }))), [
		'SpecInvalid: spec.capacityReservations must be a list',
	]);
});

test('spare runners: a number, or what a part of the last hour’s moments would have needed, whichever is more', () => {
	const spare = (value: unknown) => {
		const asked: number[] = [];
		const found = of(spec({ spare: value }), { spareFor: (part) => asked.push(part) * 4 });
		return [found.desired.spare, asked, said(found)];
	};
	assert.equal(spare(undefined), [0, [], []]);
	assert.equal(spare({ replicas: 2 }), [2, [], []]);
	assert.equal(spare({ quantile: '0.9' }), [4, [0.9], []]);
	assert.equal(spare({ quantile: '0.9', replicas: 7 }), [7, [0.9], []]);
	assert.equal(spare({ quantile: '0' }), [0, [], []]);
	assert.equal(spare({ quantile: '', replicas: 1 }), [1, [], []]);
	assert.equal(spare({ quantile: '-0.1' })[2], [
		'SpecInvalid: spec.spare.quantile: invalid value "-0.1": must be a number from 0 to 1 such as "0.9"',
	]);
	assert.equal(spare({ quantile: '1.1', replicas: 1 }), [
		1,
		[],
		['SpecInvalid: spec.spare.quantile: invalid value "1.1": must be a number from 0 to 1 such as "0.9"'],
	]);
	assert.equal(spare({ quantile: 0.9, replicas: 'x' }), [
		0,
		[],
		[
			'SpecInvalid: spec.spare.replicas: invalid value "x": must be a whole number, 0 or more; spec.spare.quantile: invalid value 0.9: must be a number from 0 to 1 such as "0.9"',
		],
	]);
});

test('what metrics and overrides say is passed on, and neither stops the other', () => {
	const times = { startTime: 'x', endTime: '2026-11-28T00:00:00Z', minReplicas: 7 };
	const good = { startTime: '2026-11-27T00:00:00Z', endTime: '2026-11-28T00:00:00Z', minReplicas: 2 };
	const found = of(spec({ scheduledOverrides: [times, good] }), {
		metrics: { replicas: 3, problems: ['GitHub answers 404', 'another'] },
		ready: false,
	});
	assert.equal(said(found), [
		'OverrideSkipped: spec.scheduledOverrides[0]: startTime: invalid value "x": must be a time as in RFC 3339, since 1970',
		'MetricFailing: GitHub answers 404; another',
	]);
	assert.equal([found.desired.suggestion, found.desired.min, found.desired.ready], [3, 2, false]);
});

test('of lists that are longer than the schema allows only the first entries count, and it is said', () => {
	const job = { githubEvent: { workflowJob: {} }, duration: '30m' };
	const late = new Array(100_000).fill({ githubEvent: { push: {} } });
	const reservation = { replicas: 1, expirationTime: '2999-01-01T00:00:00Z' };
	const { desired, findings } = of({
		maxReplicas: 9_999,
		scaleUpTriggers: [job, ...late, { ...job, duration: '1m' }],
		capacityReservations: new Array(10_000).fill(reservation),
	});
	assert.equal([desired.checkAfterMs, desired.reserved], [30 * 60_000, 2_000]);
	assert.equal(
		findings.map(({ type, reason, message }) => `${type} ${reason}: ${message}`),
		[
			'SpecInvalid TooManyEntries: spec.scaleUpTriggers has 100002 entries: only the first 100 count; spec.capacityReservations has 10000 entries: only the first 2000 count',
		],
	);
});

test('a spec of anything gives numbers and never throws', () => {
	const things: unknown[] = [
		undefined,
		null,
		0,
		-1,
		'x',
		[],
		{},
		[[]],
		[{}],
		Number.NaN,
		true,
		'9'.repeat(5_000),
	];
	const thing = () => things[Math.floor(Math.random() * things.length)];
	const fields = [
		'minReplicas',
		'maxReplicas',
		'scaleDownDelaySecondsAfterScaleOut',
		'metrics',
		'scaleUpTriggers',
		'capacityReservations',
		'scheduledOverrides',
		'spare',
	];
	for (const one of things) of(one);
	for (let round = 0; round < 5_000; round++) {
		const some = Object.fromEntries(fields.map((field) => [field, thing()]));
		const metrics = suggestionOf(some.metrics, metricFacts);
		const { desired, findings } = of(some, { metrics });
		for (const count of [
			desired.min,
			desired.max,
			desired.spare,
			desired.reserved,
			desired.delayMs,
			desired.checkAfterMs,
		])
			assert.ok(Number.isSafeInteger(count) && count >= 0, String(count));
		for (const { message } of findings) assert.ok(message.length <= 1_000);
	}
});

test.run();
