import * as assert from 'uvu/assert';
import { busy, record } from '../../../../../admission/api/keys.ts';
import type { Pod } from '../../../../../admission/api/kinds.ts';
import type { Facts } from '../../../../../plugin/verbs/doctor/facts.ts';
import { layoutOf } from '../../../../../plugin/verbs/doctor/layouts.ts';
import { selects } from '../../../../../plugin/verbs/doctor/selector.ts';
import { failClosedWebhook } from '../../../../../plugin/verbs/doctor/shipped.ts';
import { suite } from '../../../../support/suite.ts';
import { pod as runnerPod, running } from '../../../runner/pods.ts';
import { ago, budget, check, configuration, found, webhooks } from './facts.ts';

const test = suite('plugin: doctor, runner pods');

const podOf = (change: Parameters<typeof runnerPod>[0]): Facts['pods'] => found([runnerPod(change)]);
const container = (name: string, variables: Record<string, string>): Pod['spec'] => ({
	containers: [{ name, env: Object.entries(variables).map(([key, value]) => ({ name: key, value })) }],
});
const labelled = (name: string): Facts['namespaces'] =>
	found([{ metadata: { name, labels: { 'actions-runner/evictions': 'fail-closed' } } }]);
/** The namespace has a runner and these other pods. */
const beside = (...others: string[]): Facts['occupants'] =>
	new Map([['ci', { runners: true, others: new Set(others) }]]);
const asked = (seconds: number) => ({
	[record.requestedBy]: 'alice',
	[record.requestedAt]: ago(seconds),
	[record.proof]: 'signed',
});

