import { generateKeyPairSync } from 'node:crypto';
import * as assert from 'uvu/assert';
import { GitHubClient } from '../../../admission/github/client.ts';
import type { CallReport, GitHubFailure, RemoveOutcome, Scope } from '../../../admission/github/types.ts';
import { isFailure } from '../../../admission/github/types.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { suite } from '../../support/suite.ts';
import { FakeGitHub, type Reply } from './fake-github.ts';

const test = suite<{ github: FakeGitHub; client: GitHubClient; reports: Omit<CallReport, 'account'>[] }>(
	'github client',
);
const token = 'ghp_very_secret';
const nowMs = 1_800_000_000_000;
const repository: Scope = { kind: 'repository', owner: 'octo-org', name: 'app' };

test.before.each(async (context) => {
	context.github = await FakeGitHub.start();
	context.reports = [];
	context.client = new GitHubClient({
		apiUrl: context.github.url,
		credential: { kind: 'token', token },
		clock: { ...systemClock, now: () => nowMs },
		onCall: (call) => context.reports.push(call),
	});
});
test.after.each(({ github }) => github.stop());

function failure(outcome: unknown): GitHubFailure {
	if (!isFailure(outcome)) throw new Error(`no failure: ${JSON.stringify(outcome)}`);
	assert.not.match(outcome.detail, token);
	return outcome;
}

/** GitHub's clock runs with the test's. */
const date = { date: new Date(nowMs).toUTCString() };

async function removed(
	{ github, client }: { github: FakeGitHub; client: GitHubClient },
	reply: Reply,
): Promise<RemoveOutcome> {
	github.script = () => ({ ...reply, headers: { ...date, ...reply.headers } });
	return (await client.removeRunner(repository, 7)).outcome;
}

test('DELETE: only 204 is removed, 404 is not found, 422 is busy', async (context) => {
	assert.equal(await removed(context, { status: 204 }), { kind: 'removed' });
	assert.equal(await removed(context, { status: 404, body: { message: 'Not Found' } }), {
		kind: 'not-found',
	});
	const message = 'Runner "a" is still running a job';
	assert.equal(await removed(context, { status: 422, body: { message } }), { kind: 'busy', message });
	assert.is((await removed(context, { status: 422, body: '<html>' })).kind, 'busy');
});

test('DELETE: any other 2xx, 3xx and 4xx proves nothing (fail closed)', async (context) => {
	for (const status of [200, 202, 205, 304, 400, 409, 410, 418]) {
		assert.is(
			failure(await removed(context, { status, body: {} })).kind,
			'github-unavailable',
			String(status),
		);
	}
});

test('401 is credentials-invalid, with what GitHub says', async (context) => {
	const found = failure(await removed(context, { status: 401, body: { message: 'Bad credentials' } }));
	assert.is(found.kind, 'credentials-invalid');
	assert.match(found.detail, /401 "Bad credentials"/);
});

test('403 with nothing remaining is a rate limit until the reset (F1)', async (context) => {
	const headers = {
		'x-ratelimit-remaining': '0',
		'x-ratelimit-limit': '5000',
		'x-ratelimit-reset': String(nowMs / 1000 + 900),
	};
	const found = failure(
		await removed(context, { status: 403, headers, body: { message: 'API rate limit' } }),
	);
	assert.is(found.kind, 'rate-limited');
	assert.is(found.retryAtMs, nowMs + 900_000);
	// First, because what a denial says is cut at 200 characters.
	assert.ok(found.detail.startsWith(`until ${new Date(nowMs + 900_000).toISOString()}: `), found.detail);
});

test('the reset is read against the clock of GitHub, not ours', async (context) => {
	const headers = {
		date: new Date(nowMs - 3_600_000).toUTCString(),
		'x-ratelimit-remaining': '0',
		'x-ratelimit-reset': String(nowMs / 1000 - 3600 + 60),
	};
	context.github.script = () => ({ status: 403, headers });
	const { outcome } = await context.client.removeRunner(repository, 7);
	assert.is(failure(outcome).retryAtMs, nowMs + 60_000);
});

