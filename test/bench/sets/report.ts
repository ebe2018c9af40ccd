import type { Kind } from '../../rig/runner-sets.ts';
import { median } from '../figures.ts';
import { type ArcFigures, arc, arcMixed } from './arc-figures.ts';
import type { Floor } from './floor.ts';
import type { BusyToNone, Completions, Mixed, UpAndDown } from './runs.ts';
import type { Cost } from './stage.ts';

type Row = string[];

const head: Row = ['figure', 'ours', 'each run', 'ARC', 'ours / ARC', 'target'];

/** Median of ours beside ARC's figure; `digits` behind the point. */
function row(figure: string, ours: number[], theirs: number | undefined, target = '', digits = 1): Row {
	const middle = median(ours);
	const known = theirs !== undefined && !Number.isNaN(theirs);
	return [
		figure,
		middle.toFixed(digits),
		ours.map((one) => one.toFixed(digits)).join(' '),
		known ? `${theirs}` : '-',
		known && theirs > 0 ? (middle / theirs).toFixed(2) : '-',
		target,
	];
}

const count = (figure: string, ours: number[], theirs: number | undefined, target = ''): Row =>
	row(figure, ours, theirs, target, 0);

const costRows = (
	costs: Cost[],
	theirs: { calls?: number; cpu?: number; lines?: number; errors?: number },
) => [
	count('GitHub calls', pick(costs, 'githubCalls'), theirs.calls),
	row('CPU s of the server', pick(costs, 'cpuSeconds'), theirs.cpu, theirs.cpu ? `<= ${theirs.cpu}` : ''),
	count('log records, debug', pick(costs, 'logLines'), theirs.lines),
	count('log records, info', pick(costs, 'infoLines'), undefined),
	count('ERROR records', pick(costs, 'errorLines'), theirs.errors, '0'),
];

function pick<K extends string>(items: readonly Record<K, number>[], key: K): number[] {
	return items.map((item) => item[key]);
}

/** `floors`: the same objects by a bare loop, measured after each run. */
export function upAndDownRows(kind: Kind, runners: number, runs: UpAndDown[], floors: Floor[]): Row[] {
	const theirs: ArcFigures = arc[kind];
	const ratios = (key: 'podsExist' | 'idleGone', floor: keyof Floor) =>
		runs.map((run, index) => run[key] / (floors[index]?.[floor] ?? Number.NaN));
	return [
		head,
		row(`0 -> ${runners}: pods exist, s`, pick(runs, 'podsExist'), theirs.podsExist[runners]),
		row('  the same objects by a bare loop, s', pick(floors, 'up'), undefined),
		row('  ours / bare loop', ratios('podsExist', 'up'), undefined, '<= 1.5', 2),
		row('all ids known, s', pick(runs, 'idsKnown'), theirs.idsKnown[runners]),
		row('  after its registration, median, s', pick(runs, 'idMedian'), undefined),
		row('  after its registration, most, s', pick(runs, 'idMost'), undefined, '<= 3'),
		...costRows(
			runs.map(({ up }) => up),
			{ calls: theirs.upCalls[runners], cpu: theirs.upCpu[runners] },
		),
		row(
			`${runners} idle -> 0: last pod gone, s`,
			pick(runs, 'idleGone'),
			theirs.idleGone[runners],
			runners <= 50 ? '<= 3' : runners === 200 ? '< 180 (C6)' : '',
		),
		row('  the same objects by a bare loop, s', pick(floors, 'down'), undefined),
		row('  ours / bare loop', ratios('idleGone', 'down'), undefined, runners <= 50 ? '<= 1.5' : '', 2),
		...costRows(
			runs.map(({ down }) => down),
			{
				calls: theirs.downCalls[runners],
				cpu: theirs.downCpu[runners],
				lines: theirs.downLogLines[runners],
				errors: theirs.downErrors[runners],
			},
		),
		row(
			`CPU s of the server, 0 -> ${runners} -> 0`,
			runs.map(({ up, down }) => up.cpuSeconds + down.cpuSeconds),
			theirs.upCpu[runners] && theirs.downCpu[runners] && theirs.upCpu[runners] + theirs.downCpu[runners],
			runners === 500 ? 'half' : '',
		),
		count('peak RSS of the server, MiB', pick(runs, 'peakRss'), theirs.peakRss[runners], '<= 100'),
	];
}

export function halfBusyRows(kind: Kind, runners: number, runs: Mixed[]): Row[] {
	// ARC was run with a RunnerDeployment of 50 only.
	const theirs = kind === 'RunnerDeployment' && runners === 50 ? arcMixed : undefined;
	const half = runners / 2;
	return [
		head,
		row(`${runners} -> ${half}, ${half} busy: idle ones gone, s`, pick(runs, 'idleGone'), undefined, '<= 3'),
		count('busy ones touched', pick(runs, 'busyTouched'), theirs?.busyMarked, '0'),
		count('pods made later', pick(runs, 'podsMadeLater'), theirs?.podsMadeLater, '0'),
		...costRows(
			runs.map(({ cost }) => cost),
			theirs ?? {},
		),
	];
}

export function busyToNoneRows(kind: Kind, runners: number, runs: BusyToNone[]): Row[] {
	const theirs = runners === 50 ? arc[kind] : undefined;
	const leaked = runs.reduce((sum, run) => sum + run.leaked, 0);
	return [
		head,
		row(
			`${runners} busy -> 0: last job end to last pod gone, s`,
			pick(runs, 'gone'),
			theirs?.busyGone,
			'<= 1',
		),
		count('jobs killed', pick(runs, 'killed'), theirs && 0, '0'),
		[
			'leaked runners, all runs',
			`${leaked}`,
			pick(runs, 'leaked').join(' '),
			`${theirs?.busyLeft ?? '-'}`,
			'-',
			'0',
		],
		count('names used twice', pick(runs, 'namesUsedTwice'), undefined, '0'),
		...costRows(
			runs.map(({ cost }) => cost),
			{ calls: theirs?.busyCalls, lines: theirs?.busyLogLines, errors: theirs?.busyErrors },
		),
	];
}

export function completionRows(count: number, runs: Completions[]): Row[] {
	return [
		head,
		row(`${count} completions in a second: passes`, pick(runs, 'passes'), undefined, '<= 2', 0),
		row('all replaced, s', pick(runs, 'replaced'), undefined, '<= 3'),
	];
}

export const volumeRows = (count: number, without: number[], claims: number[]): Row[] => [
	head,
	row(`0 -> ${count}, no volumes: pods exist, s`, without, undefined),
	row(`0 -> ${count}, a volume claim each: pods exist, s`, claims, undefined),
	row(
		'  with / without',
		claims.map((one, index) => one / (without[index] ?? Number.NaN)),
		undefined,
		'<= 2',
		2,
	),
];

/** One line for each phase. */
export const phaseRows = (phases: [string, [string, number][]][]): Row[] => [
	['phase', 'calls a runner', 'which'],
	...phases.map(([phase, calls]) => [
		phase,
		calls.reduce((sum, [, times]) => sum + times, 0).toFixed(2),
		calls
			.slice(0, 8)
			.map(([what, times]) => `${times.toFixed(2)} ${what}`)
			.join(', '),
	]),
];
