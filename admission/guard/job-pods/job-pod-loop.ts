import { deletionPendingCondition, jobPods } from '../../api/keys.ts';
import type { Pod } from '../../api/kinds.ts';
import { resources } from '../../api/paths.ts';
import { camelCase } from '../../api/reasons.ts';
import type { Cache } from '../../cluster/cache.ts';
import { keptAnnotations } from '../../cluster/kept-annotations.ts';
import type { RunnerPods } from '../../cluster/runner-pods.ts';
import { type Watched, watched } from '../../cluster/watched.ts';
import type { LogReading } from '../../jobs/rules/runner-log.ts';
import { isConflict, isNotFound, isTooManyRequests, type KubeClient } from '../../kube/client.ts';
import type { Clock } from '../../kube/clock.ts';
import { type Events, podSubject } from '../../kube/events.ts';
import { type Requeue, soonest, WorkQueue } from '../../kube/queue.ts';
import { isJobPod, type JobPod, readJobPod } from '../../runner/job-pod.ts';
import { podKey, type RunnerPod } from '../../runner/runner-pod.ts';
import type { Verify } from '../../runner/statements.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { type JobPodReason, jobPodDenial } from '../rules/denials.ts';
import { jobPodRetryMs } from '../rules/policy.ts';
import type { Allow, Deny } from '../rules/verdict.ts';
import { judgeJobPod } from './judge.ts';
import { planJobPodMarks } from './rules/marks.ts';
import { state } from './rules/message.ts';
import { shownWithinMs } from './rules/policy.ts';

export interface JobPodLoopDependencies {
	client: KubeClient;
	cache: Cache;
	pods: RunnerPods;
	/** What the log of the runner says now; never fails. */
	readLog(runner: RunnerPod): Promise<LogReading>;
	verify: Verify;
	events: Events;
	metrics: Metrics;
	clock: Clock;
	log: Log;
}

/** A new leader may know job pods before it knows runners; then it looks again after this. */
const runnersListedMs = 500;

/**
 * Keeps the pods of runners' jobs (containerMode kubernetes) in step with their runners: they carry the marks of their
 * runner's pod, and what was asked to be deleted is deleted when the runner works no more.
 */
export class JobPodLoop {
	readonly #queue: WorkQueue;
	readonly #dependencies: JobPodLoopDependencies;
	readonly #watch: Watched<Pod>;
	/** Keys of the job pods of each runner's pod, by its key; gone with the last of them. */
	readonly #ofRunner = new Map<string, Set<string>>();
	/**
	 * By pod UID: when its DELETE was accepted, by monotonic time. The watch may still show the pod as it was. One entry for a
	 * pod, gone with it.
	 */
	readonly #accepted = new Map<string, number>();
	/** By pod UID: why its deletion waits, as it was told last. The watch may be behind. One entry for a pod, gone with it. */
	readonly #told = new Map<string, string>();

