/**
 * Random histories of a set whose runners hang, lose GitHub or never start, of jobs that GitHub gives to none of them, of
 * events that another owner signs, of quotas, and clocks that are set: `SEEDS=5000 node ...` for more, `SEED=7` for one.
 */
import * as assert from 'uvu/assert';
import { random as randomBy } from '../../rig/random.ts';
import { suite } from '../../support/suite.ts';
import { hour, minute, second } from './given.ts';
import { perfectStarts } from './perfect-router.ts';
import { SupplyWorld, type Waiting } from './supply-world.ts';

const test = suite('supply in random histories');
const seeds = process.env.SEED
	? [Number(process.env.SEED)]
	: Array.from({ length: Number(process.env.SEEDS ?? 1_000) }, (_, index) => index + 1);
const startMs = 30 * second;
/** How often the set is reconciled. */
const stepMs = 10 * second;
const faultsForMs = 40 * minute;
/** How much later than with a perfect router a job may start. */
const laterMs = startMs + 6 * minute + 2 * stepMs;
const repositories = ['octo/app', 'octo/site', 'octo/lib'];

const fractions = (seed: number) => {
	const { between } = randomBy(seed);
	return () => between(0, 1_000_000) / 1_000_000;
};
const oneOf = <T>(items: readonly T[], random: () => number): T | undefined =>
	items[Math.floor(random() * items.length)];

/** Another owner signs an event that names this set's jobs, runners, repositories and enterprise. */
function foreignEvent(world: SupplyWorld, random: () => number): void {
	const repository = random() < 0.5 ? 'evil/app' : (oneOf(repositories, random) ?? '');
	world.foreign({
		action: oneOf(['queued', 'in_progress', 'completed'] as const, random) ?? 'queued',
		id: oneOf(world.jobs, random)?.id ?? 1,
		repository,
		organization: random() < 0.7 ? 'evil' : 'octo',
		...(random() < 0.5 ? { enterprise: 'octo-corp' } : {}),
		runner: oneOf(world.living, random)?.name,
	});
}

/** The set after the last fault, and the jobs that its runners may be given. */
function afterFaults(seed: number, hasForeign: boolean) {
	const random = fractions(seed);
	const foreign = fractions(seed + 1_000_000);
	const max = 2 + Math.floor(random() * 10);
	const sickPart = random() < 0.5 ? 0.02 : 0.2;
	const offlinePart = random() < 0.3 ? 0.05 : 0;
	const pendingPart = random() < 0.3 ? 0.1 : 0;
	const isEnterprise = random() < 0.5;
	const faults = { room: max, clockMs: 0, incident: false };
	let faulty = true;
	const world = new SupplyWorld({
		max,
		scope: isEnterprise ? { kind: 'enterprise', name: 'octo-corp' } : { kind: 'organization', name: 'octo' },
		startMs: () => (faulty && random() < pendingPart ? Number.POSITIVE_INFINITY : startMs),
		isSick: () => faulty && random() < sickPart,
		isOffline: () => faulty && random() < offlinePart,
		incident: () => faults.incident,
		stalled: () => faults.incident,
		room: () => faults.room,
		clockMs: () => faults.clockMs,
	});
	const jobs: Waiting[] = [];
	const queue = (unassignable: boolean) => {
		const repository = unassignable ? 'octo/secret' : (oneOf(repositories, random) ?? '');
		const job = world.queue({ repository, unassignable, runsMs: minute + random() * 5 * minute });
		if (!unassignable) jobs.push(job);
	};
	// Of what the runners can do in a step, whose jobs take 3.5 minutes and a start.
	const arrivals = (0.1 + random() * 0.6) * max * (stepMs / (4 * minute));
	const hostile = random() < 0.3 ? 0.02 : 0;
	world.pass(
		faultsForMs,
		() => {
			if (random() < arrivals) queue(false);
			if (random() < hostile) queue(true);
			if (hasForeign && foreign() < 0.2) foreignEvent(world, foreign);
			if (random() < 0.01) faults.room = random() < 0.5 ? max : 1 + Math.floor(random() * max);
			if (random() < 0.003) faults.clockMs = (random() - 0.5) * hour;
			faults.incident = random() < (faults.incident ? 0.95 : 0.002);
		},
		stepMs,
	);
	faulty = false;
	world.startAll();
	faults.room = max;
	faults.incident = false;
	return { world, jobs, max };
}

/** @returns what is wrong with it; undefined: nothing */
function history(seed: number): { wrong?: string; undecided?: true } {
	const { world, jobs, max } = afterFaults(seed, true);
	const perfect = perfectStarts(world, max, startMs + 2 * stepMs);
	const given = new Set(jobs.flatMap((job) => (job.runner ? [job.repository] : [])));
	// Busy ones may be all that there can be.
	world.pass(80 * minute, undefined, stepMs);
	if (world.most > max) return { wrong: `${world.most} pods of at most ${max}` };
	if (world.killed > 0) return { wrong: `${world.killed} killed` };
	// So many hang, and no other runner is left, that it may as well be GitHub.
	if (world.stalled) return { undecided: true };
	let undecided = false;
	for (const { id, repository, startedMs = Number.POSITIVE_INFINITY } of jobs) {
		const overMs = startedMs - (perfect.get(id) ?? startedMs);
		if (overMs <= laterMs) continue;
		if (given.has(repository))
			return { wrong: `job ${id} started ${overMs / minute} min after a perfect router's` };
		// No runner has ever been given its kind: where the first two hang, it may as well be the kind.
		undecided = true;
	}
	// What comes now waits for a runner's start, or for one that hangs to be found out.
	const late = world.queue();
	const other = world.living.filter(({ job }) => job).length;
	world.pass(laterMs, undefined, stepMs);
	if (other < max && late.startedMs === undefined)
		return { wrong: 'a job after the last fault has not run in time' };
	return undecided ? { undecided } : {};
}

test(`${seeds.length} histories: every job starts within start-up + 6 min of a perfect router's, and there are never too many runners`, () => {
	const found = seeds.map((seed) => ({ seed, ...history(seed) }));
	const failed = found.filter(({ wrong }) => wrong !== undefined);
	assert.equal(failed, [], failed.map(({ seed, wrong }) => `SEED=${seed}: ${wrong}`).join('\n'));
	const left = found.filter(({ undecided }) => undecided);
	assert.ok(left.length <= seeds.length / 100, `${left.length} histories are undecided`);
});

test('events that another owner signs change nothing at all', () => {
	for (const seed of seeds.slice(0, 100)) {
		const [beside, alone] = [true, false].map((hasForeign) => {
			const { world } = afterFaults(seed, hasForeign);
			return [world.made, world.asks, ...world.jobs.map(({ startedMs }) => startedMs)];
		});
		assert.equal(beside, alone, `SEED=${seed}`);
	}
});

test.run();
