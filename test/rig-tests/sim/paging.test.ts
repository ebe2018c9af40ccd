import * as assert from 'uvu/assert';
import { type GitHub, startGitHub } from '../../sim/simulator.ts';
import { suite } from '../../support/suite.ts';
import { addRunners, ask, linkOf, runnersPath, scopes } from './caller.ts';

const test = suite<{ github: GitHub }>('simulator: paging');
test.before.each(async (context) => {
	context.github = await startGitHub();
});
test.after.each(async ({ github }) => github.stop());

for (const scope of scopes) {
	test(`${scope}: following next finds every runner once`, async ({ github }) => {
		addRunners(github, scope, 250);
		const seen: string[] = [];
		let url: string | undefined = `${runnersPath(scope)}?per_page=100`;
		let pages = 0;
		while (url !== undefined) {
			const reply = await ask(github, url);
			assert.is(reply.body.total_count, 250);
			seen.push(...reply.body.runners.map((runner: { name: string }) => runner.name));
			url = linkOf(reply, 'next');
			pages++;
		}
		assert.equal([pages, seen.length, new Set(seen).size], [3, 250, 250]);
		assert.is(
			github.count({ endpoint: 'list', scope }),
			3,
			'calls through numeric addresses count for the scope',
		);
	});
}

test('relations are GitHub’s: first page next and last, middle all four, last page prev and first', async ({
	github,
}) => {
	addRunners(github, 'orgs/octo-org', 25);
	const relations = async (page: number) => {
		const reply = await ask(github, `/orgs/octo-org/actions/runners?per_page=10&page=${page}`);
		return [...(reply.headers.get('link') ?? '').matchAll(/rel="(\w+)"/g)].map((match) => match[1]);
	};
	assert.equal(await relations(1), ['next', 'last']);
	assert.equal(await relations(2), ['prev', 'next', 'last', 'first']);
	assert.equal(await relations(3), ['prev', 'first']);
});

test('one page has no Link header', async ({ github }) => {
	addRunners(github, 'orgs/octo-org', 10);
	const reply = await ask(github, '/orgs/octo-org/actions/runners?per_page=10');
	assert.is(reply.headers.get('link'), null);
});

test('per_page is 30 by default, and never over 100', async ({ github }) => {
	addRunners(github, 'orgs/octo-org', 150);
	const size = async (query: string) =>
		(await ask(github, `/orgs/octo-org/actions/runners${query}`)).body.runners.length;
	assert.is(await size(''), 30);
	assert.is(await size('?per_page=500'), 100);
	assert.is(await size('?per_page=zero'), 30);
	assert.is(await size('?page=99'), 0);
});

test('Link addresses name the organization by number, as GitHub’s do', async ({ github }) => {
	addRunners(github, 'orgs/octo-org', 40);
	const reply = await ask(github, '/orgs/octo-org/actions/runners');
	assert.match(linkOf(reply, 'next')!, /\/organizations\/\d+\/actions\/runners\?page=2$/);
});

test.run();
