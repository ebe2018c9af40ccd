import * as assert from 'uvu/assert';
import { type Fault, type GitHub, startGitHub } from '../../sim/simulator.ts';
import { suite } from '../../support/suite.ts';
import { addRunners, ask, linkOf } from './caller.ts';

const list = '/orgs/octo-org/actions/runners';

const test = suite<{ github: GitHub; ids: number[] }>('simulator: faults');
test.before.each(async (context) => {
	context.github = await startGitHub();
	context.ids = addRunners(context.github, 'orgs/octo-org', 120);
});
test.after.each(async ({ github }) => github.stop());

const answers: { fault: Fault; status: number; message: RegExp }[] = [
	{ fault: { kind: 'unauthorized' }, status: 401, message: /Bad credentials/ },
	{ fault: { kind: 'forbidden' }, status: 403, message: /Must have admin rights/ },
	{ fault: { kind: 'forbidden', who: 'app' }, status: 403, message: /not accessible by integration/ },
	{ fault: { kind: 'secondary-limit', retryAfterS: 7 }, status: 403, message: /secondary rate limit/ },
	{
		fault: { kind: 'secondary-limit', retryAfterS: 7, status: 429 },
		status: 429,
		message: /secondary rate limit/,
	},
	{ fault: { kind: 'primary-limit', resetInMs: 60_000 }, status: 403, message: /API rate limit exceeded/ },
	{ fault: { kind: 'not-found' }, status: 404, message: /Not Found/ },
	{ fault: { kind: 'unprocessable', message: 'no' }, status: 422, message: /no/ },
	{ fault: { kind: 'server-error', status: 500 }, status: 500, message: /Server Error/ },
	{ fault: { kind: 'server-error', status: 502 }, status: 502, message: /<html>/ },
	{ fault: { kind: 'server-error', status: 503 }, status: 503, message: /<html>/ },
	{ fault: { kind: 'answer', status: 200, body: '<html>log in</html>' }, status: 200, message: /log in/ },
];
for (const { fault, status, message } of answers) {
	test(`${JSON.stringify(fault)}: ${status}, and the runner stays`, async ({ github, ids }) => {
		github.fault({ fault, endpoint: 'delete' });
		const reply = await ask(github, `${list}/${ids[0]}`, { method: 'DELETE' });
		assert.is(reply.status, status);
		assert.match(JSON.stringify(reply.body), message);
		assert.ok(github.runner(ids[0]!));
		assert.is(github.calls.at(-1)!.fault, fault.kind);
	});
}

test('a secondary limit tells when to come back, a primary one when the quota is full again', async ({
	github,
}) => {
	github.fault({ fault: { kind: 'secondary-limit', retryAfterS: 7 }, times: 1 });
	const secondary = await ask(github, list);
	assert.is(secondary.headers.get('retry-after'), '7');
	assert.is.not(secondary.headers.get('x-ratelimit-remaining'), '0');

	github.fault({ fault: { kind: 'primary-limit', resetInMs: 60_000 }, times: 1 });
	for (const reply of [await ask(github, list), await ask(github, list)]) {
		assert.is(reply.status, 403);
		assert.is(reply.headers.get('x-ratelimit-remaining'), '0');
		const inS = Number(reply.headers.get('x-ratelimit-reset')) - Date.now() / 1000;
		assert.ok(inS > 55 && inS < 62, `${inS} s`);
	}
});

test('rules pick calls: by endpoint, runner, scope, the first N, and all after N', async ({
	github,
	ids,
}) => {
	const outage: Fault = { kind: 'server-error', status: 500 };
	const statuses = async (path: string, count: number) => {
		const found: number[] = [];
		for (let i = 0; i < count; i++) found.push((await ask(github, path)).status);
		return found;
	};
	const twice = github.fault({ fault: outage, endpoint: 'list', skip: 1, times: 2 });
	assert.equal(await statuses(list, 4), [200, 500, 500, 200]);
	assert.is(twice.hits(), 2);
	assert.equal(await statuses(`${list}/${ids[0]}`, 1), [200]);

	github.clearFaults();
	const one = github.fault({ fault: outage, runnerId: ids[0]! });
	assert.equal(
		[await statuses(`${list}/${ids[0]}`, 1), await statuses(`${list}/${ids[1]}`, 1)],
		[[500], [200]],
	);
	one.clear();
	assert.equal(await statuses(`${list}/${ids[0]}`, 1), [200]);

	github.fault({ fault: outage, scope: 'enterprises/octo' });
	assert.equal(
		[await statuses(list, 1), await statuses('/enterprises/octo/actions/runners', 1)],
		[[200], [500]],
	);
});

