import { quantile } from '../figures.ts';
import { Arc, type ArcSettings } from './arc.ts';
import { Floor, oracle } from './bounds.ts';
import type { Constants } from './constants.ts';
import { type OurSettings, Ours } from './ours/scaler.ts';
import { traceOf } from './trace.ts';
import { type Scaler, World } from './world.ts';

export type Policy =
	| { kind: 'floor' }
	| { kind: 'oracle' }
	| { kind: 'arc'; settings: ArcSettings }
	| { kind: 'ours'; settings: OurSettings };

interface SimulateOptions {
	constants: Constants;
	policy: Policy;
	seed: number;
}

/** To GitHub, that autoscaling adds. */
interface Calls {
	/** Lists of failed deliveries, and reads of those that were lost. */
	deliveries: number;
	/** QueryQueue about one job, lists of runs, and lists of the jobs of a run, where the answer was new. */
	asks: number;
	lists: number;
	runs: number;
	/** Those that cost nothing of the limit. */
	notModified: number;
}

export interface Figures {
	jobs: number;
	/** Of each job that started, by its id, ms from its arrival to its start. */
	waitMs: Map<number, number>;
	/** Of each job, by its id, ms of its wait during which no runner was on its way for it. */
	uncoveredMs: Map<number, number>;
	p50Ms: number;
	p95Ms: number;
	p99Ms: number;
	mostMs: number;
	/** Jobs that nobody cancelled and that have not started at the end. */
	neverServed: number;
	pods: number;
	/** Pods that never had a job, without those that hang. */
	needless: number;
	idleHours: number;
	busyHours: number;
	/** Most pods at a time. */
	mostPods: number;
	/** Removals that GitHub refused because of a job that had just begun. */
	refusals: number;
	/** Of our own rules: removals of a runner that was known to work. */
	releasedBusy: number;
	calls: Calls;
}

const hourMs = 3_600_000;
const noCalls: Calls = { deliveries: 0, asks: 0, lists: 0, runs: 0, notModified: 0 };

/** A day of jobs, in simulated time, with one policy that says how many runners there are. */
export function simulate({ constants, policy, seed }: SimulateOptions): Figures {
	const trace = traceOf(constants, seed);
	if (policy.kind === 'oracle') return figuresOfOracle(constants, trace);
	const world = new World(constants, trace, seed);
	const scaler = scalerOf(policy, world, seed);
	world.run(scaler);

	const waitMs = new Map<number, number>();
	const uncoveredMs = new Map<number, number>();
	let busyMs = 0;
	for (const job of world.jobs) {
		uncoveredMs.set(job.id, world.waiting.uncoveredMs(job));
		if (job.startedMs === undefined) continue;
		waitMs.set(job.id, job.startedMs - job.createdMs);
		busyMs += (job.endedMs ?? constants.endMs) - job.startedMs;
	}
	let idleMs = 0;
	for (const { registersMs, idleUntilMs = constants.endMs } of world.all)
		idleMs += Math.max(0, idleUntilMs - registersMs);
	return {
		jobs: world.jobs.length,
		waitMs,
		uncoveredMs,
		...quantiles([...waitMs.values()]),
		neverServed: world.waiting.size,
		pods: world.all.length,
		needless: world.all.filter(({ job, sick }) => job === undefined && !sick).length,
		idleHours: idleMs / hourMs,
		busyHours: busyMs / hourMs,
		mostPods: world.mostLiving,
		refusals: world.refusals,
		releasedBusy: scaler instanceof Ours ? scaler.releasedBusy : 0,
		calls:
			scaler instanceof Ours ? { deliveries: scaler.redelivery.calls, ...scaler.polling.calls } : noCalls,
	};
}

function scalerOf(policy: Exclude<Policy, { kind: 'oracle' }>, world: World, seed: number): Scaler {
	switch (policy.kind) {
		case 'floor':
			return new Floor(world);
		case 'arc':
			return new Arc(world, policy.settings, seed);
		case 'ours':
			return new Ours(world, policy.settings, seed);
	}
}

export const quantiles = (waits: readonly number[]) => ({
	p50Ms: quantile(waits, 0.5),
	p95Ms: quantile(waits, 0.95),
	p99Ms: quantile(waits, 0.99),
	mostMs: quantile(waits, 1),
});

function figuresOfOracle(constants: Constants, trace: ReturnType<typeof traceOf>): Figures {
	const { starts, busyMs } = oracle(trace, constants.max, constants.exitMs);
	const waitMs = new Map(
		trace.flatMap(({ id, createdMs }) => {
			const startMs = starts.get(id);
			return startMs === undefined ? [] : [[id, startMs - createdMs] as const];
		}),
	);
	return {
		jobs: trace.length,
		waitMs,
		uncoveredMs: waitMs,
		...quantiles([...waitMs.values()]),
		neverServed: 0,
		pods: starts.size,
		needless: 0,
		idleHours: 0,
		busyHours: busyMs / hourMs,
		mostPods: constants.max,
		refusals: 0,
		releasedBusy: 0,
		calls: noCalls,
	};
}
