import * as assert from 'uvu/assert';
import { readContinueToken, readPodList } from '../../../../plugin/kube/pod-protobuf.ts';
import { readFields } from '../../../../plugin/kube/protobuf.ts';
import { suite } from '../../../support/suite.ts';

const test = suite('plugin: pods in protobuf');

/** A message written by hand: numbers, texts and messages under their field numbers, in order. */
type Fields = [field: number, value: number | string | Buffer][];

function message(...fields: Fields): Buffer {
	return Buffer.concat(
		fields.map(([field, value]) => {
			if (typeof value === 'number') return Buffer.concat([varint(field * 8), varint(value)]);
			const bytes = Buffer.from(value);
			return Buffer.concat([varint(field * 8 + 2), varint(bytes.length), bytes]);
		}),
	);
}

function varint(value: number): Buffer {
	const bytes: number[] = [];
	let rest = value;
	do {
		bytes.push((rest % 128) + (rest >= 128 ? 128 : 0));
		rest = Math.floor(rest / 128);
	} while (rest > 0);
	return Buffer.from(bytes);
}

const pair = (name: string, value: string) => message([1, name], [2, value]);
const time = (seconds: number) => message([1, seconds], [2, 5]);

/** k8s.io/api/core/v1 PodList in its envelope; field numbers from generated.proto. */
function podList(...pods: Buffer[]): Buffer {
	const meta = message([2, '4711'], [3, 'next-page']);
	const list = message([1, meta], ...pods.map((pod): Fields[number] => [2, pod]));
	const type = message([1, 'v1'], [2, 'PodList']);
	return Buffer.concat([Buffer.from('k8s\0'), message([1, type], [2, list], [3, ''], [4, ''])]);
}

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
	[12, pair('kubectl.kubernetes.io/last-applied-configuration', '{}')],
	[13, message([1, 'StatefulSet'], [3, 'example-abc'], [4, 'uid-2'], [5, 'apps/v1'], [6, 1])],
	[17, message([1, 'manager'], [7, 'x'.repeat(5000)])],
);
const spec = message(
	[1, message([1, 'volume'])],
	[2, message([1, 'runner'], [2, 'image'], [7, pair('RUNNER_ORG', 'octo-org')], [7, pair('PATH', '/bin')])],
	[2, message([1, 'docker'], [7, pair('RUNNER_ORG', 'not this one')])],
	[3, 'Never'],
	[4, 30],
	[10, 'node-1'],
);
const status = message(
	[1, 'Running'],
	[2, message([1, 'Ready'], [2, 'True'])],
	[2, message([1, 'actions-runner/Busy'], [2, 'True'], [4, time(1)], [5, 'Job'], [6, 'words'])],
	[8, message([1, 'runner'], [2, message([2, message([1, time(1_795_000_010)])])], [4, 1], [5, 0])],
	[8, message([1, 'docker'], [2, message([1, message([1, 'Waiting'])])])],
);

test('a pod: everything the plugin shows, nothing that it does not', () => {
	const {
		pods,
		resourceVersion,
		continue: token,
	} = readPodList(podList(message([1, metadata], [2, spec], [3, status])));
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
				annotations: { 'actions-runner/job': 'bäuen' },
				ownerReferences: [
					{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'example-abc', uid: 'uid-2', controller: true },
				],
			},
			spec: {
				containers: [
					{ name: 'runner', env: [{ name: 'RUNNER_ORG', value: 'octo-org' }] },
					{ name: 'docker' },
				],
				nodeName: 'node-1',
			},
			status: {
				phase: 'Running',
				conditions: [{ type: 'actions-runner/Busy', status: 'True', reason: 'Job', message: 'words' }],
				containerStatuses: [
					{
						name: 'runner',
						state: { running: { startedAt: new Date(1_795_000_010_000).toISOString().replace('.000', '') } },
					},
					{ name: 'docker' },
				],
			},
		},
	]);
});

test('the token of the next page is found without reading the pods', () => {
	assert.is(readContinueToken(podList(Buffer.from([0xff, 0xff]))), 'next-page');
});

test('a list without pods', () => {
	assert.equal(readPodList(podList()).pods, []);
});

test('what is no protobuf, or cut off, is an error and not half a list', () => {
	assert.throws(() => readPodList(Buffer.from('{"kind":"PodList"}')), /not a Kubernetes protobuf/);
	const whole = podList(message([1, metadata]));
	for (const length of [whole.length - 1, whole.length - 40, 30]) {
		assert.throws(() => readPodList(whole.subarray(0, length)), /runs past its message/);
	}
});

test('all wire types are stepped over', () => {
	const fixed = Buffer.concat([varint(1 * 8 + 1), Buffer.alloc(8), varint(2 * 8 + 5), Buffer.alloc(4)]);
	const body = Buffer.concat([fixed, message([3, 2 ** 40])]);
	const seen: number[][] = [];
	readFields(body, 0, body.length, (field, value) => seen.push([field, value]));
	assert.equal(seen, [[3, 2 ** 40]]);
	assert.throws(() => readFields(Buffer.from([0x0b]), 0, 1, () => {}), /unknown wire type 3/);
});

test.run();
