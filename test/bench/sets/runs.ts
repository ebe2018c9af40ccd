import { setTimeout as sleep } from 'node:timers/promises';
import type { Kind, SetUnderTest } from '../../rig/runner-sets.ts';
import { median } from '../figures.ts';
import { callsDuring } from './api-calls.ts';
import { type Sample, sampleOf } from './floor.ts';
import { type Cost, load, type Stage } from './stage.ts';

/** For how long nothing may be created or deleted afterwards. */
const watchedMs = 5_000;

export interface UpAndDown {
	podsExist: number;
	idsKnown: number;
	/** From a runner's registration to its id on its pod, seconds. */
	idMedian: number;
	idMost: number;
	up: Cost;
	idleGone: number;
	down: Cost;
	peakRss: number;
	load: string;
}

/** 0 to `count`, all registered and known, then to 0 while none is busy. */
export async function upAndDown(
	stage: Stage,
	kind: Kind,
	count: number,
): Promise<UpAndDown & { sample: Sample }> {
	const set = await stage.fresh(kind);
	const { value: rising, cost: up } = await stage.cost(() => rise(stage, set, count));
	const sample = await sampleOf(set);
	const { value: idleGone, cost: down } = await stage.cost(async () => {
		const fromMs = Date.now();
		await set.patch({ spec: { replicas: 0 } });
		await until(() => set.all().length === 0, 400_000);
		return (Date.now() - fromMs) / 1000;
	});
	return { ...rising, up, idleGone, down, peakRss: await stage.peakRssMiB(), load: load(), sample };
}

async function rise(stage: Stage, set: SetUnderTest, count: number) {
	const fromMs = Date.now();
	await set.patch({ spec: { replicas: count } });
	await until(() => set.all().length === count, 60_000 + count * 500);
	const podsExist = (Date.now() - fromMs) / 1000;
	await until(() => set.known().length === count, 120_000);
	const registered = new Map(
		stage.rig.agents.journal
			.filter(({ namespace, what }) => namespace === set.namespace && what === 'registered')
			.map(({ pod, atMs }) => [pod, atMs]),
	);
	const waited = [...set.knownAtMs].map(([pod, atMs]) => (atMs - (registered.get(pod) ?? Number.NaN)) / 1000);
	return {
		podsExist,
		idsKnown: (Date.now() - fromMs) / 1000,
		idMedian: median(waited),
		idMost: Math.max(...waited),
	};
}

export interface Mixed {
	/** Until exactly the busy ones are left, seconds. */
	idleGone: number;
	busyTouched: number;
	podsMadeLater: number;
	cost: Cost;
	load: string;
}

/** Half of `count` busy, `count` to half of it. */
export async function halfBusy(stage: Stage, kind: Kind, count: number): Promise<Mixed> {
	const set = await stage.fresh(kind);
	await rise(stage, set, count);
	const busy = set.known().slice(0, count / 2);
	await set.busy(...busy);
	const { value, cost } = await stage.cost(async () => {
		const fromMs = Date.now();
		await set.patch({ spec: { replicas: count / 2 } });
		await until(() => set.all().length === count / 2, 60_000);
		const idleGone = (Date.now() - fromMs) / 1000;
		await sleep(watchedMs);
		return idleGone;
	});
	return {
		idleGone: value,
		busyTouched: busy.filter((name) => !set.live().includes(name)).length,
		podsMadeLater: set.uids.size - count,
		cost,
		load: load(),
	};
}

export interface BusyToNone {
	/** Last job's end to last pod gone, seconds. */
	gone: number;
	killed: number;
	/** Pods and registrations that are left a while later. */
	leaked: number;
	/** Names that more than one pod of the set has had so far. */
	namesUsedTwice: number;
	cost: Cost;
	load: string;
}

/** All of `count` busy, scaled to 0; all jobs end at once, which is when ARC leaves runners behind. */
export async function busyToNone(stage: Stage, kind: Kind, count: number): Promise<BusyToNone> {
	const set = await stage.fresh(kind);
	await rise(stage, set, count);
	await set.busy(...set.known());
	return busyDown(stage, set);
}

