import * as assert from 'uvu/assert';
import { readContinueToken, readPodList } from '../../../../plugin/kube/pod-protobuf.ts';
import { readFields } from '../../../../plugin/kube/protobuf.ts';
import { suite } from '../../../support/suite.ts';
import { message, pair, podListOf, time, varint } from './encode-pods.ts';

const test = suite('plugin: pods in protobuf');

const metadata = message(
	[1, 'r-0'],
	[3, 'ci'],
	[5, 'uid-1'],
	[6, '99'],
	[7, 3],
	[8, time(1_795_000_000)],
	[9, time(1_795_000_060)],
	[11, pair('actions-runner', '')],
	[11, pair('runnerset-name', 'example')],
	[11, pair('app', 'dropped')],
	[12, pair('actions-runner/job', 'bäuen')],
	[12, pair('actions-runner/job-claims', 'signature []')],
	[12, pair('actions-runner/job-hook', '#!/bin/sh')],
	[12, pair('actions-runner/job-hook-ca', 'PEM')],
	[12, pair('kubectl.kubernetes.io/last-applied-configuration', '{}')],
	[13, message([1, 'StatefulSet'], [3, 'example-abc'], [4, 'uid-2'], [5, 'apps/v1'], [6, 1])],
	[17, message([1, 'manager'], [7, 'x'.repeat(5000)])],
);
const spec = message(
	[1, message([1, 'volume'])],
	[
		2,
		message(
			[1, 'runner'],
			[2, 'image'],
			[3, 'sh'],
			[3, '-c'],
			[4, 'RUNNER_NAME=x run.sh'],
			[7, pair('RUNNER_ORG', 'octo-org')],
			[7, pair('PATH', '/bin')],
		),
	],
	[2, message([1, 'docker'], [3, 'dockerd'], [4, '--debug'], [7, pair('RUNNER_ORG', 'not this one')])],
	[3, 'Never'],
	[4, 30],
	[10, 'node-1'],
);
const status = message(
	[1, 'Running'],
	[2, message([1, 'Ready'], [2, 'True'])],
	[2, message([1, 'actions-runner/Busy'], [2, 'True'], [4, time(1)], [5, 'Job'], [6, 'text'])],
	[
		8,
		message(
			[1, 'runner'],
			[2, message([2, message([1, time(1_795_000_010)])])],
			[3, message([3, message([1, 137])])],
			[4, 1],
			[5, 2],
		),
	],
	[8, message([1, 'docker'], [2, message([1, message([1, 'Waiting'])])], [5, 1])],
	[2, message([1, 'PodScheduled'], [2, 'True'])],
	[2, message([1, 'PodScheduled'], [2, 'False'], [5, 'Unschedulable'], [6, '0/3 nodes'])],
	[10, message([1, 'prepare'], [2, message([1, message([1, 'ErrImagePull'], [2, 'denied'])])])],
	[10, message([1, 'done'], [2, message([3, message([1, 0])])])],
);

test('a pod: everything that the plugin shows and the pod model reads, and nothing else', () => {
	const {
		pods,
		resourceVersion,
		continue: token,
	} = readPodList(podListOf(message([1, metadata], [2, spec], [3, status])));
	assert.equal([resourceVersion, token], ['4711', 'next-page']);
	assert.equal(pods, [
		{
			metadata: {
				name: 'r-0',
				namespace: 'ci',
				uid: 'uid-1',
				resourceVersion: '99',
				creationTimestamp: new Date(1_795_000_000_000).toISOString().replace('.000', ''),
				deletionTimestamp: new Date(1_795_000_060_000).toISOString().replace('.000', ''),
				labels: { 'actions-runner': '', 'runnerset-name': 'example' },
				annotations: {
					'actions-runner/job': 'bäuen',
					'actions-runner/job-claims': 'signature []',
				},
				ownerReferences: [
					{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'example-abc', uid: 'uid-2', controller: true },
				],
			},
			spec: {
				containers: [
					{
						name: 'runner',
						command: ['sh', '-c'],
						args: ['RUNNER_NAME=x run.sh'],
						env: [{ name: 'RUNNER_ORG', value: 'octo-org' }],
					},
					{ name: 'docker' },
				],
				restartPolicy: 'Never',
				nodeName: 'node-1',
			},
			status: {
				phase: 'Running',
				conditions: [
					{ type: 'actions-runner/Busy', status: 'True', reason: 'Job', message: 'text' },
					{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes' },
				],
				containerStatuses: [
					{
						name: 'runner',
						state: { running: { startedAt: new Date(1_795_000_010_000).toISOString().replace('.000', '') } },
						lastState: { terminated: { exitCode: 137 } },
						restartCount: 2,
					},
					{ name: 'docker', state: { waiting: { reason: 'Waiting' } } },
				],
				initContainerStatuses: [
					{ name: 'prepare', state: { waiting: { reason: 'ErrImagePull', message: 'denied' } } },
					{ name: 'done' },
				],
			},
		},
	]);
});

test('the token of the next page is found without reading the pods', () => {
	assert.is(readContinueToken(podListOf(Buffer.from([0xff, 0xff]))), 'next-page');
});

test('a list without pods', () => {
	assert.equal(readPodList(podListOf()).pods, []);
});

test('an answer that is not protobuf, or is cut off, is an error and not half a list', () => {
	assert.throws(() => readPodList(Buffer.from('{"kind":"PodList"}')), /not a Kubernetes protobuf/);
	const whole = podListOf(message([1, metadata]));
	for (const length of [whole.length - 1, whole.length - 40, 30]) {
		assert.throws(() => readPodList(whole.subarray(0, length)), /runs past its message/);
	}
});

test('fields of every wire type can be skipped', () => {
	const fixed = Buffer.concat([varint(1 * 8 + 1), Buffer.alloc(8), varint(2 * 8 + 5), Buffer.alloc(4)]);
	const body = Buffer.concat([fixed, message([3, 2 ** 40])]);
	const seen: number[][] = [];
	readFields(body, 0, body.length, (field, value) => seen.push([field, value]));
	assert.equal(seen, [[3, 2 ** 40]]);
	assert.throws(() => readFields(Buffer.from([0x0b]), 0, 1, () => {}), /unknown wire type 3/);
});

test.run();
