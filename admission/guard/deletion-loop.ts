import { deletionPendingCondition, record } from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import { type ObjectKey, objectKey, splitKey } from '../api/object-key.ts';
import { camelCase } from '../api/reasons.ts';
import type { Cache } from '../cluster/cache.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import { isBudgetRefusal, isConflict, isNotFound } from '../kube/client.ts';
import { Controller } from '../kube/controller.ts';
import { type Events, podSubject } from '../kube/events.ts';
import { type Requeue, soonest } from '../kube/queue.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';
import type { Deletable, LeaderSubject, Waiting } from './leader-subject.ts';
import { budgetRetryMs, conditionRetryMs, shownWithinMs } from './rules/policy.ts';
import { changesOnlyAttempt } from './rules/retry.ts';
import { WaitingDeletions, type WaitReason } from './waiting-deletions.ts';

interface DeletionLoopDependencies {
	cache: Pick<Cache, 'namespaces' | 'onNamespace'>;
	pods: Pick<RunnerPods, 'get' | 'remove' | 'removeWithOwner' | 'setCondition'>;
	/** Those that wait, of all kinds that are counted. */
	waiting: WaitingDeletions;
	events: Events;
	metrics: Metrics;
	clock: Clock;
	log: Log;
}

/** Carries out the recorded deletions of one kind of pod, so that nobody has to ask twice. */
export class DeletionLoop {
	readonly #subject: LeaderSubject;
	readonly #dependencies: DeletionLoopDependencies;
	readonly #controller: Controller;
	readonly #waiting: WaitingDeletions;
	/** By pod key: the reason that was reported, and whether the pod's condition has it, which the watch may show later. */
	readonly #shown = new Map<ObjectKey, { reason: string | undefined; isWritten: boolean }>();
	/**
	 * By pod UID: when its DELETE was accepted, by monotonic time. The cache may still show the pod as it was, and without this
	 * it would be deleted, and reported, again. Counts for shownWithinMs; one entry for a pod, gone with it.
	 */
	readonly #accepted = new Map<string, number>();
	/** By pod UID: the record that was reported as invalid. One entry for a pod, gone with it. */
	readonly #invalid = new Map<string, string>();