/** The same again and again with one server and one set. */
export async function busyAgainAndAgain(
	stage: Stage,
	kind: Kind,
	count: number,
	times: number,
	report: (run: BusyToNone, time: number) => void,
): Promise<BusyToNone[]> {
	const set = await stage.fresh(kind);
	const runs: BusyToNone[] = [];
	for (let time = 1; time <= times; time++) {
		await rise(stage, set, count);
		await set.busy(...set.known());
		const run = await busyDown(stage, set);
		report(run, time);
		runs.push(run);
	}
	return runs;
}

async function busyDown(stage: Stage, set: SetUnderTest): Promise<BusyToNone> {
	const { agents, github } = stage.rig;
	const killedBefore = agents.killedJobs().length;
	const { value, cost } = await stage.cost(async () => {
		await set.patch({ spec: { replicas: 0 } });
		await sleep(watchedMs);
		await agents.endAllJobs();
		const endedMs = Math.max(
			...agents.journal
				.filter(({ namespace, what }) => namespace === set.namespace && what === 'job-ended')
				.map(({ atMs }) => atMs),
		);
		await until(() => set.all().length === 0, 60_000);
		const gone = (Date.now() - endedMs) / 1000;
		await sleep(watchedMs);
		return gone;
	});
	return {
		gone: value,
		killed: agents.killedJobs().length - killedBefore,
		leaked: set.all().length + github.runners(set.scope).length,
		namesUsedTwice: set.reused().length,
		cost,
		load: load(),
	};
}

/** Waits until it is true; if it never is, the figures show that. */
export async function until(check: () => boolean, withinMs: number): Promise<void> {
	const untilMs = Date.now() + withinMs;
	while (!check() && Date.now() < untilMs) await sleep(10);
}

export interface Completions {
	/** How often the reconciler removed some of the completed. */
	passes: number;
	/** From the last job's end until as many other runners are there, seconds. */
	replaced: number;
	load: string;
}

/** `count` jobs end within a second. */
export async function completions(stage: Stage, kind: Kind, count: number): Promise<Completions> {
	const set = await stage.fresh(kind);
	await rise(stage, set, count);
	const first = set.known();
	await set.busy(...first);
	const { rig } = stage;
	const lines = rig.servers[0]?.log.length ?? 0;
	await rig.agents.endAllJobs();
	const endedMs = Date.now();
	const replaced = () => set.live().length === count && !set.live().some((name) => first.includes(name));
	await until(replaced, 120_000);
	const seconds = (Date.now() - endedMs) / 1000;
	await sleep(watchedMs);
	const passes = (rig.servers[0]?.log.slice(lines) ?? []).filter(
		({ msg, remove }) => msg === 'reconciled' && Number(remove) > 0,
	);
	return { passes: passes.length, replaced: seconds, load: load() };
}

/** Seconds until this number of pods of a RunnerSet exists, with or without their own volumes. */
export async function withVolumes(stage: Stage, count: number, claims: boolean): Promise<number> {
	const set = await stage.fresh('RunnerSet', claims ? { spec: { volumeClaimTemplates: [workClaim] } } : {});
	const fromMs = Date.now();
	await set.patch({ spec: { replicas: count } });
	await until(() => set.all().length === count, 60_000 + count * 500);
	return (Date.now() - fromMs) / 1000;
}

const workClaim = {
	metadata: { name: 'work' },
	spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
};

/** Calls of the server to the API server, by phase in the life of `count` runners; `[what, how many a runner]`. */
export async function callsByPhase(
	stage: Stage,
	kind: Kind,
	count: number,
): Promise<[phase: string, calls: [string, number][]][]> {
	const set = await stage.fresh(kind);
	const phases: [string, () => Promise<unknown>][] = [
		['create', () => rise(stage, set, count)],
		['busy', () => set.busy(...set.known())],
		['a minute of work', () => sleep(60_000)],
		[
			'complete, and create again',
			async () => {
				const first = set.known();
				await set.finish(...first);
				await until(() => set.known().length === count && !set.known().includes(first[0] ?? ''), 60_000);
			},
		],
		['a minute idle', () => sleep(60_000)],
		[
			'remove',
			async () => {
				await set.patch({ spec: { replicas: 0 } });
				await until(() => set.all().length === 0, 60_000);
				await sleep(watchedMs);
			},
		],
	];
	const found: [string, [string, number][]][] = [];
	for (const [phase, work] of phases) {
		const { calls } = await callsDuring(stage, work);
		found.push([phase, calls.map(([what, times]) => [what, times / count])]);
	}
	return found;
}
