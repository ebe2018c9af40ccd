import * as assert from 'uvu/assert';
import { busy, deletionPendingCondition, progress, record } from '../../../../admission/api/keys.ts';
import type { ContainerState, Pod } from '../../../../admission/api/kinds.ts';
import { type JobSignal, writeSignals } from '../../../../admission/runner/job-signals.ts';
import { describeWaiting } from '../../../../plugin/runners/describe.ts';
import { scopeOf, setOf } from '../../../../plugin/runners/identity.ts';
import { deletionRecord, isIdle, stateOf } from '../../../../plugin/runners/state.ts';
import { header, row } from '../../../../plugin/verbs/list/columns.ts';
import { runnerData } from '../../../../plugin/verbs/list/objects.ts';
import { suite } from '../../../support/suite.ts';

const test = suite('plugin: what a pod says of its runner');

const nowMs = Date.parse('2026-11-23T12:00:00Z');
const startedAt = '2026-11-23T11:00:00Z';

interface Parts {
	labels?: Record<string, string>;
	annotations?: Record<string, string>;
	env?: { name: string; value?: string }[];
	container?: string;
	state?: ContainerState;
	conditions?: NonNullable<Pod['status']>['conditions'];
	phase?: string;
	node?: string | undefined;
	deleting?: boolean;
}

const named = (env: Parts['env'] = []) => [
	...env,
	{ name: 'RUNNER_NAME', value: 'r-0' },
	{ name: 'RUNNER_EPHEMERAL', value: 'true' },
];

function pod(parts: Parts = {}): Pod {
	const { container = 'runner', env = named([{ name: 'RUNNER_ORG', value: 'octo-org' }]) } = parts;
	return {
		metadata: {
			name: 'r-0',
			namespace: 'ci',
			uid: 'u',
			creationTimestamp: '2026-11-23T10:00:00Z',
			labels: parts.labels ?? {},
			annotations: parts.annotations ?? {},
			...(parts.deleting ? { deletionTimestamp: '2026-11-23T11:59:00Z' } : {}),
		},
		spec: {
			restartPolicy: 'Never',
			containers: [{ name: container, env }],
			...('node' in parts ? { nodeName: parts.node } : { nodeName: 'n' }),
		},
		status: {
			phase: parts.phase ?? 'Running',
			conditions: parts.conditions ?? [],
			containerStatuses: parts.state ? [{ name: container, state: parts.state }] : [],
		},
	};
}

const running = { running: { startedAt } };
const registered = { [progress.runnerId]: '7' };
const onJob = { [busy.label]: 'true' };
const asked = { [record.requestedAt]: startedAt, [record.requestedBy]: 'alice', [record.proof]: 'signed' };

for (const [what, parts, state] of [
	['no node yet', { node: undefined, phase: 'Pending' }, 'pending'],
	['on a node, nothing started', { phase: 'Pending' }, 'starting'],
	[
		'waiting for its image',
		{ state: { waiting: { reason: 'ContainerCreating' } }, phase: 'Pending' },
		'starting',
	],
	[
		'started a moment ago, not seen by the server',
		{ state: { running: { startedAt: '2026-11-23T11:59:00Z' } } },
		'starting',
	],
	['running for long, not seen by the server', { state: running }, 'unknown'],
	['registered', { state: running, annotations: registered }, 'idle'],
	['said to be idle', { state: running, conditions: [{ type: busy.condition, status: 'False' }] }, 'idle'],
	['on a job, by label', { state: running, annotations: registered, labels: onJob }, 'busy'],
	[
		'GitHub answered that it runs a job',
		{ state: running, annotations: { ...registered, [progress.refusal]: `${startedAt} busy` } },
		'busy',
	],
	['marked busy, but on no node', { labels: onJob, phase: 'Pending', node: undefined }, 'pending'],
	['on a job, deletion recorded', { state: running, labels: onJob, annotations: asked }, 'draining'],
	[
		'asked to go by ARC alone',
		{ state: running, annotations: { [record.requestedAt]: startedAt } },
		'draining',
	],
	['terminating', { state: running, deleting: true }, 'draining'],
	['ended', { state: { terminated: { exitCode: 0 } }, labels: onJob }, 'stopped'],
	[
		'ended, with its sidecar still there',
		{ state: { terminated: { exitCode: 0 } }, phase: 'Running' },
		'stopped',
	],
	['evicted before any container had a status', { phase: 'Failed' }, 'stopped'],
	[
		'phase Failed, but its container runs (pod garbage collector)',
		{ phase: 'Failed', state: running, labels: onJob },
		'busy',
	],
] as [string, Parts, string][]) {
	test(`state: ${what} is ${state}`, () => assert.is(stateOf(pod(parts), nowMs), state));
}

