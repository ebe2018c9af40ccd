/** A set whose pods never start, beside one that works: only a probe waits for it. */
import * as assert from 'uvu/assert';
import { afterReconcile, type SetFacts, unreconciled } from '../../../admission/autoscale/rules/set-facts.ts';
import type { Runner } from '../../../admission/autoscale/rules/types.ts';
import { suite } from '../../support/suite.ts';
import { desired, hour, minute, now, runner, second } from './given.ts';
import { RoutedWorld } from './routed-world.ts';

const test = suite('a set that cannot start');

function jobsEvery(ms: number, world: RoutedWorld): () => void {
	let nextMs = world.clock.now();
	return () => {
		if (world.clock.now() < nextMs) return;
		nextMs += ms;
		world.queue(['self-hosted'], minute);
	};
}
const stuckAndWorking = () =>
	new RoutedWorld([
		{ name: 'a', startUpMs: undefined, node: 'amd64', desired: { max: 100 } },
		{ name: 'b', startUpMs: 30 * second, node: 'amd64' },
	]);

for (const every of [5, 9, 10])
	test(`a new job every ${every} minutes for 4 hours: the set beside it has run all but the probe`, async () => {
		const world = stuckAndWorking();
		await world.pass(4 * hour, jobsEvery(every * minute, world));
		const unstarted = world.jobs.filter(({ startedMs }) => startedMs === undefined);
		assert.is(world.jobs.length, Math.ceil(240 / every));
		assert.ok(unstarted.length <= 1, `${unstarted.length} of ${world.jobs.length} have not started`);
		const waits = world.jobs.map(({ queuedMs, startedMs = world.clock.now() }) => startedMs - queuedMs);
		assert.ok(Math.max(...waits) <= 12 * minute, `${Math.max(...waits) / minute} min`);
		assert.ok((world.made.get('a') ?? 0) <= 24, `${world.made.get('a')} pods that never start`);
		world.stop();
	});

test('of jobs that come at once all move on, and one at a time tries the set again', async () => {
	const world = stuckAndWorking();
	for (let count = 0; count < 5; count++) world.queue(['self-hosted'], minute);
	await world.pass(15 * minute);
	assert.equal(
		world.jobs.filter(({ startedMs }) => startedMs === undefined).length,
		0,
		'all have been run by the other',
	);
	for (let count = 0; count < 6; count++) world.queue(['self-hosted'], hour);
	await world.pass(30 * second);
	const left = [...world.waiting.values()];
	assert.is(left.filter((set) => set === 'a').length, 1, `${left}`);
	await world.pass(12 * minute);
	assert.equal(
		[...world.waiting.values()],
		[],
		'nor does the last one wait for it for longer than a start may take',
	);
	world.stop();
});

test('when one of its runners starts, it is as before', async () => {
	const world = stuckAndWorking();
	await world.pass(2 * hour, jobsEvery(5 * minute, world));
	world.mend('a', 30 * second);
	await world.pass(20 * minute, jobsEvery(5 * minute, world));
	const madeBefore = world.made.get('b');
	await world.pass(2 * hour, jobsEvery(5 * minute, world));
	assert.is(world.made.get('b'), madeBefore, 'the set that is preferred has all jobs again');
	world.stop();
});

const seen = (facts: SetFacts, runners: Runner[], nowMs: number, waiting = 1) =>
	afterReconcile(facts, runners, desired(), waiting, nowMs);
const fresh: SetFacts = { ...unreconciled, fixed: undefined };
const starts = (name: string, createdMs: number) => runner(name, 'starting', { createdMs });

test('one runner that never starts, while others of its set do: it is not the set', () => {
	let facts = fresh;
	for (let at = now; at < now + hour; at += 5 * minute)
		facts = seen(facts, [starts('sick', now), runner(`r${at}`, 'busy')], at);
	assert.not(facts.stuck);
	facts = seen(facts, [starts('sick', now), runner('idle', 'idle')], now + 2 * hour);
	assert.not(facts.stuck, 'nor where one is idle');
});

test('a new leader knows of no start before: it goes by the newest runner first, and then by the oldest', () => {
	const old = starts('old', now - hour);
	assert.ok(seen(fresh, [old], now).stuck);
	let facts = seen(fresh, [old, starts('new', now)], now);
	assert.not(facts.stuck);
	for (let at = now; at <= now + 10 * minute; at += minute)
		facts = seen(facts, [old, starts(`r${at}`, at)], at);
	assert.ok(facts.stuck);
});

test('it stays so when nothing is tried any longer, and no job makes it so', () => {
	let facts = seen(fresh, [starts('r1', now)], now);
	facts = seen(facts, [], now + minute, 0);
	assert.not(seen(facts, [starts('r2', now + hour)], now + hour).stuck, 'it was given up in time');
	facts = seen(fresh, [starts('r1', now)], now + 10 * minute);
	facts = seen(facts, [], now + hour, 0);
	assert.ok(facts.stuck);
	assert.not(seen(facts, [runner('r2', 'busy')], now + 2 * hour).stuck, 'one has started');
});

test('a clock that is set back makes it no longer', () => {
	let facts = seen(fresh, [starts('r1', now + hour)], now + hour);
	facts = seen(facts, [starts('r1', now + hour)], now);
	assert.ok(seen(facts, [starts('r1', now + hour)], now + 10 * minute).stuck);
});

test.run();
