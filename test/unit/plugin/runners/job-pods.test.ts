/** The pods of runners' jobs (containerMode kubernetes), as list and why show them. */
import * as assert from 'uvu/assert';
import { breakGlass, busy, record } from '../../../../admission/api/keys.ts';
import type { Pod } from '../../../../admission/api/kinds.ts';
import { readJobPod } from '../../../../admission/runner/job-pod.ts';
import { jobPodState, withJobPods } from '../../../../plugin/runners/job-pods.ts';
import { header, row } from '../../../../plugin/verbs/list/columns.ts';
import { jobPodText, whyJobPodAllowed } from '../../../../plugin/verbs/why/job-pod.ts';
import { suite } from '../../../support/suite.ts';
import { endedJobPod, jobPodObject } from '../../guard/subjects/job-pod/pods.ts';
import { noon, pod } from '../../runner/pods.ts';

const test = suite('plugin: job pods');

const nowMs = noon + 12 * 60_000;
const marked = jobPodObject({
	metadata: {
		labels: { [busy.label]: 'true' },
		annotations: { [busy.job]: 'build (octo-org/app)', [record.requestedBy]: 'alice' },
	},
});
const runner = (name: string) => pod({ metadata: { name } });
const jobOf = (name: string, runnerName: string, namespace = 'ci') =>
	jobPodObject({ metadata: { name, namespace, labels: { 'runner-pod': runnerName } } });
const names = (pods: readonly Pod[]) => pods.map(({ metadata }) => metadata.name);

test('list: each under its runner, in its namespace; last those without one; other pods not at all', () => {
	const web: Pod = { metadata: { name: 'web', namespace: 'ci' }, spec: { containers: [{ name: 'web' }] } };
	const found = [
		jobOf('gone-workflow', 'gone'),
		jobOf('r1-step-1', 'r1'),
		web,
		runner('r1'),
		jobOf('r1-elsewhere', 'r1', 'other'),
		jobOf('r1-workflow', 'r1'),
		runner('r2'),
	];
	assert.equal(names(withJobPods(found)), [
		'r1',
		'r1-step-1',
		'r1-workflow',
		'r2',
		'gone-workflow',
		'r1-elsewhere',
	]);
	assert.equal(names(withJobPods([web, runner('r1')])), ['r1']);
});

test('list: a row under the same header', () => {
	const choice = { namespace: true, wide: true };
	const cells = row(marked, choice, nowMs);
	assert.is(cells.length, header(choice).length);
	assert.equal(cells, [
		'ci',
		'└─ r1-workflow',
		'<none>',
		'running',
		'build (octo-org/app)',
		'<none>',
		'node-1',
		'11m',
		'<none>',
		'<none>',
		'alice',
		'<none>',
		'<none>',
	]);
	assert.is(row(marked, { namespace: false, wide: false }, nowMs, 'deleted')[2], 'deleted');
});

test('states', () => {
	const of = (change: Parameters<typeof jobPodObject>[0]) => jobPodState(jobPodObject(change));
	assert.is(of({}), 'running');
	assert.is(of({ status: { phase: 'Pending' } }), 'starting');
	assert.is(jobPodState({ metadata: { name: 'x' } }), 'pending');
	assert.is(of({ metadata: { annotations: { [record.requestedAt]: 'x' } } }), 'draining');
	assert.is(of({ metadata: { deletionTimestamp: '2026-11-23T12:00:00Z' } }), 'draining');
	assert.is(of({ status: endedJobPod('job', 'postgres') }), 'stopped');
});

test('why it is allowed: as the guard decides, whose log reader has found the runner idle', () => {
	const reason = (object: Pod, its?: Pod) => whyJobPodAllowed(readJobPod(object)!, its, nowMs).reason;
	assert.is(reason(jobPodObject()), 'runner-gone');
	assert.is(reason(jobPodObject(), runner('r1')), 'job-over');
	assert.is(reason(jobPodObject(), pod({ status: { phase: 'Succeeded' } })), 'runner-exited');
	assert.is(reason(jobPodObject({ status: endedJobPod('job', 'postgres') }), runner('r1')), 'job-pod-ended');
	const glass = jobPodObject({ metadata: { annotations: { [breakGlass]: 'it hangs' } } });
	assert.match(whyJobPodAllowed(readJobPod(glass)!, runner('r1'), nowMs).message, 'it hangs');
});

test('why it is denied: whose job, what happens next, and what can be typed', () => {
	const verdict = {
		verdict: 'denied',
		reason: 'busy',
		message: 'it is a job pod of runner r1, which is busy: build',
		next: 'the pod is deleted when the job ends',
	} as const;
	const shown = {
		pod: jobPodObject(),
		jobPod: readJobPod(jobPodObject())!,
		runner: runner('r1'),
		verdict,
		nowMs,
	};
	const text = jobPodText(shown, 'no deletion is waiting');
	assert.match(text, /^Pod: +ci\/r1-workflow on node node-1\nDeletion: +denied \(busy\)\n/);
	assert.match(text, /^Runner: +r1, /m);
	assert.match(text, /^To request: +kubectl delete pod r1-workflow -n ci$/m);
	assert.match(
		text,
		/^To override: +kubectl annotate pod r1-workflow -n ci actions-runner\/break-glass=REASON /m,
	);
	assert.not.match(text, 'To cancel');
	const asked = {
		requestedAt: '2026-11-23T12:00:00Z',
		requestedBy: 'alice',
		options: { via: 'delete' as const },
	};
	const waiting = jobPodText({ ...shown, jobPod: { ...shown.jobPod, record: asked } }, 'a deletion');
	assert.match(waiting, /^To cancel: +kubectl runners cancel r1-workflow -n ci$/m);
	assert.not.match(waiting, 'To request');
});

test.run();
