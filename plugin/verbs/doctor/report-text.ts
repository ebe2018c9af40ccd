import { printable } from '../../../admission/api/printable.ts';
import { table } from '../../print/table.ts';
import { count, type Finding, type Level } from './finding.ts';

/** The maximum number of details shown of one finding; -o json prints all of them. */
const mostDetails = 10;

/** One line for each check, with its details and advice indented below. */
export function findingsText(findings: readonly Finding[]): string {
	const lines = table([
		['CHECK', 'STATUS', 'MESSAGE'],
		...findings.map(({ check, level, message }) => [check, level, printable(message)]),
	]).split('\n');
	const text = [lines[0]];
	for (const [index, { details = [], advice = [] }] of findings.entries()) {
		text.push(lines[index + 1]);
		text.push(...details.slice(0, mostDetails).map((detail) => `  - ${printable(detail)}`));
		if (details.length > mostDetails)
			text.push(`  - and ${details.length - mostDetails} more (-o json shows all)`);
		text.push(...advice.map((step) => `  next: ${printable(step)}`));
	}
	return `${text.join('\n')}\n${summary(findings)}\n`;
}

function summary(findings: readonly Finding[]): string {
	const of = (level: Level) => findings.filter((finding) => finding.level === level).length;
	const parts = [count(of('error'), 'error'), count(of('warning'), 'warning'), `${of('ok')} ok`];
	return parts.join(', ');
}
