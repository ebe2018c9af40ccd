import { record } from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import type { DenyReason } from '../api/reasons.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import type { GuardedPod } from '../runner/guarded-pod.ts';
import { type Annotations, type DeletionRequest, recordOf } from '../runner/record.ts';
import type { Sign } from '../runner/statements.ts';
import { withUnknown } from './rules/unknown.ts';
import { allow, type Deny } from './rules/verdict.ts';
import type { Judged } from './subject.ts';

/** What recording a denied deletion needs from outside. */
export interface RecordPorts<P extends GuardedPod> {
	now(): number;
	/** Signs what is written on the pod; see cluster/signer.ts. */
	sign: Sign;
	/** Changes the pod. With `onlyIfUnchanged` the answer is 'conflict' if the pod has changed since it was read. */
	write(
		pod: P,
		change: { annotations: Annotations; labels?: Record<string, string | null> },
		onlyIfUnchanged?: boolean,
	): Promise<P | 'conflict' | 'gone'>;
	/** Writes a record on the pod, whatever its version, unless it has another one than when it was read: 'conflict'. */
	record(pod: P, written: Readonly<Record<string, string>>): Promise<P | 'conflict' | 'gone'>;
	/** Reads the pod from the API server, never from a cache. */
	reread(pod: P): Promise<P | 'gone'>;
}

/** These ports for any kind of pod. @param read the pod; undefined: it is no longer of its kind */
export function recordPorts<P extends GuardedPod>(
	read: (object: Pod) => P | undefined,
	pods: Pick<RunnerPods, 'get' | 'patch' | 'annotateWhile'>,
	{ sign, now }: Pick<RecordPorts<P>, 'sign' | 'now'>,
): RecordPorts<P> {
	return {
		now,
		sign,
		async write(pod, change, onlyIfUnchanged = false) {
			const written = onlyIfUnchanged
				? await pods.patch(pod, withUnknown(pod, change), pod.resourceVersion)
				: await pods.patch(pod, change);
			return typeof written === 'string' ? written : (read(written) ?? 'gone');
		},
		async record(pod, written) {
			const recorded = await pods.annotateWhile(pod, [record.proof, pod.recordProof], written);
			return typeof recorded === 'string' ? recorded : (read(recorded) ?? 'gone');
		},
		async reread({ namespace, name, uid }) {
			const object = await pods.get(namespace, name);
			return (object?.metadata.uid === uid && read(object)) || 'gone';
		},
	};
}

/** How often the record and what else was found out are written together, on the version that was read. */
const triesTogether = 3;
/** Then the record alone is written, whatever the version. That fails only where the records of others come and go. */
const mostTries = 6;

/**
 * Records the request, if there is one and none is recorded yet, and answers with the denial.
 *
 * @param found what else was found out, to be written on the pod as it is then, unless others change it again and again
 */
export async function denyAndRecord<P extends GuardedPod, Reason extends DenyReason>(
	pod: P,
	verdict: Deny<Reason>,
	request: DeletionRequest | undefined,
	ports: RecordPorts<P>,
	found: (current: P) => Annotations = () => ({}),
): Promise<Judged<P, Reason>> {
	if (request?.dryRun) return { verdict, recorded: 'dry-run', pod };
	let current = pod;
	for (let attempt = 1; attempt <= mostTries; attempt++) {
		const together = attempt <= triesTogether;
		const newRecord = recordOf(current, request, ports.sign, ports.now());
		const annotations = { ...newRecord, ...(together ? found(current) : {}) };
		if (Object.keys(annotations).length === 0)
			return { verdict, recorded: current.record !== undefined, pod: current };
		// If several ask at once, even at different replicas, only the first is recorded (invariant 4).
		const written = together
			? await ports.write(current, { annotations }, true)
			: await ports.record(current, newRecord);
		if (typeof written !== 'string') return { verdict, recorded: true, pod: written };
		const fresh = written === 'gone' ? written : await ports.reread(current);
		if (fresh === 'gone') return { verdict: allow('already-terminating'), recorded: false, pod: current };
		current = fresh;
	}
	throw new Error('the pod changed at every try to record the deletion');
}
