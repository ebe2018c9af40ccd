/** Supply is what will take the job: runners that hang, that never start, and jobs that GitHub gives to none of them. */
import * as assert from 'uvu/assert';
import { statusOf, whyOf } from '../../../admission/autoscale/rules/status.ts';
import { suite } from '../../support/suite.ts';
import { asked, desired, hour, job, minute, runner, second } from './given.ts';
import { SupplyWorld, type Waiting } from './supply-world.ts';

const test = suite('supply');
const waitOf = ({ openedMs, startedMs = Number.POSITIVE_INFINITY }: Waiting) => startedMs - openedMs;

test('an idle runner that hangs (ARC #4602): the job has another one within 6 minutes, and the sick one is replaced', () => {
	const world = new SupplyWorld({ max: 10, isSick: (nth) => nth === 1 });
	const job = world.queue({ runsMs: 20 * minute });
	world.pass(6 * minute);
	assert.ok(waitOf(job) <= 6 * minute, `${waitOf(job) / second} s`);
	assert.equal([world.made, world.replaced], [2, 1]);
	assert.is(
		world.living.some(({ name }) => name === 'r1'),
		false,
	);
});

test("the leader's clock is behind that of the nodes, or ahead: the same", () => {
	for (const clockMs of [-25 * minute, 25 * minute]) {
		const world = new SupplyWorld({ max: 10, clockMs: () => clockMs, isSick: (nth) => nth === 1 });
		const job = world.queue();
		world.pass(6 * minute);
		assert.ok(waitOf(job) <= 6 * minute, `${waitOf(job) / second} s`);
	}
});

test('two that hang, one after the other, where runners were given such jobs before: a third one runs the job', () => {
	const world = new SupplyWorld({ max: 5, delayMs: hour, isSick: (nth) => nth === 2 || nth === 3 });
	const before = world.queue();
	world.pass(5 * minute);
	assert.ok(before.over);
	const job = world.queue();
	world.pass(9 * minute);
	assert.ok(waitOf(job) <= 9 * minute, `${waitOf(job) / second} s`);
	assert.is(world.demand?.passing.withheld.size, 0);
});

test('jobs that nobody is given use up no experiment of those that are given, though they are older', () => {
	for (const hang of [1, 2]) {
		const world = new SupplyWorld({ max: 5, delayMs: hour, isSick: (nth) => nth > 3 && nth < 3 + hang });
		world.queue();
		world.pass(5 * minute);
		world.queue({ unassignable: true, repository: 'octo/other' });
		world.pass(10 * minute);
		world.queue({ unassignable: true, repository: 'octo/another' });
		assert.is(world.experimentsMs.length, 1);
		for (const made of world.living) made.sick = true;
		const job = world.queue();
		const withinMs = 6 * minute + (hang - 1) * 4 * minute;
		world.pass(withinMs);
		assert.ok(waitOf(job) <= withinMs, `${hang} hang: ${waitOf(job) / second} s`);
	}
});

test('the only runner that may be hangs: it makes room for another one', () => {
	const world = new SupplyWorld({ max: 1, isSick: (nth) => nth === 1 });
	const job = world.queue();
	world.pass(6 * minute);
	assert.ok(waitOf(job) <= 6 * minute, `${waitOf(job) / second} s`);
	assert.is(world.most, 1);
});

test('a queue that never ends: who hangs is found by the jobs that others are given, and the set keeps its capacity', () => {
	const world = new SupplyWorld({ max: 10, isSick: (nth) => nth % 20 === 7 });
	let next = 0;
	let mostSick = 0;
	world.pass(
		6 * hour,
		() => {
			for (; world.nowMs >= next; next = Math.max(next, world.nowMs) + 15 * second)
				world.queue({ runsMs: 3 * minute });
			mostSick = Math.max(mostSick, world.living.filter(({ sick }) => sick).length);
		},
		15 * second,
	);
	assert.ok(mostSick <= 4, `${mostSick} of 10 hang`);
});

test('a runner that hangs counts for no job once one that waited 20 s beside it is given to a newer one, and again when it takes one', () => {
	const world = new SupplyWorld({ max: 10, startMs: () => 15 * second, isSick: (nth) => nth === 1 });
	world.queue({ runsMs: hour });
	world.pass(25 * second);
	const behind = world.queue({ runsMs: hour });
	world.pass(minute);
	assert.ok(waitOf(behind) <= 40 * second, `${waitOf(behind) / second} s`);
	assert.equal([world.made, world.replaced], [3, 0]);
	assert.equal(
		world.demand?.supply.doubted.map(({ name }) => name),
		['r1'],
	);
	for (const made of world.runners) made.sick = false;
	world.queue({ runsMs: hour });
	world.pass(10 * second);
	assert.is(world.demand?.passing.memory.doubted.size, 0);
	assert.is(world.made, 3);
});

