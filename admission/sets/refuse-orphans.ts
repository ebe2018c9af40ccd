import type { Pod } from '../api/kinds.ts';
import { objectKey } from '../api/object-key.ts';
import { goneOwner } from '../cluster/pod-owner.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Log } from '../telemetry/log.ts';
import { type AdmissionRequest, type AdmissionResponse, refused } from '../webhook/review.ts';

/**
 * Reviews CREATE pods for RunnerSets: refuses a pod whose StatefulSet is gone. Our reconciler deletes a StatefulSet, then its
 * pod; the StatefulSet controller, whose cache may show the StatefulSet a moment longer, would make the pod again under its
 * name, and the runner would register again and might get a job until the garbage collector comes (measured: 22 of 200).
 *
 * Compatibility: 409 Conflict. The controller writes one Event FailedCreate and tries again until its cache is up to date. If
 * the API server gives no answer, the pod is allowed: the garbage collector deletes it, and the guard asks before it goes.
 *
 * @param self our own user name: our reconciler makes a pod only with its StatefulSet
 */
export function refuseOrphans(client: KubeClient, self: string, log: Log) {
	return async ({
		uid,
		object,
		namespace = '',
		userInfo,
	}: AdmissionRequest): Promise<AdmissionResponse | undefined> => {
		if (userInfo.username === self) return undefined;
		const { metadata, spec } = object as Pod;
		const pod: Pod = { metadata: { ...metadata, namespace }, spec };
		try {
			const owner = await goneOwner(client, pod);
			if (owner === undefined) return undefined;
			const message = `pod ${namespace}/${metadata.name} is not created: its StatefulSet ${owner} is gone or is being deleted, because its runner has ended or was removed`;
			return refused(uid, { code: 409 }, message);
		} catch (error) {
			log.warn(
				{ pod: objectKey({ namespace, name: metadata.name }), error: String(error) },
				'the StatefulSet of a new pod could not be read, so the pod is allowed',
			);
			return undefined;
		}
	};
}
