/**
 * RunnerSet and RunnerDeployment in the runs with which actions-runner-controller was measured: ours compared with its
 * figures and with a bare loop of the same objects. `SIZES=50 RUNS=1 PARTS=up make bench BENCH=sets` for a part of it
 * (up, busy, completions, volumes, calls); `AGAIN=20` repeats 50 busy -> 0 so often; `PROFILES=FOLDER` has each server
 * write a CPU profile. All of it takes some 30 minutes: 500 runners are unregistered at 150 a minute (GitHub's limit is
 * 180, ARC did 236).
 *
 * Not as in ARC's runs: the controller manager here may make 100 calls at once, not 30, before it is held to 20 a second.
 */
import { availableParallelism } from 'node:os';
import { type Kind, kinds } from '../rig/runner-sets.ts';
import { table } from './figures.ts';
import { serverUser } from './sets/api-calls.ts';
import { type Floor, floorOf } from './sets/floor.ts';
import {
	busyToNoneRows,
	completionRows,
	halfBusyRows,
	phaseRows,
	upAndDownRows,
	volumeRows,
} from './sets/report.ts';
import {
	busyAgainAndAgain,
	busyToNone,
	type Completions,
	callsByPhase,
	completions,
	halfBusy,
	type UpAndDown,
	upAndDown,
	withVolumes,
} from './sets/runs.ts';
import { load, Stage } from './sets/stage.ts';

const sizes = (process.env.SIZES ?? '50,200,500')
	.split(',')
	.map(Number)
	.filter((count) => count > 0);
const times = Number(process.env.RUNS ?? 3);
const again = Number(process.env.AGAIN ?? 0);
const wantedKinds = kinds.filter((kind) => (process.env.KINDS ?? kind).split(',').includes(kind));
const parts = (process.env.PARTS ?? 'up,busy,completions,volumes,calls').split(',');
/** More than these are run once, and only up and down: it takes minutes. */
const mostRepeated = 50;

const stage = await Stage.open(process.env.PROFILES);
try {
	console.log(`${availableParallelism()} cores, load ${load()} at the start`);
	for (const count of sizes) {
		if (parts.includes('up')) for (const kind of wantedKinds) await upAndDownOf(kind, count);
		if (parts.includes('busy') && count <= mostRepeated)
			for (const kind of wantedKinds) await busyOnesOf(kind, count);
	}
	if (parts.includes('completions')) for (const kind of wantedKinds) await completionsOf(kind, 200);
	if (parts.includes('volumes') && wantedKinds.includes('RunnerSet')) await volumesOf(50);
	if (again > 0)
		for (const kind of wantedKinds) {
			const runs = await busyAgainAndAgain(stage, kind, 50, again, ({ gone, killed, leaked }, time) =>
				progress(`${kind} 50 busy -> 0, ${time} of ${again}: ${gone} s, ${killed} killed, ${leaked} leaked`),
			);
			print(`${kind}, ${again} times 50 busy -> 0`, busyToNoneRows(kind, 50, runs), runs);
		}
} finally {
	await stage.close();
}
if (parts.includes('calls')) for (const kind of wantedKinds) await callsOf(kind, 20);

async function completionsOf(kind: Kind, count: number): Promise<void> {
	const runs: Completions[] = [];
	for (let run = 0; run < times; run++) {
		progress(`${kind} ${count} completions, run ${run + 1}`);
		runs.push(await completions(stage, kind, count));
	}
	print(`${kind}, ${count} completions`, completionRows(count, runs), runs);
}

async function volumesOf(count: number): Promise<void> {
	const [without, withVolumeClaims]: [number[], number[]] = [[], []];
	for (let run = 0; run < times; run++) {
		progress(`RunnerSet of ${count} with volumes, run ${run + 1}`);
		without.push(await withVolumes(stage, count, false));
		withVolumeClaims.push(await withVolumes(stage, count, true));
	}
	print('RunnerSet, volumes', volumeRows(count, without, withVolumeClaims), [{ load: load() }]);
}

/** With an audit log, which costs the API server time, so on a separate stage. */
async function callsOf(kind: Kind, count: number): Promise<void> {
	const audited = await Stage.open(undefined, { cluster: { audit: { users: [serverUser] } } });
	try {
		progress(`${kind} ${count}, calls by phase`);
		const phases = await callsByPhase(audited, kind, count);
		print(`${kind}, calls to the API server by phase, ${count} runners`, phaseRows(phases), [
			{ load: load() },
		]);
	} finally {
		await audited.close();
	}
}

async function upAndDownOf(kind: Kind, count: number): Promise<void> {
	const runs: UpAndDown[] = [];
	const floors: Floor[] = [];
	for (let run = 0; run < (count <= mostRepeated ? times : 1); run++) {
		progress(`${kind} 0 -> ${count} -> 0, run ${run + 1}`);
		const { sample, ...figures } = await upAndDown(stage, kind, count);
		runs.push(figures);
		await stage.quiet();
		floors.push(await floorOf(stage.rig, sample, count));
	}
	print(`${kind}, ${count} runners`, upAndDownRows(kind, count, runs, floors), runs);
}

async function busyOnesOf(kind: Kind, count: number): Promise<void> {
	const mixed = [];
	const busy = [];
	for (let run = 0; run < times; run++) {
		progress(`${kind} ${count} with busy ones, run ${run + 1}`);
		mixed.push(await halfBusy(stage, kind, count));
		busy.push(await busyToNone(stage, kind, count));
	}
	print(`${kind}, half of ${count} busy`, halfBusyRows(kind, count, mixed), mixed);
	print(`${kind}, all of ${count} busy`, busyToNoneRows(kind, count, busy), busy);
}

function print(title: string, rows: string[][], runs: { load: string }[]): void {
	console.log(`\n${title}; load ${runs.map((run) => run.load).join(', ')}\n${table(rows)}`);
}

function progress(line: string): void {
	console.error(`${line} (load ${load()})`);
}
