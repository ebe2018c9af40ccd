/** A webhook's failed deliveries, over HTTP. */
import { generateKeyPairSync } from 'node:crypto';
import * as assert from 'uvu/assert';
import { Connection } from '../../../admission/github/connection.ts';
import type { Credential } from '../../../admission/github/credentials.ts';
import { deliveredPayload, failedDeliveries, type Hook } from '../../../admission/github/deliveries.ts';
import { mostDeliveryPages } from '../../../admission/github/policy.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { suite } from '../../support/suite.ts';
import { FakeGitHub } from './fake-github.ts';

const test = suite<{ github: FakeGitHub }>('failed deliveries');

test.before.each(async (context) => {
	context.github = await FakeGitHub.start();
});
test.after.each(({ github }) => github.stop());

const token: Credential = { kind: 'token', token: 'ghp_very_secret' };
const connect = (github: FakeGitHub, credential: Credential = token) =>
	new Connection(credential, { apiUrl: github.url, clock: systemClock });

const ofOrganization: Hook = { id: 5, owner: { kind: 'organization', name: 'octo-org' } };
const ofRepository: Hook = { id: 6, owner: { kind: 'repository', owner: 'octo-org', name: 'app' } };
const ofApp: Hook = { id: 7, owner: { kind: 'app' } };

const entry = {
	id: 190_000_000_001,
	guid: '4d8ed510-a74e-11f1-8000-1',
	delivered_at: '2026-11-23T12:00:00Z',
	redelivery: false,
	status: 'failed to connect',
	status_code: 502,
	event: 'workflow_job',
	action: 'in_progress',
};

test('of an organization and of a repository: the list, and one with its payload', async ({ github }) => {
	const { read } = connect(github);
	const request = { headers: {}, payload: { action: 'in_progress' } };
	github.script = ({ path }) => ({ body: path.endsWith('/deliveries') ? [entry] : { ...entry, request } });
	const expected = {
		id: entry.id,
		guid: entry.guid,
		atMs: Date.parse(entry.delivered_at),
		event: 'workflow_job',
		action: 'in_progress',
		installationId: undefined,
	};
	assert.equal(await failedDeliveries(read, ofOrganization, 0), [expected]);
	assert.equal(await failedDeliveries(read, ofRepository, 0), [expected]);
	assert.equal(await deliveredPayload(read, ofOrganization, entry.id), { payload: request.payload });
	assert.equal(await deliveredPayload(read, ofRepository, entry.id), { payload: request.payload });
	assert.equal(
		github.calls.map(({ path }) => path),
		[
			'/orgs/octo-org/hooks/5/deliveries',
			'/repos/octo-org/app/hooks/6/deliveries',
			`/orgs/octo-org/hooks/5/deliveries/${entry.id}`,
			`/repos/octo-org/app/hooks/6/deliveries/${entry.id}`,
		],
	);
	const [first] = github.calls;
	assert.equal([first?.query.get('status'), first?.query.get('per_page')], ['failure', '100']);
});

test("an App's: asked as the App itself, and not at all with a token", async ({ github }) => {
	const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
	const pem = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
	const app = connect(github, { kind: 'app', appId: '1', installationId: 2, privateKey: pem });
	github.script = () => ({ body: [entry] });
	assert.is(((await failedDeliveries(app.read, ofApp, 0)) as unknown[]).length, 1);
	const [call, ...more] = github.calls;
	assert.is(call?.path, '/app/hook/deliveries');
	assert.match(call?.headers.authorization ?? '', /^Bearer [\w-]+\.[\w-]+\.[\w-]+$/i);
	assert.is(more.length, 0, 'no installation token is made for it');
	assert.equal(await failedDeliveries(connect(github).read, ofApp, 0), { kind: 'not-visible' });
	assert.is(github.calls.length, 1);
});

test('pages, by the cursor, until they are older than what is asked for', async ({ github }) => {
	const at = (ms: number) => new Date(ms).toISOString();
	let pages = 0;
	github.script = ({ query }) => {
		assert.is(query.get('cursor'), pages === 0 ? null : `v1_${pages}`);
		pages += 1;
		const link = `<${github.url}/orgs/octo-org/hooks/5/deliveries?status=failure&cursor=v1_${pages}>; rel="next"`;
		return {
			body: [{ ...entry, id: pages, delivered_at: at(1_000_000 - pages * 1_000) }],
			headers: { link },
		};
	};
	const { read } = connect(github);
	const some = await failedDeliveries(read, ofOrganization, 1_000_000 - 2_500);
	assert.is(pages, 3);
	assert.equal(
		(some as { id: number }[]).map(({ id }) => id),
		[1, 2],
	);
	pages = 0;
	await failedDeliveries(read, ofOrganization, 0);
	assert.is(pages, mostDeliveryPages);
});

test('entries that cannot be read are left out, and take no others with them', async ({ github }) => {
	const broken = [
		null,
		7,
		{},
		{ ...entry, id: 2 ** 60 },
		{ ...entry, id: '1' },
		{ ...entry, guid: null },
		{ ...entry, delivered_at: 'yesterday' },
		{ ...entry, delivered_at: null },
		{ ...entry, event: null },
	];
	github.script = () => ({ body: [...broken, { ...entry, action: null }] });
	const found = await failedDeliveries(connect(github).read, ofOrganization, 0);
	assert.equal(
		(found as { action?: string }[]).map(({ action }) => action),
		[undefined],
	);
	for (const body of [{}, 'text', { deliveries: [entry] }]) {
		github.script = () => ({ body });
		assert.equal(await failedDeliveries(connect(github).read, ofOrganization, 0), []);
	}
	for (const body of [{}, [], 'text', { request: null }, { request: {} }]) {
		github.script = () => ({ body });
		assert.equal(await deliveredPayload(connect(github).read, ofOrganization, 1), { payload: undefined });
	}
});

test("403 and 404: not visible, and nothing else is the worse for it; any other failure is the account's", async ({
	github,
}) => {
	const own = connect(github);
	for (const status of [403, 404]) {
		github.script = () => ({ status, body: { message: 'Not Found' } });
		assert.equal(await failedDeliveries(own.read, ofOrganization, 0), { kind: 'not-visible' });
		assert.equal(await deliveredPayload(own.read, ofOrganization, 1), { kind: 'not-visible' });
	}
	assert.ok(own.state().healthy);
	assert.equal(own.state().forbidden, {});
	github.script = () => ({ status: 502, body: {} });
	assert.is(
		((await failedDeliveries(own.read, ofOrganization, 0)) as { kind: string }).kind,
		'github-unavailable',
	);
	assert.not(own.state().healthy);
});

test.run();
