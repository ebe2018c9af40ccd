/** GitHub as users have caught it lying about runners that work, and what becomes of a job whose runner it removes. */
import * as assert from 'uvu/assert';
import { type GitHub, type Scope, startGitHub } from '../../sim/simulator.ts';
import { suite } from '../../support/suite.ts';
import { ask, runnersPath } from './caller.ts';

const scope: Scope = 'orgs/octo-org';
const base = runnersPath(scope);

interface World {
	github: GitHub;
	nowMs: number;
}

const test = suite<World>('GitHub that lies');
test.before.each(async (world) => {
	world.nowMs = Date.now();
	world.github = await startGitHub({ now: () => world.nowMs });
});
test.after.each(async ({ github }) => github.stop());

async function answers(github: GitHub, id: number): Promise<unknown[]> {
	const list = await ask(github, base);
	const one = await ask(github, `${base}/${id}`);
	return [list.body.runners.map(({ busy }) => busy), one.status === 200 ? one.body.busy : one.status];
}

test('idle from minute N of a job on: list and get say so, and DELETE removes it', async (world) => {
	const { github } = world;
	const id = github.addRunner({ scope, name: 'r' });
	github.lie({ says: 'idle', name: 'r', afterMs: 5 * 60_000 });
	github.setBusy(id, true);
	assert.equal(await answers(github, id), [[true], true]);
	assert.is((await ask(github, `${base}/${id}`, { method: 'DELETE' })).status, 422);
	world.nowMs += 5 * 60_000;
	assert.equal(await answers(github, id), [[false], false]);
	assert.is((await ask(github, `${base}/${id}`, { method: 'DELETE' })).status, 204);
	assert.is(github.runner(id), undefined);
});

test('absent while it works, and there again when its job is done', async ({ github }) => {
	const id = github.addRunner({ scope, name: 'r' });
	github.setBusy(id, true);
	const lie = github.lie({ says: 'absent', scope, name: /^r$/ });
	assert.equal(await answers(github, id), [[], 404]);
	assert.is((await ask(github, base)).body.total_count, 0);
	assert.is((await ask(github, `${base}/${id}`, { method: 'DELETE' })).status, 404);
	assert.ok(github.runner(id));
	github.setBusy(id, false);
	assert.equal(await answers(github, id), [[false], false]);
	assert.is(lie.hits(), 4);
});

test('absent before its job too, if that is set; other runners, and other times, are shown correctly', async ({
	github,
}) => {
	const [a, b] = ['a', 'b'].map((name) => github.addRunner({ scope, name }));
	const lie = github.lie({ says: 'absent', name: 'a', idleToo: true });
	assert.equal(await answers(github, a!), [[false], 404]);
	github.setBusy(b!, true);
	assert.equal(await answers(github, b!), [[true], true]);
	lie.clear();
	assert.equal(await answers(github, a!), [[false, true], false]);
	github.lie({ says: 'idle', scope: 'orgs/other' });
	github.lie({ says: 'idle' });
	github.clearFaults();
	assert.equal(await answers(github, b!), [[false, true], true]);
});

test.run();
