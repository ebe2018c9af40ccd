import type { Pod } from '../api/kinds.ts';
import { ownerOf, standingOwner } from '../cluster/standing-owner.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import type { Log } from '../telemetry/log.ts';

/** One name where the controllers have service accounts of their own, the other where they share one. */
const statefulSetController = [
	'system:serviceaccount:kube-system:statefulset-controller',
	'system:kube-controller-manager',
];

/** Nothing is made again in a namespace that is being deleted, and its StatefulSets go in any order. */
const namespaceController = 'system:serviceaccount:kube-system:namespace-controller';

/** Our reconciler deletes the StatefulSet of an exited runner in a moment: so long is that waited for. */
const standsAtMostMs = 1_500;
const lookEveryMs = 100;

/** Tells the StatefulSet that still stands over an exited runner's pod, which is then not to be deleted yet. */
export type LeavingOwner = (pod: Pod, user: string) => Promise<string | undefined>;

/**
 * A RunnerSet's pod that is deleted before its StatefulSet is made anew under its name: a runner that has completed would
 * register again (invariant 6; measured). Our reconciler deletes the StatefulSet first, then the pod, a
 * moment after the runner has ended; whoever is quicker has to wait for that. `self`: our own user, which has looked.
 *
 * Compatibility: the StatefulSet controller deletes exited pods to make them anew. It hears no at once, for its workers
 * are few: it backs off, 10 tries in 2.6 s and then fewer; one FailedDelete Event. All others wait here.
 */
export function leavingOwner(client: KubeClient, self: string, clock: Clock, log: Log): LeavingOwner {
	return async (pod, user) => {
		const owner = ownerOf(pod, 'runnerset');
		if (!owner || user === self || user === namespaceController) return undefined;
		const remakes = statefulSetController.includes(user);
		try {
			const untilMs = clock.monotonic() + (remakes ? 0 : standsAtMostMs);
			for (;;) {
				const standing = await standingOwner(client, pod, ['runnerset']);
				if (!standing || clock.monotonic() + lookEveryMs > untilMs) return standing;
				await clock.sleep(lookEveryMs);
			}
		} catch (error) {
			const name = `${pod.metadata.namespace}/${pod.metadata.name}`;
			log.warn({ pod: name, error: String(error) }, 'the StatefulSet of an exited runner could not be read');
			return remakes ? owner.name : undefined; // it tries again; a person's word counts
		}
	};
}
