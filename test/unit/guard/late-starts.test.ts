/** A kubelet finishes what it has begun: a runner that starts though its pod is being deleted is unregistered, and not looked for otherwise. */
import * as assert from 'uvu/assert';
import type { Pod } from '../../../admission/api/kinds.ts';
import { LateStarts } from '../../../admission/guard/late-starts.ts';
import { suite } from '../../support/suite.ts';
import { running } from '../runner/pods.ts';
import { paths, World } from '../support/world.ts';

const test = suite('late starts');
const creating: Pod['status'] = {
	phase: 'Pending',
	containerStatuses: [
		{ name: 'runner', restartCount: 0, state: { waiting: { reason: 'ContainerCreating' } } },
	],
};

/** A pod that is being deleted while its container is being created. */
async function deleted(status = creating) {
	const world = new World();
	const loop = new LateStarts(world.parts);
	const metadata = { deletionTimestamp: '2026-11-23T12:01:00Z' };
	world.runner('r1', { metadata, status }, 'unknown');
	await world.start();
	await world.clock.pass(5_000);
	const starts = () => world.shows('r1', running('2026-11-23T12:00:05Z'));
	return { ...world, world, loop, starts };
}

test('it starts and registers: it is unregistered within a second or two, once', async () => {
	const { world, loop, clock, github, starts } = await deleted();
	assert.equal(github.calls, [], 'what never starts costs no call');
	starts();
	await clock.pass(4_000);
	assert.is(github.count('remove'), 0, 'it has not registered');
	github.register('r1');
	await clock.until('it is unregistered', () => github.find('r1') === undefined, 2_500);
	const { length } = github.calls;
	await clock.pass(60_000);
	assert.is(github.calls.length, length, 'and that is all');
	await world.stop(loop);
});
test('it has got a job: nothing is removed, and an Event says that the job is probably lost', async () => {
	for (const how of ['list', 'log', '422'] as const) {
		const { world, loop, clock, github, starts } = await deleted();
		github.register('r1', { busy: how === 'list' });
		if (how === 'log') world.api.logs.set('ci/r1', '2026-11-23 12:00:30Z: Running job: build\n');
		github.answersAfterMs = 100;
		starts();
		if (how === '422') {
			await clock.until('it is asked', () => github.count('remove') > 0);
			github.set('r1', { busy: true });
		}
		await clock.pass(10_000);
		assert.equal([github.count('remove') > 0, github.find('r1') !== undefined], [how === '422', true], how);
		assert.equal(world.eventsOn('r1'), ['Warning JobProbablyLost'], how);
		await world.stop(loop);
	}
});
test('a pod whose runner ran before it was deleted was released by the guard: nothing is asked', async () => {
	const { world, loop, clock, github } = await deleted(running());
	github.register('r1');
	await clock.pass(60_000);
	assert.equal(github.calls, []);
	await world.stop(loop);
});
test('it never registers: looked for each second for a minute, then every 10 s, and no longer than its pod is there', async () => {
	const { world, loop, clock, github, starts } = await deleted();
	starts();
	await clock.pass(60_000);
	const minute = github.count('list');
	assert.ok(minute >= 50 && minute <= 61, `${minute}`);
	await clock.pass(60_000);
	assert.ok(github.count('list') - minute <= 7, `${github.count('list') - minute}`);
	world.api.drop(paths.pods, 'r1', 'ci');
	await clock.pass(100);
	const { length } = github.calls;
	await clock.pass(60_000);
	assert.is(github.calls.length, length);
	await world.stop(loop);
});

test.run();
