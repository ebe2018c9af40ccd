/** What a hostile organization costs another one whose jobs are found by asking GitHub: an hour with it, and the same hour alone. */
import * as assert from 'uvu/assert';
import type { Scope } from '../../../../admission/runner/scope.ts';
import type { WorkflowJob } from '../../../sim/jobs.ts';
import { suite } from '../../../support/suite.ts';
import { PollWorld } from './poll-world.ts';

const test = suite('poll: tenants');

const minuteMs = 60_000;
const app = 'octo-org/app';
const organization: Scope = { kind: 'organization', name: 'octo-org' };

/** Sets that name octo-org's scopes with a credential that is shown nothing, 1,500 repositories, and jobs of other owners. */
function attack(world: PollWorld, nth: number): void {
	if (nth === 0) {
		const named: Scope[] = [
			{ kind: 'repository', owner: 'octo-org', name: 'app' },
			organization,
			{ kind: 'enterprise', name: 'evil' },
			{ kind: 'organization', name: 'evil-org' },
		];
		const countsRunsOf = Array.from({ length: 1_500 }, (_, index) => `evil-org/r${index}`);
		for (const scope of named) {
			const key = `RunnerSet evil/${scope.kind}-${scope.name}` as const;
			world.targets.push({ ...world.target(scope, { countsRunsOf }), key });
			world.accounts.set(key, async () => ({
				read: async () => ({ kind: 'not-visible' }),
				connection: evil,
			}));
		}
	}
	world.queue(`other-${nth}/app`);
	world.queue('evil-org/app', { labels: ['gpu'] });
}
const evil = { used: () => 0 };

/** An hour in which octo-org queues a job every 109 s: the mean time until it is found, and the calls with its credential. */
async function hour(hostile: boolean): Promise<{ waitMs: number; calls: number }> {
	const world = new PollWorld();
	world.delivers = ({ repository }) => !repository.startsWith('octo-org/');
	const first = world.queue(app);
	world.start(organization);
	await world.clock.until('the initial read', () => world.stateOf(first) === 'queued', 10 * minuteMs);
	world.complete(first);
	await world.clock.pass(minuteMs);
	world.calls.length = 0;
	const waits: number[] = [];
	for (let nth = 0; nth < 33; nth++) {
		if (hostile) attack(world, nth);
		const job: WorkflowJob = world.queue(app);
		const queuedMs = world.clock.monotonic();
		for (let second = 0; second < 109; second++) {
			await world.clock.pass(1_000);
			if (world.stateOf(job) !== 'queued' || waits.length > nth) continue;
			waits.push(world.clock.monotonic() - queuedMs);
			world.complete(job);
		}
		if (waits.length === nth) waits.push(109_000);
	}
	const calls = world.calls.filter(({ path }) => path.includes('octo-org')).length;
	await world.stop();
	return { waitMs: waits.reduce((sum, one) => sum + one, 0) / waits.length, calls };
}

test('an hour beside a hostile organization: jobs are found as fast, and with as many calls, as alone, within 2 %', async () => {
	const [alone, beside] = [await hour(false), await hour(true)];
	assert.ok(beside.waitMs <= alone.waitMs * 1.02, `${beside.waitMs} ms beside, ${alone.waitMs} ms alone`);
	const difference = Math.abs(beside.calls - alone.calls) / alone.calls;
	assert.ok(difference <= 0.02, `${beside.calls} calls beside, ${alone.calls} alone`);
});

test.run();
