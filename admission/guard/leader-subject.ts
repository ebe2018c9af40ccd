import type { Pod } from '../api/kinds.ts';
import type { ObjectKey } from '../api/object-key.ts';
import type { AllowReason } from '../api/reasons.ts';
import type { PodOwner } from '../cluster/pod-owner.ts';
import type { Watched } from '../cluster/watched.ts';
import type { GuardedPod } from '../runner/guarded-pod.ts';
import type { Denial } from './rules/denials.ts';
import type { WaitReason } from './waiting-deletions.ts';

/** What is to be done about a recorded deletion now. */
export type Step = Deletable | Waiting | Later;

/** The pod may go. */
export interface Deletable {
	kind: 'delete';
	pod: GuardedPod;
	/** What would make the pod again: it is deleted first. */
	owner?: PodOwner | undefined;
	/** The runner's name, for log lines. */
	runner: string;
	reason: AllowReason;
	/** In place of what was asked for; undefined: as recorded. */
	gracePeriodSeconds?: number | undefined;
	/** What the Event says. */
	message: string;
}

/** Its deletion is denied. The reason is written on the pod. */
export interface Waiting {
	kind: 'wait';
	pod: GuardedPod;
	runner: string;
	reason: Exclude<WaitReason, 'disruption-budget'>;
	/** The row of the reason. */
	denial: Pick<Denial<never>, 'warns'>;
	/** What the condition and the Event say. */
	message: string;
	/** When it is tried again; undefined: only a change can help. */
	afterMs: number | undefined;
	/** Nothing is written on the pod: somebody reacts to each of its changes. */
	unwritten?: boolean;
}

/** Somebody else does what has to be done. It is checked again after `afterMs`, and nothing is reported. */
export interface Later {
	kind: 'later';
	afterMs: number;
	/** Why it waits, for the metrics and the report. */
	reason?: { pod: GuardedPod; reason: WaitReason };
}

/**
 * A kind of pod at the leader: everything in which the kinds differ when recorded deletions are carried out. What reviews
 * need is in subject.ts.
 */
export interface LeaderSubject {
	/**
	 * The name in the metrics, how many deletions are worked on at a time, and whether those that wait are in the metrics and
	 * in the report.
	 */
	controller: { name: string; concurrency: number; isCounted: boolean };
	/** The pods of this kind, as the leader watches them. */
	watched: Watched<Pod>;
	/** Runs that watch until `signal` ends. Left out where it is one of the leader's caches, which run by themselves. */
	run?(signal: AbortSignal): Promise<void>;
	/** Enqueues a pod when something else than the pod changes. Called once, before anything runs. */
	connect(enqueue: (key: ObjectKey) => void): void;
	/**
	 * What is to be done about a pod whose deletion is recorded, or whose namespace is being deleted. undefined: nothing, the
	 * record is not this server's.
	 */
	next(object: Pod, namespaceTerminating: boolean): Promise<Step | undefined>;
	/** Whether a deletion that waits for this is tried again as soon as GitHub can be asked again. */
	waitsForGitHub(reason: WaitReason): boolean;
}
