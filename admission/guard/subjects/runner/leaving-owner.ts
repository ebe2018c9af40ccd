import type { Pod } from '../../../api/kinds.ts';
import { objectKey } from '../../../api/object-key.ts';
import { liveOwner, ownerOf } from '../../../cluster/pod-owner.ts';
import type { KubeClient } from '../../../kube/client.ts';
import type { Log } from '../../../telemetry/log.ts';
import type { Clock } from '../../../time/clock.ts';

/** User names of the StatefulSet controller: with a service account of its own, and with one shared by all controllers. */
const statefulSetController = [
	'system:serviceaccount:kube-system:statefulset-controller',
	'system:kube-controller-manager',
];

/** In a namespace that is being deleted no pod is created again, and StatefulSets may be deleted in any order. */
const namespaceController = 'system:serviceaccount:kube-system:namespace-controller';

/** How long a review waits for our reconciler to delete the StatefulSet of an exited runner. */
const standsAtMostMs = 1_500;
const lookEveryMs = 100;

/**
 * Returns the name of the StatefulSet that an exited runner's pod still has; then the pod must not be deleted yet.
 * `atMostMs`: what is left of the review's time, in ms.
 */
export type LeavingOwner = (pod: Pod, user: string, atMostMs: number) => Promise<string | undefined>;

/**
 * If the pod of a RunnerSet is deleted before its StatefulSet, the StatefulSet controller creates the pod again under its
 * name, and a runner that has completed registers again (invariant 6; measured). A moment after the runner has ended, our
 * reconciler deletes the StatefulSet and then the pod. Everybody else has to wait for that.
 *
 * Compatibility (measured): the StatefulSet controller deletes exited pods in order to create them again. It is refused at
 * once, because it has few workers; it backs off, with 10 tries in 2.6 s and then fewer, and writes one FailedDelete
 * Event. For all others the review waits up to standsAtMostMs.
 *
 * @param self our own user name: our reconciler has checked the StatefulSet itself
 */
export function leavingOwner(client: KubeClient, self: string, clock: Clock, log: Log): LeavingOwner {
	return async (pod, user, atMostMs) => {
		const owner = ownerOf(pod, 'runnerset');
		if (!owner || user === self || user === namespaceController) return undefined;
		const remakes = statefulSetController.includes(user);
		try {
			const untilMs = clock.monotonic() + (remakes ? 0 : Math.min(standsAtMostMs, atMostMs));
			for (;;) {
				const { name } = (await liveOwner(client, pod, ['runnerset'])) ?? {};
				if (!name || clock.monotonic() + lookEveryMs > untilMs) return name;
				await clock.sleep(lookEveryMs);
			}
		} catch (error) {
			const name = objectKey(pod.metadata);
			log.warn(
				{ pod: name, error: String(error) },
				'the StatefulSet of an exited runner could not be read: it is not known whether it would create the pod again',
			);
			return remakes ? owner.name : undefined; // the controller tries again; anybody else is allowed
		}
	};
}
