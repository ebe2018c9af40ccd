import { autoscalerMarks, busy } from '../../api/keys.ts';
import type { Pod } from '../../api/kinds.ts';
import { type PatchOperation, pointer } from '../../webhook/review.ts';

/** Labels and annotations to change; null removes one. */
export interface Marks {
	labels: Record<string, string | null>;
	annotations: Record<string, string | null>;
}

/** The marks that show on a pod that its runner runs this job; empty if they are there already. */
export function busyMarks({ metadata }: Pod, job: string | undefined, nowMs: number): Marks {
	const { labels = {}, annotations = {} } = metadata;
	const marks: Marks = { labels: {}, annotations: {} };
	if (job && annotations[busy.job] !== job) marks.annotations[busy.job] = job;
	if (labels[busy.label] === 'true') return marks;
	marks.labels[busy.label] = 'true';
	marks.annotations[busy.since] = new Date(nowMs).toISOString();
	// A mark that is on the pod already was set by somebody else: it stays when the job ends.
	const missing = Object.entries(autoscalerMarks).filter(([key]) => annotations[key] === undefined);
	for (const [key, value] of missing) marks.annotations[key] = value;
	marks.annotations[busy.marks] = missing.map(([key]) => key).join(',');
	return marks;
}

/** Removes these marks. */
export function idleMarks({ metadata }: Pod): Marks {
	const { annotations = {} } = metadata;
	const marks: Marks = { labels: { [busy.label]: null }, annotations: {} };
	const ours = (annotations[busy.marks] ?? '').split(',').filter((key) => key in autoscalerMarks);
	for (const key of [busy.since, busy.job, busy.marks, ...ours])
		if (key in annotations) marks.annotations[key] = null;
	return marks;
}

/** What marks a runner pod that is being created as unknown: nothing is known of it until it has been seen idle. */
export function unknownMark({ metadata }: Pod): PatchOperation[] {
	const { labels } = metadata;
	if (labels?.[busy.label] !== undefined) return [];
	return [
		...(labels ? [] : [{ op: 'add', path: '/metadata/labels', value: {} } as const]),
		{ op: 'add', path: `/metadata/labels/${pointer(busy.label)}`, value: 'unknown' },
	];
}
