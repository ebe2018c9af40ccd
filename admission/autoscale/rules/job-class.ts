import { fold } from '../../jobs/records/rules/labels.ts';
import type { Job, JobClass } from './types.ts';

/** Jobs are asked for their class at each reconcile, and neither their repository nor their labels change. */
const known = new WeakMap<object, JobClass>();

export function classOf(job: Pick<Job, 'host' | 'repository' | 'labels'>): JobClass {
	const before = known.get(job);
	if (before !== undefined) return before;
	const labels = [...new Set(job.labels.map(fold))].sort();
	const found = JSON.stringify([job.host, fold(job.repository), labels]) as JobClass;
	known.set(job, found);
	return found;
}