test('403 with Retry-After, or with the words of the secondary limit, is a rate limit (F2)', async (context) => {
	const after = failure(await removed(context, { status: 403, headers: { 'retry-after': '30' } }));
	assert.is(after.kind, 'rate-limited');
	assert.is(after.retryAtMs, nowMs + 30_000);
	const body = { message: 'You have exceeded a secondary rate limit.' };
	const byMessage = failure(await removed(context, { status: 403, body }));
	assert.is(byMessage.kind, 'rate-limited');
	const old = { message: 'You have triggered an abuse detection mechanism.' };
	assert.is(failure(await removed(context, { status: 403, body: old })).kind, 'rate-limited');
	assert.is(byMessage.retryAtMs, nowMs + 60_000);
});

test('403 for anything else is forbidden and names the permission (F3)', async (context) => {
	const body = { message: 'Resource not accessible by integration' };
	const headers = { 'x-ratelimit-remaining': '4000', 'x-ratelimit-reset': String(nowMs / 1000 + 9) };
	const found = failure(await removed(context, { status: 403, body, headers }));
	assert.is(found.kind, 'forbidden');
	assert.match(found.detail, /Resource not accessible/);
	assert.match(found.detail, /"Administration" read and write on octo-org\/app \(classic token: repo\)/);
	const proxy = failure(await removed(context, { status: 403, body: '<html>Denied by proxy</html>' }));
	assert.is(proxy.kind, 'forbidden');
	assert.not.match(proxy.detail, /html/);
});

test('429: Retry-After in seconds or as a date, else the reset, else a minute', async (context) => {
	const after = async (headers: Record<string, string>) =>
		failure(await removed(context, { status: 429, headers })).retryAtMs;
	assert.is(await after({ 'retry-after': '17' }), nowMs + 17_000);
	assert.is(await after({ 'retry-after': new Date(nowMs + 5_000).toUTCString() }), nowMs + 5_000);
	assert.is(await after({ 'x-ratelimit-reset': String(nowMs / 1000 + 44) }), nowMs + 44_000);
	assert.is(await after({}), nowMs + 60_000);
	assert.is(await after({ 'retry-after': '999999999' }), nowMs + 7_200_000);
});

test('5xx, a cut connection, nobody there: github-unavailable', async (context) => {
	for (const status of [500, 502, 503]) {
		assert.is(failure(await removed(context, { status, body: '<html>' })).kind, 'github-unavailable');
	}
	assert.is(failure(await removed(context, { reset: true })).kind, 'github-unavailable');
	await context.github.stop();
	assert.is(failure(await removed(context, {})).kind, 'github-unavailable');
	assert.is(context.reports.at(-1)?.status, 'network');
	context.github = await FakeGitHub.start();
});

test('no answer in time is github-slow; a caller that gives up learns nothing about GitHub', async ({
	github,
	client,
	reports,
}) => {
	github.script = () => ({ status: 204, delayMs: 300 });
	const slow = await client.removeRunner(repository, 7, { timeoutMs: 30 });
	assert.is(failure(slow.outcome).kind, 'github-slow');
	assert.not.ok(slow.abandoned);
	const gaveUp = await client.removeRunner(repository, 7, { signal: AbortSignal.timeout(30) });
	assert.is(failure(gaveUp.outcome).kind, 'github-slow');
	assert.ok(gaveUp.abandoned);
	assert.equal(
		reports.map(({ status }) => status),
		['timeout', 'abandoned'],
	);
});

test('a failed call is not repeated', async (context) => {
	for (const status of [401, 403, 429, 500, 503]) await removed(context, { status });
	assert.is(context.github.calls.length, 5);
});

