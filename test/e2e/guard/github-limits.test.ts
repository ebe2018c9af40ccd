/**
 * GitHub's rate limits: F1 and F2 here. Which answers are one is in test/unit/github/client.test.ts. F6 (500 static runners for
 * an hour use at most half of the quota) and the rate limit of 150 DELETEs a minute (C6) run on a simulated clock in
 * test/unit/github/budget.test.ts.
 */
import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { stage } from '../../rig/stage.ts';
import { Space, says } from '../support/space.ts';
import { spaceTests } from '../support/space-tests.ts';

const test = spaceTests('GitHub limits', { prepare: () => stage('guard'), ownCredentials: true });

/** One line a change of state of a space's GitHub account. */
const accountLines = (rig: Rig, space: Space) =>
	rig.logs((line) => /^GitHub can/.test(line.msg) && String(line.account).startsWith(`${space.name}/`));

test('no calls remain: refused with the time of the reset, no call before it, one log line, then all is done (F1)', async ({
	rig,
	space,
}) => {
	const names = ['a', 'b', 'c', 'd'];
	await space.runners(names);
	const resetInMs = 12_000;
	rig.github.fault({
		fault: { kind: 'primary-limit', resetInMs },
		endpoint: 'delete',
		scope: space.scope,
		times: 1,
	});
	const resetShown = async (name: string) => {
		const said = await space.refused(name);
		return /GitHub's rate limit is reached \(until (\S+Z)/.exec(said)?.[1] ?? said;
	};
	const [first = '', ...others] = names;
	const reset = await resetShown(first);
	const limitedMs = space.calls('delete').at(-1)?.atMs ?? Number.NaN;
	assert.equal(await Promise.all(others.map(resetShown)), [reset, reset, reset]);
	const resetMs = Date.parse(reset);
	// GitHub tells it in whole seconds.
	assert.ok(Math.abs(resetMs - limitedMs - resetInMs) < 3_000, reset);
	assert.equal(
		accountLines(rig, space).map((line) => line.level),
		['warn'],
	);
	await Promise.all(names.map((name) => space.gone(name)));
	assert.equal(space.removals(), [403, 204, 204, 204, 204]);
	assert.equal(
		space.calls().filter(({ atMs }) => atMs > limitedMs && atMs < resetMs),
		[],
	);
	assert.equal(
		accountLines(rig, space).map((line) => line.level),
		['warn', 'info'],
	);
	assert.equal(space.killedJobs(), []);
});

test('secondary limit: nobody calls with this credential during Retry-After, about whatever organization; others do (F2)', async ({
	rig,
	space,
}) => {
	const sister = await Space.make(rig, { token: space.token });
	const other = await Space.make(rig, { ownCredentials: true });
	try {
		await Promise.all([space, sister, other].map((one) => one.runners(['a'])));
		const retryAfterS = 12;
		rig.github.fault({
			fault: { kind: 'secondary-limit', retryAfterS, status: 403 },
			endpoint: 'delete',
			scope: space.scope,
			times: 1,
		});
		says(await space.refused('a'), "GitHub's rate limit is reached");
		const limitedMs = space.calls('delete').at(-1)?.atMs ?? Number.NaN;
		const during = (one: Space) =>
			one.calls().filter(({ atMs }) => atMs > limitedMs && atMs < limitedMs + retryAfterS * 1000);
		await Promise.all([
			sister.refused('a').then((said) => says(said, "GitHub's rate limit is reached")),
			other.deleted('a'),
		]);
		await Promise.all([space.gone('a'), sister.gone('a')]);
		assert.equal([during(space), during(sister)], [[], []]);
		assert.equal(
			during(other).map(({ status }) => status),
			[204],
		);
		assert.equal([space.removals(), sister.removals(), other.removals()], [[403, 204], [204], [204]]);
	} finally {
		await Promise.all([sister.clear(), other.clear()]);
	}
});

test('what has stopped is let go during a rate limit (F1)', async ({ rig, space }) => {
	await space.runners(['stopped', 'idle']);
	await space.runJob('stopped');
	await space.endJob('stopped');
	await eventually('stopped', () => space.journal('stopped').includes('container-stopped'));
	rig.github.fault({
		fault: { kind: 'secondary-limit', retryAfterS: 5 },
		scope: space.scope,
		endpoint: 'delete',
		times: 1,
	});
	await space.refused('idle');
	await space.deleted('stopped');
	await space.gone('idle');
});

test.run();
