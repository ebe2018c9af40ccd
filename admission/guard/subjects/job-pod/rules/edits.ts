import { busy, jobPods } from '../../../../api/keys.ts';
import type { Pod } from '../../../../api/kinds.ts';
import type { JobPod } from '../../../../runner/job-pod.ts';
import { endings, mustNotBeChanged, ownAnnotationEdits } from '../../../rules/edits.ts';

/** By the first two a job pod is recognised, the third keeps its eviction back: none changes while it lives. */
export const jobPodLabels: readonly string[] = [jobPods.label, jobPods.job, busy.label];

/** Whether a job pod may be edited in any way. */
export const isOver = ({ terminating, ended }: JobPod): boolean => terminating || ended;

/**
 * What of an update of a job pod must be refused, each as a clause for people; empty: it may be made. Whether its runner
 * still works is not asked: nobody has a reason for such an edit, and there is break-glass. The webhook's matchConditions
 * call us only if something of this changes: change both together, a test compares the keys.
 */
export function jobPodEdits(before: Pod, after: Pod, pod: JobPod): string[] {
	if (isOver(pod)) return [];
	const was = before.metadata.labels ?? {};
	const is = after.metadata.labels ?? {};
	const keys = jobPodLabels.filter((key) => (was[key] ?? '') !== (is[key] ?? ''));
	return [
		...mustNotBeChanged('label', keys),
		...endings(before, after),
		...ownAnnotationEdits(before, after),
	];
}
