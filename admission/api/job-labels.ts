import { longestJobLabels, longestLabel, mostJobLabels } from './limits.ts';
import { printable } from './printable.ts';

/** The labels that GitHub says a job asks for. */
interface JobLabels {
	/** Those that can be kept, printable. */
	labels: string[];
	/** Some are left out or changed, so it is not certain which runners may have the job: it matches none. */
	truncated: boolean;
}

/** Reads the labels of a job, which anybody who may push a workflow has chosen. Takes no longer for many or for long ones. */
export function labelsOfJob(value: unknown): JobLabels {
	const given: unknown[] = Array.isArray(value) ? value : [];
	const labels: string[] = [];
	let left = longestJobLabels;
	let truncated = given.length > mostJobLabels;
	for (const label of given.slice(0, mostJobLabels)) {
		if (typeof label !== 'string' || label === '') continue;
		const kept = printable(label.slice(0, longestLabel).toWellFormed());
		if (kept !== label) truncated = true;
		left -= kept.length;
		if (left < 0) return { labels, truncated: true };
		if (kept !== '') labels.push(kept);
	}
	return { labels, truncated };
}
