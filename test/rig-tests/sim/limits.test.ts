import * as assert from 'uvu/assert';
import { type GitHub, startGitHub } from '../../sim/simulator.ts';
import { suite } from '../../support/suite.ts';
import { addRunners, ask } from './caller.ts';

const list = '/orgs/octo-org/actions/runners';

const test = suite<{ github: GitHub }>('simulator: rate limits');
test.before.each(async (context) => {
	context.github = await startGitHub({ tokens: ['test-token', 'other-token'] });
});
test.after.each(async ({ github }) => github.stop());

test('every answer carries the quota and a request id, refusals too', async ({ github }) => {
	for (const init of [{}, { token: 'wrong' }, { method: 'POST' }]) {
		const { headers } = await ask(github, list, init);
		for (const name of ['limit', 'remaining', 'used', 'reset', 'resource']) {
			assert.ok(headers.get(`x-ratelimit-${name}`), name);
		}
		assert.ok(headers.get('x-github-request-id'));
	}
});

test('each call takes one off the caller’s quota and no other’s', async ({ github }) => {
	const remaining = async (token: string) =>
		Number((await ask(github, list, { token })).headers.get('x-ratelimit-remaining'));
	assert.equal([await remaining('test-token'), await remaining('test-token')], [4999, 4998]);
	assert.is(await remaining('other-token'), 4999);
});

test('quota spent: 403, remaining 0, no Retry-After, nothing done, until the reset', async ({ github }) => {
	const [id] = addRunners(github, 'orgs/octo-org', 1);
	github.setRateLimit({ remaining: 0, resetAtMs: Date.now() + 300 });
	const refused = await ask(github, `${list}/${id}`, { method: 'DELETE' });
	assert.is(refused.status, 403);
	assert.match(refused.body.message, /^API rate limit exceeded for user ID \d+/);
	assert.is(refused.headers.get('x-ratelimit-remaining'), '0');
	assert.is(refused.headers.get('retry-after'), null);
	assert.ok(github.runner(id!), 'still registered');

	await new Promise((resolve) => setTimeout(resolve, 350));
	assert.is((await ask(github, `${list}/${id}`, { method: 'DELETE' })).status, 204);
});

test('secondary limit: the 181st DELETE within a minute is refused with Retry-After', async ({ github }) => {
	const ids = addRunners(github, 'orgs/octo-org', 181);
	const statuses: number[] = [];
	for (const id of ids) {
		const reply = await ask(github, `${list}/${id}`, { method: 'DELETE' });
		statuses.push(reply.status);
		if (reply.status === 204) continue;
		assert.is(reply.headers.get('retry-after'), '60');
		assert.match(reply.body.message, 'secondary rate limit');
		assert.is.not(reply.headers.get('x-ratelimit-remaining'), '0');
	}
	assert.is(statuses.filter((status) => status === 204).length, 180);
	assert.is(statuses.at(-1), 403);
	github.resetLimits();
	assert.is((await ask(github, `${list}/${ids.at(-1)}`, { method: 'DELETE' })).status, 204);
});

test('secondary limit: too many requests at the same time', async () => {
	const github = await startGitHub({ secondaryConcurrent: 5 });
	github.fault({ fault: { kind: 'slow', delayMs: 100 } });
	const replies = await Promise.all(Array.from({ length: 8 }, () => ask(github, list)));
	const statuses = replies.map((reply) => reply.status).sort();
	const later = await ask(github, list);
	await github.stop();
	assert.equal(statuses, [200, 200, 200, 200, 200, 403, 403, 403]);
	assert.is(later.status, 200, 'places are given back');
});

test('bad credentials have 60 calls an hour, then 403', async ({ github }) => {
	const reply = await ask(github, list, { token: 'wrong' });
	assert.is(reply.headers.get('x-ratelimit-limit'), '60');
	for (let i = 0; i < 59; i++) await ask(github, list, { token: 'wrong' });
	assert.is((await ask(github, list, { token: 'wrong' })).status, 403);
	assert.is((await ask(github, list)).status, 200);
});

test('Enterprise Server with limits off: no quota headers, /rate_limit is 404, no secondary limit', async () => {
	const github = await startGitHub({ rateLimits: false, basePath: '/api/v3' });
	const ids = addRunners(github, 'orgs/octo-org', 200);
	for (const id of ids) {
		const reply = await ask(github, `${list}/${id}`, { method: 'DELETE' });
		assert.equal([reply.status, reply.headers.get('x-ratelimit-limit')], [204, null]);
	}
	const limit = await ask(github, '/rate_limit');
	await github.stop();
	assert.equal([limit.status, limit.body.message], [404, 'Rate limiting is not enabled.']);
});

test('a caller without User-Agent is refused', async ({ github }) => {
	const { get } = await import('node:http');
	const status = await new Promise<number | undefined>((resolve, reject) => {
		get(github.url + list, { headers: { authorization: 'Bearer test-token' } }, (response) => {
			response.resume();
			resolve(response.statusCode);
		}).on('error', reject);
	});
	assert.is(status, 403);
});

test.run();
