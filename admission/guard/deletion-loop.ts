import { deletionPendingCondition, progress, record } from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import { camelCase, type DenyReason } from '../api/reasons.ts';
import type { Cache } from '../cluster/cache.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import { isConflict, isNotFound, KubeError } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { type Events, podSubject } from '../kube/events.ts';
import { type LookAgain, WorkQueue } from '../kube/queue.ts';
import { nodeGoneAfterMs } from '../runner/policy.ts';
import type { DeletionRequest } from '../runner/record.ts';
import { podKey, type RunnerPod } from '../runner/runner-pod.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { type Ports, release } from './release.ts';
import type { Allow, Deny } from './rules/decide.ts';
import { state } from './rules/message.ts';
import { backgroundBudgetMs, claimMs, registeringRetryMs, staticRetryMs } from './rules/policy.ts';

export interface DeletionDependencies {
	cache: Cache;
	pods: RunnerPods;
	ports: Ports;
	/**
	 * The StatefulSet or Runner that this pod's set deletes when the runner has ended; undefined: there is none, or the
	 * reconciler of such sets does not run here.
	 */
	standingOwner(pod: Pod): Promise<string | undefined>;
	events: Events;
	metrics: Metrics;
	clock: Clock;
	log: Log;
}

/** A recorded deletion that can't be carried out yet. */
export interface WaitingDeletion {
	reason: DenyReason | 'disruption-budget';
	/** When it was asked for; one that a namespace's deletion asks for counts from when it was first seen. */
	askedAtMs: number;
}

/** A new leader may know the pods before it knows the nodes: it looks again after this. */
const nodesListedMs = 1_000;

/** Its set's reconciler removes an exited runner in a moment. */
const ownerLeavesMs = 1_000;

/** An allowed DELETE has been carried out this long after its admission, with much to spare. */
const callersDeleteMs = 2_000;

/** The namespace controller's request, where its deletecollection never got as far as this pod. */
const namespaceDeletion: DeletionRequest = {
	user: 'system:serviceaccount:kube-system:namespace-controller',
	options: { via: 'delete' },
	dryRun: false,
};

/**
 * Completes recorded deletions, so that nobody has to ask twice: waits for a busy runner's container to stop,
 * unregisters an idle one, goes on after an outage, gives a pod free whose node is gone.
 */
export class DeletionLoop {
	readonly #queue: WorkQueue;
	readonly #dependencies: DeletionDependencies;
	/** Why each recorded deletion waits, by pod key: to tell changes, for the metrics and the report. */
	readonly #waiting = new Map<string, WaitingDeletion>();

