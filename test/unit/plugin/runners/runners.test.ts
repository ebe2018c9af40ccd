import * as assert from 'uvu/assert';
import { busy, deletionPendingCondition, progress, record } from '../../../../admission/api/keys.ts';
import type { ContainerState, Pod } from '../../../../admission/api/kinds.ts';
import { isRunnerPod } from '../../../../admission/runner/runner-pod.ts';
import { ApiError } from '../../../../plugin/kube/failure.ts';
import { header, row } from '../../../../plugin/runners/columns.ts';
import { guardDenial, isGuardUnreachable } from '../../../../plugin/runners/denial.ts';
import { describeWaiting } from '../../../../plugin/runners/describe.ts';
import { isRunner, scopeOf, setOf } from '../../../../plugin/runners/recognise.ts';
import { deletionRecord, describeOptions } from '../../../../plugin/runners/record.ts';
import { isIdle, stateOf } from '../../../../plugin/runners/state.ts';
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

function pod(parts: Parts = {}): Pod {
	const { container = 'runner', env = [{ name: 'RUNNER_ORG', value: 'octo-org' }] } = parts;
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
const asked = { [record.requestedAt]: startedAt, [record.requestedBy]: 'alice' };

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
		'on a job, by condition',
		{ state: running, conditions: [{ type: busy.condition, status: 'True' }] },
		'busy',
	],
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
	assert.not(isIdle(pod({ annotations: registered })));
});

test('the plugin and the guard agree on what a runner is', () => {
	const candidates: Parts[] = [
		{},
		{ env: [] },
		{ container: 'web' },
		{ container: 'web', labels: { 'actions-runner': '' } },
		...['RUNNER_REPO', 'RUNNER_ENTERPRISE', 'ACTIONS_RUNNER_INPUT_JITCONFIG', 'OTHER'].map((name) => ({
			env: [{ name }],
		})),
		...['actions-runner', 'runnerset-name', 'runner-deployment-name'].map((key) => ({
			env: [],
			labels: { [key]: 'x' },
		})),
		{ env: [], labels: { 'actions-ephemeral-runner': 'True' } },
		{ env: [], labels: { 'actions-ephemeral-runner': 'False' } },
	];
	const verdicts = candidates.map((parts) => isRunner(pod(parts)));
	assert.equal(
		verdicts,
		candidates.map((parts) => isRunnerPod(pod(parts))),
	);
	assert.ok(verdicts.includes(true) && verdicts.includes(false));
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
	assert.is(scopeOf(pod({ env: both })), 'octo-org/app');
	assert.is(
		scopeOf(
			pod({
				env: [
					{ name: 'RUNNER_REPO', value: '' },
					{ name: 'RUNNER_ENTERPRISE', value: 'e' },
				],
			}),
		),
		'e',
	);
	const labels = { 'actions.github.com/organization': 'o', 'actions.github.com/repository': 'r' };
	assert.is(scopeOf(pod({ env: [], labels })), 'o/r');
});

test('a row: what is not known is <none>, what came from the cluster is printable', () => {
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
	]);
	const plain = row(pod({ node: undefined }), { namespace: false, wide: false }, nowMs);
	assert.equal(plain, ['r-0', '<none>', 'pending', '<none>', '<none>', '<none>', '120m']);
});

test('a record: who, when, how; a record that cannot be read is as good as a plain one', () => {
	const options = '{"via":"eviction","gracePeriodSeconds":30,"propagationPolicy":"Orphan"}';
	const full = deletionRecord(pod({ annotations: { ...asked, [record.options]: options } }));
	assert.is(full?.requestedBy, 'alice');
	assert.is(describeOptions(full?.options), 'an eviction, grace period 30s, propagation Orphan');
	const broken = deletionRecord(pod({ annotations: { ...asked, [record.options]: '{oops' } }));
	assert.is(describeOptions(broken?.options), 'a deletion');
	assert.is(deletionRecord(pod({ annotations: { [record.requestedAt]: startedAt } })), undefined);
});

test('who is waited for: job, then the reason of a pending deletion, then the state', () => {
	const annotations = { [busy.job]: 'build', [busy.since]: startedAt };
	assert.equal(describeWaiting(pod({ state: running, labels: onJob, annotations }), nowMs), {
		text: 'waiting for ci/r-0: busy, build',
		sinceMs: Date.parse(startedAt),
	});
	const conditions = [
		{ type: deletionPendingCondition, status: 'True', reason: 'RateLimited', message: 'GitHub said wait' },
	];
	assert.is(
		describeWaiting(pod({ state: running, conditions }), nowMs).text,
		'waiting for ci/r-0: RateLimited: GitHub said wait',
	);
	assert.match(describeWaiting(pod({ deleting: true }), nowMs).text, /terminating$/);
});

const text =
	'runner r-0 (id 7, octo-org) has been running a job for 12m: build. The deletion is recorded and will be carried out when the job ends: nobody has to ask again. Follow it: kubectl runners wait r-0 -n ci. Take it back: kubectl runners cancel r-0 -n ci. Override, which kills its job: kubectl runners delete r-0 -n ci --now --reason TEXT';
const denied = (webhook: string, words: string) =>
	`admission webhook "${webhook}" denied the request: ${words}`;

test("the guard's denial: its reason, and its words without what the plugin says itself", () => {
	const causes = [{ reason: 'busy', message: text, field: 'runner' }];
	const denial = guardDenial(
		new ApiError(409, { message: denied('pods.runners-admission.svc', text), details: { causes } }),
	);
	assert.equal(denial, {
		reason: 'busy',
		message: 'runner r-0 (id 7, octo-org) has been running a job for 12m: build',
		next: 'The deletion is recorded and will be carried out when the job ends',
	});
	const suffixed = new ApiError(429, {
		message: denied('evictions.runners-admission.svc', 'no [reason: rate-limited]'),
	});
	assert.equal(guardDenial(suffixed), { reason: 'rate-limited', message: 'no' });
	const dryRun = denied(
		'pods.runners-admission.svc',
		'runner r-0 is busy. This is a dry run: nothing was recorded. Override, which kills',
	);
	assert.equal(guardDenial(new ApiError(409, { message: dryRun })), {
		reason: 'unknown',
		message: 'runner r-0 is busy',
		next: 'This is a dry run: nothing was recorded',
	});
});

test("another webhook's denial, a conflict and a budget are not the guard's", () => {
	assert.is(guardDenial(new ApiError(403, { message: denied('policy.example.com', 'no') })), undefined);
	assert.is(guardDenial(new ApiError(409, { message: 'Operation cannot be fulfilled' })), undefined);
	assert.is(guardDenial(new ApiError(429, { message: 'Cannot evict pod as it would violate' })), undefined);
	const failing = (name: string) =>
		new ApiError(500, { message: `Internal error occurred: failed calling webhook "${name}": EOF` });
	assert.ok(isGuardUnreachable(failing('pods.runners-admission.svc')));
	assert.not(isGuardUnreachable(failing('other.example.com')));
});

test.run();
