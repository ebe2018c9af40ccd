/** The leader reads a pod in its caches as everybody reads it at the API server, whatever key is added to api/keys.ts. */
import * as assert from 'uvu/assert';
import * as keys from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { trimPod } from '../../../admission/cluster/cache.ts';
import { trimJobPod } from '../../../admission/guard/subjects/job-pod/job-pods.ts';
import { readJobPod } from '../../../admission/runner/job-pod.ts';
import { readRunnerPod } from '../../../admission/runner/runner-pod.ts';
import { suite } from '../../support/suite.ts';
import { jobPodObject } from '../guard/subjects/job-pod/pods.ts';
import { jitContainer, noon, pod } from '../runner/pods.ts';

const test = suite('what the leader keeps of a pod');

/** Every text in keys.ts that may be the key of an annotation. */
const annotations = Object.values(keys)
	.flatMap((group): unknown[] => (typeof group === 'string' ? [group] : Object.values(group)))
	.concat(Object.keys(keys.autoscalerMarks))
	.filter((key): key is string => typeof key === 'string' && key.includes('/'));

/** Each of them alone, all but each of them, and all. */
const selections = [
	annotations,
	...annotations.map((key) => [key]),
	...annotations.map((key) => annotations.filter((other) => other !== key)),
];

/** What these annotations may hold so that reading them shows it. */
const values: Record<string, string> = {
	[keys.progress.runnerId]: '7',
	[keys.arc.runnerId]: '8',
	[keys.busy.signals]:
		`x ${JSON.stringify([{ by: 'hook', state: 'working', key: 'a', sinceMs: noon, job: { name: 'build' } }])}`,
	[keys.identityProof]: JSON.stringify({ scope: 'octo-org', host: 'github.com', signature: 'x' }),
};
const annotated = (object: Pod, selection: readonly string[]): Pod => ({
	...object,
	metadata: {
		...object.metadata,
		annotations: Object.fromEntries(selection.map((key) => [key, values[key] ?? '2026-11-23T12:00:00Z x'])),
	},
});
const everythingVerifies = () => true;

test('a runner’s pod', () => {
	const scaleSet = pod({ spec: { nodeName: 'node-1', containers: [jitContainer('r1')] } });
	for (const object of [pod(), scaleSet])
		for (const selection of selections) {
			const whole = annotated(object, selection);
			const trimmed = trimPod(whole);
			assert.ok(trimmed);
			const read = (one: Pod) => readRunnerPod(one, { verify: everythingVerifies });
			assert.equal(read(trimmed), read(whole), selection.join(' '));
		}
});

test('the pod of a runner’s job', () => {
	for (const selection of selections) {
		const whole = annotated(jobPodObject(), selection);
		const trimmed = trimJobPod(whole);
		assert.ok(trimmed);
		const read = (one: Pod) => readJobPod(one, everythingVerifies);
		assert.equal(read(trimmed), read(whole), selection.join(' '));
	}
});

test('what is read of a pod is among the annotations that are tried here', () => {
	const read = new Set<string>();
	const spied = (object: Pod, selection: readonly string[]): Pod => {
		const one = annotated(object, selection);
		const noted = new Proxy(one.metadata.annotations ?? {}, {
			get: (target, key: string) => {
				read.add(key);
				return target[key];
			},
		});
		return { ...one, metadata: { ...one.metadata, annotations: noted } };
	};
	for (const selection of selections) {
		readRunnerPod(spied(pod(), selection), { verify: everythingVerifies });
		readJobPod(spied(jobPodObject(), selection), everythingVerifies);
	}
	assert.ok(read.size > 10);
	assert.equal(
		[...read].filter((key) => !annotations.includes(key)),
		[],
	);
});

test.run();
