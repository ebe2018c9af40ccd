import type { Goal } from './goals.ts';
import type { Spread, Summary } from './rows.ts';

const head = [
	'policy',
	'wait p50, s',
	'p95, s',
	'p99, s',
	'beyond start p50, s',
	'p95, s',
	'p99, s',
	'pods',
	'needless',
	'idle pod-h',
	'never served',
	'calls per 1,000 jobs',
];

/** The mean of the days and, where they differ, the least and the most. */
function spread({ mean, least, most }: Spread, digits = 0): string {
	const said = (value: number) =>
		value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
	return said(least) === said(most) ? said(mean) : `${said(mean)} (${said(least)} to ${said(most)})`;
}

const digitsOf = ({ mean }: Spread) => (mean < 10 ? 1 : 0);
const near = (value: Spread) => spread(value, digitsOf(value));

/** One line for each setting, the head first. */
export function tableRows(summaries: readonly Summary[]): string[][] {
	return [
		head,
		...summaries.map((line) => [
			line.setting,
			near(line.p50),
			near(line.p95),
			near(line.p99),
			near(line.beyondP50),
			near(line.beyondP95),
			near(line.beyondP99),
			spread(line.pods),
			spread(line.needless),
			near(line.idleHours),
			spread(line.neverServed),
			spread(line.calls),
		]),
	];
}

export const goalLine = ({ what, reached, passed }: Goal): string =>
	`${passed ? 'pass  ' : 'missed'}  ${what}: ${reached}`;

export const markdownTable = (rows: readonly (readonly string[])[]): string =>
	rows
		.flatMap((row, index) => [
			`| ${row.join(' | ')} |`,
			...(index === 0 ? [`|${row.map(() => '---|').join('')}`] : []),
		])
		.join('\n');