test('a job that a sick runner takes after all says nothing of others that were idle for less long', () => {
	const world = new SupplyWorld({ max: 10, delayMs: hour, isSick: (nth) => nth <= 2 });
	world.give(2);
	world.pass(minute);
	world.queue({ runsMs: hour });
	world.pass(6 * minute);
	assert.is(world.demand?.supply.sick.length, 1, 'one of two is replaced');
	world.give(1);
	const [other] = world.runners.slice(-1);
	assert.ok(other);
	other.sick = true;
	world.pass(minute);
	const job = world.queue({ runsMs: hour });
	world.pass(100 * second);
	assert.is(job.startedMs, undefined);
	for (const made of world.living) if (made !== other) made.sick = false;
	world.pass(5 * second);
	assert.ok(job.startedMs);
	assert.equal([world.demand?.supply.sick.length, world.demand?.supply.doubted.length], [0, 0]);
});

test('an offline runner is no supply, and is replaced', () => {
	const r1 = runner('r1', 'idle', { offline: true });
	const found = asked([job(1)], [r1, runner('r2', 'busy')]);
	assert.equal([found.desired, found.replace], [3, ['uid-r1']]);
	const status = { desired: desired(), demand: found };
	assert.match(whyOf(status), /^3 runners/);
});

test('the status says which runners do not count, and which jobs GitHub gives to none', () => {
	const says = (world: SupplyWorld, type: string) => {
		const { demand } = world;
		assert.ok(demand);
		const schedule = { minReplicas: undefined, next: undefined, nextEdgeMs: undefined, summary: undefined };
		const reconciled = { desired: desired(), demand, replicas: 0, schedule: { ...schedule, skipped: [] } };
		const object = { metadata: { name: 'a' }, spec: {} } as never;
		const { conditions = [], openJobs } = statusOf(object, { reconciled, findings: [] }, world.nowMs);
		const { status, reason, message = '' } = conditions.find((one) => one.type === type) ?? {};
		return { status, reason, message, openJobs };
	};
	const sick = new SupplyWorld({ max: 20, delayMs: hour, isSick: (nth) => nth <= 2 });
	sick.give(2);
	sick.pass(minute);
	sick.queue({ runsMs: hour });
	sick.pass(5 * minute);
	const ignores = says(sick, 'RunnersIgnoreJobs');
	assert.equal([ignores.status, ignores.reason], ['True', 'JobsTakenByOthers']);
	assert.match(ignores.message, /^runner r2 is idle, but GitHub gave jobs/);

	const late = new SupplyWorld({ max: 2, startMs: () => Number.POSITIVE_INFINITY });
	late.queue();
	late.pass(20 * minute);
	const waits = says(late, 'RunnersLate');
	assert.equal([waits.status, waits.reason], ['True', 'NotScheduled']);
	assert.match(waits.message, /^runner r1 has been starting for longer than starts take/);

	const none = new SupplyWorld({ max: 20 });
	none.queue({ unassignable: true });
	none.pass(9 * minute);
	const given = says(none, 'NotGivenToRunners');
	assert.equal([given.status, given.reason, given.openJobs], ['True', 'PassedByAllRunners', 1]);
	assert.match(given.message, /^1 job waits though idle runners have the labels, such as those of octo\/app/);
});

test('GitHub cannot be asked: nothing is concluded from what idle runners pass by', () => {
	const world = new SupplyWorld({ max: 10, isSick: (nth) => nth === 1, answers: () => false });
	world.queue();
	world.pass(25 * minute);
	assert.equal([world.made, world.experimentsMs], [1, []]);
});

test('a pod that stays pending: one substitute after 15 minutes; where that starts the pod is late, and no more wait for it', () => {
	const world = new SupplyWorld({
		max: 10,
		startMs: (nth) => (nth === 1 ? Number.POSITIVE_INFINITY : 30 * second),
	});
	const job = world.queue();
	world.pass(16 * minute);
	assert.ok(waitOf(job) <= 16 * minute);
	assert.is(world.made, 2);
	const [second2, third] = [world.queue(), world.queue()];
	world.pass(minute);
	assert.ok(waitOf(second2) <= minute && waitOf(third) <= minute);
});

