/**
 * Random histories of a set whose runners hang or never start, of jobs that GitHub gives to none of them, of quotas, and
 * clocks that are set: `SEEDS=5000 node ...` for more, `SEED=7` for one.
 */
import * as assert from 'uvu/assert';
import { random as randomBy } from '../../rig/random.ts';
import { suite } from '../../support/suite.ts';
import { hour, minute, second } from './given.ts';
import { SupplyWorld, type Waiting } from './supply-world.ts';

const test = suite('supply in random histories');
const seeds = process.env.SEED
	? [Number(process.env.SEED)]
	: Array.from({ length: Number(process.env.SEEDS ?? 1_000) }, (_, index) => index + 1);
const startMs = 30 * second;
/** How often the set is reconciled. */
const stepMs = 10 * second;
const faultsForMs = 40 * minute;

const undecided = 'undecided';

/** @returns what is wrong with it; undefined: nothing */
function history(seed: number): string | undefined {
	const { between } = randomBy(seed);
	const random = () => between(0, 1_000_000) / 1_000_000;
	const max = 2 + Math.floor(random() * 10);
	const sickPart = random() < 0.5 ? 0.02 : 0.2;
	const pendingPart = random() < 0.3 ? 0.1 : 0;
	const faults = { room: max, clockMs: 0 };
	let faulty = true;
	const world = new SupplyWorld({
		max,
		startMs: () => (faulty && random() < pendingPart ? Number.POSITIVE_INFINITY : startMs),
		isSick: () => faulty && random() < sickPart,
		room: () => faults.room,
		clockMs: () => faults.clockMs,
	});
	const jobs: Waiting[] = [];
	const repositories = ['octo/app', 'octo/site', 'octo/lib'];
	const queue = (unassignable: boolean) => {
		const repository = unassignable
			? 'evil/app'
			: (repositories[Math.floor(random() * repositories.length)] ?? '');
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
			if (random() < 0.01) faults.room = random() < 0.5 ? max : 1 + Math.floor(random() * max);
			if (random() < 0.003) faults.clockMs = (random() - 0.5) * hour;
		},
		stepMs,
	);
	faulty = false;
	world.startAll();
	faults.room = max;
	// Busy ones may be all that there can be.
	world.pass(80 * minute, undefined, stepMs);
	if (world.most > max) return `${world.most} pods of at most ${max}`;
	if (world.killed > 0) return `${world.killed} killed`;
	// So many hang, and no other runner is left, that it may as well be GitHub.
	if (world.stalled) return undecided;
	for (const { id, startedMs } of jobs) if (startedMs === undefined) return `job ${id} has not run`;
	// What comes now waits for a runner's start, or for one that hangs to be found out.
	const late = world.queue();
	const other = world.living.filter(({ job }) => job).length;
	world.pass(startMs + 6 * minute + 2 * stepMs, undefined, stepMs);
	if (other < max && late.startedMs === undefined) return 'a job after the last fault has not run in time';
	return undefined;
}

test(`${seeds.length} histories: every job runs, and there are never too many runners`, () => {
	const found = seeds.map((seed) => ({ seed, wrong: history(seed) }));
	const failed = found.filter(({ wrong }) => wrong !== undefined && wrong !== undecided);
	assert.equal(failed, [], failed.map(({ seed, wrong }) => `SEED=${seed}: ${wrong}`).join('\n'));
	const left = found.filter(({ wrong }) => wrong === undecided);
	assert.ok(left.length <= seeds.length / 100, `${left.length} histories are undecided`);
});

test.run();
