import type { Pod } from '../api/kinds.ts';
import type { AllowReason } from '../api/reasons.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import type { DeletionRequest } from '../runner/record.ts';
import type { RunnerPod } from '../runner/runner-pod.ts';
import type { Ports } from './release.ts';
import { decide } from './rules/decide.ts';
import type { RunnerReason } from './rules/denials.ts';
import type { Verdict } from './rules/verdict.ts';

/** What the pod in a review is enough for. */
export type Shortcut =
	| { kind: 'not-a-runner'; object: Pod }
	/** It answers the review, without the pod being read. */
	| { kind: 'answers'; verdict: Verdict<RunnerReason>; pod: RunnerPod }
	/** The runner is unregistered, and the quiet time is over: its witnesses can be heard and its pod read, all at once. */
	| { kind: 'settled'; pod: RunnerPod }
	/** The pod has to be read first. */
	| { kind: 'nothing' };

const notRunning: ReadonlySet<AllowReason> = new Set([
	'already-terminating', // the kubelet's last DELETE
	'never-started',
	'runner-exited',
]);

/**
 * What a review's own copy of the pod is enough for. It may be forged, so nothing is written, told or asked by it.
 *
 * - To refuse a pod that is shown as busy and recorded: a caller that tries again and again costs no call.
 * - To allow where the runner is not running; only whether an exited one's StatefulSet still stands is read then. The answer
 *   is all that happens: whoever forges such a review gets one, and the pod stays. The API server itself deletes no other
 *   version of the pod than the one it has shown, and asks again where it has changed (compare-and-swap:
 *   registry/generic/registry/store.go and storage/etcd3/store.go of k8s.io/apiserver).
 * - To hear the witnesses of a runner that is shown as unregistered. The proof is signed, and nothing goes by it alone.
 */
export function shortcutOf(
	reviewed: Pod,
	{ dryRun }: DeletionRequest,
	{ pods, ports }: { pods: Pick<RunnerPods, 'read' | 'nodeGoneSinceMs'>; ports: Ports },
): Shortcut {
	const pod = pods.read(reviewed);
	if (!pod) return { kind: 'not-a-runner', object: reviewed };
	const decision = decide(pod, ports.now(), ports.self);
	// Whether a node that has been noted as missing is still gone is not in the pod.
	const nodeMayBeGone = () => pods.nodeGoneSinceMs(reviewed) !== undefined;
	switch (decision.kind) {
		case 'allow':
			return notRunning.has(decision.reason)
				? { kind: 'answers', verdict: decision, pod }
				: { kind: 'nothing' };
		case 'deny': {
			const isKnown = pod.record && !dryRun && decision.reason === 'busy' && !nodeMayBeGone();
			return isKnown ? { kind: 'answers', verdict: decision, pod } : { kind: 'nothing' };
		}
		case 'settle':
			return decision.leftMs === 0 && !nodeMayBeGone() ? { kind: 'settled', pod } : { kind: 'nothing' };
		case 'ask':
			return { kind: 'nothing' };
	}
}
