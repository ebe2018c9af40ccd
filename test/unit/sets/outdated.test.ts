/** Runners whose version GitHub refuses: the set says so, starts one now and then, and is well again by itself. */
import * as assert from 'uvu/assert';
import type { DemandSource } from '../../../admission/sets/demand-source.ts';
import { outdatedAfter } from '../../../admission/sets/rules/outdated.ts';
import { suite } from '../../support/suite.ts';
import { kinds, SetsWorld } from '../support/sets-world.ts';

const test = suite('outdated runners');
const minute = 60_000;

const refused = (version = '2.320.0') => `
√ Connected to GitHub

Current runner version: '${version}'
2026-11-23 12:01:03Z: Listening for Jobs
An error occurred: Runner version v${version} is deprecated and cannot receive messages.
Runner listener exit with terminated error, stop the service, no retry needed.
Exiting runner...
`;
const listening = (version: string) => `
Current runner version: '${version}'
2026-11-23 12:01:03Z: Listening for Jobs
`;

for (const kind of kinds) {
	const withRefused = async (replicas: number) => {
		const world = new SetsWorld(kind);
		world.habits.endsAfterMs = 4_000;
		world.habits.says = () => refused();
		world.put(replicas, { spec: { image: 'runner:old' } });
		await world.start();
		return world;
	};
	/** `reported`: why the set can't start runners, as the reconciler reports it to the autoscaler. */
	const reporting = () => {
		const reported: (string | undefined)[] = [];
		const source: DemandSource = {
			synced: true,
			demandOf: () => undefined,
			blocked: (_set, why) => reported.push(why),
			onChange: () => {},
		};
		const world = new SetsWorld(kind, undefined, () => source);
		world.habits.endsAfterMs = 4_000;
		world.habits.says = () => refused();
		return { world, reported };
	};
	const message = (world: SetsWorld) =>
		world.status.conditions?.find(({ type }) => type === 'RunnerOutdated')?.message ?? '';

	test(`${kind}: the condition says version, image and what to do within a minute of the first runner's end; then one starts in 5 minutes`, async () => {
		const world = await withRefused(3);
		await world.clock.until('it is said', () => world.condition('RunnerOutdated') === 'True', minute);
		assert.match(message(world), /runner version 2\.320\.0 of image runner:old since 2026-11-23T12:01/);
		assert.match(message(world), /use an image with a newer runner/);
		assert.is(world.starts, 3, 'those that started at once');
		await world.clock.pass(60 * minute);
		assert.ok(world.starts >= 3 + 10 && world.starts <= 3 + 12, `${world.starts - 3} starts in an hour`);
		assert.is(world.condition('StartsFailing'), undefined, 'they say why themselves');
		const events = world.eventsOn('example').filter((one) => one === 'Warning RunnerOutdated').length;
		assert.is(events, 1);
		await world.end();
	});
	test(`${kind}: with exit code 7, too, and where the runner had asked for it also if the log cannot be read`, async () => {
		for (const readable of [true, false]) {
			const world = new SetsWorld(kind);
			world.habits.fails = 7;
			world.habits.says = () => refused();
			if (!readable) world.api.fail('GET', /\/log$/, 'no answer');
			world.put(1, { spec: { image: 'runner:old' } });
			await world.start();
			await world.clock.until('it is said', () => world.condition('RunnerOutdated') === 'True', minute);
			assert.match(message(world), readable ? /version 2\.320\.0 of image/ : /the runner version of image/);
			await world.clock.pass(9 * minute);
			assert.ok(world.starts <= 3, `${world.starts} starts in 10 minutes`);
			await world.end();
		}
	});
	test(`${kind}: another image: all start at once, and the condition is over`, async () => {
		const world = await withRefused(3);
		await world.clock.until('it is said', () => world.condition('RunnerOutdated') === 'True', minute);
		world.habits.says = () => listening('2.336.0');
		world.habits.endsAfterMs = undefined;
		world.change(({ spec }) => {
			const runner = kind === 'RunnerSet' ? spec : spec.template.spec;
			runner.image = 'runner:new';
		});
		assert.ok((await world.settled(3, minute)) < 20_000);
		assert.is(world.condition('RunnerOutdated'), 'False');
		await world.end();
	});
	test(`${kind}: a newer runner under the same image: the next one that starts shows it, and the others follow`, async () => {
		const world = await withRefused(3);
		await world.clock.until('it is said', () => world.condition('RunnerOutdated') === 'True', minute);
		world.habits.says = () => listening('2.336.0');
		world.habits.endsAfterMs = undefined;
		assert.ok((await world.settled(3, 6 * minute)) < 6 * minute);
		assert.is(world.condition('RunnerOutdated'), 'False');
		await world.end();
	});
	test(`${kind}: the next leader knows it`, async () => {
		const world = await withRefused(3);
		await world.clock.until('it is said', () => world.condition('RunnerOutdated') === 'True', minute);
		await world.clock.pass(10_000);
		await world.end();
		const next = new SetsWorld(kind, world);
		await next.start();
		await next.clock.pass(3 * minute);
		assert.equal([world.starts, next.condition('RunnerOutdated')], [3, 'True']);
		await next.end();
	});
	test(`${kind}: a runner that ended for another reason leaves no such condition`, async () => {
		const world = await withRefused(1);
		world.habits.says = () => listening('2.320.0');
		await world.clock.pass(2 * minute);
		assert.is(world.condition('RunnerOutdated'), undefined);
		assert.is(world.condition('StartsFailing'), 'True');
		await world.end();
	});
	test(`${kind}: the autoscaler gets to know why its jobs get no runner here`, async () => {
		const { world, reported } = reporting();
		world.put(2);
		await world.start();
		await world.clock.pass(minute);
		assert.is(reported.at(-1), 'RunnerOutdated');
		await world.end();
	});
	test(`${kind}: none of its runners is wanted for an hour: it is given jobs again, and one start shows that its image is a new one`, async () => {
		const { world, reported } = reporting();
		world.put(1, { spec: { image: 'runner:latest' } });
		await world.start();
		await world.clock.until('it is refused', () => reported.at(-1) === 'RunnerOutdated', minute);
		world.put(0, { spec: { image: 'runner:latest' } });
		await world.clock.pass(59 * minute);
		assert.equal([reported.at(-1), world.starts], ['RunnerOutdated', 1]);
		await world.clock.pass(7 * minute);
		assert.equal([reported.at(-1), world.condition('RunnerOutdated')], [undefined, 'True']);
		world.put(1, { spec: { image: 'runner:latest' } });
		await world.clock.until('it is refused again', () => reported.at(-1) === 'RunnerOutdated', minute);
		assert.is(world.starts, 2);
		world.put(0, { spec: { image: 'runner:latest' } });
		await world.clock.pass(66 * minute);
		world.habits.endsAfterMs = undefined;
		world.put(1, { spec: { image: 'runner:latest' } });
		await world.clock.until('it is well', () => world.condition('RunnerOutdated') !== 'True', 2 * minute);
		assert.is(reported.at(-1), undefined);
		await world.end();
	});
}

