import * as assert from 'uvu/assert';
import { type GitHub, startGitHub } from '../../sim/simulator.ts';
import { suite } from '../../support/suite.ts';
import { addRunners, ask } from './caller.ts';

const path = '/orgs/octo-org/actions/runners?per_page=100';

const test = suite<{ github: GitHub; ids: number[] }>('simulator: entity tags');
test.before.each(async (context) => {
	context.github = await startGitHub({ tokens: ['test-token', 'other-token'] });
	context.ids = addRunners(context.github, 'orgs/octo-org', 3);
});
test.after.each(async ({ github }) => github.stop());

test('an unchanged list is 304 without a body and costs no quota', async ({ github }) => {
	const first = await ask(github, path);
	const etag = first.headers.get('etag')!;
	assert.match(etag, /^W\/"/);
	const second = await ask(github, path, { headers: { 'if-none-match': etag } });
	assert.equal([second.status, second.body], [304, '']);
	assert.is(second.headers.get('etag'), etag);
	assert.is(second.headers.get('x-ratelimit-remaining'), first.headers.get('x-ratelimit-remaining'));
	assert.is(github.count({ endpoint: 'list', status: 304 }), 1);
});

test('a runner that turns busy, leaves or comes changes the tag', async ({ github, ids }) => {
	const changes = [
		() => github.setBusy(ids[0]!, true),
		() => github.removeRunner(ids[1]!),
		() => github.addRunner({ scope: 'orgs/octo-org', name: 'late' }),
	];
	for (const change of changes) {
		const etag = (await ask(github, path)).headers.get('etag')!;
		change();
		assert.is((await ask(github, path, { headers: { 'if-none-match': etag } })).status, 200);
	}
});

test('a runner of another scope does not', async ({ github }) => {
	const etag = (await ask(github, path)).headers.get('etag')!;
	github.addRunner({ scope: 'enterprises/octo', name: 'late' });
	assert.is((await ask(github, path, { headers: { 'if-none-match': etag } })).status, 304);
});

test('tags are per token: another token gets the list anew', async ({ github }) => {
	const etag = (await ask(github, path)).headers.get('etag')!;
	const other = await ask(github, path, { token: 'other-token', headers: { 'if-none-match': etag } });
	assert.is(other.status, 200);
});

test('a tag gives nothing to a caller with bad credentials', async ({ github }) => {
	const etag = (await ask(github, path)).headers.get('etag')!;
	assert.is((await ask(github, path, { token: 'wrong', headers: { 'if-none-match': etag } })).status, 401);
});

test('lists may be kept privately for a minute', async ({ github }) => {
	const reply = await ask(github, path);
	assert.is(reply.headers.get('cache-control'), 'private, max-age=60, s-maxage=60');
	assert.match(reply.headers.get('vary')!, 'Authorization');
});

test.run();
