/**
 * GitHub's rate limits: F1 and F2 here. F6 (500 static runners for an hour use at most half of the quota) and the pace
 * of 150 DELETEs a minute (C6) run on a simulated clock in test/unit/github/budget.test.ts.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { stage } from '../../rig/stage.ts';
import { suite } from '../../support/suite.ts';
import { end, Space, says } from '../support/space.ts';

const test = suite<{ rig: Rig; space: Space }>('GitHub limits');

test.before(async (context) => {
	context.rig = await stage('guard');
});
test.after(({ rig }) => end(rig));
test.before.each(async (context) => {
	context.space = await Space.make(context.rig, { ownCredentials: true });
});
test.after.each(async ({ space, rig }) => {
	rig.github.clearFaults();
	await space.clear();
});

/** One line a change of state of a space's GitHub account. */
const accountLines = (rig: Rig, space: Space) =>
	rig.logs((line) => /^GitHub can/.test(line.msg) && String(line.account).startsWith(`${space.name}/`));

test('no calls remain: refused with the time of the reset, no call before it, one log line, then all is done (F1)', async ({
	rig,
	space,
}) => {
	const names = ['a', 'b', 'c', 'd'];
	await space.runners(names);
	const resetInMs = 15_000;
	rig.github.fault({
		fault: { kind: 'primary-limit', resetInMs },
		endpoint: 'delete',
		scope: space.scope,
		times: 1,
	});
	const sinceMs = Date.now();
	for (const name of names) {
		const said = await space.refused(name);
		says(said, "GitHub's rate limit is reached");
		const time = /calls resume at (\S+Z)/.exec(said)?.[1] ?? '';
		const inMs = Date.parse(time) - sinceMs;
		assert.ok(inMs > resetInMs - 2_000 && inMs < resetInMs + 3_000, `${inMs} ms: ${said}`);
	}
	await sleep(sinceMs + resetInMs - 1_500 - Date.now());
	assert.is(
		rig.github.count({ scope: space.scope, sinceMs }),
		1,
		rig.github.callsTable({ scope: space.scope, sinceMs }),
	);
	assert.equal(
		accountLines(rig, space).map((line) => line.level),
		['warn'],
	);
	await Promise.all(names.map((name) => space.gone(name, 45_000)));
	assert.equal(space.removals(), [403, 204, 204, 204, 204]);
	assert.equal(
		accountLines(rig, space).map((line) => line.level),
		['warn', 'info'],
	);
	assert.equal(space.killedJobs(), []);
});

for (const status of [403, 429] as const) {
	test(`secondary limit, ${status} with Retry-After: nobody calls with this credential, about whatever organization; others do (F2)`, async ({
		rig,
		space,
	}) => {
		const sister = await Space.make(rig, { ownCredentials: true });
		const other = await Space.make(rig, { ownCredentials: true });
		try {
			await sister.ok('delete', 'secret', 'example-github-secret');
			await sister.ok(
				'create',
				'secret',
				'generic',
				'example-github-secret',
				`--from-literal=github_token=${space.token}`,
			);
			for (const one of [space, sister, other]) await one.runners(['a', 'b']);
			const retryAfterS = 12;
			rig.github.fault({
				fault: { kind: 'secondary-limit', retryAfterS, status },
				endpoint: 'delete',
				scope: space.scope,
				times: 1,
			});
			const sinceMs = Date.now();
			says(await space.refused('a'), "GitHub's rate limit is reached");
			const calls = () =>
				rig.github.count({ scope: space.scope, sinceMs }) +
				rig.github.count({ scope: sister.scope, sinceMs });
			const before = calls();
			says(await sister.refused('a'), "GitHub's rate limit is reached");
			await other.deleted('a');
			await sleep(sinceMs + retryAfterS * 1000 - 1_500 - Date.now());
			assert.is(calls(), before, 'during the Retry-After');
			await Promise.all([space.gone('a', 45_000), sister.gone('a', 45_000)]);
			assert.equal([space.removals(), sister.removals(), other.removals()], [[status, 204], [204], [204]]);
		} finally {
			await Promise.all([sister.clear(), other.clear()]);
		}
	});
}

test('what can not be running is let go during a rate limit: stopped and never started pods (F1)', async ({
	rig,
	space,
}) => {
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
	await space.gone('idle', 45_000);
});

test.run();
