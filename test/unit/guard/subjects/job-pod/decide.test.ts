/** The pod in which a runner runs its job is kept while the runner works, or may. */
import * as assert from 'uvu/assert';
import { breakGlass, busy, progress } from '../../../../../admission/api/keys.ts';
import { type BoundPod, boundPodOf } from '../../../../../admission/guard/rules/bound-pod.ts';
import { decideJobPod } from '../../../../../admission/guard/subjects/job-pod/rules/decide.ts';
import type { LogReading } from '../../../../../admission/jobs/rules/runner-log.ts';
import { isJobPod, readJobPod } from '../../../../../admission/runner/job-pod.ts';
import type { JobSignal } from '../../../../../admission/runner/job-signals.ts';
import type { RunnerPod } from '../../../../../admission/runner/runner-pod.ts';
import { suite } from '../../../../support/suite.ts';
import { noon, pod, runnerPod } from '../../../runner/pods.ts';
import { endedJobPod, jobPod, jobPodObject } from './pods.ts';

const test = suite('job pods: may it be deleted?');

const now = noon + 5 * 60_000;
const idle: LogReading = { says: 'idle', at: '2026-11-23 12:04:00Z' };
const works: LogReading = { says: 'works', at: undefined, job: 'build' };
const unknown: LogReading = { says: 'unknown', why: 'its log cannot be read: 502' };
const reviewed = (state: JobSignal['state']): JobSignal => ({
	by: 'hook',
	key: 'k',
	state,
	sinceMs: noon,
	job: { name: 'build' },
});
const own: BoundPod = { namespace: 'ci', name: 'r1', uid: 'uid-1' };

/** `allow job-over`, `read-log` */
function verdict(
	runner: RunnerPod | undefined,
	reading?: LogReading,
	caller?: BoundPod,
	target: Parameters<typeof jobPod>[0] = {},
): string {
	const decision = decideJobPod(jobPod(target), runner, caller, now, reading);
	return decision.kind === 'read-log' ? 'read-log' : `${decision.kind} ${decision.reason}`;
}

test('the runner works, or may: refused, whatever its log says where another source objects', () => {
	const labels = { 'actions-runner': '', [busy.label]: 'true' };
	assert.is(verdict(runnerPod({ metadata: { labels } }), idle), 'deny busy');
	for (const state of ['working', 'finishing'] as const)
		assert.is(verdict({ ...runnerPod(), signals: [reviewed(state)] }, idle), 'deny busy');
	const refused = { [progress.refusal]: '2026-11-23T12:04:50.000Z runs a job' };
	assert.is(verdict(runnerPod({ metadata: { annotations: refused } }), idle), 'deny busy');
	assert.is(verdict(runnerPod(), works), 'deny busy');
	assert.is(verdict(runnerPod(), unknown), 'deny job-unknown');
});

test('nobody says that it works: its log is read, and where that says idle the pod is a left-over', () => {
	assert.is(verdict(runnerPod()), 'read-log');
	assert.is(verdict(runnerPod(), idle), 'allow job-over');
	assert.is(verdict({ ...runnerPod(), signals: [reviewed('over')] }, idle), 'allow job-over');
});

test('the runner is gone, has stopped or never started: there is no job', () => {
	assert.is(verdict(undefined), 'allow runner-gone');
	const stopped = { phase: 'Failed', containerStatuses: [{ name: 'runner', state: { terminated: {} } }] };
	assert.is(verdict(runnerPod({ status: stopped }), works), 'allow runner-exited');
	assert.is(verdict(runnerPod({ unbound: true, status: { phase: 'Pending' } })), 'allow never-started');
	assert.is(verdict(runnerPod({}, { nodeGone: true })), 'allow node-gone');
});

test('another runner’s pod has the name now: a job’s pod is younger than its runner’s', () => {
	const made = (creationTimestamp: string) => runnerPod({ metadata: { creationTimestamp } });
	assert.is(verdict(made('2026-11-23T12:03:00Z'), works), 'allow runner-gone');
	assert.is(verdict(made('2026-11-23T12:00:00Z'), works), 'deny busy');
	assert.is(verdict(made('2026-11-23T12:01:03Z'), works), 'deny busy', 'clocks differ');
	const unknownAge = { metadata: { creationTimestamp: '' } };
	assert.is(verdict(made('2026-11-23T12:03:00Z'), works, undefined, unknownAge), 'deny busy');
});

test('the runner’s own clean-up passes; not another pod’s, nor one of another uid or namespace (A20)', () => {
	const working = { ...runnerPod(), signals: [reviewed('working')] };
	assert.is(verdict(working, works, own), 'allow own-runner');
	for (const change of [{ name: 'r2' }, { uid: 'uid-0' }, { namespace: 'other' }])
		assert.is(verdict(working, works, { ...own, ...change }), 'deny busy');
});

test('a pod that is terminating, has ended or has break-glass is not held', () => {
	const working = { ...runnerPod(), signals: [reviewed('working')] };
	const of = (target: Parameters<typeof jobPod>[0]) => verdict(working, works, undefined, target);
	assert.is(of({ metadata: { deletionTimestamp: '2026-11-23T12:04:00Z' } }), 'allow already-terminating');
	assert.is(of({ metadata: { annotations: { [breakGlass]: 'stuck' } } }), 'allow break-glass');
	assert.is(of({ metadata: { annotations: { [breakGlass]: '' } } }), 'deny busy');
	assert.is(of({ status: endedJobPod('job', 'postgres') }), 'allow job-pod-ended');
	assert.is(of({ status: { phase: 'Failed' } }), 'allow job-pod-ended', 'the kubelet rejected it');
	// The pod garbage collector writes the phase before its DELETE is refused.
	assert.is(of({ status: endedJobPod('postgres') }), 'deny busy');
	assert.is(of({ status: { phase: 'Pending' } }), 'deny busy', 'its runner waits for it');
});

test('a job pod is one by its label and its container', () => {
	assert.ok(isJobPod(jobPodObject()));
	assert.not(isJobPod(jobPodObject({ metadata: { labels: { 'runner-pod': '' } } })));
	const other = jobPodObject();
	other.spec!.containers = [{ name: 'web' }];
	assert.not(isJobPod(other));
	assert.not(isJobPod(pod()));
	assert.is(readJobPod(other), undefined);
});

test('who asks: the pod of a token, by what the API server says of it', () => {
	const username = 'system:serviceaccount:ci:runners';
	const name = { 'authentication.kubernetes.io/pod-name': ['r1'] };
	const uid = { 'authentication.kubernetes.io/pod-uid': ['uid-1'] };
	assert.equal(boundPodOf({ username, extra: { ...name, ...uid } }), own);
	assert.is(boundPodOf({ username, extra: name }), undefined);
	assert.is(boundPodOf({ username, extra: uid }), undefined);
	assert.is(boundPodOf({ username: 'alice', extra: { ...name, ...uid } }), undefined);
	assert.is(boundPodOf({ username }), undefined);
	assert.is(boundPodOf({ username, extra: null as never }), undefined);
});

test.run();