	constructor(dependencies: DeletionDependencies) {
		this.#dependencies = dependencies;
		const { cache, metrics, clock, log } = dependencies;
		this.#queue = new WorkQueue({
			controller: 'deletion',
			metrics,
			clock,
			concurrency: 16,
			reconcile: (key) => this.#reconcile(key),
			onError: (key, error, retryMs) =>
				log.warn({ pod: key, error: String(error), retryMs }, 'deletion not completed, retrying'),
		});
		cache.onPod((change, pod, before) => {
			if (change === 'deleted') this.#forget(podKey(pod));
			else if (before && onlyClaimed(before, pod)) return;
			else if (isRecorded(pod) || this.#namespaceTerminating(pod)) this.#queue.add(podKey(pod));
			else this.#forget(podKey(pod)); // taken back
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

	/** GitHub can be asked again: what waited for that goes on. */
	retryGitHub(): void {
		const { random } = this.#dependencies.clock;
		for (const [key, { reason }] of this.#waiting) {
			if (reason !== 'busy' && reason !== 'registering') this.#queue.addAfter(key, random() * 2_000);
		}
	}

	/** By pod key. */
	get waiting(): ReadonlyMap<string, WaitingDeletion> {
		return this.#waiting;
	}

	stop(): Promise<void> {
		return this.#queue.stop();
	}

	async #reconcile(key: string): Promise<LookAgain> {
		const { cache, pods, ports, clock } = this.#dependencies;
		const [namespace, name = ''] = key.split('/');
		const cached = cache.pods.get(namespace, name);
		if (!cached || cached.metadata.deletionTimestamp) return this.#forget(key);
		const request = isRecorded(cached) ? undefined : namespaceDeletion;
		if (request && !this.#namespaceTerminating(cached)) return this.#forget(key);
		const pod = await pods.from(cached);
		if (!pod) return this.#forget(key);

		const nodeAgain = await this.#noticeNode(cached, pod);
		const again = this.#justReleased(pod);
		if (again) return again;
		const priority = pod.busyAnswer && !pod.ephemeral ? 'background' : 'request';
		// Break-glass is for a person's own DELETE, which the Event then names: ours must not be quicker.
		const guarded = { ...pod, breakGlass: undefined };
		const released = await release(guarded, request, ports, { budgetMs: backgroundBudgetMs, priority });
		if (released.verdict.kind === 'allow') {
			// The exchange that ended here was begun in an admission: its caller deletes. (A claim with an answer is over.)
			const begunMs = pod.unregistered?.proven || pod.busyAnswer ? undefined : pod.claim?.atMs;
			const joined = endsExchange(released.verdict) && clock.now() - (begunMs ?? 0) < claimMs;
			if (joined) return { afterMs: callersDeleteMs };
			if (released.verdict.reason === 'runner-exited' && (await this.#ownerStands(cached)))
				return this.#leaveToOwner(key, released.pod);
			return this.#complete(key, released.pod, released.verdict);
		}
		const wait = await this.#wait(key, cached, released.pod, released.verdict);
		return earlier(wait, nodeAgain);
	}

	/**
	 * The pod has just been let go in an admission, here or at another replica: its caller's own DELETE is a moment
	 * away, and would hear 404 if ours were quicker.
	 */
	#justReleased(pod: RunnerPod): LookAgain {
		if (!pod.unregistered?.proven) return undefined;
		const ageMs = this.#dependencies.clock.now() - Date.parse(pod.unregistered.at);
		return ageMs < callersDeleteMs ? { afterMs: callersDeleteMs - ageMs } : undefined;
	}

	/** In a namespace that is being deleted nothing is made again. */
	async #ownerStands(pod: Pod): Promise<boolean> {
		const { standingOwner } = this.#dependencies;
		return !this.#namespaceTerminating(pod) && (await standingOwner(pod)) !== undefined;
	}

	/**
	 * Its set books the completion (D1), deletes the StatefulSet or Runner, and then the pod. Were ours quicker, a
	 * StatefulSet would make the pod again under its name (invariant 6), and a set would fill the place at once.
	 */
	#leaveToOwner(key: string, pod: RunnerPod): LookAgain {
		this.#remember(key, pod, 'owner-leaving');
		return { afterMs: ownerLeavesMs };
	}

	async #complete(key: string, pod: RunnerPod, verdict: Allow): Promise<LookAgain> {
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
			if (error instanceof KubeError && error.code === 429 && options.via === 'eviction') {
				await this.#tell(key, pod, 'disruption-budget', error.message);
				return { afterMs: 5_000 };
			}
			if (isConflict(error) && (await pods.get(pod.namespace, pod.name))?.metadata.uid !== pod.uid)
				return this.#forget(key);
			throw error;
		}
		log.info(facts, 'recorded deletion completed');
		const type = verdict.reason === 'node-gone' ? 'Warning' : 'Normal';
		const reason = verdict.reason === 'node-gone' ? 'NodeGone' : 'DeletionCompleted';
		events.send(podSubject(pod), type, reason, 'Delete', completedMessage(pod, verdict));
		return this.#forget(key);
	}

	async #wait(key: string, cached: Pod, pod: RunnerPod, verdict: Deny): Promise<LookAgain> {
		const told = cached.status?.conditions?.find((condition) => condition.type === deletionPendingCondition);
		if (told?.status !== 'True' || told.reason !== camelCase(verdict.reason)) {
			await this.#tell(
				key,
				pod,
				verdict.reason,
				`runner ${pod.runnerName} ${state(pod, verdict, this.#dependencies.clock.now())}`,
			);
		}
		this.#remember(key, pod, verdict.reason);
		return lookAgain(pod, verdict, this.#dependencies.clock);
	}

	async #tell(
		key: string,
		pod: RunnerPod,
		reason: DenyReason | 'disruption-budget',
		message: string,
	): Promise<void> {
		const { pods, log, events } = this.#dependencies;
		if (this.#waiting.get(key)?.reason === reason) return;
		this.#remember(key, pod, reason);
		const named = reason === 'disruption-budget' ? 'DisruptionBudget' : camelCase(reason);
		log.info({ pod: key, runner: pod.runnerName, reason }, 'recorded deletion waits');
		const worrying = reason !== 'busy' && reason !== 'registering' && reason !== 'unregistering';
		if (worrying) events.send(podSubject(pod), 'Warning', `DeletionWaits${named}`, 'Delete', message);
		await pods.setCondition(pod, deletionPendingCondition, true, named, message);
	}

	/** Writes down since when the pod's node is missing, so that the bounded wait survives a change of leader. */
	async #noticeNode(cached: Pod, pod: RunnerPod): Promise<LookAgain> {
		const { cache, pods, clock, log } = this.#dependencies;
		if (!pod.nodeName) return undefined;
		// The list of nodes brings no change of the pod: a node that is missing in it would never be noticed.
		if (!cache.nodes.synced) return { afterMs: nodesListedMs };
		const since = cached.metadata.annotations?.[progress.nodeGoneSince];
		const missing = cache.nodes.get(undefined, pod.nodeName) === undefined;
		if (missing === (since !== undefined)) {
			return missing
				? { afterMs: Math.max(500, Date.parse(since ?? '') + nodeGoneAfterMs - clock.now()) }
				: undefined;
		}
		const annotations = { [progress.nodeGoneSince]: missing ? new Date(clock.now()).toISOString() : null };
		await pods.patch(pod, { annotations });
		if (!missing) return undefined;
		log.warn(
			{ pod: podKey(cached), node: pod.nodeName, releasedAfterMs: nodeGoneAfterMs },
			'the node of a runner is gone',
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

	#remember(key: string, pod: RunnerPod, reason: WaitingDeletion['reason']): void {
		const recordedMs = Date.parse(pod.record?.requestedAt ?? '');
		const firstSeenMs = this.#waiting.get(key)?.askedAtMs ?? this.#dependencies.clock.now();
		this.#waiting.set(key, { reason, askedAtMs: Number.isNaN(recordedMs) ? firstSeenMs : recordedMs });
		this.#count();
	}

	#forget(key: string): undefined {
		if (this.#waiting.delete(key)) this.#count();
	}

	#count(): void {
		const byReason = new Map<string, number>();
		let oldestMs: number | undefined;
		for (const { reason, askedAtMs } of this.#waiting.values()) {
			byReason.set(reason, (byReason.get(reason) ?? 0) + 1);
			oldestMs = Math.min(oldestMs ?? askedAtMs, askedAtMs);
		}
		this.#dependencies.metrics.recordedDeletions(byReason, oldestMs);
	}
}

