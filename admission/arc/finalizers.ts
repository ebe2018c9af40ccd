import type { KubeObject } from '../api/kinds.ts';
import { objectPath, podPath } from '../api/paths.ts';
import { setKinds } from '../api/sets.ts';
import type { Cache } from '../cluster/cache.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import type { SetsCache } from '../cluster/sets-cache.ts';
import { isConflict, isNotFound, type KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { mergePatch } from '../kube/objects.ts';
import { type Requeue, WorkQueue } from '../kube/queue.ts';
import { podKey } from '../runner/runner-pod.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { finalizersStayForMs, withoutArcs } from './rules/finalizers.ts';

export interface ArcFinalizersDependencies {
	client: KubeClient;
	cache: Cache;
	setsCache: SetsCache;
	pods: RunnerPods;
	clock: Clock;
	metrics: Metrics;
	log: Log;
}

/**
 * Removes ARC's finalizers from terminating Runners and pods, in ARC's place. It runs only together with the reconcilers
 * of sets, never beside a running ARC, which removes them itself.
 *
 * A Runner's finalizer is removed at once: the garbage collector deletes its pod only afterwards, and the pod is guarded. A
 * pod's finalizers are removed when its runner has ended.
 */
export class ArcFinalizers {
	readonly #dependencies: ArcFinalizersDependencies;
	readonly #pods: WorkQueue;
	readonly #runners: WorkQueue;

	constructor(dependencies: ArcFinalizersDependencies) {
		this.#dependencies = dependencies;
		const { cache, setsCache, metrics, clock, log } = dependencies;
		const queue = (what: string, reconcile: (key: string) => Promise<Requeue>) =>
			new WorkQueue({
				controller: 'arc-finalizers',
				metrics,
				clock,
				concurrency: 4,
				reconcile,
				onError: (key, error, retryMs) =>
					log.warn({ [what]: key, error: String(error), retryMs }, "ARC's finalizer not removed, retrying"),
			});
		this.#pods = queue('pod', (key) => this.#pod(key));
		this.#runners = queue('runner', (key) => this.#runner(key));
		cache.onPod((change, pod) => {
			if (change !== 'deleted' && isHeld('pod', pod)) this.#pods.add(podKey(pod));
		});
		setsCache.runners.on((change, runner) => {
			if (change !== 'deleted' && isHeld('runner', runner)) this.#runners.add(podKey(runner));
		});
	}

	async stop(): Promise<void> {
		await Promise.all([this.#pods.stop(), this.#runners.stop()]);
	}

	async #pod(key: string): Promise<Requeue> {
		const { cache, pods, clock } = this.#dependencies;
		const [namespace = '', name = ''] = key.split('/');
		const object = cache.pods.get(namespace, name);
		if (!object || !isHeld('pod', object)) return undefined;
		const pod = await pods.from(object);
		if (!pod) return undefined;
		const waitMs = finalizersStayForMs(pod, Date.parse(object.metadata.deletionTimestamp ?? ''), clock.now());
		if (waitMs > 0) return { afterMs: waitMs };
		return this.#release('pod', object, podPath(namespace, name));
	}

	async #runner(key: string): Promise<Requeue> {
		const [namespace = '', name = ''] = key.split('/');
		const runner = this.#dependencies.setsCache.runners.informer.get(namespace, name);
		if (!runner || !isHeld('runner', runner)) return undefined;
		return this.#release('runner', runner, objectPath(setKinds.runner, { namespace, name }));
	}

	async #release(kind: 'pod' | 'runner', { metadata }: KubeObject, path: string): Promise<Requeue> {
		const { client, log } = this.#dependencies;
		const { uid, resourceVersion } = metadata;
		// A list is replaced as a whole, so nobody may have changed it meanwhile.
		const change = { metadata: { finalizers: withoutArcs(kind, metadata.finalizers) } };
		try {
			await mergePatch(client, path, change, { uid, resourceVersion });
			log.info({ [kind]: `${metadata.namespace}/${metadata.name}` }, "ARC's finalizer removed");
			return undefined;
		} catch (error) {
			if (isNotFound(error)) return undefined;
			if (isConflict(error)) return { afterMs: 200 }; // by then the watch has shown the newer version
			throw error;
		}
	}
}

const isHeld = (kind: 'pod' | 'runner', { metadata }: KubeObject) =>
	metadata.deletionTimestamp !== undefined && withoutArcs(kind, metadata.finalizers) !== undefined;