test('an answer from another host is not believed, not even a 204', async ({ github, client }) => {
	const other = await FakeGitHub.start();
	other.script = () => ({ status: 204 });
	github.script = () => ({ status: 307, headers: { location: `${other.url}/login` } });
	const { outcome } = await client.removeRunner(repository, 7);
	await other.stop();
	assert.is(failure(outcome).kind, 'github-unavailable');
	assert.is(other.calls[0]?.headers.authorization, undefined);
});

test('a renamed repository: the redirect on the same host is followed', async ({ github, client }) => {
	github.add(1, 7);
	github.script = ({ path }) =>
		path.startsWith('/repos/')
			? { status: 307, headers: { location: '/repositories/1/actions/runners/7' } }
			: undefined;
	assert.equal((await client.removeRunner(repository, 7)).outcome, { kind: 'removed' });
});

test('list: broken JSON, a cut body and half a list are github-unavailable', async ({ github, client }) => {
	const json = { 'content-type': 'application/json' };
	const broken: Reply[] = [
		{ headers: json, body: '{"total_count": 1, "runn' },
		{ headers: json, body: '' },
		{ body: { total_count: 1 } },
		{ body: { runners: [] } },
		{ body: { total_count: 1, runners: [{ name: 'no id' }] } },
		{ body: [] },
		{ headers: { ...json, 'content-length': '500' }, body: '{"total_count":0,"runners":[]}', cut: true },
		{ status: 204 },
		{ status: 422 },
		{ status: 304 },
		{ status: 301 },
	];
	for (const reply of broken) {
		github.script = () => reply;
		const { outcome } = await client.listPage(repository, { page: 1 });
		assert.is(failure(outcome).kind, 'github-unavailable', JSON.stringify(reply));
	}
});

test('list: 404 means that the credential cannot see the scope', async ({ github, client }) => {
	github.script = () => ({ status: 404, body: { message: 'Not Found' } });
	const { outcome } = await client.listPage({ kind: 'organization', name: 'octo-org' }, { page: 1 });
	assert.is(failure(outcome).kind, 'forbidden');
	assert.match(failure(outcome).detail, /"Self-hosted runners" read and write on octo-org/);
});

test('list: a page with its ETag, then 304', async ({ github, client }) => {
	github.add(2);
	const first = await client.listPage(repository, { page: 1 });
	assert.is(first.outcome.kind, 'page');
	const etag = first.outcome.kind === 'page' ? first.outcome.etag : undefined;
	assert.is((await client.listPage(repository, { page: 1, etag })).outcome.kind, 'not-modified');
});

test('a runner whose busy is missing counts as busy', async ({ github, client }) => {
	github.script = () => ({ body: { total_count: 1, runners: [{ id: 1, name: 'a' }] } });
	const { outcome } = await client.listPage(repository, { page: 1 });
	assert.is(outcome.kind === 'page' && outcome.page.runners[0]?.busy, true);
});

test('repository, organization and enterprise, below any base path', async ({ github }) => {
	const client = new GitHubClient({
		apiUrl: `${github.url}/api/v3/`,
		credential: { kind: 'token', token },
		clock: { ...systemClock, now: () => nowMs },
	});
	await client.removeRunner(repository, 1);
	await client.removeRunner({ kind: 'organization', name: 'o' }, 2);
	await client.listPage({ kind: 'enterprise', name: 'e' }, { page: 3, name: 'x y' });
	assert.equal(
		github.calls.map(({ method, path }) => `${method} ${path}`),
		[
			'DELETE /api/v3/repos/octo-org/app/actions/runners/1',
			'DELETE /api/v3/orgs/o/actions/runners/2',
			'GET /api/v3/enterprises/e/actions/runners',
		],
	);
	assert.is(github.calls[2]?.query.toString(), 'per_page=100&page=3&name=x+y');
	assert.is(github.calls[0]?.headers.authorization, `token ${token}`);
	assert.match(github.calls[0]?.headers['user-agent'] ?? '', /^runners-admission /);
});

