import type { KubeObject } from '../api/kinds.ts';
import { type ObjectKey, objectKey, splitKey } from '../api/object-key.ts';
import { objectPath, podPath } from '../api/paths.ts';
import { setKinds } from '../api/sets.ts';
import type { Cache } from '../cluster/cache.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import type { SetsCache } from '../cluster/sets-cache.ts';
import { isConflict, isNotFound, type KubeClient } from '../kube/client.ts';
import { Controller } from '../kube/controller.ts';
import type { Change } from '../kube/informer.ts';
import { mergePatch } from '../kube/objects.ts';
import type { Requeue } from '../kube/queue.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';
import { finalizersStayForMs, withoutArcs } from './rules/finalizers.ts';

interface ArcFinalizersDependencies {
	client: KubeClient;
	cache: Cache;
	setsCache: SetsCache;
	pods: RunnerPods;
	clock: Clock;
	metrics: Metrics;
	log: Log;
}

/**
 * Removes ARC's finalizers from terminating Runners and pods, in ARC's place. It runs only together with the controllers of
 * sets, never beside a running ARC, which removes them itself.
 *
 * A Runner's finalizer is removed at once: the garbage collector deletes its pod only afterwards, and the pod is guarded. A
 * pod's finalizers are removed when its runner has ended.
 */
export class ArcFinalizers {
	readonly #dependencies: ArcFinalizersDependencies;
	readonly #pods: Controller;
	readonly #runners: Controller;

	constructor(dependencies: ArcFinalizersDependencies) {
		this.#dependencies = dependencies;
		const { cache, setsCache } = dependencies;
		const shared = { name: 'arc-finalizers', concurrency: 4, failure: "ARC's finalizer not removed" };
		this.#pods = new Controller(
			{ ...shared, field: 'pod', reconcile: (key) => this.#pod(key) },
			dependencies,
		).watch(cache.onPod, (pod, change) => keyIfHeld('pod', pod, change));
		this.#runners = new Controller(
			{ ...shared, field: 'runner', reconcile: (key) => this.#runner(key) },
			dependencies,
		).watch(setsCache.runners.on, (runner, change) => keyIfHeld('runner', runner, change));
	}

	async stop(): Promise<void> {
		await Promise.all([this.#pods.stop(), this.#runners.stop()]);
	}

	async #pod(key: ObjectKey): Promise<Requeue> {
		const { cache, pods, clock } = this.#dependencies;
		const { namespace, name } = splitKey(key);
		const object = cache.pods.get(namespace, name);
		if (!object || !hasArcFinalizer('pod', object)) return undefined;
		const pod = await pods.from(object);
		if (!pod) return undefined;
		const waitMs = finalizersStayForMs(pod, Date.parse(object.metadata.deletionTimestamp ?? ''), clock.now());
		if (waitMs > 0) return { afterMs: waitMs };
		return this.#removeFinalizers('pod', object, podPath(namespace, name));
	}

	async #runner(key: ObjectKey): Promise<Requeue> {
		const { namespace, name } = splitKey(key);
		const runner = this.#dependencies.setsCache.runners.informer.get(namespace, name);
		if (!runner || !hasArcFinalizer('runner', runner)) return undefined;
		return this.#removeFinalizers('runner', runner, objectPath(setKinds.runner, { namespace, name }));
	}

	async #removeFinalizers(kind: 'pod' | 'runner', { metadata }: KubeObject, path: string): Promise<Requeue> {
		const { client, log } = this.#dependencies;
		const { uid, resourceVersion } = metadata;
		// A list is replaced as a whole, so nobody may have changed it meanwhile.
		const change = { metadata: { finalizers: withoutArcs(kind, metadata.finalizers) } };
		try {
			await mergePatch(client, path, change, { uid, resourceVersion });
			log.info({ [kind]: objectKey(metadata) }, "ARC's finalizer removed");
			return undefined;
		} catch (error) {
			if (isNotFound(error)) return undefined;
			if (isConflict(error)) return { afterMs: 200 }; // by then the watch has shown the newer version
			throw error;
		}
	}
}

const hasArcFinalizer = (kind: 'pod' | 'runner', { metadata }: KubeObject) =>
	metadata.deletionTimestamp !== undefined && withoutArcs(kind, metadata.finalizers) !== undefined;

const keyIfHeld = (kind: 'pod' | 'runner', object: KubeObject, change: Change): ObjectKey | undefined =>
	change !== 'deleted' && hasArcFinalizer(kind, object) ? objectKey(object.metadata) : undefined;
