import { arcFinalizers } from '../../api/sets.ts';
import type { RunnerPod } from '../../runner/runner-pod.ts';

/** This long after the grace period a container has been killed, if its node works at all. */
export const killedAfterMs = 30_000;

/**
 * How much longer ARC's finalizers stay on a terminating pod, in ms; 0: they can be removed. They keep the pod object, not
 * the container, which the kubelet stops anyway. A pod whose node was lost shows "running" for ever, so the wait ends.
 *
 * @param killedMs the deletionTimestamp, which is when the grace period ends; ms since the epoch
 */
export function finalizersStayForMs(pod: RunnerPod, killedMs: number, nowMs: number): number {
	if (pod.process.state !== 'running' || pod.unregistered || pod.nodeGone) return 0;
	return Math.max(0, killedMs + killedAfterMs - nowMs);
}

/** These finalizers without ARC's; undefined if none of them is ARC's. */
export function withoutArcs(
	kind: keyof typeof arcFinalizers,
	finalizers: readonly string[] = [],
): string[] | undefined {
	const arcs: readonly string[] = arcFinalizers[kind];
	const left = finalizers.filter((one) => !arcs.includes(one));
	return left.length === finalizers.length ? undefined : left;
}
