import type { Pod, RecordedOptions } from '../api/kinds.ts';
import type { DenyReason } from '../api/reasons.ts';
import type { GuardedPod } from '../runner/guarded-pod.ts';
import type { DeletionRequest } from '../runner/record.ts';
import type { Arrival, Refusal } from '../webhook/review.ts';
import type { BoundPod } from './rules/bound-pod.ts';
import type { DenialTexts } from './rules/message.ts';
import type { Deny, Verdict } from './rules/verdict.ts';

/** A request to delete a pod, as a review tells it. */
export interface DeletionReview {
	/** UID of the review. */
	id: string;
	namespace: string;
	name: string;
	/** UID of the pod that is meant; undefined: whichever has this name. */
	uid: string | undefined;
	/**
	 * The reviewed object, which may be old or forged: enough to refuse, and never recorded. undefined: an eviction shows none,
	 * and a large one is not kept.
	 */
	reviewed?: Pod | undefined;
	deletion: DeletionRequest;
	/** The pod in which the caller runs. */
	caller?: BoundPod | undefined;
	refusal: Refusal;
	arrival: Arrival;
}

export interface Judged<P extends GuardedPod, Reason extends DenyReason = DenyReason> {
	verdict: Verdict<Reason>;
	/** Whether the denied deletion is recorded on the pod. */
	recorded: boolean | 'dry-run';
	/** The pod after our own writes. */
	pod: P;
}

/** What any kind of pod may be denied for: the guard failed, or does not know who asks. */
type CommonReason = 'internal-error' | 'unknown-caller';

/**
 * A kind of pod that the guard guards: everything in which the kinds differ when a request to delete or edit a pod is
 * reviewed. What the leader does about recorded deletions is in leader-subject.ts.
 */
export interface Subject<P extends GuardedPod = GuardedPod, Reason extends DenyReason = DenyReason> {
	/** The pod, by what it says itself; undefined: it is of another kind. */
	read(object: Pod): P | undefined;
	/**
	 * As \`read\`, by the pod's form alone: which runner it is and what is signed on it is not read. For unauthenticated callers,
	 * who may send anything, and as often as they like.
	 */
	outline(object: Pod): P | undefined;
	/** The verdict, where the reviewed object is enough for one. It is not believed, so nothing is written for it. */
	shortcut(shown: P, reviewed: Pod, review: DeletionReview): Promise<Judged<P, Reason> | undefined>;
	/**
	 * The verdict on the pod as it is; a denied request is recorded. undefined: it is gone, or of another kind.
	 *
	 * @param shown the reviewed object, where it is of this kind
	 * @param current reads the pod from the API server, once; undefined: it is gone, or of another kind
	 */
	judge(
		review: DeletionReview,
		shown: P | undefined,
		current: () => Promise<Pod | undefined>,
	): Promise<Judged<P, Reason> | undefined>;
	/** Whether an unauthenticated caller may have it deleted, because no job ends with it. */
	endsNothing(pod: P, asked: Pick<RecordedOptions, 'via'> & { caller: BoundPod | undefined }): boolean;
	/** Whether it may be edited in any way, because its job has ended or it is going already. */
	isOver(pod: P): boolean;
	/** What of an update must be refused, each as a clause for people; empty: it may be made. */
	edits(before: Pod, after: Pod, pod: P, user: string): string[];
	texts: SubjectTexts<P, Reason>;
}

/** What people read about such a pod. */
interface SubjectTexts<P extends GuardedPod, Reason extends DenyReason> {
	denial(
		pod: P,
		verdict: Deny<Reason | CommonReason>,
		recorded: boolean | 'dry-run',
		nowMs: number,
	): DenialTexts;
	refusedEdits(pod: P, edits: readonly string[]): DenialTexts;
	/** What somebody deletes by break-glass: `runner r1, which ran build for 12m`. */
	deleted(pod: P, nowMs: number): string;
	/** What log lines say beside the pod's name. */
	facts(pod: P): { runner: string; runnerId?: number | undefined };
}

/** The same kinds, for reviews of unauthenticated callers. */
export const byOutline = (subjects: readonly Subject[]): readonly Subject[] =>
	subjects.map((subject) => ({ ...subject, read: subject.outline }));

/** A pod and its kind. */
export interface Found {
	subject: Subject;
	pod: GuardedPod;
	object: Pod;
}

/** Which of the kinds the pod is of; undefined: it is not guarded. */
export function find(subjects: readonly Subject[], object: Pod): Found | undefined {
	for (const subject of subjects) {
		const pod = subject.read(object);
		if (pod) return { subject, pod, object };
	}
	return undefined;
}
