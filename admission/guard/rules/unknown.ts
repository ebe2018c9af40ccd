import { busy } from '../../api/keys.ts';
import type { GuardedPod } from '../../runner/guarded-pod.ts';
import type { RunnerPod } from '../../runner/runner-pod.ts';

/**
 * Whether nothing is known of a runner, and its pod does not say so: no leader has seen it, and it was created without the
 * policy and the webhook. One that was seen idle has no label either, but this server has signed what it had seen.
 */
const isUnseen = (pod: RunnerPod): boolean =>
	!pod.backstopped &&
	!pod.terminating &&
	pod.process.state !== 'exited' &&
	!pod.registered &&
	pod.absentSinceMs === undefined;

/**
 * The change of a pod, and with it the label "unknown" if nobody has labelled the pod: whoever writes first on it has its
 * eviction refused as well, whatever happens to all replicas then. Write it on that version of the pod only, because a hook
 * or an event may set the label meanwhile.
 */
export function withUnknown<Change extends { labels?: Record<string, string | null> }>(
	pod: GuardedPod | RunnerPod,
	change: Change,
): Change {
	if (!('process' in pod) || !isUnseen(pod)) return change;
	return { ...change, labels: { [busy.label]: 'unknown', ...change.labels } };
}
