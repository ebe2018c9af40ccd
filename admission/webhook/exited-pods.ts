import { arc } from '../api/keys.ts';
import type { KubeObject, Pod } from '../api/kinds.ts';
import { apiVersion, setKinds } from '../api/sets.ts';
import { isNotFound, type KubeClient } from '../kube/client.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { readRunnerPod } from '../runner/runner-pod.ts';
import { type AdmissionRequest, type AdmissionResponse, refused } from './review.ts';

/** One name where the controllers have service accounts of their own, the other where they share one. */
const statefulSetController = [
	'system:serviceaccount:kube-system:statefulset-controller',
	'system:kube-controller-manager',
];

/** A call to the API server within an admission. */
const callWithinMs = 2_500;

/**
 * The StatefulSet controller deletes an exited pod to make it anew under its name: a runner that has completed would
 * register again. Refused while the StatefulSet of a RunnerSet stands; our reconciler deletes that in a moment, and
 * then the pod goes without a successor (invariant 6; tried: api-server-facts). undefined: not such a deletion.
 *
 * Compatibility: the controller backs off, 10 tries in 2.6 s and then fewer; one FailedDelete Event.
 */
export async function refuseSuccessor(
	request: AdmissionRequest,
	{ client, metrics, log }: { client: KubeClient; metrics: Metrics; log: Log },
): Promise<AdmissionResponse | undefined> {
	if (!statefulSetController.includes(request.userInfo.username ?? '')) return undefined;
	const pod = request.oldObject as Pod;
	const runner = readRunnerPod(pod);
	const owner = pod.metadata.ownerReferences?.find(({ kind }) => kind === 'StatefulSet');
	if (!runner || !owner || runner.terminating || runner.process.state !== 'exited') return undefined;
	if (!pod.metadata.labels?.[arc.runnerSet]) return undefined;
	const name = `${runner.namespace}/${runner.name}`;
	try {
		const statefulSet = await client.request<KubeObject>(
			'GET',
			`/apis/apps/v1/namespaces/${runner.namespace}/statefulsets/${owner.name}`,
			{ timeoutMs: callWithinMs },
		);
		const { uid, deletionTimestamp, ownerReferences = [] } = statefulSet.metadata;
		const ours = ownerReferences.some(
			(set) => set.kind === setKinds.runnerSet.kind && set.apiVersion === apiVersion,
		);
		if (uid !== owner.uid || deletionTimestamp || !ours) return undefined;
	} catch (error) {
		if (isNotFound(error)) return undefined;
		// It tries again, and a pod that has exited can wait.
		log.warn({ pod: name, error: String(error) }, 'the StatefulSet of an exited runner could not be read');
	}
	metrics.decision('deny', 'owner-leaving');
	log.debug({ pod: name, reason: 'owner-leaving' }, 'deletion denied');
	const message = `runner ${runner.runnerName} has ended and its StatefulSet ${owner.name} is being deleted: no pod of this name is to be made again`;
	return refused(request.uid, { code: 409 }, 'owner-leaving', message);
}
