import { progress } from '../../../api/keys.ts';
import type { Pod } from '../../../api/kinds.ts';
import { type ObjectKey, objectKey } from '../../../api/object-key.ts';
import type { Cache } from '../../../cluster/cache.ts';
import type { PodOwner } from '../../../cluster/pod-owner.ts';
import type { RunnerPods } from '../../../cluster/runner-pods.ts';
import type { FollowedLogs } from '../../../jobs/followed-logs.ts';
import type { LogReading } from '../../../jobs/rules/runner-log.ts';
import { nodeGoneAfterMs } from '../../../runner/policy.ts';
import { type DeletionRequest, nodeGoneOf } from '../../../runner/record.ts';
import { podKey, type RunnerPod } from '../../../runner/runner-pod.ts';
import type { Log } from '../../../telemetry/log.ts';
import type { Clock } from '../../../time/clock.ts';
import { isRecorded } from '../../deletion-loop.ts';
import type { Later, LeaderSubject, Step } from '../../leader-subject.ts';
import { type RunnerReason, runnerDenial } from '../../rules/denials.ts';
import { attemptMs, backgroundBudgetMs, finishingRetryMs, quietMs } from '../../rules/policy.ts';
import { isGitHubsAnswer } from '../../rules/retry.ts';
import { type IdleLists, mayAskAgain } from '../../rules/second-try.ts';
import type { Allow, Deny } from '../../rules/verdict.ts';
import type { WaitReason } from '../../waiting-deletions.ts';
import { graceOf, type Ports, release } from './release.ts';
import { completionMessage, state } from './rules/message.ts';

export interface RunnerDeletionDependencies {
	cache: Cache;
	pods: RunnerPods;
	ports: Ports;
	/**
	 * The StatefulSet or Runner that the pod's set deletes when the runner has ended; undefined: there is none, or the
	 * reconciler of such sets does not run here.
	 */
	liveOwner(pod: Pod): Promise<PodOwner | undefined>;
	/** Whether what the pod says of its job is as new as it should be; see BusyPolling. */
	busyConfirmed(pod: RunnerPod): boolean;
	/** The lists that have shown it idle; see BusyPolling. */
	idleLists(pod: RunnerPod): IdleLists | undefined;
	/** What the runner's log says now; never fails. */
	readLog(pod: RunnerPod): Promise<LogReading>;
	/** The logs of static runners that are waited for; see FollowedLogs. */
	followedLogs: Pick<FollowedLogs, 'follow' | 'idleSinceMs' | 'forget'>;
	clock: Clock;
	log: Log;
}

/** A new leader may know the pods before it knows the nodes; then it checks again after this. */
const nodesListedMs = 1_000;

/** The set's reconciler normally removes an exited runner within this time. */
const ownerLeavesMs = 1_000;

/** The API server has carried out an allowed DELETE long before this time after its review. */
const callersDeleteMs = 2_000;

/** Stands for the namespace controller's request if its deletecollection stopped before it reached this pod. */
const namespaceDeletion: DeletionRequest = {
	user: 'system:serviceaccount:kube-system:namespace-controller',
	options: { via: 'delete' },
	dryRun: false,
};

/**
 * The recorded deletions of runners. They wait until a busy runner's container has stopped; an idle runner is unregistered;
 * they go on after an outage; and pods whose node is gone are deleted.
 */
export class RunnerDeletions implements LeaderSubject {
	/** Each deletion waits for GitHub, and for the quiet period after its 204. */
	readonly controller = { name: 'deletion', concurrency: 64, isCounted: true };
	readonly watched: LeaderSubject['watched'];
	readonly #dependencies: RunnerDeletionDependencies;
	/** By pod UID: GitHub's last 422, and how many there were. One entry for a pod, gone with it. */
	readonly #refusals = new Map<string, { atMs: number; count: number }>();
	#enqueue: (key: ObjectKey) => void = () => {};

	constructor(dependencies: RunnerDeletionDependencies) {
		this.#dependencies = dependencies;
		const { cache } = dependencies;
		this.watched = { informer: cache.pods, on: cache.onPod };
		cache.onPod((change, pod) => this.#podChanged(pod, change === 'deleted'));
	}

	connect(enqueue: (key: ObjectKey) => void): void {
		this.#enqueue = enqueue;
		const { cache } = this.#dependencies;
		cache.onNode((change, node) => {
			if (change === 'modified') return;
			for (const pod of cache.pods.values())
				if (isRecorded(pod) && pod.spec?.nodeName === node.metadata.name) enqueue(objectKey(pod.metadata));
		});
		cache.onEphemeralRunner((change, runner) => {
			const pod = cache.pods.get(runner.metadata.namespace, runner.metadata.name);
			if (change !== 'deleted' && pod && isRecorded(pod)) enqueue(objectKey(pod.metadata));
		});
	}

	waitsForGitHub(reason: WaitReason): boolean {
		// A budget of somebody's is asked anew as well.
		return reason === 'disruption-budget' || runnerDenial(reason as RunnerReason).waitsForGitHub;
	}

	#podChanged(object: Pod, isGone: boolean): void {
		const { followedLogs, pods, ports } = this.#dependencies;
		const { metadata } = object;
		const { uid = '', annotations = {} } = metadata;
		if (isGone || metadata.deletionTimestamp || !isRecorded({ metadata })) followedLogs.forget(uid);
		// The quiet period begins when the proof is seen, which may be long before anybody asks.
		const proven = !isGone && progress.completedAt in annotations && pods.read(object);
		if (proven) ports.quiet.provenForMs(proven);
		if (isGone) this.#refusals.delete(uid);
	}

