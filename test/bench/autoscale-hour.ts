/**
 * One busy hour of the simulation, compressed, on a control plane of its own: the same jobs, start-up times and faults of
 * events by the same seed, with runners that register, work and end as simulated runners do, beside what the simulation
 * says. `SEED=1 FACTOR=12 KIND=RunnerSet make bench BENCH=autoscale-hour`: 60 min in 60 / FACTOR, and what is left after.
 *
 * By the factor: arrivals, durations, cancellations, start-up times and the delay. Not: what takes as long in any case,
 * GitHub's deliveries and answers, a container's end, and the server's own times, such as its polls of GitHub, the status
 * once a second and the 10 s of brief ends; the simulation has them uncompressed as well. A waiting job is asked about
 * after 60 s, the least that the server takes.
 */
import { availableParallelism } from 'node:os';
import { Autoscaled } from '../rig/autoscaled.ts';
import { startRig } from '../rig/rig.ts';
import { type Kind, SetUnderTest } from '../rig/runner-sets.ts';
import type { Call } from '../sim/simulator.ts';
import { busyHour, compressed } from './autoscale/constants.ts';
import { courseOf } from './autoscale/course.ts';
import { comparison, ofCluster, ofSimulation } from './autoscale/hour/measured.ts';
import { keyOf, play } from './autoscale/hour/play.ts';
import { simulate } from './autoscale/simulate.ts';
import { startUpMs, traceOf } from './autoscale/trace.ts';
import { shuffle, table } from './figures.ts';
import { load } from './sets/stage.ts';

const seed = Number(process.env.SEED ?? 1);
const factor = Number(process.env.FACTOR ?? 12);
const kind = (process.env.KIND ?? 'RunnerSet') as Kind;
/** What the cluster here is like: a container starts as soon as its pod exists; BENCH=autoscale-latency measures the other. */
const cluster = { registersMs: Number.POSITIVE_INFINITY, reactMs: 100 };
const constants = { ...compressed(busyHour, factor), ...cluster };
const delaySeconds = Math.round(600 / factor);
const checkAfterMs = 60_000;

const trace = traceOf(constants, seed);
const idOf = new Map(trace.map((job) => [keyOf(job), job.id]));
const settings = { delayMs: delaySeconds * 1_000, checkAfterMs, source: 'log' } as const;

const eventsSecret = 'the secret of the benchmark';
let started = 0;
let turn = 1;
const rig = await startRig({
	sets: true,
	server: { eventsSecret },
	agents: {
		registrationDelayMs: (sinceCreatedMs) =>
			Math.max(0, startUpMs(constants.startUp, seed, ++started) - sinceCreatedMs),
		exitDelayMs: constants.exitMs,
		inTurn: (agents) => shuffle(agents, turn++),
	},
});
try {
	const [server] = rig.servers;
	if (!server) throw new Error('no server runs');
	const set = await SetUnderTest.make(rig, kind, { withoutHooks: true });
	try {
		const autoscaled = await Autoscaled.make(set, {
			maxReplicas: constants.max,
			scaleDownDelaySecondsAfterScaleOut: delaySeconds,
			scaleUpTriggers: [{ githubEvent: { workflowJob: {} }, duration: `${checkAfterMs / 1_000}s` }],
		});
		autoscaled.hook.stop();
		rig.github.addWebhook({
			url: `http://127.0.0.1:${server.eventsPort}`,
			secret: eventsSecret,
			scope: set.scope,
			course: (job, action) =>
				action === 'waiting'
					? { delayMs: 0 }
					: courseOf(constants.events, seed, action, idOf.get(keyOf(job)) ?? 0),
		});
		rig.github.fault({ fault: { kind: 'slow', delayMs: constants.callMs } });
		console.log(
			`${availableParallelism()} cores, load ${load()} at the start; ${kind}, seed ${seed}, an hour in ${(constants.dayMs / 60_000).toFixed(1)} min`,
		);
		const [calls, fromMs] = [rig.github.calls.length, Date.now()];
		const jobs = await play(autoscaled, trace, constants.endMs);
		const took = (Date.now() - fromMs) / 1_000;
		await set.reaches(0, 4 * settings.delayMs + 60_000);
		const endMs = Date.now() - fromMs;
		const minutes = endMs / 60_000;
		const policy = { kind: 'ours', settings } as const;
		const simulated = simulate({ constants: { ...constants, endMs }, policy, seed });
		console.log(table(comparison(ofSimulation(simulated), ofCluster(set, jobs))));
		console.log(
			`\nall jobs over after ${took.toFixed(0)} s, all runners gone after ${(minutes * 60).toFixed(0)} s; load ${load()}; ${set.journal('job-killed').length} jobs killed`,
		);
		console.log(`\nCalls to GitHub in these ${minutes.toFixed(1)} min:`);
		console.log(table(callRows(rig.github.calls.slice(calls), minutes)));
		const { deliveries, asks, lists, runs, notModified } = simulated.calls;
		console.log(
			`simulated: ${deliveries} about deliveries, ${asks} about jobs, ${lists} lists of runs, ${runs} of a run's jobs; ${notModified} not modified`,
		);
	} finally {
		set.stop();
	}
} finally {
	await rig.stop();
}

/** By endpoint; an answer that nothing has changed (304) is not counted for GitHub's limit. */
function callRows(calls: readonly Call[], minutes: number): string[][] {
	const groups = [...Map.groupBy(calls, ({ method, template }) => `${method} ${template}`)];
	const row = (what: string, some: readonly Call[]) => {
		const charged = some.filter(({ status }) => status !== 304).length;
		return [what, String(charged), (charged / minutes).toFixed(1), String(some.length - charged)];
	};
	return [
		['', 'charged', 'a minute', 'not modified'],
		...groups.toSorted(([, a], [, b]) => b.length - a.length).map(([what, some]) => row(what, some)),
		row(
			'what autoscaling adds: all but runners',
			calls.filter(({ template }) => !template.includes('/actions/runners')),
		),
		row('all', calls),
	];
}
