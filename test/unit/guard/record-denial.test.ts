/** A denied deletion is recorded once, whoever else writes on the pod meanwhile (invariant 4). */
import * as assert from 'uvu/assert';
import { busy, record } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { denyAndRecord, recordPorts } from '../../../admission/guard/record-denial.ts';
import { deny } from '../../../admission/guard/rules/verdict.ts';
import { readJobPod } from '../../../admission/runner/job-pod.ts';
import { readRunnerPod } from '../../../admission/runner/runner-pod.ts';
import { suite } from '../../support/suite.ts';
import { noon, pod, signer } from '../runner/pods.ts';
import { jobPod, jobPodObject } from './subjects/job-pod/pods.ts';

const test = suite('recording a denial');
const alice = { user: 'alice', options: { via: 'delete' }, dryRun: false } as const;

/** A pod that others change before each of the first writes, and what is written. */
function world(conflicts: number, current: () => Pod | undefined = jobPodObject) {
	const written: { annotations: object; onlyIfVersion?: string | undefined; while?: unknown }[] = [];
	const withAnnotations = (annotations: object) =>
		jobPodObject({ metadata: { annotations: { ...annotations } } });
	let left = conflicts;
	const pods = {
		get: async () => current(),
		async patch(_pod: object, { annotations = {} }: { annotations?: object }, onlyIfVersion?: string) {
			if (onlyIfVersion !== undefined && left-- > 0) return 'conflict' as const;
			written.push({ annotations, onlyIfVersion });
			return withAnnotations(annotations);
		},
		async annotateWhile(_pod: object, condition: [string, string | undefined], annotations: object) {
			const [key, value] = condition;
			if (current()?.metadata.annotations?.[key] !== value) return 'conflict' as const;
			written.push({ annotations, while: condition });
			return withAnnotations(annotations);
		},
	};
	const read = (object: Pod) => readJobPod(object, signer.verifyStatement);
	const sign = signer.signStatement;
	const ports = recordPorts(read, pods as unknown as Parameters<typeof recordPorts>[1], {
		sign,
		now: () => noon,
	});
	return { ports, written };
}
const found = () => ({ noted: 'x' });

test('written only if nobody has changed the pod, with what else was found out', async () => {
	const { ports, written } = world(0);
	const { verdict, recorded, pod } = await denyAndRecord(jobPod(), deny('busy'), alice, ports, found);
	assert.equal([verdict.reason, recorded, pod.record?.requestedBy], ['busy', true, 'alice']);
	assert.is(written[0]?.onlyIfVersion, '9');
	assert.ok('noted' in (written[0]?.annotations ?? {}));
});
test('a pod that changes again and again: the record alone is written at last, whatever the version', async () => {
	const { ports, written } = world(Number.POSITIVE_INFINITY);
	const { recorded } = await denyAndRecord(jobPod(), deny('busy'), alice, ports, found);
	assert.ok(recorded);
	assert.is(written.length, 1);
	assert.equal(written[0]?.while, [record.proof, undefined]);
	assert.equal(Object.keys(written[0]?.annotations ?? {}), Object.values(record));
});
test('... but not over a record that was written after the pod was last read (creation race, SEED=276973)', async () => {
	const { ports: first } = world(0);
	const { pod: theirs } = await denyAndRecord(jobPod(), deny('busy'), { ...alice, user: 'bob' }, first);
	let current = jobPodObject();
	const { ports, written } = world(Number.POSITIVE_INFINITY, () => current);
	const { reread } = ports;
	let reads = 0;
	ports.reread = async (pod) => {
		const fresh = await reread(pod);
		if (++reads === 3)
			current = jobPodObject({ metadata: { annotations: { [record.proof]: theirs.recordProof! } } });
		return reads < 4 ? fresh : theirs;
	};
	const { recorded, pod } = await denyAndRecord(jobPod(), deny('busy'), alice, ports, found);
	assert.equal([recorded, pod.record?.requestedBy, written, reads], [true, 'bob', [], 4]);
});
test('a record that is not of this server is replaced', async () => {
	const forged = jobPodObject({
		metadata: { annotations: { [record.requestedBy]: 'mallory', [record.proof]: 'x' } },
	});
	const { ports, written } = world(Number.POSITIVE_INFINITY, () => forged);
	const { recorded } = await denyAndRecord(
		readJobPod(forged, signer.verifyStatement)!,
		deny('busy'),
		alice,
		ports,
	);
	assert.ok(recorded);
	assert.equal(written[0]?.while, [record.proof, 'x']);
});
test('the records of others come and go at every try: an error, and nothing is written', async () => {
	const another = () =>
		jobPodObject({ metadata: { annotations: { [record.proof]: String(Math.random()) } } });
	const { ports, written } = world(Number.POSITIVE_INFINITY, another);
	const message = await denyAndRecord(jobPod(), deny('busy'), alice, ports).catch(
		(error: Error) => error.message,
	);
	assert.equal([message, written], ['the pod changed at every try to record the deletion', []]);
});
test('the pod is gone meanwhile, is another one, or of another kind: it may be deleted', async () => {
	const another = jobPodObject({ metadata: { uid: 'another' } });
	const plain = { ...jobPodObject(), spec: { containers: [{ name: 'web' }] } };
	for (const current of [undefined, another, plain]) {
		const { ports, written } = world(1, () => current);
		const { verdict, recorded } = await denyAndRecord(jobPod(), deny('busy'), alice, ports);
		assert.equal([verdict.reason, recorded, written], ['already-terminating', false, []]);
	}
});
test('recorded meanwhile by somebody else: nothing is written over that', async () => {
	const { ports: first } = world(0);
	const theirs = await denyAndRecord(jobPod(), deny('busy'), { ...alice, user: 'bob' }, first);
	const { ports, written } = world(1);
	ports.reread = async () => theirs.pod;
	const { recorded, pod } = await denyAndRecord(jobPod(), deny('busy'), alice, ports);
	assert.equal([recorded, pod.record?.requestedBy, written], [true, 'bob', []]);
});

test('the pod of a runner that no leader has seen is marked as unknown, but only in the version that was read', async () => {
	const changes: [unknown, string | undefined][] = [];
	const pods = {
		get: async () => pod(),
		async patch(_pod: object, { labels }: { labels?: object }, onlyIfVersion?: string) {
			changes.push([labels, onlyIfVersion]);
			return onlyIfVersion === undefined ? pod() : ('conflict' as const);
		},
		async annotateWhile() {
			changes.push([undefined, undefined]);
			return pod();
		},
	};
	const read = (object: Pod) => readRunnerPod(object);
	const ports = recordPorts(read, pods as unknown as Parameters<typeof recordPorts>[1], {
		sign: signer.signStatement,
		now: () => noon,
	});
	await denyAndRecord(read(pod())!, deny('internal-error'), alice, ports);
	const unknown = { [busy.label]: 'unknown' };
	assert.equal(changes, [
		[unknown, '7'],
		[unknown, '7'],
		[unknown, '7'],
		[undefined, undefined],
	]);
});

test.run();
