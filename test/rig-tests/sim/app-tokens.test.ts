import { generateKeyPairSync } from 'node:crypto';
import { createAppAuth } from '@octokit/auth-app';
import { Octokit } from '@octokit/rest';
import * as assert from 'uvu/assert';
import { type App, type GitHub, startGitHub } from '../../sim/simulator.ts';
import { suite } from '../../support/suite.ts';
import { ask } from './caller.ts';
import { appJwt } from './jwt.ts';

const list = '/orgs/octo-org/actions/runners';

const test = suite<{ github: GitHub; app: App }>('simulator: GitHub Apps');
test.before.each(async (context) => {
	context.github = await startGitHub();
	context.app = context.github.addApp();
});
test.after.each(async ({ github }) => github.stop());

function trade(github: GitHub, app: App, token: string) {
	return ask(github, `/app/installations/${app.installationId}/access_tokens`, { method: 'POST', token });
}

test('a signed JWT is traded for a token that works for an hour', async ({ github, app }) => {
	const made = await trade(github, app, appJwt(app.privateKey, { iss: app.appId }));
	assert.is(made.status, 201);
	assert.match(made.body.token, /^ghs_/);
	assert.ok(Math.abs(Date.parse(made.body.expires_at) - Date.now() - 3_600_000) < 5000);
	const used = await ask(github, list, { token: made.body.token });
	assert.is(used.status, 200);
	assert.is(github.calls.at(-1)!.auth, `installation-${app.installationId}`);
});

const otherKey = generateKeyPairSync('rsa', { modulusLength: 2048 })
	.privateKey.export({ type: 'pkcs1', format: 'pem' })
	.toString();
const refusals: { why: string; token: (app: App) => string; message: RegExp }[] = [
	{
		why: 'another key',
		token: (app) => appJwt(otherKey, { iss: app.appId }),
		message: /could not be decoded/,
	},
	{ why: 'another app', token: (app) => appJwt(app.privateKey, { iss: 1 }), message: /could not be decoded/ },
	{
		why: 'no RS256',
		token: (app) => appJwt(app.privateKey, { iss: app.appId }, 'HS256'),
		message: /could not be/,
	},
	{ why: 'expired', token: (app) => appJwt(app.privateKey, { iss: app.appId, expS: -5 }), message: /'exp'/ },
	{
		why: 'over 10 min',
		token: (app) => appJwt(app.privateKey, { iss: app.appId, expS: 900 }),
		message: /too far/,
	},
	{
		why: 'from the future',
		token: (app) => appJwt(app.privateKey, { iss: app.appId, iatS: 90 }),
		message: /'iat'/,
	},
	{ why: 'no JWT', token: () => 'test-token', message: /could not be decoded/ },
];
for (const { why, token, message } of refusals) {
	test(`JWT refused: ${why}`, async ({ github, app }) => {
		const reply = await trade(github, app, token(app));
		assert.is(reply.status, 401);
		assert.match(reply.body.message, message);
	});
}

test('an installation token ends: by its time, and when it is revoked', async ({ github, app }) => {
	const short = await startGitHub({ installationTokenTtlMs: 100 });
	const other = short.addApp();
	const made = await trade(short, other, appJwt(other.privateKey, { iss: other.appId }));
	assert.is((await ask(short, list, { token: made.body.token })).status, 200);
	await new Promise((resolve) => setTimeout(resolve, 120));
	const late = await ask(short, list, { token: made.body.token });
	await short.stop();
	assert.equal([late.status, late.body.message], [401, 'Bad credentials']);

	const held = await trade(github, app, appJwt(app.privateKey, { iss: app.appId }));
	github.revokeInstallationTokens(app.installationId);
	assert.is((await ask(github, list, { token: held.body.token })).status, 401);
	assert.is((await trade(github, app, appJwt(app.privateKey, { iss: app.appId }))).status, 201);
});

test('an uninstalled app gets no token', async ({ github, app }) => {
	github.removeApp(app.appId);
	assert.is((await trade(github, app, appJwt(app.privateKey, { iss: app.appId }))).status, 401);
});

test('a JWT opens nothing else', async ({ github, app }) => {
	assert.is((await ask(github, list, { token: appJwt(app.privateKey, { iss: app.appId }) })).status, 401);
});

test('two tokens of one installation share one quota', async ({ github, app }) => {
	const tokens: string[] = [];
	for (let i = 0; i < 2; i++) {
		tokens.push((await trade(github, app, appJwt(app.privateKey, { iss: app.appId }))).body.token);
	}
	const remaining: (string | null)[] = [];
	for (const token of tokens) {
		remaining.push((await ask(github, list, { token })).headers.get('x-ratelimit-remaining'));
	}
	assert.equal(remaining, ['4999', '4998']);
});

test('Octokit itself works against it: app login, paging through Link, DELETE', async ({ github, app }) => {
	for (let i = 0; i < 130; i++) github.addRunner({ scope: 'orgs/octo-org', name: `r-${i}` });
	const octokit = new Octokit({
		baseUrl: github.url,
		authStrategy: createAppAuth,
		auth: { appId: app.appId, installationId: app.installationId, privateKey: app.privateKey },
	});
	const runners = await octokit.paginate(octokit.actions.listSelfHostedRunnersForOrg, {
		org: 'octo-org',
		per_page: 100,
	});
	assert.is(runners.length, 130);
	const gone = await octokit.actions.deleteSelfHostedRunnerFromOrg({
		org: 'octo-org',
		runner_id: runners[0]!.id,
	});
	assert.is(gone.status, 204);
	assert.is(github.count({ endpoint: 'access-token', status: 201 }), 1);
});

test.run();
