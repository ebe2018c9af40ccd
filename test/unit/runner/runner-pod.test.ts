import * as assert from 'uvu/assert';
import type { EphemeralRunner, Pod } from '../../../admission/api/kinds.ts';
import { isRunnerPod, jobOf, readRunnerPod } from '../../../admission/runner/runner-pod.ts';
import { suite } from '../../support/suite.ts';
import { jitContainer, noon, pod, runnerPod, running, trusting } from './pods.ts';

const test = suite('runner pods');

test('recognised without any label, by its container and env (A13)', () => {
	assert.ok(isRunnerPod(pod({ metadata: { labels: {} } })));
});
test('recognised by label where the env comes from elsewhere', () => {
	const bare = pod({ spec: { containers: [{ name: 'runner' }] } });
	assert.ok(isRunnerPod(bare));
	assert.ok(
		isRunnerPod({ ...bare, metadata: { name: 'x', labels: { 'actions-ephemeral-runner': 'True' } } }),
	);
	assert.not(
		isRunnerPod({ ...bare, metadata: { name: 'x', labels: { 'actions-ephemeral-runner': 'False' } } }),
	);
	assert.not(isRunnerPod({ ...bare, metadata: { name: 'x' } }));
});
test('any other pod is none: a label on a pod without a runner container, an unrelated runner container (A16)', () => {
	assert.not(isRunnerPod(pod({ spec: { containers: [{ name: 'web' }] } })));
	assert.not(
		isRunnerPod({
			metadata: { name: 'x' },
			spec: { containers: [{ name: 'runner', env: [{ name: 'PATH', value: '/' }] }] },
		}),
	);
	assert.is(readRunnerPod({ metadata: { name: 'x' } }), undefined);
});
test('what GitHub said of an ephemeral runner is not about the one that was restarted in its place', () => {
	const metadata = {
		annotations: {
			'actions-runner/unregistration-refusal': '2026-11-23T12:00:30.500Z busy',
		},
	};
	assert.ok(runnerPod({ metadata }).busyAnswer);
	assert.ok(
		runnerPod({ metadata, status: running('2026-11-23T12:00:31Z') }).busyAnswer,
		'in the same second',
	);
	assert.not(runnerPod({ metadata, status: running('2026-11-23T12:00:33Z') }).busyAnswer);
});
test('ARC’s own note of a 422 counts as one, unless this server has noted one itself', () => {
	const annotations: Record<string, string> = {
		'actions-runner/runner-completion-wait-start-timestamp': '2026-11-23T12:00:30Z',
	};
	assert.equal(runnerPod({ metadata: { annotations } }).busyAnswer, { atMs: noon + 30_000, to: 'arc' });
	annotations['actions-runner/unregistration-refusal'] = '2026-11-23T12:00:40Z busy';
	assert.equal(runnerPod({ metadata: { annotations } }).busyAnswer, { atMs: noon + 40_000, to: 'us' });
	annotations['actions-runner/unregistration-refusal'] = 'soon';
	assert.equal(
		runnerPod({ metadata: { annotations } }).busyAnswer,
		{ atMs: 0, to: 'us' },
		'no time: long ago',
	);
});
test('a record says who asked, with which options', () => {
	const annotations: Record<string, string> = {
		'actions-runner/deletion-requested-at': '2026-11-23T12:00:00Z',
	};
	assert.is(runnerPod({ metadata: { annotations } }, trusting).record, undefined);
	annotations['actions-runner/deletion-requested-by'] = 'alice';
	annotations['actions-runner/deletion-options'] = '{"via":"eviction","gracePeriodSeconds":5,"x":1}';
	assert.is(runnerPod({ metadata: { annotations } }).record, undefined, 'nobody has signed it');
	assert.equal(runnerPod({ metadata: { annotations } }, trusting).record, {
		requestedAt: '2026-11-23T12:00:00Z',
		requestedBy: 'alice',
		options: { via: 'eviction', gracePeriodSeconds: 5 },
	});
});
test('options that somebody broke count as a plain delete', () => {
	for (const text of ['', 'null', '[', '{"via":"x","gracePeriodSeconds":"soon"}']) {
		const annotations = {
			'actions-runner/deletion-requested-by': 'alice',
			'actions-runner/deletion-options': text,
		};
		assert.equal(runnerPod({ metadata: { annotations } }, trusting).record?.options, { via: 'delete' });
	}
});

const owner = {
	apiVersion: 'actions.github.com/v1alpha1',
	kind: 'EphemeralRunner',
	name: 'er',
	uid: 'er-uid',
};
const scaleSetPod = (labels: Record<string, string>): Pod => ({
	metadata: {
		name: 'er',
		namespace: 'ci',
		labels: { 'actions-ephemeral-runner': 'True', ...labels },
		ownerReferences: [owner],
	},
	spec: { containers: [jitContainer('er')] },
});
const er: EphemeralRunner = {
	metadata: { name: 'er', uid: 'er-uid' },
	spec: { githubConfigUrl: 'https://github.com/octo-org/app', githubConfigSecret: 'creds' },
	status: {
		runnerId: 9,
		jobId: 'j',
		jobDisplayName: 'build',
		jobRepositoryName: 'octo-org/app',
		workflowRunId: 42,
	},
};

test('a scale-set pod: scope, credentials, id, job from its EphemeralRunner (A18)', () => {
	const read = readRunnerPod(scaleSetPod({}), { ephemeralRunner: er });
	assert.is(read?.kind, 'scale-set');
	assert.equal(read?.scope, { kind: 'repository', owner: 'octo-org', name: 'app' });
	assert.is(read?.credentialsSecret, 'creds');
	assert.is(read?.runnerId, 9);
	assert.is(read?.busyHint?.job, 'build (octo-org/app, run 42)');
	assert.ok(read?.ephemeral);
});
test('a job without a name is shown by its id', () => {
	assert.is(jobOf({ metadata: { name: 'er' }, status: { jobId: 'j-1' } }), 'j-1');
	assert.is(jobOf({ metadata: { name: 'er' }, status: {} }), undefined);
});
test.run();