test('idle is known, not guessed: recorded deletions may be idle, unknown ones are not', () => {
	assert.ok(isIdle(pod({ state: running, annotations: { ...registered, ...asked } })));
	assert.not(isIdle(pod({ state: running })));
	assert.not(isIdle(pod({ state: running, annotations: registered, labels: onJob })));
	assert.not(isIdle(pod({ annotations: registered, phase: 'Pending' })));
});

test('set and scope, from ARC legacy and from scale sets', () => {
	assert.is(setOf(pod({ labels: { 'runnerset-name': 'a' } })), 'a');
	assert.is(setOf(pod({ labels: { 'runner-deployment-name': 'b' } })), 'b');
	assert.is(setOf(pod({ labels: { 'actions.github.com/scale-set-name': 'c' } })), 'c');
	assert.is(setOf(pod()), undefined);
	const both = [
		{ name: 'RUNNER_ORG', value: 'octo-org' },
		{ name: 'RUNNER_REPO', value: 'octo-org/app' },
	];
	assert.is(scopeOf(pod({ env: named(both) })), 'octo-org', 'as the image: the organization wins');
	assert.is(
		scopeOf(
			pod({
				env: named([
					{ name: 'RUNNER_REPO', value: '' },
					{ name: 'RUNNER_ENTERPRISE', value: 'e' },
				]),
			}),
		),
		'enterprises/e',
	);
	const labels = {
		'actions-ephemeral-runner': 'True',
		'actions.github.com/organization': 'o',
		'actions.github.com/repository': 'r',
	};
	assert.is(scopeOf(pod({ env: [], labels })), 'o/r');
});

test('a row shows <none> for what there is not, and makes text from the cluster printable', () => {
	const choice = { namespace: true, wide: true };
	const annotations = { ...registered, ...asked, [busy.job]: 'a\u001b[31mb', [busy.since]: startedAt };
	const cells = row(pod({ state: running, labels: onJob, annotations }), choice, nowMs);
	assert.is(cells.length, header(choice).length);
	assert.equal(cells, [
		'ci',
		'r-0',
		'<none>',
		'draining',
		'a?[31mb',
		'7',
		'n',
		'120m',
		'octo-org',
		'60m',
		'alice',
		'<none>',
		'<none>',
	]);
	const plain = row(pod({ node: undefined }), { namespace: false, wide: false }, nowMs);
	assert.equal(plain, ['r-0', '<none>', 'pending', '<none>', '<none>', '<none>', '120m']);
});

const working: JobSignal = {
	by: 'event',
	key: '7',
	state: 'working',
	sinceMs: Date.parse('2026-11-23T11:58:00Z'),
	job: {
		name: 'build',
		repository: 'octo-org/app',
		workflow: 'CI',
		runId: 42,
		attempt: 1,
		url: 'https://github.com/octo-org/app/actions/runs/42/job/7',
	},
};
const withSignals = (...signals: JobSignal[]) => ({
	[busy.signals]: writeSignals(signals, { uid: 'u', restarts: 0 }, () => 'signed') ?? '',
});