	/**
	 * A pod that its owner would make again goes with the owner: a StatefulSet would create it under the same name (invariant
	 * 6), beside the runner that replaces it already (invariant 7). An exited runner is left to its set, which counts the
	 * completion (D1) and deletes both. In a namespace that is being deleted no pod is created again.
	 */
	async next(object: Pod, namespaceTerminating: boolean): Promise<Step | undefined> {
		const { pods, clock } = this.#dependencies;
		const pod = await pods.from(object);
		// A record that this server has not signed is none: somebody may have written it in another's name.
		if (!pod || !(pod.record || namespaceTerminating)) return undefined;
		const request = pod.record ? undefined : namespaceDeletion;

		const nodeAfterMs = await this.#noticeNode(object, pod);
		const justReleased = this.#justReleased(pod);
		if (justReleased) return justReleased;
		const priority = pod.busyAnswer ? 'background' : 'request';
		const answerByMs = clock.now() + backgroundBudgetMs;
		const limits = { answerByMs, priority, brief: true } as const;
		const outdated = (await this.#mayAskAgain(pod)) ? pod.busyAnswer : undefined;
		const seen = (current: RunnerPod) => this.#seen(current, outdated);
		const released = await release(seen(pod), request, this.#ports(seen), limits);
		const { verdict } = released;
		if (verdict.kind === 'deny') return this.#wait(released.pod, verdict, nodeAfterMs);
		// If the exchange with GitHub began in a review, the reviewed DELETE itself removes the pod: wait for that. (An
		// attempt is no longer open once there is an answer.)
		const begunMs = pod.unregistered || pod.busyAnswer ? undefined : pod.attempt?.atMs;
		const isJoined = isGitHubsAnswer(verdict) && clock.now() - (begunMs ?? 0) < attemptMs;
		if (isJoined) return { kind: 'later', afterMs: callersDeleteMs };
		const owner = namespaceTerminating ? undefined : await this.#dependencies.liveOwner(object);
		if (owner && verdict.reason === 'runner-exited')
			return { kind: 'later', afterMs: ownerLeavesMs, reason: { pod, reason: 'owner-leaving' } };
		return complete(released.pod, verdict, owner);
	}

	#wait(pod: RunnerPod, verdict: Deny<RunnerReason>, nodeAfterMs: number | undefined): Step {
		const { clock, followedLogs } = this.#dependencies;
		const { reason } = verdict;
		// In a full queue it is idle for a second only. Where ARC has it unregistered, ARC tries at each of our writes.
		if (reason === 'busy' && !pod.ephemeral && !pod.leavingByArc)
			followedLogs.follow(pod, () => this.#enqueue(objectKey(pod)));
		const denial = runnerDenial(reason);
		const retryMs = denial.retry(pod, clock.now(), clock.random);
		return {
			kind: 'wait',
			pod,
			runner: pod.runnerName,
			reason,
			denial,
			message: `runner ${pod.runnerName} ${state(pod, verdict, clock.now())}`,
			afterMs: nodeAfterMs === undefined ? retryMs : Math.min(nodeAfterMs, retryMs ?? nodeAfterMs),
			// Each change of the pod is one more call of ARC's to GitHub.
			unwritten: pod.leavingByArc && reason === 'busy',
		};
	}

	/**
	 * The pod as this loop sees it. Break-glass is meant for the DELETE of a person, whom the Event then names: the loop must not
	 * delete first. A busy mark that no list has confirmed for long does not count, nor does a 422 from before the runner's
	 * log showed it idle.
	 *
	 * @param outdated GitHub's 422 that does not count any more, nor the mark that stands for it
	 */
	#seen(pod: RunnerPod, outdated: RunnerPod['busyAnswer']): RunnerPod {
		const { busyConfirmed, followedLogs } = this.#dependencies;
		if (outdated && pod.busyAnswer?.atMs === outdated.atMs && !this.#hasJobId(pod))
			return { ...pod, busyHint: undefined, busyAnswer: undefined, breakGlass: undefined };
		const idleMs = followedLogs.idleSinceMs(pod);
		const isConfirmed = busyConfirmed(pod) && idleMs === undefined;
		return {
			...pod,
			busyHint: isConfirmed ? pod.busyHint : undefined,
			busyAnswer: idleMs !== undefined && this.#isOutdated(pod, idleMs) ? undefined : pod.busyAnswer,
			breakGlass: undefined,
		};
	}

	/**
	 * Whether GitHub's 422 is older than the line that shows the runner idle, and GitHub may be asked again for it: after
	 * 1, 2, 4 s and so on, because a job can print such a line as often as it likes (invariant 5).
	 */
	#isOutdated({ uid, busyAnswer }: RunnerPod, idleMs: number): boolean {
		if (!busyAnswer || busyAnswer.atMs >= idleMs) return false;
		const { atMs } = busyAnswer;
		const { first, most } = finishingRetryMs;
		return (
			this.#dependencies.clock.now() - atMs >= Math.min(most, first * 2 ** (this.#answers(uid, atMs) - 1))
		);
	}

	/** How often GitHub has answered 422 for it, as far as this leader knows; the last time then. */
	#answers(uid: string, atMs: number): number {
		const before = this.#refusals.get(uid);
		const count = before?.atMs === atMs ? before.count : (before?.count ?? 0) + 1;
		this.#refusals.set(uid, { atMs, count });
		return count;
	}

