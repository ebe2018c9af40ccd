import { objectPath } from '../api/paths.ts';
import { arcReplicaSet } from '../api/sets.ts';
import type { SetsCache } from '../cluster/sets-cache.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { deleteUnlessChanged } from '../kube/objects.ts';
import { controllerOf } from '../kube/owner-references.ts';
import { type Requeue, WorkQueue } from '../kube/queue.ts';
import { podKey } from '../runner/runner-pod.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export interface ArcReplicaSetsDependencies {
	client: KubeClient;
	setsCache: SetsCache;
	clock: Clock;
	metrics: Metrics;
	log: Log;
}

/** An empty RunnerReplicaSet is deleted this long after its creation. ARC's controller, if it runs after all, fills it sooner. */
const emptyForMs = 60_000;

/**
 * Deletes ARC's RunnerReplicaSets of RunnerDeployments that this server manages now. Their Runners count as the
 * RunnerDeployment's (see sets/owners.ts) and are replaced by its rollout. A RunnerReplicaSet that is left empty is
 * deleted; otherwise ARC would fill it again if it came back.
 */
export class ArcReplicaSets {
	readonly #dependencies: ArcReplicaSetsDependencies;
	readonly #queue: WorkQueue;

	constructor(dependencies: ArcReplicaSetsDependencies) {
		this.#dependencies = dependencies;
		const { setsCache, metrics, clock, log } = dependencies;
		this.#queue = new WorkQueue({
			controller: 'arc-replica-sets',
			metrics,
			clock,
			concurrency: 1,
			reconcile: (key) => this.#reconcile(key),
			onError: (key, error, retryMs) =>
				log.warn(
					{ runnerReplicaSet: key, error: String(error), retryMs },
					'empty RunnerReplicaSet not removed, retrying',
				),
		});
		setsCache.runnerReplicaSets.on((change, replicaSet) => {
			if (change !== 'deleted') this.#queue.add(podKey(replicaSet));
		});
		setsCache.runners.on((change, runner) => {
			const owner = runner.metadata.ownerReferences?.find(({ controller }) => controller);
			if (change === 'deleted' && owner?.kind === arcReplicaSet.kind)
				this.#queue.add(`${runner.metadata.namespace}/${owner.name}`);
		});
	}

	stop(): Promise<void> {
		return this.#queue.stop();
	}

	async #reconcile(key: string): Promise<Requeue> {
		const { client, setsCache, clock, log } = this.#dependencies;
		const { runnerReplicaSets, runnerDeployments, runners } = setsCache;
		const [namespace = '', name = ''] = key.split('/');
		const replicaSet = runnerReplicaSets.informer.get(namespace, name);
		if (!replicaSet || replicaSet.metadata.deletionTimestamp) return undefined;
		if (!runners.informer.synced || !runnerDeployments.informer.synced) return { afterMs: 1_000 };
		const { uid, creationTimestamp, ownerReferences } = replicaSet.metadata;
		const controller = ownerReferences?.find((reference) => reference.controller);
		const deployment = runnerDeployments.informer.get(namespace, controller?.name ?? '');
		if (!controller || deployment?.metadata.uid !== controller.uid) return undefined; // a person's own, or the garbage collector's
		for (const runner of runners.informer.values()) if (controllerOf(runner) === uid) return undefined;
		const youngForMs = Date.parse(creationTimestamp ?? '') + emptyForMs - clock.now();
		if (youngForMs > 0) return { afterMs: youngForMs };

		const path = objectPath(arcReplicaSet, { namespace, name });
		if (await deleteUnlessChanged(client, path, { preconditions: { uid } }))
			log.info(
				{ runnerReplicaSet: key, runnerDeployment: controller.name },
				'empty RunnerReplicaSet removed',
			);
		return undefined;
	}
}