for (const [what, signals, state, job, run] of [
	['works', [working], 'busy', 'build (octo-org/app, run 42)', working.job.url],
	['finishes', [{ ...working, state: 'finishing' }], 'busy', 'build (octo-org/app, run 42)', working.job.url],
	['has ended', [{ ...working, state: 'over' }], 'idle', '<none>', '<none>'],
	[
		'works, and no address is known',
		[
			{
				...working,
				by: 'hook',
				job: { name: 'build', repository: 'octo-org/app', runId: 42, workflow: 'CI' },
			},
		],
		'busy',
		'build (octo-org/app, run 42)',
		'octo-org/app run 42',
	],
	[
		'works, by the log and by an event: who knows the run is shown',
		[{ ...working, by: 'log', sinceMs: nowMs, job: { name: 'build' } }, working],
		'busy',
		'build (octo-org/app, run 42)',
		working.job.url,
	],
] as [string, JobSignal[], string, string, string][]) {
	test(`a job that ${what}: state, job, workflow and run`, () => {
		const object = pod({ state: running, annotations: { ...registered, ...withSignals(...signals) } });
		const cells = row(object, { namespace: false, wide: true }, nowMs);
		assert.equal([cells[2], cells[3], cells.at(-1)], [state, job, run]);
		assert.is(cells.at(-2), state === 'busy' ? 'CI' : '<none>');
		const data = runnerData(object, nowMs) as { state: string; sources: object[]; job?: object };
		assert.is(data.state, state);
		assert.is(data.sources.length, signals.length);
		assert.is(data.job !== undefined, state === 'busy');
	});
}

test('job signals without a signature, with nonsense in them, are not shown, and break nothing', () => {
	for (const nonsense of [
		'[{"by":"hook","key":"a","state":"working","sinceMs":1e300,"job":{"name":"x"}}]',
		'[{"by":"hook","key":"a","state":"working","sinceMs":1,"job":{"name":"x","repository":{},"url":[]}}]',
		'[{"by":"hook","key":"a","state":"working","sinceMs":1,"job":null}]',
		'[null]',
		'{}',
	]) {
		const annotations = { ...registered, [busy.signals]: `forged ${nonsense}` };
		const object = pod({ state: running, annotations });
		assert.is(row(object, { namespace: false, wide: true }, nowMs)[2], 'idle', nonsense);
		assert.equal(runnerData(object, nowMs), { state: 'idle', job: undefined, sources: [] });
	}
	const urls = { ...working, job: { name: 'x', url: 'a\u001b[2J' } };
	const cells = row(
		pod({ state: running, annotations: withSignals(urls) }),
		{ namespace: false, wide: true },
		nowMs,
	);
	assert.is(cells.at(-1), 'a?[2J');
});

test('a record is ours with who asked: ARC writes the time alone', () => {
	assert.is(deletionRecord(pod({ annotations: asked }))?.requestedBy, 'alice');
	assert.is(deletionRecord(pod({ annotations: { [record.requestedAt]: startedAt } })), undefined);
});

test('a waiting line shows the job, else why the deletion waits, else the state', () => {
	const annotations = { [busy.job]: 'build', [busy.since]: startedAt };
	const waiting = (parts: Parts) => describeWaiting(pod(parts), nowMs);
	assert.equal(waiting({ state: running, labels: onJob, annotations }), {
		text: 'waiting for ci/r-0: busy',
		sinceMs: Date.parse(startedAt),
		detail: 'build',
	});
	assert.equal(waiting({ state: running, labels: onJob }), {
		text: 'waiting for ci/r-0: busy',
		sinceMs: undefined,
		detail: undefined,
	});
	const conditions = [
		{ type: deletionPendingCondition, status: 'True', reason: 'RateLimited', message: 'GitHub said wait' },
	];
	assert.is(
		describeWaiting(pod({ state: running, conditions }), nowMs).text,
		'waiting for ci/r-0: GitHub said wait',
	);
	assert.match(describeWaiting(pod({ deleting: true }), nowMs).text, /terminating$/);
});

test.run();
