/** The end of a runner's container as the kubelet would report it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Kube, KubeError } from './kube.ts';
import { type PodItem, runnerContainer } from './runner-pod.ts';

const retryMs = 250;
/** How long to wait for an API server that is down; a kubelet would wait forever. */
const tries = 240;

/** The container ends with this exit code. `current` returns the pod as last seen, since it may change between tries. */
export async function endContainer(kube: Kube, current: () => PodItem, exitCode = 0): Promise<void> {
	const { name, namespace, uid } = current().metadata;
	const path = `/api/v1/namespaces/${namespace}/pods/${name}/status`;
	for (let tried = 1; ; tried++) {
		try {
			// With the UID in the patch a new pod of the same name cannot be hit: the answer is 422, "field is immutable".
			await kube.patch(path, { metadata: { uid }, status: statusAfterExit(current(), exitCode, Date.now()) });
			return;
		} catch (error) {
			const status = error instanceof KubeError ? error.status : undefined;
			const other = error instanceof KubeError && status === 422 && error.message.includes('metadata.uid');
			if (other || status === 404 || status === 409) return; // gone, or replaced by another pod
			if (tried >= tries || (status !== undefined && status < 500 && status !== 429)) throw error;
			await sleep(retryMs, undefined, { ref: false });
		}
	}
}

/**
 * The status after the runner's container has exited with this code, as the kubelet would write it: a pod whose other
 * containers run on stays Running, and restartPolicy Always starts the container again.
 */
function statusAfterExit(pod: PodItem, exitCode: number, nowMs: number): object {
	const at = new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z');
	const terminated = {
		exitCode,
		reason: exitCode === 0 ? 'Completed' : 'Error',
		finishedAt: at,
		containerID: 'simulated://runner',
	};
	const policy = pod.spec.restartPolicy ?? 'Always';
	const restarts = policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
	const containerStatuses = (pod.status?.containerStatuses ?? []).map((status) => {
		if (status.name !== runnerContainer) return status;
		const { lastState: _lastState, ...rest } = status;
		if (!restarts) return { ...rest, ready: false, started: false, state: { terminated } };
		return {
			...rest,
			restartCount: (status.restartCount ?? 0) + 1,
			state: { running: { startedAt: at } },
			lastState: { terminated },
		};
	});
	const allEnded = containerStatuses.every((status) => status.state?.terminated);
	if (restarts) return { containerStatuses };
	const conditions = (pod.status?.conditions ?? []).map((condition) =>
		condition.type === 'Ready' || condition.type === 'ContainersReady'
			? { ...condition, status: 'False', reason: 'ContainersNotReady', lastTransitionTime: at }
			: condition,
	);
	return {
		containerStatuses,
		conditions,
		...(allEnded ? { phase: exitCode === 0 ? 'Succeeded' : 'Failed' } : {}),
	};
}
