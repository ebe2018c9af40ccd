import { DeletionLoop } from '../../../admission/guard/deletion-loop.ts';
import { OneByOne } from '../../../admission/guard/one-by-one.ts';
import type { ReviewDependencies } from '../../../admission/guard/review-deletion.ts';
import type { Subject } from '../../../admission/guard/subject.ts';
import { subjects } from '../../../admission/guard/subjects/index.ts';
import {
	type RunnerDeletionDependencies,
	RunnerDeletions,
} from '../../../admission/guard/subjects/runner/deletions.ts';
import type { LeavingOwner } from '../../../admission/guard/subjects/runner/leaving-owner.ts';
import { WaitingDeletions } from '../../../admission/guard/waiting-deletions.ts';
import { readLog } from '../../../admission/jobs/read-log.ts';
import { readRunnerPod } from '../../../admission/runner/runner-pod.ts';
import { signer } from '../runner/pods.ts';
import type { World } from './world.ts';

/** The guarded kinds for what reads no pod and asks nobody: only what the pod itself says counts. */
export const kindsByThemselves = (): readonly Subject[] =>
	subjects({
		pods: { read: (object: object) => readRunnerPod(object as never) },
		ports: { self: 'me', now: () => 0 },
		verify: signer.verifyStatement,
		sign: signer.signStatement,
		clock: { now: () => 0 },
	} as never);

/** What the handlers of the webhook are given in this world. */
export function reviewParts(world: World, change: { leavingOwner?: LeavingOwner | undefined } = {}) {
	const { api, pods, ports, events, metrics, clock, log } = world;
	const { signStatement: sign, verifyStatement: verify } = signer;
	const guarded = subjects({
		...{ pods, ports, sign, verify, clock, ...change },
		readLog: (runner) => readLog(api, runner),
	});
	return {
		subjects: guarded,
		pods,
		sign,
		oneByOne: new OneByOne(),
		events,
		metrics,
		clock,
		log,
	} satisfies ReviewDependencies;
}

/** The loop that carries out the recorded deletions of runners, and what it notes. */
export function runnerDeletionLoop(
	parts: World['parts'],
	change: Omit<RunnerDeletionDependencies, keyof World['parts']>,
) {
	const waiting = new WaitingDeletions(parts.metrics);
	const loop = new DeletionLoop(new RunnerDeletions({ ...parts, ...change }), { ...parts, waiting });
	return Object.assign(loop, { waiting: waiting.all });
}
