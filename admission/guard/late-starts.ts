import type { Pod } from '../api/kinds.ts';
import { type ObjectKey, objectKey, splitKey } from '../api/object-key.ts';
import type { Cache } from '../cluster/cache.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import { worksBy } from '../jobs/rules/job-signals.ts';
import { Controller } from '../kube/controller.ts';
import { type Events, podSubject } from '../kube/events.ts';
import type { ReconcileObserver, Requeue } from '../kube/queue.ts';
import type { RunnerPod } from '../runner/runner-pod.ts';
import type { Log } from '../telemetry/log.ts';
import { BoundedMap } from '../time/bounded-map.ts';
import type { Clock } from '../time/clock.ts';
import type { Ports } from './subjects/runner/release.ts';

/** A runner registers within seconds of its start: for so long it is looked for each second, and then more slowly. */
const soon = { forMs: 60_000, everyMs: 1_000 };
const thenEveryMs = 10_000;

/** How long one look may take. */
const timeoutMs = 10_000;

/** Of more pods that end before they have started, the oldest are forgotten: nobody may fill our memory with them. */
const mostRemembered = 5_000;

interface LateStartsDependencies {
	cache: Pick<Cache, 'pods' | 'onPod'>;
	pods: Pick<RunnerPods, 'read' | 'from'>;
	ports: Pick<Ports, 'account' | 'nameTaken' | 'readLog'>;
	events: Events;
	metrics: ReconcileObserver;
	clock: Clock;
	log: Log;
}

/**
 * A kubelet starts a container whose creation it had begun when the pod was deleted, and stops it only then: until its grace
 * period is over, such a runner can register and be given a job. It is unregistered as soon as GitHub lists it. This
 * protects no job that was given to it in the same moment: that is reported. A new leader does not know what the previous
 * one had seen.
 */
export class LateStarts {
	/** By pod UID: it was seen terminating before its runner had started. */
	readonly #unstarted = new BoundedMap<string, true>({ most: mostRemembered });
	/** By pod UID: since when its runner has been seen to run, by monotonic time. */
	readonly #startedMs = new BoundedMap<string, number>({ most: mostRemembered });
	readonly #dependencies: LateStartsDependencies;
	readonly #controller: Controller;

	constructor(dependencies: LateStartsDependencies) {
		this.#dependencies = dependencies;
		this.#controller = new Controller(
			{
				name: 'late-starts',
				field: 'pod',
				concurrency: 4,
				reconcile: (key) => this.#reconcile(key),
				failure: 'a runner that started while its pod is deleted was not unregistered',
			},
			dependencies,
		).watch(dependencies.cache.onPod, (object, change) => this.#podChanged(object, change === 'deleted'));
	}

	stop(): Promise<void> {
		return this.#controller.stop();
	}

	#podChanged(object: Pod, isGone: boolean): ObjectKey | undefined {
		const { uid = '', deletionTimestamp } = object.metadata;
		if (isGone || !deletionTimestamp) {
			this.#unstarted.delete(uid);
			this.#startedMs.delete(uid);
			return undefined;
		}
		const { state } = this.#dependencies.pods.read(object)?.process ?? {};
		if (state === 'starting') this.#unstarted.set(uid, true);
		if (state !== 'running' || !this.#unstarted.get(uid)) return undefined;
		if (this.#startedMs.get(uid) === undefined)
			this.#startedMs.set(uid, this.#dependencies.clock.monotonic());
		return objectKey(object.metadata);
	}

	async #reconcile(key: ObjectKey): Promise<Requeue> {
		const { cache, pods, clock } = this.#dependencies;
		const { namespace, name } = splitKey(key);
		const object = cache.pods.get(namespace, name);
		const startedMs = object && this.#startedMs.get(object.metadata.uid ?? '');
		const pod = startedMs === undefined ? undefined : await pods.from(object as Pod);
		if (!pod?.scope || !pod.terminating || pod.process.state !== 'running' || pod.unregistered)
			return undefined;
		if (await this.#unregister(pod)) return undefined;
		const isSoon = clock.monotonic() - (startedMs ?? 0) < soon.forMs;
		return { afterMs: isSoon ? soon.everyMs : thenEveryMs };
	}

	/** Whether nothing is left to do: it is unregistered, or has a job. */
	async #unregister(pod: RunnerPod): Promise<boolean> {
		const { ports, log } = this.#dependencies;
		const account = await ports.account(pod);
		if ('kind' in account || account.failure() || (await ports.nameTaken(pod))) return false;
		const found = await account.lookup(pod, { timeoutMs, recent: false });
		if (found.kind !== 'present') return false;
		const isIdle = async () => {
			const reading = await ports.readLog(pod);
			return reading.says !== 'works' && worksBy(pod.signals) !== 'working';
		};
		if (found.busy || !(await isIdle())) return this.#reportJob(pod);
		const outcome = await account.unregister(pod, {
			timeoutMs,
			priority: 'request',
			found: async () => {},
			stillIdle: isIdle,
		});
		if (outcome.kind === 'busy') return this.#reportJob(pod);
		if (outcome.kind !== 'unregistered') return false;
		log.info(
			{ pod: objectKey(pod), runner: pod.runnerName, runnerId: outcome.runnerId },
			'a runner that started while its pod is deleted is unregistered',
		);
		return true;
	}

	#reportJob(pod: RunnerPod): true {
		const { events, log } = this.#dependencies;
		const message = `runner ${pod.runnerName} started while its pod was being deleted, and has got a job: the job is probably lost`;
		events.send(podSubject(pod), 'Warning', 'JobProbablyLost', 'Delete', message);
		log.warn(
			{ pod: objectKey(pod), runner: pod.runnerName },
			'a runner whose pod is being deleted has got a job',
		);
		return true;
	}
}
