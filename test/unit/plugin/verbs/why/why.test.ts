/** What `why` says about a pod: what is the case, what would happen, and what can be typed. */
import * as assert from 'uvu/assert';
import { breakGlass, busy, progress, record } from '../../../../../admission/api/keys.ts';
import { readPod } from '../../../../../plugin/runners/read.ts';
import { whyAllowed } from '../../../../../plugin/verbs/why/verdict.ts';
import { asData, asText, describeOptions } from '../../../../../plugin/verbs/why/why.ts';
import { suite } from '../../../../support/suite.ts';
import { noon, pod, running } from '../../../runner/pods.ts';

const test = suite('plugin: why');

const nowMs = noon + 12 * 60_000;
const asked = {
	[record.requestedAt]: '2026-11-23T12:02:00Z',
	[record.requestedBy]: 'alice',
	[record.proof]: 'signed',
};

for (const [what, change, reason, next] of [
	['idle', {}, 'idle', 'GitHub is asked to unregister it first, then it is deleted'],
	[
		'busy a moment ago, and not any more',
		{ metadata: { labels: { 'actions-runner': '', [busy.label]: 'true' } } },
		'idle',
		'GitHub is asked to unregister it first, then it is deleted',
	],
	[
		'terminating',
		{ metadata: { deletionTimestamp: '2026-11-23T12:00:00Z' } },
		'already-terminating',
		'it disappears when its containers have stopped',
	],
	[
		'break-glass',
		{ metadata: { annotations: { [breakGlass]: 'stuck' } } },
		'break-glass',
		'it is deleted at once, and a job that it runs is stopped',
	],
	['not started', { unbound: true, status: { phase: 'Pending' } }, 'never-started', 'it is deleted at once'],
	['ended', { status: { phase: 'Succeeded' } }, 'runner-exited', 'it is deleted at once'],
	[
		'unregistered, signed by the guard',
		{
			metadata: {
				annotations: {
					[progress.runnerId]: '7',
					[progress.completedAt]: '2026-11-23T12:01:00Z',
					[progress.proof]: 'x',
				},
			},
		},
		'unregistered',
		'it is deleted at once',
	],
	[
		'its node is gone',
		{ metadata: { annotations: { [progress.nodeGoneSince]: '2026-11-23T12:00:00Z' } } },
		'node-gone',
		'it is deleted at once',
	],
] as [string, Parameters<typeof pod>[0], string, string][]) {
	test(`allowed, ${what}: ${reason}`, () => {
		const found = whyAllowed(pod(change), nowMs);
		assert.equal([found.reason, found.next], [reason, next]);
		assert.ok(found.message);
	});
}

/** The text for a pod that the guard holds. */
function denied(annotations: Record<string, string>): string {
	const object = pod({
		metadata: { labels: { 'actions-runner': '', [busy.label]: 'true' }, annotations },
		status: running(),
	});
	const verdict = {
		verdict: 'denied',
		reason: 'busy',
		message: 'it is busy (12m): build (octo-org/app)',
		next: 'the pod is deleted when the job ends',
	} as const;
	const log = { says: 'works', at: '2026-11-23 12:00:01Z', job: 'build' } as const;
	return asText({ pod: object, runner: readPod(object), verdict, log, nowMs });
}

test('a runner that has not started: the reason that its pod gives', () => {
	const object = pod({
		status: {
			phase: 'Pending',
			containerStatuses: [
				{ name: 'runner', state: { waiting: { reason: 'ErrImagePull', message: 'pull access denied' } } },
			],
		},
	});
	const verdict = { verdict: 'denied', reason: 'starting', message: 'it starts', next: 'wait' } as const;
	const shown = { pod: object, runner: readPod(object), verdict, log: undefined, nowMs } as const;
	assert.match(asText(shown), 'Not started: container runner: ErrImagePull: pull access denied\n');
	assert.match(JSON.stringify(asData(shown)), '"notStarted":{"reason":"ImageNotPulled"');
});

test('a busy runner whose deletion is recorded: how to follow, cancel and override', () => {
	const job = {
		[busy.since]: '2026-11-23T12:00:00Z',
		[busy.job]: 'build (octo-org/app)',
		[progress.runnerId]: '7',
	};
	const text = denied({ ...asked, ...job, [record.options]: '{"via":"eviction","gracePeriodSeconds":30}' });
	assert.equal(text.trimEnd().split('\n'), [
		'Pod:         ci/r1 on node node-1',
		'Deletion:    denied (busy)',
		'Because:     it is busy (12m): build (octo-org/app)',
		'Next:        the pod is deleted when the job ends',
		'Runner:      id 7, octo-org, draining',
		'Job:         build (octo-org/app), busy for 12m',
		"Sources:     runner's log     working since 2026-11-23T12:00:01Z (11m): build",
		'             job hook         this pod has no job hooks',
		"             GitHub's event   nothing reported",
		"             GitHub's list    working since 2026-11-23T12:00:00Z (12m): build (octo-org/app) (label actions-runner/busy)",
		"             GitHub's DELETE  GitHub has not been asked",
		'Recorded:    an eviction, grace period 30s, requested by alice (unverified) 10m ago',
		'To follow:   kubectl runners wait r1 -n ci',
		'To cancel:   kubectl runners cancel r1 -n ci',
		'To override: kubectl runners delete r1 -n ci --now --reason TEXT   (kills the job)',
	]);
});

test('a busy runner that nobody asked to delete: how to ask, and the job by its log', () => {
	const text = denied({});
	assert.match(text, /^If deleted: {2}the pod is deleted when the job ends$/m);
	assert.match(text, /^Job: {9}build, busy for 11m$/m);
	assert.match(text, /^Recorded: {4}no deletion is waiting$/m);
	assert.match(text, /^To request: {2}kubectl runners delete r1 -n ci$/m);
	assert.not.match(text, /To cancel|unknown/);
});

test('what was asked for, as text', () => {
	assert.is(describeOptions({ via: 'delete' }), 'a deletion');
	assert.is(
		describeOptions({ via: 'eviction', gracePeriodSeconds: 30, propagationPolicy: 'Orphan' }),
		'an eviction, grace period 30s, propagation Orphan',
	);
});

test.run();
