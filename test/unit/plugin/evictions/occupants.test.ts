import * as assert from 'uvu/assert';
import type { KubeObject, Pod } from '../../../../admission/api/kinds.ts';
import {
	addPod,
	failClosedNamespaces,
	occupantsOf,
	othersText,
	runnersOnly,
	someOf,
} from '../../../../plugin/evictions/occupants.ts';
import { readPodList } from '../../../../plugin/kube/pod-protobuf.ts';
import { suite } from '../../../support/suite.ts';
import { pod as runnerPod } from '../../runner/pods.ts';
import { encodePodList } from '../kube/encode-pods.ts';

const test = suite('plugin: namespaces that contain only runners');

const other = (name: string, more: Partial<Pod> = {}): Pod => ({
	metadata: { name, namespace: 'ci' },
	spec: { containers: [{ name: 'web' }] },
	status: { phase: 'Running' },
	...more,
});
const jobPod = (labels: Record<string, string>): Pod => ({
	...other('r1-workflow', { spec: { containers: [{ name: 'job' }] } }),
	metadata: { name: 'r1-workflow', namespace: 'ci', labels },
});
const hookPod = jobPod({ 'runner-pod': 'r1' });
const actionPod = jobPod({ 'batch.kubernetes.io/job-name': 'r1-step-0123abcd' });
const namespace = (name: string, metadata: Partial<KubeObject['metadata']> = {}): KubeObject => ({
	metadata: { name, ...metadata },
});
const labelled = { labels: { 'actions-runner/evictions': 'fail-closed' } };
const runner = runnerPod();

for (const [what, pods, metadata, expected] of [
	['a runner', [runner], {}, ['ci']],
	['a runner that has ended', [{ ...runner, status: { phase: 'Succeeded' } }], {}, ['ci']],
	['a runner and its job pods', [runner, hookPod, actionPod], {}, ['ci']],
	[
		'a runner and a pod that has ended',
		[runner, other('migrate', { status: { phase: 'Failed' } })],
		{},
		['ci'],
	],
	['a runner and another pod', [runner, other('web')], {}, []],
	[
		'a runner and a pod that is not scheduled',
		[runner, other('web', { status: { phase: 'Pending' } })],
		{},
		[],
	],
	[
		'a runner and a pod that is not recognised as one',
		[
			runner,
			other('agent', {
				spec: { containers: [{ name: 'agent', env: [{ name: 'RUNNER_ORG', value: 'o' }] }] },
			}),
		],
		{},
		[],
	],
	['no runner', [other('web')], {}, []],
	['job pods alone', [hookPod], {}, []],
	['no pods', [], {}, []],
	['a runner, and the label', [runner], labelled, []],
	[
		'a runner, and another value of the label',
		[runner],
		{ labels: { 'actions-runner/evictions': 'no' } },
		['ci'],
	],
	['a runner, and it is being deleted', [runner], { deletionTimestamp: '2026-01-01T00:00:00Z' }, []],
] as [string, Pod[], Partial<KubeObject['metadata']>, string[]][]) {
	test(`${what}: ${expected.length > 0 ? 'could have the label' : 'not offered'}`, () => {
		// As `doctor` reads pods, whole, and as `install` and `protect` do, in protobuf.
		for (const read of [pods, readPodList(encodePodList(pods)).pods])
			assert.equal(runnersOnly(occupantsOf(read), [namespace('ci', metadata)], 'runners-system'), expected);
	});
}

test('the namespace of the server is never offered, nor one that no list shows; the others are sorted', () => {
	const pods = ['z', 'runners-here', 'a', 'gone'].map((name) => runnerPod({ metadata: { namespace: name } }));
	const listed = ['z', 'runners-here', 'a'].map((name) => namespace(name));
	assert.equal(runnersOnly(occupantsOf(pods), listed, 'runners-here'), ['a', 'z']);
	assert.equal(failClosedNamespaces([namespace('z', labelled), namespace('b'), namespace('a', labelled)]), [
		'a',
		'z',
	]);
});

test('the same pods again, as after a list that started over, are counted once', () => {
	const all = occupantsOf([other('web')]);
	addPod(all, other('web'));
	assert.is(othersText(all.get('ci')!), '1 other pod (web)');
});

test('at most three of 10,000 other pods are named', () => {
	const all = occupantsOf(Array.from({ length: 10_000 }, (_, index) => other(`web-${index}`)));
	assert.is(othersText(all.get('ci')!), '10000 other pods (web-0, web-1, web-10 and 9997 more)');
	assert.is(someOf(['b', 'a'], 2), 'a, b');
});

test.run();
