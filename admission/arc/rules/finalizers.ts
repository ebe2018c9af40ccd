import { arcFinalizers } from '../../api/sets.ts';
import type { RunnerPod } from '../../runner/runner-pod.ts';

/** A container that was told to stop has been killed this long after its grace period, if its node lives at all. */
export const killedAfterMs = 30_000;

/**
 * How long ARC's finalizers stay on a pod that is terminating, ms; 0: there is nothing more to wait for. They keep the
 * object, not the container (the kubelet stops that at once), and a pod whose node was lost says "running" for ever.
 *
 * `killedMs`: the deletionTimestamp, which is when the grace period ends.
 */
export function finalizersStayForMs(pod: RunnerPod, killedMs: number, nowMs: number): number {
	if (pod.process.state !== 'running' || pod.unregistered?.proven || pod.nodeGone) return 0;
	return Math.max(0, killedMs + killedAfterMs - nowMs);
}

/** What is left of these finalizers without ARC's; undefined: none of them is ARC's. */
export function withoutArcs(
	kind: keyof typeof arcFinalizers,
	finalizers: readonly string[] = [],
): string[] | undefined {
	const arcs: readonly string[] = arcFinalizers[kind];
	const left = finalizers.filter((one) => !arcs.includes(one));
	return left.length === finalizers.length ? undefined : left;
}
