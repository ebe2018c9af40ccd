/** The simulator's real answers against GitHub's own OpenAPI description (see scripts/openapi-extract.ts). */
import * as assert from 'uvu/assert';
import { type GitHub, type Scope, startGitHub } from '../../sim/simulator.ts';
import { suite } from '../../support/suite.ts';
import { ask, runnersPath, scopes } from './caller.ts';
import { conforms, description } from './description.ts';
import { appJwt } from './jwt.ts';

const templates: Record<string, string> = {
	repos: '/repos/{owner}/{repo}',
	orgs: '/orgs/{org}',
	enterprises: '/enterprises/{enterprise}',
};
const template = (scope: Scope, rest = '') => `${templates[scope.split('/')[0]!]}/actions/runners${rest}`;

const test = suite<{ github: GitHub }>('simulator against GitHub OpenAPI');
test.before.each(async (context) => {
	context.github = await startGitHub();
});
test.after.each(async ({ github }) => github.stop());

test('the check itself can fail: a runner without a name does not fit', () => {
	const body = {
		total_count: 1,
		runners: [{ id: 1, os: 'linux', status: 'online', busy: false, labels: [] }],
	};
	assert.throws(
		() => conforms(template('orgs/octo-org'), 'get', { status: 200, body }),
		/must have required property 'name'/,
	);
});

for (const scope of scopes) {
	test(`${scope}: every call answers in GitHub's shape`, async ({ github }) => {
		const idle = github.addRunner({ scope, name: 'idle', labels: ['gpu'] });
		const busy = github.addRunner({ scope, name: 'busy', busy: true, ephemeral: false });
		const base = runnersPath(scope);

		const list = await ask(github, `${base}?per_page=100`);
		conforms(template(scope), 'get', list);
		assert.is(list.body.total_count, 2);
		assert.equal(
			list.body.runners.map((runner: { name: string; busy: boolean }) => [runner.name, runner.busy]),
			[
				['idle', false],
				['busy', true],
			],
		);
		conforms(template(scope, '/{runner_id}'), 'get', await ask(github, `${base}/${idle}`));
		const refused = await ask(github, `${base}/${busy}`, { method: 'DELETE' });
		assert.is(refused.status, 422);
		conforms(template(scope, '/{runner_id}'), 'delete', refused);
		const removed = await ask(github, `${base}/${idle}`, { method: 'DELETE' });
		assert.is(removed.status, 204);
		conforms(template(scope, '/{runner_id}'), 'delete', removed);
		for (const token of ['registration-token', 'remove-token']) {
			const made = await ask(github, `${base}/${token}`, { method: 'POST' });
			assert.is(made.status, 201);
			conforms(template(scope, `/${token}`), 'post', made);
			assert.ok(
				Math.abs(Date.parse(made.body.expires_at) - Date.now() - 3_600_000) < 5000,
				'valid for an hour',
			);
		}
	});

	test(`${scope}: the list takes name, per_page and page in GitHub's description, and here`, async ({
		github,
	}) => {
		const parameters = description.paths[template(scope)]!.get!.parameters!;
		const names = parameters.map((parameter) => parameter.name ?? parameter.$ref!.split('/').pop());
		for (const name of ['name', 'per-page', 'page']) assert.ok(names.includes(name), `${name} in ${names}`);
		github.addRunner({ scope, name: 'one' });
		const two = github.addRunner({ scope, name: 'one-more' });
		const found = await ask(github, `${runnersPath(scope)}?name=one-more`);
		assert.equal([found.body.total_count, found.body.runners[0]!.id], [1, two]);
		const none = await ask(github, `${runnersPath(scope)}?name=on`);
		assert.equal(none.body, { total_count: 0, runners: [] });
	});
}

test('a runner of one scope does not exist in another', async ({ github }) => {
	const id = github.addRunner({ scope: 'orgs/octo-org', name: 'r' });
	for (const method of ['GET', 'DELETE']) {
		assert.is((await ask(github, `/repos/octo-org/app/actions/runners/${id}`, { method })).status, 404);
	}
	assert.is((await ask(github, '/enterprises/octo/actions/runners')).body.total_count, 0);
	assert.ok(github.runner(id));
});

test('a scope that does not exist is 404, not an empty list', async ({ github }) => {
	const reply = await ask(github, '/orgs/no-such-org/actions/runners');
	assert.is(reply.status, 404);
	assert.is(reply.body.message, 'Not Found');
});

test('a credential for another scope: organizations are refused, repositories hidden as if nothing were there', async ({
	github,
}) => {
	github.tokens.add('narrow', ['orgs/octo-org']);
	github.addScope('orgs/other');
	const ids = scopes.map((scope) => github.addRunner({ scope, name: 'r' }));
	const status = async (path: string, method = 'GET') =>
		(await ask(github, path, { method, token: 'narrow' })).status;
	assert.is(await status('/orgs/octo-org/actions/runners'), 200);
	assert.is(await status('/orgs/other/actions/runners'), 403);
	assert.is(await status('/repos/octo-org/app/actions/runners'), 404);
	assert.is(await status(`/repos/octo-org/app/actions/runners/${ids[0]}`, 'DELETE'), 404);
	assert.ok(github.runner(ids[0]!));
});