for (const [what, name, more, level, text] of [
	['guarded', 'runner-pods', { pods: podOf({}) }, 'ok', ''],
	[
		'in a namespace that is left out',
		'runner-pods',
		{ pods: podOf({ metadata: { namespace: 'runners-system' } }) },
		'warning',
		'runners-system/r1: unguarded: the webhook excludes namespace runners-system',
	],
	[
		'without a scope',
		'runner-pods',
		{ pods: podOf({ env: { RUNNER_ORG: '' } }) },
		'warning',
		'ci/r1: its runner cannot be identified (no plain RUNNER_REPO, RUNNER_ORG or RUNNER_ENTERPRISE in its container), so its deletion is denied until its container stops',
	],
	[
		'its container has another name',
		'runner-pods',
		{ pods: podOf({ metadata: { labels: {} }, spec: container('agent', { RUNNER_ORG: 'o' }) }) },
		'warning',
		'ci/r1: not recognised as a runner, and unguarded: its container with a runner\'s env is named "agent"',
	],
	[
		'being deleted: nothing is left to guard',
		'runner-pods',
		{ pods: podOf({ metadata: { namespace: 'runners-system', deletionTimestamp: ago(1) } }) },
		'ok',
		'',
	],
	['back-stop there', 'evictions', { pods: podOf({}) }, 'ok', ''],
	[
		'back-stop missing',
		'evictions',
		{ pods: podOf({ metadata: { namespace: 'other' } }) },
		'warning',
		'namespace other has no PodDisruptionBudget runners-admission-busy and runners-admission-unknown, or a changed one',
	],
	['runners only', 'fail-closed', { pods: podOf({}) }, 'ok', 'ci'],
	['beside other pods', 'fail-closed', { pods: podOf({}), occupants: beside('web') }, 'ok', ''],
	[
		'not even recognised',
		'fail-closed',
		{ pods: podOf({ spec: container('agent', { RUNNER_ORG: 'o' }) }) },
		'ok',
		'',
	],
	['labelled', 'fail-closed', { pods: podOf({}), namespaces: labelled('ci') }, 'ok', ''],
	[
		'labelled beside other pods',
		'fail-closed',
		{ pods: podOf({}), namespaces: labelled('ci'), occupants: beside('web-1', 'web-0', 'web-3', 'web-2') },
		'warning',
		'ci: 4 other pods (web-0, web-1, web-2 and 1 more)',
	],
	[
		'labelled, and no webhook for that',
		'fail-closed',
		{
			namespaces: labelled('ci'),
			validating: configuration(webhooks('validating').filter(({ name }) => name !== failClosedWebhook)),
		},
		'error',
		'ci',
	],
	[
		'under one budget',
		'budgets',
		{ pods: podOf({ metadata: { labels: { [busy.label]: 'true' } } }) },
		'ok',
		'',
	],
	[
		'under a budget of the user, too',
		'budgets',
		{
			pods: podOf({ metadata: { labels: { [busy.label]: 'true', team: 'a' } } }),
			budgets: found([
				budget(1_000_000),
				{ ...budget(1, 'team', 'a'), metadata: { name: 'mine', namespace: 'ci' } },
			]),
		},
		'warning',
		'ci/r1: under 2 PodDisruptionBudgets (runners-admission-busy, mine), so the API server fails its eviction with error 500 and kubectl drain gives up',
	],
	[
		'... of another namespace',
		'budgets',
		{
			pods: podOf({ metadata: { labels: { [busy.label]: 'true', team: 'a' } } }),
			budgets: found([
				budget(1_000_000),
				{ ...budget(1, 'team', 'a'), metadata: { name: 'mine', namespace: 'other' } },
			]),
		},
		'ok',
		'',
	],
	[
		'just started, not seen yet',
		'budgets',
		{ pods: podOf({ metadata: { labels: { [busy.label]: 'unknown' } }, status: running(ago(599)) }) },
		'ok',
		'',
	],
	[
		'not seen idle for long',
		'budgets',
		{ pods: podOf({ metadata: { labels: { [busy.label]: 'unknown' } }, status: running(ago(720)) }) },
		'warning',
		"ci/r1: GitHub's lists have not shown it idle for 12m, so runners-admission-unknown blocks its eviction",
	],
	[
		'its image cannot be pulled',
		'starts',
		{
			pods: podOf({
				status: {
					phase: 'Pending',
					containerStatuses: [
						{
							name: 'runner',
							state: { waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling image "x"' } },
						},
					],
				},
			}),
		},
		'warning',
		'ci/r1: container runner: ImagePullBackOff: Back-off pulling image "x"',
	],
	[
		'nobody says why it has not started',
		'starts',
		{ pods: podOf({ status: { phase: 'Pending' } }) },
		'ok',
		'',
	],
	[
		'a deletion that somebody wrote',
		'deletions',
		{ pods: podOf({ metadata: { annotations: { [record.requestedBy]: 'mallory' } } }) },
		'warning',
		'ci/r1: its annotation says that mallory requested its deletion, but the guard has not recorded that: delete it again',
	],
	['waits, not for long', 'deletions', { pods: podOf({ metadata: { annotations: asked(599) } }) }, 'ok', ''],
	[
		'waits too long',
		'deletions',
		{ pods: podOf({ metadata: { annotations: asked(600) } }) },
		'warning',
		'ci/r1: deletion requested by alice 10m ago: no reason is known',
	],
	[
		'a job takes its time',
		'deletions',
		{
			pods: podOf({
				metadata: {
					annotations: asked(21_599),
					labels: { 'actions-runner': '', 'actions-runner/busy': 'true' },
				},
			}),
		},
		'ok',
		'',
	],
	[
		'does not end',
		'deletions',
		{ pods: podOf({ metadata: { deletionTimestamp: ago(700) } }) },
		'warning',
		'ci/r1: terminating, 11m past its grace period: it has a finalizer, or its node is gone',
	],
] as [string, string, Partial<Facts>, string, string][])
	test(`a runner pod, ${name}: ${what}: ${level}`, () => {
		const finding = check(name, more);
		assert.is(finding.level, level, JSON.stringify(finding));
		assert.equal(finding.details ?? [], text ? [text] : []);
	});

test('a back-stop that somebody has changed counts as missing', () => {
	for (const changed of [budget('50%'), budget(1), budget(1_000_000, 'other')]) {
		const budgets = found([changed, budget(1_000_000, undefined, 'unknown')]);
		const { level, details } = check('evictions', { pods: podOf({}), budgets });
		assert.equal([level, details?.length], ['warning', 1]);
	}
});

test('layouts: what the guard recognises, what it does not, and what is no runner at all (I5)', () => {
	const kindOf = (change: Parameters<typeof runnerPod>[0]) => layoutOf(runnerPod(change))?.kind;
	assert.is(kindOf({}), 'guarded');
	assert.is(kindOf({ metadata: { labels: {} }, spec: container('web', { PATH: '/bin' }) }), undefined);
	assert.is(kindOf({ metadata: { labels: {} }, spec: container('runner', { PATH: '/bin' }) }), undefined);
	assert.is(kindOf({ spec: container('agent', {}) }), 'unknown');
	assert.is(
		kindOf({ metadata: { labels: {} }, spec: container('x', { ACTIONS_RUNNER_INPUT_JITCONFIG: '' }) }),
		'unknown',
	);
	const owner = { apiVersion: 'actions.github.com/v1alpha1', kind: 'EphemeralRunner', name: 'r1', uid: 'u' };
	const jit = container('runner', { ACTIONS_RUNNER_INPUT_JITCONFIG: 'x' });
	assert.is(kindOf({ metadata: { labels: {} }, spec: jit }), 'no-scope');
	assert.is(kindOf({ metadata: { labels: {}, ownerReferences: [owner] }, spec: jit }), 'guarded');
});

test("namespaceSelectors by the API server's rules", () => {
	const labels = { team: 'ci' };
	const matches = (operator: string, key: string, values?: string[]) =>
		selects({ matchExpressions: [{ key, operator, ...(values ? { values } : {}) }] }, labels);
	assert.equal(
		[
			selects(undefined, labels),
			selects({ matchLabels: { team: 'ci' } }, labels),
			selects({ matchLabels: { team: 'x' } }, labels),
		],
		[true, true, false],
	);
	assert.equal([matches('In', 'team', ['ci']), matches('In', 'none', ['ci'])], [true, false]);
	assert.equal([matches('NotIn', 'team', ['ci']), matches('NotIn', 'none', ['ci'])], [false, true]);
	assert.equal([matches('Exists', 'team'), matches('Exists', 'none')], [true, false]);
	assert.equal([matches('DoesNotExist', 'team'), matches('DoesNotExist', 'none')], [false, true]);
});

test('pods that are being deleted are counted apart, and both checks count the same', () => {
	const [live, leaving] = [runnerPod({}), runnerPod({ metadata: { deletionTimestamp: ago(1) } })];
	const messages = (pods: Pod[]) =>
		['runner-pods', 'evictions'].map((name) => check(name, { pods: found(pods) }).message);
	assert.equal(messages([leaving, leaving]), [
		'no runner pods; 2 are being deleted',
		'no runner pods, no back-stop needed',
	]);
	assert.is(messages([live, leaving])[0], '1 runner pod, all guarded; 1 is being deleted');
	assert.is(messages([])[0], 'no runner pods');
	const { message } = check('runner-pods', {
		pods: found([runnerPod({ env: { RUNNER_ORG: '' } }), leaving]),
	});
	assert.is(message, '1 of 1 runner pod not fully guarded; 1 is being deleted');
});

test('a list of one namespace only is reported as such', () => {
	const { message } = check('runner-pods', { pods: podOf({}), podsOf: 'ci' });
	assert.is(message, '1 runner pod in namespace ci (you may not list pods of other namespaces), all guarded');
});

test.run();
