import { type ObjectKey, objectKey, splitKey } from '../api/object-key.ts';
import { resources } from '../api/paths.ts';
import type { Cache } from '../cluster/cache.ts';
import { isOrphan } from '../cluster/pod-owner.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import type { SetsCache } from '../cluster/sets-cache.ts';
import { Controller } from '../kube/controller.ts';
import { unlessChanged } from '../kube/objects.ts';
import { controllerOf } from '../kube/owner-references.ts';
import type { ReconcileObserver } from '../kube/queue.ts';
import type { Log } from '../telemetry/log.ts';
import type { Clock } from '../time/clock.ts';
import { podName } from './stateful-set/objects.ts';

interface OrphanedStatefulSetsDependencies {
	cache: Cache;
	setsCache: Pick<SetsCache, 'statefulSets'>;
	pods: RunnerPods;
	clock: Clock;
	metrics: ReconcileObserver;
	log: Log;
}

/**
 * The StatefulSets that `kubectl delete runnerset --cascade=orphan` leaves: no set removes them when their runner has ended,
 * and their controller would make an ephemeral runner again under its name, for ever (invariant 6). Here such a StatefulSet
 * is deleted with the pod of its ended runner. A static runner is made again, as by any StatefulSet. Of Runners see
 * StandaloneRunners.
 */
export class OrphanedStatefulSets {
	readonly #dependencies: OrphanedStatefulSetsDependencies;
	readonly #controller: Controller;

	constructor(dependencies: OrphanedStatefulSetsDependencies) {
		this.#dependencies = dependencies;
		const { cache, setsCache } = dependencies;
		this.#controller = new Controller(
			{
				name: 'orphaned-statefulset',
				concurrency: 4,
				reconcile: (key) => this.#reconcile(key),
				failure: 'StatefulSet of a deleted RunnerSet not removed',
			},
			dependencies,
		)
			.watch(setsCache.statefulSets.on, (owner, change) =>
				change !== 'deleted' && isOrphan(owner, 'runnerset') ? objectKey(owner.metadata) : undefined,
			)
			.watch(cache.onPod, (pod, change) => {
				const { namespace, ownerReferences } = pod.metadata;
				const name = ownerReferences?.find(({ kind }) => kind === 'StatefulSet')?.name;
				const owner = name === undefined ? undefined : setsCache.statefulSets.informer.get(namespace, name);
				return change !== 'deleted' && owner && isOrphan(owner, 'runnerset')
					? objectKey(owner.metadata)
					: undefined;
			});
	}

	stop(): Promise<void> {
		return this.#controller.stop();
	}

	async #reconcile(key: ObjectKey): Promise<undefined> {
		const { cache, setsCache, pods, log } = this.#dependencies;
		const { namespace, name } = splitKey(key);
		const owner = setsCache.statefulSets.informer.get(namespace, name);
		const pod = cache.pods.get(namespace, podName(name));
		if (!owner || !pod || !isOrphan(owner, 'runnerset') || owner.metadata.deletionTimestamp) return;
		const runner = controllerOf(pod) === owner.metadata.uid ? pods.read(pod) : undefined;
		if (!runner?.ephemeral || runner.process.state !== 'exited') return;
		const found = { name, uid: owner.metadata.uid ?? '', resource: resources.statefulSets };
		await unlessChanged(pods.removeWithOwner(runner, found, { via: 'delete' }));
		log.info({ statefulSet: key }, 'StatefulSet of a deleted RunnerSet removed: its runner has ended');
	}
}
