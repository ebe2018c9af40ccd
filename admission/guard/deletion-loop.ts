import { deletionPendingCondition, progress, record } from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import { camelCase } from '../api/reasons.ts';
import type { Cache } from '../cluster/cache.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import type { FollowedLogs } from '../jobs/followed-logs.ts';
import { isConflict, isNotFound, isTooManyRequests } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { type Events, podSubject } from '../kube/events.ts';
import { type Requeue, soonest, WorkQueue } from '../kube/queue.ts';
import { nodeGoneAfterMs } from '../runner/policy.ts';
import { type DeletionRequest, nodeGoneOf } from '../runner/record.ts';
import { podKey, type RunnerPod } from '../runner/runner-pod.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { type Ports, release } from './release.ts';
import { completionMessage } from './rules/completion-message.ts';
import { type Denial, type RunnerReason, runnerDenial } from './rules/denials.ts';
import { attemptMs, backgroundBudgetMs, finishingRetryMs, quietMs } from './rules/policy.ts';
import { changesOnlyAttempt, isGitHubsAnswer } from './rules/retry.ts';
import { state } from './rules/runner-message.ts';
import type { Allow, Deny } from './rules/verdict.ts';
import { type WaitingDeletion, WaitingDeletions, type WaitReason } from './waiting-deletions.ts';

export interface DeletionDependencies {
	cache: Cache;
	pods: RunnerPods;
	ports: Ports;
	/**
	 * Name of the StatefulSet or Runner that the pod's set deletes when the runner has ended; undefined: there is none, or
	 * the reconciler of such sets does not run here.
	 */
	standingOwner(pod: Pod): Promise<string | undefined>;
	/** Whether what the pod says of its job is as new as it should be; see BusyPolling. */
	busyConfirmed(pod: RunnerPod): boolean;
	/** The logs of static runners that are waited for; see FollowedLogs. */
	followedLogs: Pick<FollowedLogs, 'follow' | 'idleSinceMs' | 'forget'>;
	events: Events;
	metrics: Metrics;
	clock: Clock;
	log: Log;
}

/** A new leader may know the pods before it knows the nodes; then it checks again after this. */
const nodesListedMs = 1_000;

/** The set's reconciler normally removes an exited runner within this time. */
const ownerLeavesMs = 1_000;

/** The API server has carried out an allowed DELETE long before this time after its review. */
const callersDeleteMs = 2_000;

/** Deletions that are carried out at the same time: each waits for GitHub, and for the quiet time after its 204. */
const loopsAtOnce = 64;

/** The watch has shown an accepted DELETE long before this, on any machine; if it has not, the deletion is tried again. */
const shownWithinMs = 30_000;

/** Stands for the namespace controller's request if its deletecollection stopped before it reached this pod. */
const namespaceDeletion: DeletionRequest = {
	user: 'system:serviceaccount:kube-system:namespace-controller',
	options: { via: 'delete' },
	dryRun: false,
};

/**
 * Carries out recorded deletions, so that nobody has to ask twice. It waits until a busy runner's container has stopped,
 * has an idle runner unregistered, goes on after an outage, and deletes pods whose node is gone.
 */
export class DeletionLoop {
	readonly #queue: WorkQueue;
	readonly #dependencies: DeletionDependencies;
	readonly #waiting: WaitingDeletions;
	/**
	 * By pod UID: when its DELETE was accepted, by monotonic time. The cache may still show the pod as it was, and without this
	 * it would be deleted, and told, again. Counts for shownWithinMs; one entry for a pod, gone with it.
	 */
	readonly #accepted = new Map<string, number>();
	/** By pod UID: GitHub's last 422, and how many there were. One entry for a static runner's pod, gone with it. */
	readonly #refusals = new Map<string, { atMs: number; count: number }>();
	/** By pod UID: GitHub's 204, and when it was first seen, by monotonic time. One entry for a pod, gone with it. */
	readonly #proofs = new Map<string, { at: string; seenMs: number }>();