	constructor(subject: LeaderSubject, dependencies: DeletionLoopDependencies) {
		const { cache, waiting } = dependencies;
		const { isCounted, ...controller } = subject.controller;
		this.#subject = subject;
		this.#dependencies = dependencies;
		this.#waiting = isCounted ? waiting : new WaitingDeletions();
		this.#controller = new Controller(
			{
				...controller,
				field: 'pod',
				failure: 'recorded deletion could not be carried out',
				reconcile: (key) => this.#reconcile(key),
			},
			dependencies,
		)
			.watch(subject.watched.on, (object, change, before) => {
				const key = objectKey(object.metadata);
				if (change === 'deleted')
					for (const known of [this.#accepted, this.#invalid]) known.delete(object.metadata.uid ?? '');
				else if (before && changesOnlyAttempt(before, object)) return undefined;
				else if (this.#isWanted(object)) return key;
				return this.#forget(key); // the pod is gone, or the deletion was cancelled
			})
			.watch(cache.onNamespace, ({ metadata: { name, deletionTimestamp } }) => {
				if (!deletionTimestamp) return undefined;
				const pods = [...subject.watched.informer.values()].map(({ metadata }) => metadata);
				return pods.filter(({ namespace }) => namespace === name).map(objectKey);
			});
		subject.connect((key) => this.#controller.enqueue(key));
	}

	/** GitHub can be asked again: deletions that waited for that are tried soon, spread over 2 s. */
	retryGitHub(): void {
		const { random } = this.#dependencies.clock;
		for (const [key, { reason }] of this.#waiting.all)
			if (this.#subject.waitsForGitHub(reason)) this.#controller.enqueueAfter(key, random() * 2_000);
	}

	stop(): Promise<void> {
		return this.#controller.stop();
	}

	async #reconcile(key: ObjectKey): Promise<Requeue> {
		const { namespace, name } = splitKey(key);
		const object = this.#subject.watched.informer.get(namespace, name);
		if (!object || object.metadata.deletionTimestamp || !this.#isWanted(object)) return this.#forget(key);
		const shownInMs = this.#shownInMs(object);
		if (shownInMs > 0) return { afterMs: shownInMs };
		const step = await this.#subject.next(object, this.#isNamespaceTerminating(object));
		switch (step?.kind) {
			case undefined:
				this.#reportInvalid(key, object);
				return this.#forget(key);
			case 'later':
				if (step.reason) this.#note(key, step.reason.pod, step.reason.reason);
				return { afterMs: step.afterMs };
			case 'delete':
				return this.#complete(key, object, step);
			case 'wait':
				return this.#wait(key, object, step);
		}
	}

	async #complete(key: ObjectKey, object: Pod, step: Deletable): Promise<Requeue> {
		const { pods, events, clock, log } = this.#dependencies;
		const { pod, owner, runner, reason, message, gracePeriodSeconds } = step;
		const asked = pod.record?.options ?? { via: 'delete' };
		const options = {
			...asked,
			// An eviction of such a pod is refused: it ends whichever version there is when it is carried out.
			...(reason === 'never-started' ? { via: 'delete' as const } : {}),
			...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
		};
		try {
			await (owner ? pods.removeWithOwner(pod, owner, options) : pods.remove(pod, options));
		} catch (error) {
			if (isNotFound(error)) return this.#forget(key);
			if (isBudgetRefusal(error)) {
				const budget = { ...step, reason: 'disruption-budget', message: error.message } as const;
				return this.#wait(key, object, { ...budget, denial: { warns: true }, afterMs: budgetRetryMs });
			}
			if (isConflict(error) && (await pods.get(pod.namespace, pod.name))?.metadata.uid !== pod.uid)
				return this.#forget(key);
			throw error;
		}
		this.#accepted.set(pod.uid, clock.monotonic());
		const askedBy = pod.record?.requestedBy;
		log.info({ pod: key, runner, reason, askedBy, owner: owner?.name }, 'recorded deletion completed');
		const [type, event] =
			reason === 'node-gone'
				? (['Warning', 'NodeGone'] as const)
				: (['Normal', 'DeletionCompleted'] as const);
		events.send(podSubject(pod), type, event, 'Delete', message);
		this.#forget(key);
		return { afterMs: shownWithinMs };
	}

	/**
	 * Says once that nobody carries out what stands there: people see a recorded deletion, but one of its annotations is gone or
	 * has been changed, or this server has never written them.
	 */
	#reportInvalid(key: ObjectKey, { metadata }: Pod): void {
		const { events, log } = this.#dependencies;
		const { uid = '', annotations = {} } = metadata;
		const written = Object.values(record).map((name) => annotations[name]?.slice(0, longestShown));
		const occasion = JSON.stringify(written);
		if (written.every((value) => value === undefined) || this.#invalid.get(uid) === occasion) return;
		this.#invalid.set(uid, occasion);
		log.warn({ pod: key }, 'a recorded deletion is not whole, or not of this server, and is not carried out');
		const subject = { apiVersion: 'v1', kind: 'Pod', metadata };
		const message = `its annotations ${record.requestedAt} and so on are not whole, or not of this server: nothing is carried out. Request the deletion again, or take them away: kubectl runners cancel ${metadata.name}`;
		events.send(subject, 'Warning', 'DeletionRecordInvalid', 'Delete', message, occasion);
	}

	/** Says once why the deletion waits: in the log, in an Event where somebody may have to help, and on the pod. */
	async #wait(
		key: ObjectKey,
		object: Pod,
		step: Omit<Waiting, 'kind' | 'reason'> & { reason: WaitReason },
	): Promise<Requeue> {
		const { log, events } = this.#dependencies;
		const { pod, runner, reason, message, afterMs } = step;
		this.#note(key, pod, reason);
		const named = camelCase(reason);
		const condition = object.status?.conditions?.find(({ type }) => type === deletionPendingCondition);
		const before = condition?.status === 'True' ? condition.reason : undefined;
		const shown = this.#shown.get(key) ?? { reason: before, isWritten: true };
		if (shown.reason !== named) {
			log.info({ pod: key, runner, reason }, 'recorded deletion waits');
			if (step.denial.warns)
				events.send(podSubject(pod), 'Warning', `DeletionWaits${named}`, 'Delete', message);
		} else if (shown.isWritten) return soonest(afterMs);
		const isWritten = step.unwritten || (await this.#writeCondition(key, pod, named, message));
		this.#shown.set(key, { reason: named, isWritten });
		return soonest(afterMs, isWritten ? undefined : conditionRetryMs);
	}

	/** Whether it was written. A failure must not bring the next try, which may cost calls to GitHub, sooner than `conditionRetryMs`. */
	async #writeCondition(
		key: ObjectKey,
		pod: Deletable['pod'],
		named: string,
		message: string,
	): Promise<boolean> {
		const { pods, log } = this.#dependencies;
		try {
			await pods.setCondition(pod, deletionPendingCondition, true, named, message);
			return true;
		} catch (error) {
			const facts = { pod: key, reason: named, error: String(error) };
			log.warn(facts, 'a condition that says why a deletion waits could not be written, retrying');
			return false;
		}
	}

	/** Whether the deletion of the pod is recorded, or its namespace's deletecollection stopped before it reached the pod. */
	#isWanted(object: Pod): boolean {
		return isRecorded(object) || this.#isNamespaceTerminating(object);
	}

	#isNamespaceTerminating({ metadata: { namespace = '' } }: Pod): boolean {
		const found = this.#dependencies.cache.namespaces.get(undefined, namespace);
		return found?.metadata.deletionTimestamp !== undefined;
	}

	/** How long the watch may still take to show that this pod's DELETE was accepted; 0: none was, or it has taken too long. */
	#shownInMs({ metadata: { uid = '' } }: Pod): number {
		const acceptedMs = this.#accepted.get(uid) ?? Number.NEGATIVE_INFINITY;
		return Math.max(0, acceptedMs + shownWithinMs - this.#dependencies.clock.monotonic());
	}

	#note(key: ObjectKey, { record: noted }: Deletable['pod'], reason: WaitReason): void {
		this.#waiting.note(key, reason, noted?.requestedAt, this.#dependencies.clock.now());
	}

	#forget(key: ObjectKey): undefined {
		this.#waiting.forget(key);
		this.#shown.delete(key);
	}
}

/** Whether somebody has written a record on the pod, or a part of one; whether it counts, its signature tells. */
export const isRecorded = ({ metadata: { annotations = {} } }: Pod): boolean =>
	Object.values(record).some((key) => annotations[key] !== undefined);

/** Of each annotation, in comparing two invalid records. */
const longestShown = 200;
