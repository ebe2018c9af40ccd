/** When a denied deletion is tried again, if nothing happens before. */
import * as assert from 'uvu/assert';
import { type RunnerReason, runnerDenial } from '../../../admission/guard/rules/denials.ts';
import { changesOnlyAttempt, isGitHubsAnswer } from '../../../admission/guard/rules/retry.ts';
import type { JobSignal } from '../../../admission/runner/job-signals.ts';
import { suite } from '../../support/suite.ts';
import { noon, pod, runnerPod } from '../runner/pods.ts';

const test = suite('when a recorded deletion is tried again');
const now = noon + 60_000;
const fixed = runnerPod({ env: { RUNNER_EPHEMERAL: 'false' } });
const next = (reason: RunnerReason, runner = runnerPod(), random = 0.5) =>
	runnerDenial(reason).retry(runner, now, () => random);

for (const [reason, least, most] of [
	['registering', 10_000, 10_000],
	['unregistering', 35_000, 35_000],
	['credentials-invalid', 22_500, 37_500],
	['forbidden', 22_500, 37_500],
	['github-unavailable', 7_500, 12_500],
	['rate-limited', 7_500, 12_500],
	['name-taken', 7_500, 12_500],
] as const)
	test(`${reason}: after ${least} to ${most} ms`, () => {
		assert.equal([next(reason, runnerPod(), 0), next(reason, runnerPod(), 1)], [least, most]);
	});
test('a busy ephemeral runner, and one without a scope: only a change of the pod can help', () => {
	assert.equal([next('busy'), next('scope-unknown')], [undefined, undefined]);
});
test('a busy static runner: 30 to 36 s from GitHub’s last answer, not from the last look (invariant 5)', () => {
	assert.equal([next('busy', fixed, 0), next('busy', fixed, 1)], [30_000, 36_000]);
	const answered = { ...fixed, busyAnswer: { atMs: now - 10_000, to: 'us' as const } };
	assert.is(next('busy', answered, 0), 20_000);
	const at = (atMs: number) => next('busy', { ...fixed, busyAnswer: { atMs, to: 'us' } }, 0);
	assert.equal([at(now - 60_000), at(now + 3_600_000)], [30_000, 30_000], 'long ago, or not yet');
});

test('GitHub’s lists lack it: when one begun a minute after the first can tell, and not at once again', () => {
	const absent = (agoMs: number) => ({ ...runnerPod(), absentSinceMs: now - agoMs });
	assert.equal(
		[next('unregistering', absent(20_000)), next('registering', absent(20_000))],
		[40_000, 40_000],
	);
	assert.is(next('unregistering', absent(90_000)), 10_000);
	assert.is(next('github-unavailable', absent(20_000)), 10_000);
});

const signal = (by: JobSignal['by'], state: JobSignal['state'], agoMs: number): JobSignal => ({
	...{ by, state, key: 'a', job: { name: 'build' } },
	sinceMs: now - agoMs,
});
test('a static runner whose job has completed: after 1, 2, 4 s and so on, at most 30', () => {
	const after = (agoMs: number) => next('busy', { ...fixed, signals: [signal('hook', 'finishing', agoMs)] });
	assert.equal([0, 1_000, 2_000, 7_000, 90_000].map(after), [1_000, 1_000, 2_000, 7_000, 30_000]);
	const left = { ...fixed, leavingByArc: true, signals: [signal('hook', 'finishing', 2_000)] };
	assert.is(next('busy', left, 0), 30_000, 'ARC has it unregistered');
	const both = [signal('hook', 'finishing', 60_000), signal('event', 'finishing', 3_000)];
	assert.is(next('busy', { ...fixed, signals: both }), 3_000);
	const ephemeral = { ...runnerPod(), signals: [signal('hook', 'finishing', 0)] };
	assert.is(next('busy', ephemeral), undefined, 'its container stops');
});
test('... one that only its log has shown: every 5 s; one that works: as GitHub would be asked', () => {
	assert.is(next('busy', { ...fixed, signals: [signal('log', 'working', 0)] }), 5_000);
	const works = [signal('log', 'working', 0), signal('hook', 'working', 0)];
	assert.is(next('busy', { ...fixed, signals: works }, 0), 30_000);
	assert.is(next('busy', { ...fixed, signals: [signal('hook', 'over', 0)] }, 0), 30_000);
});
test('GitHub has just answered 204: when the quiet period is over', () => {
	const proven = { ...runnerPod(), unregistered: { at: new Date(now - 500).toISOString() } };
	assert.is(next('unregistering', proven), 1_500);
	assert.is(
		next('unregistering', { ...proven, unregistered: { at: new Date(now - 60_000).toISOString() } }),
		100,
	);
	assert.is(next('busy', proven), undefined, 'it works all the same, until its container stops');
});
test('a log that cannot be read is read again soon, and at the latest when GitHub’s lists have shown it idle for long enough', () => {
	const idle = (agoMs: number) => next('unconfirmed', { ...runnerPod(), idleSinceMs: now - agoMs });
	assert.equal(
		[next('unconfirmed'), idle(20_000), idle(57_000), idle(90_000)],
		[10_000, 10_000, 3_000, 1_000],
	);
});
test('a runner that no list has, and whose log cannot be read: every minute', () => {
	assert.equal([next('unlisted', runnerPod(), 0), next('unlisted', runnerPod(), 1)], [45_000, 75_000]);
});

const attempted = (at: string, more: Record<string, string> = {}) =>
	pod({
		metadata: {
			resourceVersion: at,
			annotations: { 'actions-runner/unregistration-claim': `${at} me`, ...more },
		},
	});
test('only the attempt has changed: no news; another change with it is', () => {
	assert.ok(changesOnlyAttempt(pod(), attempted('1')));
	assert.ok(changesOnlyAttempt(attempted('1'), attempted('2')));
	assert.not(changesOnlyAttempt(attempted('1'), attempted('1')), 'the same again has to be reconciled');
	assert.not(changesOnlyAttempt(attempted('1'), attempted('2', { 'actions-runner/runner-id': '7' })));
	assert.not(changesOnlyAttempt(attempted('1'), pod({ ...attempted('2'), status: { phase: 'Succeeded' } })));
});
test('two verdicts come from GitHub, all others from the pod alone', () => {
	const from = (reason: Parameters<typeof isGitHubsAnswer>[0]['reason']) =>
		isGitHubsAnswer({ kind: 'allow', reason });
	assert.equal([from('unregistered'), from('never-registered'), from('runner-exited')], [true, true, false]);
});

test.run();