/** Only GitHub's answer gives these: whoever asked it may be another one than we. */
const endsExchange = ({ reason }: Allow) => reason === 'unregistered' || reason === 'never-registered';

const isRecorded = (pod: Pod) => pod.metadata.annotations?.[record.requestedBy] !== undefined;

/**
 * Did nothing change but who asks GitHub? Each try writes that: were it news, a try that ends in "still registering"
 * would be followed by the next at once, without end.
 */
function onlyClaimed(before: Pod, pod: Pod): boolean {
	const rest = ({ metadata, spec, status }: Pod) => {
		const { [progress.claim]: claim, ...annotations } = metadata.annotations ?? {};
		return {
			claim,
			others: JSON.stringify([{ ...metadata, resourceVersion: '', annotations }, spec, status]),
		};
	};
	const [was, is] = [rest(before), rest(pod)];
	return was.claim !== is.claim && was.others === is.others;
}

/** When nothing wakes us earlier: a change of the pod, of GitHub's list, of the account. */
function lookAgain(pod: RunnerPod, verdict: Deny, clock: Clock): LookAgain {
	const nowMs = clock.now();
	const spread = 0.75 + clock.random() * 0.5;
	switch (verdict.reason) {
		case 'busy': {
			if (pod.ephemeral) return undefined;
			// Half a minute from the last answer, not from the last look: a new leader, or any change of the pod, looks.
			const pauseMs = staticRetryMs * (1 + clock.random() * 0.2);
			const dueMs = (pod.busyAnswer ? (pod.claim?.atMs ?? 0) : 0) + pauseMs;
			return { afterMs: dueMs > nowMs ? dueMs - nowMs : pauseMs };
		}
		case 'scope-unknown':
			return undefined;
		case 'registering':
			return { afterMs: registeringRetryMs };
		case 'unregistering':
			return { afterMs: claimMs };
		case 'credentials-invalid':
		case 'forbidden':
			return { afterMs: 30_000 * spread };
		default:
			return { afterMs: 10_000 * spread };
	}
}

function earlier(a: LookAgain, b: LookAgain): LookAgain {
	if (!a || !b) return a ?? b;
	return a.afterMs <= b.afterMs ? a : b;
}

function completedMessage(pod: RunnerPod, { reason }: Allow): string {
	const asked = pod.record ? `, asked for by ${pod.record.requestedBy} at ${pod.record.requestedAt}` : '';
	if (reason === 'node-gone')
		return `node ${pod.nodeName} has been gone for ${nodeGoneAfterMs / 1000} s: runner ${pod.runnerName} is let go, its job is lost${asked}`;
	return `runner ${pod.runnerName}: ${reason.replaceAll('-', ' ')}; its deletion is carried out${asked}`;
}
