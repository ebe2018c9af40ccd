/** How GitHub has a webhook configured, over HTTP. */
import { generateKeyPairSync } from 'node:crypto';
import * as assert from 'uvu/assert';
import { Connection } from '../../../admission/github/connection.ts';
import type { Credential } from '../../../admission/github/credentials.ts';
import { hookSettings } from '../../../admission/github/hook-settings.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { suite } from '../../support/suite.ts';
import { FakeGitHub } from './fake-github.ts';

const test = suite<{ github: FakeGitHub }>('settings of a webhook');

test.before.each(async (context) => {
	context.github = await FakeGitHub.start();
});
test.after.each(({ github }) => github.stop());

const token: Credential = { kind: 'token', token: 'ghp_very_secret' };
const connect = (github: FakeGitHub, credential: Credential = token) =>
	new Connection(credential, { apiUrl: github.url, clock: systemClock });
const config = {
	url: 'https://runners.example.com/hook?key=secret',
	content_type: 'form',
	insecure_ssl: '1',
};

test('of an organization and of a repository: one call, and nothing of the address but its host', async ({
	github,
}) => {
	const { read } = connect(github);
	github.script = () => ({ body: { active: false, events: ['push', 7], config } });
	const expected = {
		kind: 'settings',
		settings: {
			active: false,
			events: ['push'],
			host: 'runners.example.com',
			contentType: 'form',
			insecureSsl: true,
		},
	};
	assert.equal(
		await hookSettings(read, { id: 5, owner: { kind: 'organization', name: 'octo-org' } }),
		expected,
	);
	const repository = { kind: 'repository', owner: 'octo-org', name: 'app' } as const;
	assert.equal(await hookSettings(read, { id: 6, owner: repository }), expected);
	assert.equal(
		github.calls.map(({ path }) => path),
		['/orgs/octo-org/hooks/5', '/repos/octo-org/app/hooks/6'],
	);
});

test("an App's: its address and its events are asked for, as the App itself", async ({ github }) => {
	const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
	const pem = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
	const app = connect(github, { kind: 'app', appId: '1', installationId: 2, privateKey: pem });
	github.script = ({ path }) => ({ body: path === '/app' ? { events: ['workflow_job'] } : config });
	const answer = await hookSettings(app.read, { id: 7, owner: { kind: 'app' } });
	assert.equal(answer, {
		kind: 'settings',
		settings: {
			active: true,
			events: ['workflow_job'],
			host: 'runners.example.com',
			contentType: 'form',
			insecureSsl: true,
		},
	});
	assert.equal(
		github.calls.map(({ path }) => path),
		['/app/hook/config', '/app'],
	);
	assert.equal(await hookSettings(connect(github).read, { id: 7, owner: { kind: 'app' } }), {
		kind: 'not-visible',
	});
});

test('what is not shown, and what cannot be read, is no settings', async ({ github }) => {
	const { read } = connect(github);
	const hook = { id: 5, owner: { kind: 'organization', name: 'octo-org' } } as const;
	github.script = () => ({ status: 404, body: { message: 'Not Found' } });
	assert.equal(await hookSettings(read, hook), { kind: 'not-visible' });
	for (const body of [{}, [], 'text', { active: true }, { active: 'yes', events: [] }]) {
		github.script = () => ({ body });
		assert.is((await hookSettings(read, hook)).kind, 'github-unavailable');
	}
	github.script = () => ({
		body: { active: true, events: [], config: { url: 'no address', content_type: 5 } },
	});
	assert.equal(await hookSettings(read, hook), { kind: 'settings', settings: { active: true, events: [] } });
});

test.run();
