import { busy, names } from '../api/keys.ts';
import { collectionPath, objectPath, resources } from '../api/paths.ts';
import type { Cache } from '../cluster/cache.ts';
import type { KubeClient } from '../kube/client.ts';
import { Controller } from '../kube/controller.ts';
import { createUnlessPresent, getObject, unlessGone } from '../kube/objects.ts';
import type { ReconcileObserver } from '../kube/queue.ts';
import type { Log } from '../telemetry/log.ts';
import type { Clock } from '../time/clock.ts';

/** How often the budget is checked, because somebody may have deleted it. */
const recheckMs = 5 * 60_000;

/**
 * Keeps the back-stop PodDisruptionBudgets in every namespace with runner pods. They select the busy label, one for each
 * of its values, and their integer minAvailable can never be met. So even while every replica of the server is down, the
 * API server answers 429 to evictions of runners that are busy or of which nothing is known, and the scheduler's
 * preemption prefers other pods. With an integer the API server needs no scale subresource, so it works for scale-set pods
 * too (measured).
 */
export function keepBusyBudgets(
	client: KubeClient,
	cache: Cache,
	metrics: ReconcileObserver,
	clock: Clock,
	log: Log,
): { stop(): Promise<void> } {
	const seen = new Set<string>();
	const controller = new Controller<string>(
		{
			name: 'backstop',
			field: 'namespace',
			concurrency: 2,
			async reconcile(namespace) {
				if (cache.namespaces.get(undefined, namespace)?.metadata.deletionTimestamp) return undefined;
				if (![...cache.pods.values()].some((pod) => pod.metadata.namespace === namespace)) {
					seen.delete(namespace); // the next runner pod there starts it again
					return undefined;
				}
				await ensure(client, namespace, log);
				return { afterMs: recheckMs };
			},
			failure: 'back-stop PodDisruptionBudget not created',
		},
		{ metrics, clock, log },
	).watch(cache.onPod, ({ metadata: { namespace = '' } }, change) => {
		if (change !== 'added' || seen.has(namespace)) return undefined;
		seen.add(namespace);
		return namespace;
	});
	cache.onNamespace((change, namespace) => {
		if (change === 'deleted') seen.delete(namespace.metadata.name);
	});
	return controller;
}

async function ensure(client: KubeClient, namespace: string, log: Log): Promise<void> {
	const resource = resources.podDisruptionBudgets;
	for (const [value, name] of Object.entries(names.backstops)) {
		if (await getObject(client, objectPath(resource, { namespace, name }))) continue;
		const body = {
			apiVersion: 'policy/v1',
			kind: 'PodDisruptionBudget',
			metadata: { name, namespace, labels: { 'app.kubernetes.io/managed-by': names.server } },
			spec: { minAvailable: 1_000_000, selector: { matchLabels: { [busy.label]: value } } },
		};
		// undefined: the namespace has been deleted meanwhile.
		const created = await unlessGone(createUnlessPresent(client, collectionPath(resource, namespace), body));
		if (created) log.info({ namespace, budget: name }, 'back-stop PodDisruptionBudget created');
	}
}