	/** Whether GitHub's 422 for an ephemeral runner may be out of date: by its lists, and by the runner's log. */
	async #mayAskAgain(pod: RunnerPod): Promise<boolean> {
		const { idleLists, readLog, clock } = this.#dependencies;
		const { uid, busyAnswer, leavingByArc } = pod;
		if (!busyAnswer || leavingByArc || this.#hasJobId(pod)) return false;
		if (!mayAskAgain(pod, idleLists(pod), this.#answers(uid, busyAnswer.atMs), clock.now())) return false;
		return (await readLog(pod)).says === 'idle';
	}

	/** Whether a scale set's listener has named its job. */
	#hasJobId({ namespace, name }: RunnerPod): boolean {
		return Boolean(this.#dependencies.cache.ephemeralRunners.get(namespace, name)?.status?.jobId);
	}

	#ports(see: (pod: RunnerPod) => RunnerPod): Ports {
		const { ports } = this.#dependencies;
		const seen = <T extends string>(pod: RunnerPod | T) => (typeof pod === 'string' ? pod : see(pod));
		return {
			...ports,
			write: async (...change) => seen(await ports.write(...change)),
			reread: async (pod) => seen(await ports.reread(pod)),
		};
	}

	/**
	 * If a review has just allowed the deletion, here or at another replica, the reviewed DELETE removes the pod in a
	 * moment. If the loop deleted first, that caller would get a 404. By when it was seen here: the clock of the replica that
	 * wrote it may be behind, and then the quiet period would seem to be over.
	 */
	#justReleased(pod: RunnerPod): Later | undefined {
		const ageMs = this.#dependencies.ports.quiet.provenForMs(pod) ?? Number.POSITIVE_INFINITY;
		const callersMs = quietMs + callersDeleteMs;
		return ageMs < callersMs ? { kind: 'later', afterMs: callersMs - ageMs } : undefined;
	}

	/**
	 * Notes on the pod since when its node is missing, so that the time limit survives a change of leader. Returns after how
	 * many ms to look after it again.
	 */
	async #noticeNode(object: Pod, pod: RunnerPod): Promise<number | undefined> {
		const { cache, pods, ports, clock, log } = this.#dependencies;
		if (!pod.nodeName) return undefined;
		// The first list of nodes changes no pod, so without another check a missing node would never be noticed.
		if (!cache.nodes.synced) return nodesListedMs;
		const sinceMs = pods.nodeGoneSinceMs(object);
		const missing = cache.nodes.get(undefined, pod.nodeName) === undefined;
		if (missing && sinceMs !== undefined) return Math.max(500, sinceMs + nodeGoneAfterMs - clock.now());
		if (!missing && sinceMs === undefined) return undefined;
		await pods.patch(pod, { annotations: nodeGoneOf(pod, missing ? clock.now() : null, ports.sign) });
		if (!missing) return undefined;
		log.warn(
			{ pod: podKey(object), node: pod.nodeName, releasedAfterMs: nodeGoneAfterMs },
			'the node of a runner is missing; its pod is deleted if the node stays missing',
		);
		return nodeGoneAfterMs;
	}
}

const complete = (pod: RunnerPod, verdict: Allow, owner: PodOwner | undefined): Step => ({
	kind: 'delete',
	pod,
	owner,
	runner: pod.runnerName,
	reason: verdict.reason,
	gracePeriodSeconds: graceOf(verdict, pod),
	message: completionMessage(pod, verdict),
});
