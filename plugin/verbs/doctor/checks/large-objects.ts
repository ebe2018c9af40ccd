import { printable } from '../../../../admission/api/printable.ts';
import type { Check } from '../facts.ts';
import { count } from '../finding.ts';

/** Objects that are too large for the leader's lists and watches. Where there is none, nothing is said. */
export const largeObjects: Check = ({ report }) => {
	const check = 'large-objects';
	const found = report.kind === 'found' ? report.value.largeObjects : undefined;
	if (!found || found.count === 0) return undefined;
	if (found.unreadable === 0)
		return {
			check,
			level: 'ok',
			message: `${count(found.count, 'object')} of more than 1 MiB: runner pods among them are read one by one`,
		};
	return {
		check,
		level: 'warning',
		message: `${count(found.unreadable, 'object')} of more than 9 MiB, which the leader cannot read: deletions recorded there wait`,
		details: found.unreadableObjects.map(printable),
		advice: ['make them smaller, or delete them: the log of the leader names the resource of each'],
	};
};