test('slow: the right answer comes late', async ({ github }) => {
	github.fault({ fault: { kind: 'slow', delayMs: 150 } });
	const start = Date.now();
	assert.is((await ask(github, list)).status, 200);
	assert.ok(Date.now() - start >= 145);
});

test('slow: a DELETE takes effect though the caller has hung up', async ({ github, ids }) => {
	for (const effect of ['before', 'after'] as const) {
		const id = ids.pop()!;
		github.fault({ fault: { kind: 'slow', delayMs: 200, effect }, runnerId: id });
		const signal = AbortSignal.timeout(100);
		await ask(github, `${list}/${id}`, { method: 'DELETE', signal }).then(
			() => assert.unreachable(),
			(error: Error) => assert.is(error.name, 'TimeoutError'),
		);
		assert.is(github.runner(id) === undefined, effect === 'before');
		await new Promise((resolve) => setTimeout(resolve, 150));
		assert.is(github.runner(id), undefined);
	}
});

test('reset: the connection is cut, with or without effect', async ({ github, ids }) => {
	const [one, two] = ids as [number, number];
	github.fault({ fault: { kind: 'reset' }, runnerId: one });
	github.fault({ fault: { kind: 'reset', effect: 'done' }, runnerId: two });
	for (const id of [one, two]) {
		await ask(github, `${list}/${id}`, { method: 'DELETE' }).then(
			() => assert.unreachable(),
			(error: Error) => assert.is(error.message, 'fetch failed'),
		);
	}
	assert.ok(github.runner(one));
	assert.is(github.runner(two), undefined);
	assert.is(github.count({ endpoint: 'delete', status: 0 }), 2);
});

test('hang: no answer, and the call is counted', async ({ github }) => {
	github.fault({ fault: { kind: 'hang' } });
	await ask(github, list, { signal: AbortSignal.timeout(100) }).then(
		() => assert.unreachable(),
		(error: Error) => assert.is(error.name, 'TimeoutError'),
	);
	assert.is(github.count({ endpoint: 'list', status: 0 }), 1);
});

test('broken JSON: status 200, half a body', async ({ github }) => {
	github.fault({ fault: { kind: 'broken-json' } });
	await ask(github, list).then(
		() => assert.unreachable(),
		(error: Error) => assert.is(error.name, 'SyntaxError'),
	);
});

test('wrong lists: no Link, a Link to itself, a malformed one, one to another host; a wrong total; runners left out', async ({
	github,
}) => {
	const withFault = async (fault: Fault) => {
		const { clear } = github.fault({ fault, endpoint: 'list' });
		const reply = await ask(github, `${list}?per_page=100`);
		clear();
		assert.is(reply.status, 200);
		return reply;
	};
	assert.is((await withFault({ kind: 'wrong-link', link: 'missing' })).headers.get('link'), null);
	const loop = await withFault({ kind: 'wrong-link', link: 'same-page' });
	assert.is(linkOf(loop, 'next'), `${github.url}${list}?per_page=100`);
	assert.is(linkOf(await withFault({ kind: 'wrong-link', link: 'malformed' }), 'next'), undefined);
	assert.match(linkOf(await withFault({ kind: 'wrong-link', link: 'other-host' }), 'next')!, '203.0.113.9');
	assert.is((await withFault({ kind: 'wrong-total', total: 7 })).body.total_count, 7);
	const fewer = await withFault({ kind: 'incomplete-list', without: ['r-0', 'r-1'] });
	assert.equal([fewer.body.total_count, fewer.body.runners.length], [98, 98]);
	assert.equal((await withFault({ kind: 'incomplete-list', without: 'all' })).body, {
		total_count: 0,
		runners: [],
	});
});

test.run();
