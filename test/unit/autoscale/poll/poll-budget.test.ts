/** What asking costs: an hour of 100 repositories, of which 20 are active, with a webhook and without. */
import * as assert from 'uvu/assert';
import { suite } from '../../../support/suite.ts';
import { PollWorld } from './poll-world.ts';

const test = suite('calls of the poll');

const repositories = Array.from({ length: 100 }, (_, index) => `octo-org/repo-${index}`);
const active = repositories.slice(0, 20);

/** Runs a minute in all of the active repositories; with 3 jobs each these are 400 jobs an hour. */
const runsEachMinute = 2.2;

interface Costs {
	/** The most of any 60 s, and the mean of a minute. */
	most: number;
	mean: number;
	calls: number;
	jobs: number;
	/** From a job's begin in the queue to its record: of half of those that are found by asking, of nearly all, of all; s. */
	found: { p50: number; p95: number; most: number; count: number };
}

/** An hour, after `warmUpMs` which the initial read takes. */
async function hour(world: PollWorld, { lost = 0 }: { lost?: number } = {}): Promise<Costs> {
	const { clock } = world;
	for (const name of repositories) world.queue(name, { labels: ['ubuntu-latest'], status: 'pending' });
	for (const { id } of world.jobs.list()) world.jobs.complete(id, 'success', clock.now(), true);
	const delivers = world.delivers;
	world.delivers = (job, action) => delivers(job, action) && clock.random() >= lost;
	world.start({ kind: 'organization', name: 'octo-org' });
	await clock.until('the initial read is over', () => world.known.length > 0, 11 * 60_000);
	const stop = { at: clock.monotonic() + 80 * 60_000 };
	load(world, stop);
	await clock.pass(20 * 60_000);
	const fromMs = clock.monotonic();
	const from = world.calls.length;
	await clock.pass(60 * 60_000);
	const calls = world.calls.slice(from);
	const charged = calls.filter((call) => call.charged);
	return {
		most: world.mostChargedInAMinute(fromMs),
		mean: charged.length / 60,
		calls: calls.length / 60,
		jobs: world.jobs.list().length,
		found: foundAfter(world, fromMs),
	};
}

function foundAfter(world: PollWorld, fromMs: number): Costs['found'] {
	const startMs = world.clock.now() - world.clock.monotonic();
	const waits = world.jobs.list().flatMap(({ id, createdAtMs }) => {
		const openedMs = Date.parse(world.records.get(id)?.openedAt ?? '');
		const waitMs = openedMs - createdAtMs;
		return createdAtMs >= startMs + fromMs && waitMs > 0 ? [Math.round(waitMs / 1000)] : [];
	});
	const sorted = waits.toSorted((one, other) => one - other);
	const at = (part: number) => sorted[Math.floor(part * (sorted.length - 1))] ?? 0;
	return { p50: at(0.5), p95: at(0.95), most: at(1), count: sorted.length };
}

/** Runs come at random times in the active repositories, most for our runners; each job waits half a minute and runs some minutes. */
function load(world: PollWorld, stop: { at: number }): void {
	const { clock } = world;
	const exponential = (meanMs: number) => -Math.log(1 - clock.random()) * meanMs;
	const arrive = () => {
		if (clock.monotonic() >= stop.at) return;
		const repository = active[Math.floor(clock.random() * active.length)]!;
		const labels = clock.random() < 0.7 ? ['self-hosted', 'gpu'] : ['ubuntu-latest'];
		const runId = Math.floor(clock.random() * 1e9) + 1;
		const jobs = 1 + Math.floor(clock.random() * 5);
		for (let count = 0; count < jobs; count++) {
			const job = world.queue(repository, { runId, labels, name: `build (${count})` });
			const wait = () => {
				// A job of ours gets no runner before it is known.
				if (labels[0] === 'self-hosted' && !world.records.has(job.id)) return void clock.after(5_000, wait);
				clock.after(20_000 + exponential(10_000), () => {
					world.begin(job);
					clock.after(exponential(8 * 60_000), () => world.complete(job));
				});
			};
			wait();
		}
		clock.after(exponential(60_000 / runsEachMinute), arrive);
	};
	arrive();
}

test('with a webhook: at most 10 charged calls in any minute, and what events have missed is found in minutes', async () => {
	const world = new PollWorld();
	const { most, mean, found } = await hour(world, { lost: 0.02 });
	await world.stop();
	const figures = JSON.stringify({ most, mean, found });
	// The other one looks for lost deliveries, once a minute.
	assert.ok(most <= 9, figures);
	assert.ok(mean <= 6, figures);
	assert.ok(found.count > 0 && found.most <= 300, figures);
});

test('without one: less than half of the lists that a credential may read, and jobs are found in minutes', async () => {
	const world = new PollWorld();
	world.delivers = () => false;
	const { most, mean, calls, found } = await hour(world);
	await world.stop();
	const figures = JSON.stringify({ most, mean, calls, found });
	assert.ok(most <= 40, figures);
	assert.ok(mean <= 20, figures);
	assert.ok(calls <= 60.5, figures);
	assert.ok(found.count > 200 && found.p50 <= 60 && found.p95 <= 150 && found.most <= 400, figures);
});

test.run();