	constructor(dependencies: DeletionDependencies) {
		this.#dependencies = dependencies;
		const { cache, metrics, clock, log } = dependencies;
		this.#waiting = new WaitingDeletions(metrics);
		this.#queue = new WorkQueue({
			controller: 'deletion',
			metrics,
			clock,
			concurrency: loopsAtOnce,
			reconcile: (key) => this.#reconcile(key),
			onError: (key, error, retryMs) =>
				log.warn(
					{ pod: key, error: String(error), retryMs },
					'recorded deletion could not be carried out, retrying',
				),
		});
		cache.onPod((change, pod, before) => {
			const { uid = '' } = pod.metadata;
			if (change === 'deleted' || pod.metadata.deletionTimestamp || !isRecorded(pod))
				dependencies.followedLogs.forget(uid);
			const { [progress.completedAt]: at } = pod.metadata.annotations ?? {};
			if (at !== undefined && this.#proofs.get(uid)?.at !== at)
				this.#proofs.set(uid, { at, seenMs: clock.monotonic() });
			if (change === 'deleted')
				for (const known of [this.#accepted, this.#refusals, this.#proofs]) known.delete(uid);
			if (change === 'deleted') this.#forget(podKey(pod));
			else if (before && changesOnlyAttempt(before, pod)) return;
			else if (isRecorded(pod) || this.#namespaceTerminating(pod)) this.#queue.add(podKey(pod));
			else this.#forget(podKey(pod)); // the deletion was cancelled
		});
		cache.onNamespace((_change, namespace) => {
			if (!namespace.metadata.deletionTimestamp) return;
			this.#addWhere((pod) => pod.metadata.namespace === namespace.metadata.name);
		});
		cache.onNode((change, node) => {
			if (change === 'modified') return;
			this.#addWhere((pod) => isRecorded(pod) && pod.spec?.nodeName === node.metadata.name);
		});
		cache.onEphemeralRunner((change, runner) => {
			const pod = cache.pods.get(runner.metadata.namespace, runner.metadata.name);
			if (change !== 'deleted' && pod && isRecorded(pod)) this.#queue.add(podKey(pod));
		});
	}

	/** GitHub can be asked again: deletions that waited for that are tried soon, spread over 2 s. */
	retryGitHub(): void {
		const { random } = this.#dependencies.clock;
		for (const [key, { reason }] of this.#waiting.all) {
			if (afterDenial(reason).waitsForGitHub) this.#queue.addAfter(key, random() * 2_000);
		}
	}

	/** The recorded deletions that wait, by pod key. */
	get waiting(): ReadonlyMap<string, WaitingDeletion> {
		return this.#waiting.all;
	}

	stop(): Promise<void> {
		return this.#queue.stop();
	}

	async #reconcile(key: string): Promise<Requeue> {
		const { cache, pods, clock } = this.#dependencies;
		const [namespace, name = ''] = key.split('/');
		const cached = cache.pods.get(namespace, name);
		if (!cached || cached.metadata.deletionTimestamp) return this.#forget(key);
		const shownInMs = this.#shownInMs(cached);
		if (shownInMs > 0) return { afterMs: shownInMs };
		const namespaceGoes = this.#namespaceTerminating(cached);
		if (!isRecorded(cached) && !namespaceGoes) return this.#forget(key);
		const pod = await pods.from(cached);
		// A record that this server has not signed is none: somebody may have written it in another's name.
		if (!pod || !(pod.record || namespaceGoes)) return this.#forget(key);
		const request = pod.record ? undefined : namespaceDeletion;

		const nodeAgain = await this.#noticeNode(cached, pod);
		const again = this.#justReleased(pod);
		if (again) return again;
		const priority = pod.busyAnswer ? 'background' : 'request';
		const answerByMs = clock.now() + backgroundBudgetMs;
		const released = await release(this.#seen(pod), request, this.#ports(), { answerByMs, priority });
		if (released.verdict.kind === 'allow') {
			// If the exchange with GitHub began in a review, the reviewed DELETE itself removes the pod: wait for that. (A
			// claim is no longer open once there is an answer.)
			const begunMs = pod.unregistered || pod.busyAnswer ? undefined : pod.attempt?.atMs;
			const joined = isGitHubsAnswer(released.verdict) && clock.now() - (begunMs ?? 0) < attemptMs;
			if (joined) return { afterMs: callersDeleteMs };
			if (released.verdict.reason === 'runner-exited' && (await this.#ownerStands(cached)))
				return this.#leaveToOwner(key, released.pod);
			return this.#complete(key, released.pod, released.verdict);
		}
		return soonest(await this.#wait(key, cached, released.pod, released.verdict), nodeAgain?.afterMs);
	}

	/**
	 * The pod as this loop sees it. Break-glass is meant for the DELETE of a person, whom the Event then names: the loop must not
	 * delete first. A busy mark that no list has confirmed for long is no more than a question; so is what GitHub has said
	 * before the runner's log showed it idle.
	 */
	#seen(pod: RunnerPod): RunnerPod {
		const { busyConfirmed, followedLogs } = this.#dependencies;
		const idleMs = followedLogs.idleSinceMs(pod);
		const stands = busyConfirmed(pod) && idleMs === undefined;
		return {
			...pod,
			busyHint: stands ? pod.busyHint : undefined,
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
		const before = this.#refusals.get(uid);
		const count = before?.atMs === atMs ? before.count : (before?.count ?? 0) + 1;
		this.#refusals.set(uid, { atMs, count });
		const { first, most } = finishingRetryMs;
		return this.#dependencies.clock.now() - atMs >= Math.min(most, first * 2 ** (count - 1));
	}

	#ports(): Ports {
		const { ports } = this.#dependencies;
		const seen = <T extends string>(pod: RunnerPod | T) => (typeof pod === 'string' ? pod : this.#seen(pod));
		return {
			...ports,
			write: async (...change) => seen(await ports.write(...change)),
			reread: async (pod) => seen(await ports.reread(pod)),
		};
	}

	/** How long the watch may still take to show that this pod's DELETE was accepted; 0: none was, or it has taken too long. */
	#shownInMs({ metadata: { uid = '' } }: Pod): number {
		const acceptedMs = this.#accepted.get(uid) ?? Number.NEGATIVE_INFINITY;
		return Math.max(0, acceptedMs + shownWithinMs - this.#dependencies.clock.monotonic());
	}

	/**
	 * If a review has just allowed the deletion, here or at another replica, the reviewed DELETE removes the pod in a
	 * moment. If the loop deleted first, that caller would get a 404. By when it was seen here: the clock of the replica that
	 * wrote it may be behind, and then the quiet time would seem to be over.
	 */
	#justReleased({ uid, unregistered }: RunnerPod): Requeue {
		if (!unregistered) return undefined;
		const nowMs = this.#dependencies.clock.monotonic();
		const ageMs = nowMs - (this.#proofs.get(uid)?.seenMs ?? nowMs);
		const callersMs = quietMs + callersDeleteMs;
		return ageMs < callersMs ? { afterMs: callersMs - ageMs } : undefined;
	}

	/** Whether the pod's set still has to delete the owner. In a namespace that is being deleted no pod is created again. */
	async #ownerStands(pod: Pod): Promise<boolean> {
		const { standingOwner } = this.#dependencies;
		return !this.#namespaceTerminating(pod) && (await standingOwner(pod)) !== undefined;
	}

	/**
	 * Leaves an exited runner to its set, which counts the completion (D1), deletes the StatefulSet or Runner, and then the
	 * pod. If the loop deleted the pod first, a StatefulSet would create it again under its name (invariant 6), and the set
	 * would replace the runner at once.
	 */
	#leaveToOwner(key: string, pod: RunnerPod): Requeue {
		this.#note(key, pod, 'owner-leaving');
		return { afterMs: ownerLeavesMs };
	}

	async #complete(key: string, pod: RunnerPod, verdict: Allow): Promise<Requeue> {
		const { pods, events, log } = this.#dependencies;
		const facts = {
			pod: key,
			runner: pod.runnerName,
			reason: verdict.reason,
			askedBy: pod.record?.requestedBy,
		};
		const options = pod.record?.options ?? namespaceDeletion.options;
		try {
			await pods.remove(pod, options);
		} catch (error) {
			if (isNotFound(error)) return this.#forget(key);
			if (isTooManyRequests(error) && options.via === 'eviction') {
				await this.#tell(key, pod, 'disruption-budget', error.message);
				return { afterMs: 5_000 };
			}
			if (isConflict(error) && (await pods.get(pod.namespace, pod.name))?.metadata.uid !== pod.uid)
				return this.#forget(key);
			throw error;
		}
		this.#accepted.set(pod.uid, this.#dependencies.clock.monotonic());
		log.info(facts, 'recorded deletion completed');
		const type = verdict.reason === 'node-gone' ? 'Warning' : 'Normal';
		const reason = verdict.reason === 'node-gone' ? 'NodeGone' : 'DeletionCompleted';
		events.send(podSubject(pod), type, reason, 'Delete', completionMessage(pod, verdict));
		return this.#forget(key);
	}

	/** Tells why the deletion waits. Returns after how many ms to try again; undefined: only a change can help. */
	async #wait(
		key: string,
		cached: Pod,
		pod: RunnerPod,
		verdict: Deny<RunnerReason>,
	): Promise<number | undefined> {
		const told = cached.status?.conditions?.find((condition) => condition.type === deletionPendingCondition);
		if (told?.status !== 'True' || told.reason !== camelCase(verdict.reason)) {
			await this.#tell(
				key,
				pod,
				verdict.reason,
				`runner ${pod.runnerName} ${state(pod, verdict, this.#dependencies.clock.now())}`,
			);
		}
		this.#note(key, pod, verdict.reason);
		// In a full queue it is idle for a second only. Where ARC has it unregistered, ARC tries at each of our writes.
		if (verdict.reason === 'busy' && !pod.ephemeral && !pod.leavingByArc)
			this.#dependencies.followedLogs.follow(pod, () => this.#queue.add(key));
		const { now, random } = this.#dependencies.clock;
		return runnerDenial(verdict.reason).retry(pod, now(), random);
	}

	async #tell(key: string, pod: RunnerPod, reason: WaitReason, message: string): Promise<void> {
		const { pods, log, events } = this.#dependencies;
		if (this.#waiting.get(key)?.reason === reason) return;
		this.#note(key, pod, reason);
		const named = camelCase(reason);
		log.info({ pod: key, runner: pod.runnerName, reason }, 'recorded deletion waits');
		if (afterDenial(reason).warns)
			events.send(podSubject(pod), 'Warning', `DeletionWaits${named}`, 'Delete', message);
		if (pod.leavingByArc && reason === 'busy') return; // each change of the pod is one more call of ARC's to GitHub
		await pods.setCondition(pod, deletionPendingCondition, true, named, message);
	}

	/** Notes on the pod since when its node is missing, so that the time limit survives a change of leader. */
	async #noticeNode(cached: Pod, pod: RunnerPod): Promise<Requeue> {
		const { cache, pods, ports, clock, log } = this.#dependencies;
		if (!pod.nodeName) return undefined;
		// The first list of nodes changes no pod, so without another check a missing node would never be noticed.
		if (!cache.nodes.synced) return { afterMs: nodesListedMs };
		const sinceMs = pods.nodeGoneSinceMs(cached);
		const missing = cache.nodes.get(undefined, pod.nodeName) === undefined;
		if (missing && sinceMs !== undefined)
			return { afterMs: Math.max(500, sinceMs + nodeGoneAfterMs - clock.now()) };
		if (!missing && sinceMs === undefined) return undefined;
		await pods.patch(pod, { annotations: nodeGoneOf(pod, missing ? clock.now() : null, ports.sign) });
		if (!missing) return undefined;
		log.warn(
			{ pod: podKey(cached), node: pod.nodeName, releasedAfterMs: nodeGoneAfterMs },
			'the node of a runner is missing; its pod is deleted when it stays missing',
		);
		return { afterMs: nodeGoneAfterMs };
	}

	#namespaceTerminating(pod: Pod): boolean {
		const namespace = this.#dependencies.cache.namespaces.get(undefined, pod.metadata.namespace ?? '');
		return namespace?.metadata.deletionTimestamp !== undefined;
	}

	#addWhere(matches: (pod: Pod) => boolean): void {
		for (const pod of this.#dependencies.cache.pods.values()) if (matches(pod)) this.#queue.add(podKey(pod));
	}

	#note(key: string, pod: RunnerPod, reason: WaitReason): void {
		this.#waiting.note(key, reason, pod.record?.requestedAt, this.#dependencies.clock.now());
	}

	#forget(key: string): undefined {
		this.#waiting.forget(key);
	}
}

/** What follows while the deletion waits. A budget of somebody's is asked anew as well when GitHub can be asked again. */
function afterDenial(reason: WaitReason): Pick<Denial<RunnerPod>, 'waitsForGitHub' | 'warns'> {
	return reason === 'disruption-budget' ? { waitsForGitHub: true, warns: true } : runnerDenial(reason);
}

const isRecorded = (pod: Pod) => pod.metadata.annotations?.[record.requestedBy] !== undefined;