test("a scope cannot lead to another path of GitHub's API", async ({ github, client }) => {
	for (const name of ['..', '.', 'a/b', 'a?b', 'a b', '']) {
		const { outcome } = await client.removeRunner({ kind: 'repository', owner: 'o', name }, 1);
		assert.is(failure(outcome).kind, 'forbidden', name);
	}
	assert.is(github.calls.length, 0);
});

test('quota comes with every answer that has headers, and without headers nothing is assumed (F10)', async ({
	github,
	client,
}) => {
	github.script = () => ({ status: 204 });
	assert.is((await client.removeRunner(repository, 1)).quota, undefined);
	const reset = String(nowMs / 1000 + 60);
	const headers = {
		...date,
		'x-ratelimit-limit': '50',
		'x-ratelimit-remaining': '9',
		'x-ratelimit-reset': reset,
	};
	github.script = () => ({ status: 204, headers });
	const expected = { limit: 50, remaining: 9, resetAtMs: nowMs + 60_000 };
	assert.equal((await client.removeRunner(repository, 1)).quota, expected);
});

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = privateKey.export({ type: 'pkcs1', format: 'pem' }) as string;
function appClient(github: FakeGitHub, now = () => Date.now(), key = pem): GitHubClient {
	return new GitHubClient({
		apiUrl: github.url,
		credential: { kind: 'app', appId: '7', installationId: 8, privateKey: key },
		clock: { ...systemClock, now },
	});
}

test('App: one installation token for many calls at once, renewed before its end', async ({ github }) => {
	let now = Date.now();
	const client = appClient(github, () => now);
	github.add(5);
	await Promise.all([1, 2, 3, 4, 5].map((id) => client.removeRunner(repository, id)));
	assert.is(github.count('POST'), 1);
	assert.is(github.calls[0]?.path, '/app/installations/8/access_tokens');
	assert.match(github.calls[0]?.headers.authorization ?? '', /^bearer [\w-]+\.[\w-]+\.[\w-]+$/i);
	assert.is(github.calls[1]?.headers.authorization, 'token ghs_installation');
	now += 56 * 60_000;
	await client.removeRunner(repository, 6);
	assert.is(github.count('POST'), 2);
});

test('App: a 404 or 422 to the token exchange is never taken for the runner’s', async ({ github }) => {
	const answer = async (status: number) => {
		github.script = ({ method }) =>
			method === 'POST' ? { status, body: { message: 'no' } } : { status: 204 };
		return failure((await appClient(github).removeRunner(repository, 1)).outcome).kind;
	};
	assert.is(await answer(404), 'credentials-invalid');
	assert.is(await answer(401), 'credentials-invalid');
	assert.is(await answer(403), 'credentials-invalid');
	assert.is(await answer(422), 'github-unavailable');
	assert.is(await answer(503), 'github-unavailable');
	assert.is(await answer(429), 'rate-limited');
	assert.is(github.count('DELETE'), 0);
});

test('App: after a 401 the next call asks for a new token, once', async ({ github }) => {
	const client = appClient(github);
	github.script = ({ method }) => (method === 'DELETE' ? { status: 401 } : undefined);
	assert.is(failure((await client.removeRunner(repository, 1)).outcome).kind, 'credentials-invalid');
	assert.is(github.calls.length, 2);
	github.script = () => undefined;
	await client.removeRunner(repository, 1);
	assert.is(github.count('POST'), 2);
});

test('App: a key that cannot sign is credentials-invalid without any part of the key', async ({ github }) => {
	const { outcome } = await appClient(github, undefined, 'hunter2').removeRunner(repository, 1);
	assert.is(failure(outcome).kind, 'credentials-invalid');
	assert.not.match(failure(outcome).detail, /hunter2/);
});

test.run();