test('no pod starts: the cluster is not filled with them', () => {
	const world = new SupplyWorld({ max: 10, startMs: () => Number.POSITIVE_INFINITY });
	world.queue();
	world.pass(24 * hour, undefined, minute);
	assert.is(world.most, 2);
});

test('one job that no runner is given, for 24 hours: at most 10 runners are made', () => {
	for (const max of [5, 10, 20, 50]) {
		const world = new SupplyWorld({ max });
		world.queue({ unassignable: true });
		let most = 0;
		world.pass(
			24 * hour - minute,
			() => {
				most = Math.max(most, world.living.length);
			},
			20 * second,
		);
		assert.ok(world.made <= 10, `maximum ${max}: ${world.made} runners`);
		assert.ok(most <= 2, `${most} at once`);
		assert.is(world.demand?.passing.withheld.size, 1);
		assert.ok(world.asks < 150, `${world.asks} calls`);
	}
});

test('1,000 jobs that no runner is given, of one repository with 50 label sets: at most 2 experiments an hour, and others wait as without', () => {
	const waits = (hostile: boolean) => {
		const world = new SupplyWorld({ max: 20 });
		for (let nth = 0; hostile && nth < 1_000; nth++)
			world.queue({ unassignable: true, repository: 'evil/app', labels: ['self-hosted', `l${nth % 50}`] });
		const honest: Waiting[] = [];
		let next = 0;
		world.pass(
			6 * hour,
			() => {
				if (world.nowMs >= next) {
					honest.push(world.queue({ labels: ['self-hosted', 'l1'], runsMs: 5 * minute }));
					next = world.nowMs + 2 * minute;
				}
			},
			30 * second,
		);
		const { experimentsMs } = world;
		for (const [index, ms] of experimentsMs.entries())
			assert.ok(experimentsMs.slice(index).filter((other) => other < ms + hour).length <= 2, 'in an hour');
		assert.ok(world.most <= 20);
		const taken = honest.filter(({ startedMs }) => startedMs !== undefined).map(waitOf);
		return {
			p95: taken.sort((one, other) => one - other)[Math.floor(taken.length * 0.95)] ?? 0,
			left: honest.length - taken.length,
		};
	};
	const [without, beside] = [waits(false), waits(true)];
	assert.ok(beside.p95 <= without.p95, `${beside.p95} > ${without.p95}`);
	assert.ok(beside.left <= without.left);
});

test('GitHub gives out nothing for 3 hours with 100 idle runners: none is made, none is replaced, and all jobs run then', () => {
	const world = new SupplyWorld({
		max: 200,
		delayMs: 6 * hour,
		stalled: (ms) => ms > 5 * minute && ms < 3 * hour,
	});
	world.give(100);
	world.pass(5 * minute);
	const jobs = Array.from({ length: 30 }, (_, nth) => world.queue({ repository: `octo/app-${nth % 3}` }));
	world.pass(3 * hour - 6 * minute);
	assert.equal([world.made, world.replaced, world.experimentsMs.length], [100, 0, 0]);
	world.pass(10 * minute);
	assert.ok(jobs.every(({ startedMs }) => startedMs !== undefined));
	assert.equal([world.made, world.replaced], [100, 0]);
});

test('many that are sick: one after the other is replaced, no more than a fifth in ten minutes', () => {
	const world = new SupplyWorld({ max: 20, delayMs: 6 * hour, isSick: (nth) => nth <= 6 });
	world.give(6);
	world.pass(minute);
	const job = world.queue();
	world.pass(7 * minute);
	assert.ok(waitOf(job) <= 6 * minute);
	assert.is(world.replaced, 1);
	assert.is(world.demand?.supply.sick.length, 5);
	const next = world.queue();
	world.pass(minute);
	assert.ok(waitOf(next) <= minute, 'they are no supply');
	world.pass(hour);
	assert.is(world.replaced, 6);
});

test('a class that GitHub gives again is tried, and counts at once when a runner takes one of its jobs', () => {
	const world = new SupplyWorld({ max: 20 });
	const some = [
		world.queue({ unassignable: true }),
		world.queue({ unassignable: true }),
		world.queue({ unassignable: true }),
	];
	world.pass(hour);
	assert.is(world.demand?.passing.withheld.size, 3);
	for (const each of some) each.unassignable = false;
	world.pass(3 * hour);
	assert.ok(some.every(({ startedMs }) => startedMs !== undefined));
	assert.is(world.demand?.passing.memory.withheld.size, 0);
});

test.run();
