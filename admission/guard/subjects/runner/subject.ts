import type { Pod } from '../../../api/kinds.ts';
import type { AllowReason } from '../../../api/reasons.ts';
import type { RunnerPods } from '../../../cluster/runner-pods.ts';
import { outlineRunnerPod, type RunnerPod } from '../../../runner/runner-pod.ts';
import { denyAndRecord } from '../../record-denial.ts';
import type { RunnerReason } from '../../rules/denials.ts';
import { forbiddenEdits, isOver } from '../../rules/edits.ts';
import { admissionBudgetMs, answerWithinMs, lastTryMs } from '../../rules/policy.ts';
import { deny } from '../../rules/verdict.ts';
import type { DeletionReview, Subject } from '../../subject.ts';
import type { LeavingOwner } from './leaving-owner.ts';
import { type Ports, type Released, release } from './release.ts';
import { decide } from './rules/decide.ts';
import { deletedText, denialTexts, editRefusedTexts } from './rules/message.ts';

interface Dependencies {
	pods: Pick<RunnerPods, 'read' | 'from' | 'nodeGoneSinceMs'>;
	ports: Ports;
	/** Only where the reconciler of RunnerSets runs. */
	leavingOwner?: LeavingOwner | undefined;
}

/** The pods of runners. */
export function runnerSubject({ pods, ports, leavingOwner }: Dependencies): Subject<RunnerPod, RunnerReason> {
	/** Denies if the StatefulSet of an exited runner would create the pod again, and still exists after a short wait. */
	async function unlessOwnerIsLive(
		object: Pod,
		{ deletion: { user, dryRun }, arrival }: DeletionReview,
		released: Released,
	): Promise<Released> {
		if (released.verdict.reason !== 'runner-exited' || dryRun || !leavingOwner) return released;
		const owner = await leavingOwner(
			object,
			user,
			arrival.atMs + answerWithinMs - 2 * lastTryMs - ports.now(),
		);
		if (!owner) return released;
		const verdict = deny('owner-leaving', `${owner} would create the pod again`);
		return { verdict, recorded: false, pod: released.pod };
	}

	/** Whether its node may have gone: whether a node that has been noted as missing is still so is not in the pod. */
	const nodeMayBeGone = (object: Pod) => pods.nodeGoneSinceMs(object) !== undefined;

	return {
		read: (object) => pods.read(object),
		outline: outlineRunnerPod,

		/**
		 * - Refuses a pod that is shown as busy and recorded: a caller that tries again and again costs no call.
		 * - Allows where the runner is not running and will not; only whether an exited one's StatefulSet still stands is read then. The
		 *   answer is all that happens: whoever forges such a review gets one, and the pod stays. The API server itself deletes
		 *   no other version of the pod than the one it has shown, and asks again where it has changed (compare-and-swap:
		 *   registry/generic/registry/store.go and storage/etcd3/store.go of k8s.io/apiserver).
		 */
		async shortcut(shown, reviewed, review) {
			const decision = decide(shown, ports.now(), ports.self, isBrief(review));
			if (decision.kind === 'allow' && notRunning.has(decision.reason))
				return unlessOwnerIsLive(reviewed, review, { verdict: decision, recorded: false, pod: shown });
			if (decision.kind !== 'deny' || decision.reason !== 'busy') return undefined;
			const isKnown = shown.record && !review.deletion.dryRun && !nodeMayBeGone(reviewed);
			return isKnown ? { verdict: decision, recorded: true, pod: shown } : undefined;
		},

		/**
		 * The log of a runner that is shown as unregistered, and whose quiet period is over, is read at once: `release` reads
		 * the pod meanwhile. The proof is signed, and nothing goes by it alone.
		 */
		async judge(review, shown, current) {
			const { reviewed, deletion, arrival } = review;
			const isSettled = shown && reviewed && isQuietOver(shown, ports) && !nodeMayBeGone(reviewed);
			const object = isSettled ? reviewed : await current();
			const pod = isSettled ? shown : object && (await pods.from(object));
			if (!object || !pod) return undefined;
			const lastMs = arrival.atMs + answerWithinMs - lastTryMs;
			const answerByMs = Math.min(ports.now() + admissionBudgetMs, lastMs);
			const limits = { answerByMs, priority: 'request', brief: isBrief(review) } as const;
			const released = await release(pod, deletion, ports, limits);
			// An eviction ends the pod as the API server reads it after this answer: it may be on a node by then, and start.
			if (released.verdict.reason === 'never-started' && deletion.options.via === 'eviction')
				return denyAndRecord(released.pod, deny('starting', 'not on a node yet'), deletion, ports);
			return unlessOwnerIsLive(object, review, released);
		},

		endsNothing: ({ process }, { via }) =>
			process.state === 'exited' || (process.state === 'unbound' && via === 'delete'),
		isOver,
		edits: forbiddenEdits,
		texts: {
			denial: denialTexts,
			refusedEdits: editRefusedTexts,
			deleted: deletedText,
			facts: ({ runnerName, runnerId }) => ({ runner: runnerName, runnerId }),
		},
	};
}

const notRunning: ReadonlySet<AllowReason> = new Set([
	'already-terminating', // the kubelet's last DELETE
	'never-started',
	'runner-exited',
]);

/** Whether the deletion gives the pod's containers 1 s; see decide. */
const isBrief = ({ deletion }: DeletionReview) => deletion.options.gracePeriodSeconds === 1;

const isQuietOver = (pod: RunnerPod, { now, self, quiet }: Ports): boolean =>
	decide(pod, now(), self).kind === 'settle' && quiet.leftMs(pod) === 0;
