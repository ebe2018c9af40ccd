import { type ObjectKey, objectKey, splitKey } from '../api/object-key.ts';
import { objectPath } from '../api/paths.ts';
import { arcReplicaSet } from '../api/sets.ts';
import type { SetsCache } from '../cluster/sets-cache.ts';
import type { KubeClient } from '../kube/client.ts';
import { Controller } from '../kube/controller.ts';
import { deleteUnlessChanged } from '../kube/objects.ts';
import { controllerOf } from '../kube/owner-references.ts';
import type { Requeue } from '../kube/queue.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';

interface ArcReplicaSetsDependencies {
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
	readonly #controller: Controller;

	constructor(dependencies: ArcReplicaSetsDependencies) {
		this.#dependencies = dependencies;
		const { setsCache } = dependencies;
		const options = {
			name: 'arc-replica-sets',
			field: 'runnerReplicaSet',
			concurrency: 1,
			reconcile: (key: ObjectKey) => this.#reconcile(key),
			failure: 'empty RunnerReplicaSet not removed',
		};
		this.#controller = new Controller(options, dependencies)
			.watch(setsCache.runnerReplicaSets.on, ({ metadata }, change) =>
				change === 'deleted' ? undefined : objectKey(metadata),
			)
			.watch(setsCache.runners.on, ({ metadata }, change) => {
				const owner = metadata.ownerReferences?.find(({ controller }) => controller);
				const isEmptier = change === 'deleted' && owner?.kind === arcReplicaSet.kind;
				return isEmptier ? objectKey({ namespace: metadata.namespace, name: owner.name }) : undefined;
			});
	}

	stop(): Promise<void> {
		return this.#controller.stop();
	}

	async #reconcile(key: ObjectKey): Promise<Requeue> {
		const { client, setsCache, clock, log } = this.#dependencies;
		const { runnerReplicaSets, runnerDeployments, runners } = setsCache;
		const { namespace, name } = splitKey(key);
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
