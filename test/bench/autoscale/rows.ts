import { quantile } from '../figures.ts';
import type { Scenario } from './settings.ts';
import { type Figures, simulate } from './simulate.ts';

/** What one policy came to on one day. Seconds, unless they say something else. */
export interface Row {
	setting: string;
	seed: number;
	jobs: number;
	p50: number;
	p95: number;
	p99: number;
	/** Of the part of each wait during which no runner was on its way, of jobs that the floor never let wait for its maximum. */
	beyondP50: number;
	beyondP95: number;
	beyondP99: number;
	/** p95 of the whole wait of the same jobs, less the floor's. */
	overFloorP95: number;
	pods: number;
	needless: number;
	idleHours: number;
	neverServed: number;
	mostPods: number;
	/** Calls to GitHub that count for its limit, per 1,000 jobs. */
	calls: number;
	/** The part of the jobs that the floor let wait for its maximum. */
	atMaximum: number;
}

/** One day with each setting of the scenario, on the same jobs, faults and start-up times. */
export function rowsOf({ constants, settings }: Scenario, seed: number): Row[] {
	const floor = simulate({ constants, policy: { kind: 'floor' }, seed });
	return settings.map(({ name, policy, sick = constants.sick }) => {
		const day = { constants: { ...constants, sick }, policy, seed };
		return rowOf(name, seed, policy.kind === 'floor' ? floor : simulate(day), floor);
	});
}

function rowOf(setting: string, seed: number, figures: Figures, floor: Figures): Row {
	const { jobs, p50Ms, p95Ms, p99Ms, calls } = figures;
	const below = [...floor.uncoveredMs].filter(([, ms]) => ms === 0).map(([id]) => id);
	const beyond = below.map((id) => figures.uncoveredMs.get(id) ?? 0);
	const waitsOf = ({ waitMs }: Figures) => below.map((id) => waitMs.get(id)).filter((ms) => ms !== undefined);
	const { pods, needless, idleHours, neverServed, mostPods } = figures;
	return {
		setting,
		seed,
		jobs,
		p50: p50Ms / 1_000,
		p95: p95Ms / 1_000,
		p99: p99Ms / 1_000,
		beyondP50: quantile(beyond, 0.5) / 1_000,
		beyondP95: quantile(beyond, 0.95) / 1_000,
		beyondP99: quantile(beyond, 0.99) / 1_000,
		overFloorP95: (quantile(waitsOf(figures), 0.95) - quantile(waitsOf(floor), 0.95)) / 1_000,
		pods,
		needless,
		idleHours,
		neverServed,
		mostPods,
		calls: ((calls.deliveries + calls.asks + calls.lists + calls.runs) / jobs) * 1_000,
		atMaximum: 1 - below.length / jobs,
	};
}

export interface Spread {
	mean: number;
	least: number;
	most: number;
}

type Measure = Exclude<keyof Row, 'setting' | 'seed'>;
export type Summary = Record<Measure, Spread> & { setting: string };

/** The rows of all days, one line for each setting, in their order. */
export function summarized(rows: readonly Row[]): Summary[] {
	return [...Map.groupBy(rows, ({ setting }) => setting)].map(([setting, days]) => {
		const measures = Object.keys(days[0] ?? {}).filter((name) => name !== 'setting' && name !== 'seed');
		const spreads = measures.map((name) => [name, spreadOf(days.map((day) => day[name as Measure]))]);
		return { setting, ...Object.fromEntries(spreads) } as Summary;
	});
}

const spreadOf = (values: readonly number[]): Spread => ({
	mean: values.reduce((sum, value) => sum + value, 0) / values.length,
	least: Math.min(...values),
	most: Math.max(...values),
});