	constructor(dependencies: JobPodLoopDependencies) {
		this.#dependencies = dependencies;
		const { cache, metrics, clock, log } = dependencies;
		this.#queue = new WorkQueue({
			controller: 'job-pods',
			metrics,
			clock,
			concurrency: 8,
			reconcile: (key) => this.#reconcile(key),
			onError: (key, error, retryInMs) =>
				log.warn(
					{ pod: key, error: String(error), retryMs: retryInMs },
					'job pod not brought in step, retrying',
				),
		});
		this.#watch = watched(dependencies, resources.pods, trimJobPod, { labelSelector: jobPods.label });
		this.#watch.on((change, object, before) => {
			const key = podKey(object);
			if (before) this.#forgetRunner(before);
			if (change === 'deleted') {
				this.#accepted.delete(object.metadata.uid ?? '');
				this.#told.delete(object.metadata.uid ?? '');
			} else {
				const runner = runnerKey(object);
				this.#ofRunner.set(runner, (this.#ofRunner.get(runner) ?? new Set()).add(key));
				this.#queue.add(key);
			}
		});
		cache.onPod((_change, runner) => {
			for (const key of this.#ofRunner.get(podKey(runner)) ?? []) this.#queue.add(key);
		});
		cache.onNamespace((_change, { metadata }) => {
			if (metadata.deletionTimestamp === undefined) return;
			for (const object of this.#watch.informer.values())
				if (object.metadata.namespace === metadata.name) this.#queue.add(podKey(object));
		});
	}

	run(signal: AbortSignal): Promise<void> {
		return this.#watch.informer.run(signal);
	}

	stop(): Promise<void> {
		return this.#queue.stop();
	}

	async #reconcile(key: string): Promise<Requeue> {
		const { cache, verify, pods } = this.#dependencies;
		const [namespace = '', name = ''] = key.split('/');
		const object = this.#watch.informer.get(namespace, name);
		const jobPod = object && readJobPod(object, verify);
		if (!jobPod || jobPod.terminating) return undefined;
		if (!cache.pods.synced || !cache.namespaces.synced) return { afterMs: runnersListedMs };
		const shownInMs = this.#shownInMs(jobPod);
		if (shownInMs > 0) return { afterMs: shownInMs };

		const marks = planJobPodMarks(
			object,
			jobPod,
			this.#runner(namespace, jobPod.runner),
			this.#dependencies.clock.now(),
		);
		if (marks) await pods.patch(jobPod, marks);
		if (!jobPod.record && !this.#namespaceTerminating(namespace)) return undefined;

		// Break-glass is meant for the DELETE of a person, whom the Event then names.
		const asked = { ...jobPod, breakGlass: '' };
		const { verdict, runner } = await judgeJobPod(asked, undefined, this.#dependencies);
		return verdict.kind === 'allow'
			? this.#complete(key, jobPod, verdict)
			: this.#wait(object, jobPod, runner, verdict);
	}

	/** Its runner's pod, as the cache shows it; undefined: it is not there. */
	#runner(namespace: string, name: string): { object: Pod; pod: RunnerPod } | undefined {
		const { cache, pods } = this.#dependencies;
		const object = cache.pods.get(namespace, name);
		const pod = object && pods.read(object);
		return pod && { object, pod };
	}

	async #complete(key: string, jobPod: JobPod, verdict: Allow): Promise<Requeue> {
		const { pods, events, clock, log } = this.#dependencies;
		try {
			await pods.remove(jobPod, jobPod.record?.options ?? { via: 'delete' });
		} catch (error) {
			// Gone, a budget of somebody's, or the runner has begun to work since.
			if (isNotFound(error)) return undefined;
			if (isTooManyRequests(error) || isConflict(error)) return { afterMs: jobPodRetryMs };
			throw error;
		}
		this.#accepted.set(jobPod.uid, clock.monotonic());
		const { reason } = verdict;
		log.info(
			{ pod: key, runner: jobPod.runner, reason, askedBy: jobPod.record?.requestedBy },
			'recorded deletion of a job pod completed',
		);
		const message = `deleted as asked: ${endings[reason] ?? reason}`;
		events.send(podSubject(jobPod), 'Normal', 'DeletionCompleted', 'Delete', message);
		return { afterMs: shownWithinMs };
	}

	async #wait(
		object: Pod,
		jobPod: JobPod,
		runner: RunnerPod | undefined,
		verdict: Deny<JobPodReason>,
	): Promise<Requeue> {
		const { pods, clock, log } = this.#dependencies;
		const named = camelCase(verdict.reason);
		const shown = object.status?.conditions?.find(({ type }) => type === deletionPendingCondition);
		const told = this.#told.get(jobPod.uid) ?? (shown?.status === 'True' ? shown.reason : undefined);
		if (told !== named) {
			const message = `pod ${jobPod.name} ${state(jobPod, runner, verdict, clock.now())}`;
			log.info({ pod: podKey(object), reason: verdict.reason }, 'recorded deletion of a job pod waits');
			await pods.setCondition(jobPod, deletionPendingCondition, true, named, message);
			this.#told.set(jobPod.uid, named);
		}
		return soonest(jobPodDenial(verdict.reason).retry(jobPod, clock.now(), clock.random));
	}

	/** How long the watch may still take to show that this pod's DELETE was accepted; 0: none was, or it has taken too long. */
	#shownInMs({ uid }: JobPod): number {
		const acceptedMs = this.#accepted.get(uid) ?? Number.NEGATIVE_INFINITY;
		return Math.max(0, acceptedMs + shownWithinMs - this.#dependencies.clock.monotonic());
	}

	/** Stands for the namespace controller's request, if its deletecollection stopped before it reached the pod. */
	#namespaceTerminating(namespace: string): boolean {
		const found = this.#dependencies.cache.namespaces.get(undefined, namespace);
		return found?.metadata.deletionTimestamp !== undefined;
	}

	#forgetRunner(object: Pod): void {
		const runner = runnerKey(object);
		const keys = this.#ofRunner.get(runner);
		keys?.delete(podKey(object));
		if (keys?.size === 0) this.#ofRunner.delete(runner);
	}
}

/** Why it may go now, for people. */
const endings: Partial<Record<Allow['reason'], string>> = {
	'runner-gone': 'its runner is gone',
	'runner-exited': 'its runner has stopped',
	'never-started': 'its runner has not started',
	'node-gone': 'the node of its runner is gone',
	'job-over': 'its runner is idle',
	'job-pod-ended': 'its containers have stopped',
};

const runnerKey = ({ metadata }: Pod): string =>
	`${metadata.namespace}/${metadata.labels?.[jobPods.label] ?? ''}`;

/** What is kept of a pod; undefined: nothing, it is no job pod. */
export function trimJobPod(pod: Pod): Pod | undefined {
	if (!isJobPod(pod)) return undefined;
	const { metadata, spec, status } = pod;
	const { name, namespace, uid, resourceVersion, creationTimestamp, deletionTimestamp, labels } = metadata;
	return {
		metadata: {
			name,
			namespace,
			uid,
			resourceVersion,
			creationTimestamp,
			deletionTimestamp,
			labels,
			annotations: keptAnnotations(pod),
		},
		spec: { containers: spec?.containers?.map((container) => ({ name: container.name })) },
		status: {
			phase: status?.phase,
			conditions: status?.conditions?.filter(({ type }) => type === deletionPendingCondition),
			containerStatuses: status?.containerStatuses?.map((one) => ({ name: one.name, state: one.state })),
		},
	};
}