const now = Date.parse('2026-11-23T12:00:00Z');
const refusal = { version: '2.320.0', image: 'runner:old' };
const runner = (more: object) => ({ createdMs: now - minute, templateHash: 'new', phase: 'idle', ...more });
const before = { ...refusal, sinceMs: now - 60 * minute, templateHash: 'new' };

test('since when: from the first runner that said so', () => {
	const first = outdatedAfter([runner({ refusal })], { nextStartMs: 0, templateHash: 'new' }, now);
	assert.equal([first.outdated?.sinceMs, first.nextStartMs], [now, now + 5 * minute]);
	const set = { outdated: before, nextStartMs: now - 2 * minute, templateHash: 'new' };
	assert.is(outdatedAfter([runner({ refusal })], set, now).outdated?.sinceMs, before.sinceMs);
});

test('what counts as over, and what does not', () => {
	const after = (more: object, templateHash = 'new') =>
		outdatedAfter([runner(more)], { outdated: before, nextStartMs: now - 2 * minute, templateHash }, now)
			.outdated === undefined;
	assert.is(after({ sinceMs: now - 10_000 }), false, 'idle for 10 s: it may not have asked GitHub yet');
	assert.is(after({ sinceMs: now - 31_000 }), true, 'idle for long enough');
	assert.is(after({ sinceMs: now - 31_000, createdMs: now - 60 * minute }), false, 'it started before');
	assert.is(after({ sinceMs: now - 60_000, phase: 'busy' }), true, 'it has a job');
	assert.is(after({ phase: 'starting' }), false);
	assert.is(after({ phase: 'completed', brief: true }), false);
	assert.is(after({ phase: 'starting' }, 'newer'), true, 'another template');
	assert.is(after({ templateHash: 'old', sinceMs: now - 31_000 }), false, 'of an older template');
});

test.run();