test('names of owners and repositories are compared without case', async ({ github }) => {
	github.addRunner({ scope: 'repos/octo-org/app', name: 'r' });
	assert.is((await ask(github, '/repos/Octo-Org/APP/actions/runners')).body.total_count, 1);
});

test('busy runner: 422 in the words of today, or of ARC’s time', async ({ github }) => {
	const id = github.addRunner({ scope: 'orgs/octo-org', name: 'r', busy: true });
	const today = await ask(github, `/orgs/octo-org/actions/runners/${id}`, { method: 'DELETE' });
	assert.is(today.body.message, 'Bad request - Runner r is currently running a job and cannot be deleted.');
	assert.match(today.body.documentation_url, 'delete-a-self-hosted-runner-from-an-organization');

	const older = await startGitHub({ busyMessage: 'older' });
	const other = older.addRunner({ scope: 'orgs/octo-org', name: 'r', busy: true });
	const then = await ask(older, `/orgs/octo-org/actions/runners/${other}`, { method: 'DELETE' });
	await older.stop();
	assert.is(then.body.message, 'Bad request - Runner "r" is still running a job"');
});

test('list and get may lag behind the truth that DELETE goes by', async () => {
	const github = await startGitHub({ hintDelayMs: 60_000 });
	const id = github.addRunner({ scope: 'orgs/octo-org', name: 'r' });
	github.setBusy(id, true);
	const shown = await ask(github, `/orgs/octo-org/actions/runners/${id}`);
	const deleted = await ask(github, `/orgs/octo-org/actions/runners/${id}`, { method: 'DELETE' });
	await github.stop();
	assert.equal([shown.body.busy, deleted.status], [false, 422]);
});

test('GET /rate_limit is in GitHub’s shape and free of charge', async ({ github }) => {
	await ask(github, '/orgs/octo-org/actions/runners');
	for (let i = 0; i < 3; i++) {
		const reply = await ask(github, '/rate_limit');
		conforms('/rate_limit', 'get', reply);
		assert.is(reply.body.resources.core.remaining, 4999);
	}
});

test('an installation token is in GitHub’s shape, and so are the refusals', async ({ github }) => {
	const app = github.addApp();
	const path = `/app/installations/${app.installationId}/access_tokens`;
	const described = '/app/installations/{installation_id}/access_tokens';
	const token = appJwt(app.privateKey, { iss: app.appId });
	const made = await ask(github, path, { method: 'POST', token });
	assert.is(made.status, 201);
	conforms(described, 'post', made);
	const refused = await ask(github, path, { method: 'POST', token: 'nonsense' });
	assert.is(refused.status, 401);
	conforms(described, 'post', refused);
	const elsewhere = await ask(github, '/app/installations/1/access_tokens', { method: 'POST', token });
	assert.is(elsewhere.status, 404);
	conforms(described, 'post', elsewhere);
});

test('bad and missing credentials are 401 and say so', async ({ github }) => {
	const bad = await ask(github, '/orgs/octo-org/actions/runners', { token: 'wrong' });
	assert.equal([bad.status, bad.body.message], [401, 'Bad credentials']);
	assert.is(bad.body.documentation_url, 'https://docs.github.com/rest');
	const none = await ask(github, '/orgs/octo-org/actions/runners', { token: null });
	assert.equal([none.status, none.body.message], [401, 'Requires authentication']);
	github.tokens.revoke('test-token');
	assert.is((await ask(github, '/orgs/octo-org/actions/runners')).status, 401);
});

test('both forms of the Authorization header work', async ({ github }) => {
	for (const form of ['token', 'Bearer']) {
		const headers = { authorization: `${form} test-token` };
		assert.is((await ask(github, '/orgs/octo-org/actions/runners', { token: null, headers })).status, 200);
	}
});

test('Enterprise Server: everything is under /api/v3, Link addresses too', async () => {
	const github = await startGitHub({ basePath: '/api/v3' });
	github.addRunner({ scope: 'orgs/octo-org', name: 'a' });
	github.addRunner({ scope: 'orgs/octo-org', name: 'b' });
	const reply = await ask(github, '/orgs/octo-org/actions/runners?per_page=1');
	const outside = await ask(github, `http://127.0.0.1:${github.port}/orgs/octo-org/actions/runners`);
	await github.stop();
	assert.is(reply.status, 200);
	assert.match(reply.headers.get('link')!, `${github.url}/organizations/`);
	assert.is(outside.status, 404);
});

test.run();
