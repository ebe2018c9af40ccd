/** GitHub behind a proxy: a proxy that runs as a process of its own, and the GitHub simulator over TLS. */
import { createServer } from 'node:net';
import * as assert from 'uvu/assert';
import { GitHubClient } from '../../../admission/github/client.ts';
import { fetchThrough } from '../../../admission/github/fetch.ts';
import { githubProxy } from '../../../admission/github/proxy.ts';
import { isFailure, type Scope } from '../../../admission/github/types.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { behindTls, trust } from '../../rig/behind-tls.ts';
import { type ConnectProxy, startProxy } from '../../rig/connect-proxy.ts';
import type { ProxySettings } from '../../rig/connect-proxy-process.ts';
import { startGitHub } from '../../sim/simulator.ts';
import { suite } from '../../support/suite.ts';

const test = suite<{ hosts: ProxySettings['hosts']; stop(): Promise<void> }>('GitHub through a proxy');
const host = 'api.github.test';
const apiUrl = `https://${host}`;
const scope: Scope = { kind: 'organization', name: 'octo-org' };
const credentials = 'us@er:p:ss/w';
const inUrl = 'us%40er:p%3Ass%2Fw';

test.before(async (context) => {
	const github = await startGitHub();
	const tls = await behindTls(host, github.port);
	trust(tls.ca);
	context.hosts = { [`${host}:443`]: tls.port };
	context.stop = async () => {
		tls.stop();
		await github.stop();
	};
});
test.after(({ stop }) => stop());

function clientWith(env: NodeJS.ProcessEnv): GitHubClient {
	return new GitHubClient({
		apiUrl,
		credential: { kind: 'token', token: 'test-token' },
		clock: systemClock,
		fetch: fetchThrough(githubProxy(apiUrl, env)),
	});
}

async function through(settings: ProxySettings, work: (proxy: ConnectProxy) => Promise<void>): Promise<void> {
	const proxy = await startProxy(settings);
	try {
		await work(proxy);
	} finally {
		await proxy.stop();
	}
}

async function failureOf(client: GitHubClient, timeoutMs?: number): Promise<string> {
	const { outcome } = await client.listPage(scope, { page: 1 }, { timeoutMs });
	if (!isFailure(outcome)) throw new Error(`no failure: ${JSON.stringify(outcome)}`);
	assert.is(outcome.kind.startsWith('github-'), true);
	for (const secret of [credentials, inUrl, 'p%3Ass', 'p:ss']) assert.not.match(outcome.detail, secret);
	return outcome.detail.replace('list runners of octo-org: ', '');
}

test('calls go through it by CONNECT, with its credentials, on one kept connection', ({ hosts }) =>
	through({ hosts, credentials }, async (proxy) => {
		const client = clientWith({ HTTPS_PROXY: `http://${inUrl}@127.0.0.1:${proxy.port}` });
		for (let calls = 0; calls < 3; calls++)
			assert.is((await client.listPage(scope, { page: 1 })).outcome.kind, 'page');
		const token = await client.registrationToken(scope);
		assert.is(token.outcome.kind, 'token');
		assert.equal(proxy.requests, [{ method: 'CONNECT', target: `${host}:443`, status: 200 }]);
	}));

test('NO_PROXY exempts GitHub: the proxy is not asked', ({ hosts }) =>
	through({ hosts }, async (proxy) => {
		const env = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`, NO_PROXY: '.github.test' };
		assert.match(await failureOf(clientWith(env)), /^GitHub cannot be reached: .*api\.github\.test/);
		assert.equal(proxy.requests, []);
	}));

test('a proxy that wants other credentials, refuses the host or is not there is named in the failure', async ({
	hosts,
}) => {
	await through({ hosts, credentials: 'other:one' }, async ({ port }) => {
		assert.is(
			await failureOf(clientWith({ https_proxy: `http://${inUrl}@127.0.0.1:${port}` })),
			`GitHub cannot be reached through the proxy http://127.0.0.1:${port}: it answered 407: it wants other credentials`,
		);
	});
	await through({ hosts: {} }, async ({ port }) => {
		assert.is(
			await failureOf(clientWith({ HTTPS_PROXY: `127.0.0.1:${port}` })),
			`GitHub cannot be reached through the proxy http://127.0.0.1:${port}: it answered 403 to CONNECT`,
		);
	});
	const { port, close } = await listening();
	close();
	assert.match(
		await failureOf(clientWith({ HTTPS_PROXY: `http://${inUrl}@127.0.0.1:${port}` })),
		`GitHub cannot be reached through the proxy http://127.0.0.1:${port}: connect ECONNREFUSED`,
	);
});

test('a silent proxy: the call ends when its time is over', ({ hosts }) =>
	through({ hosts, silent: true }, async ({ port }) => {
		const startedMs = Date.now();
		const detail = await failureOf(clientWith({ HTTPS_PROXY: `http://127.0.0.1:${port}` }), 300);
		assert.is(detail, `GitHub did not answer within 0.3 s through the proxy http://127.0.0.1:${port}`);
		assert.ok(Date.now() - startedMs < 3_000);
	}));

test('what cannot be used is refused at the start, and its text, which may hold a password, is not shown', () => {
	for (const url of ['socks5://user:secret@p:1', 'http://user:secret@p q:1', 'ftp://p'])
		assert.throws(
			() => githubProxy(apiUrl, { HTTPS_PROXY: url }),
			({ message }: Error) => message === 'HTTPS_PROXY is not a URL like http://proxy.example.com:3128',
		);
	const env = { HTTPS_PROXY: 'http://user:secret@p:1' };
	for (const old of ['22.19.0', '22.20.1', '23.11.0', '24.4.1'])
		assert.throws(
			() => githubProxy(apiUrl, env, old),
			new RegExp(`this Node.js \\(${old}\\) has no proxies`),
		);
	for (const version of ['22.21.0', '24.5.0', '25.0.0'])
		assert.equal(githubProxy(apiUrl, env, version), { url: env.HTTPS_PROXY, forPeople: 'http://p:1' });
	// Without a proxy every version will do.
	assert.is(githubProxy(apiUrl, {}, '22.19.0'), undefined);
	assert.is(githubProxy('https://127.0.0.1:1', env), undefined);
});

async function listening(): Promise<{ port: number; close(): void }> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const address = server.address();
	return { port: typeof address === 'object' && address ? address.port : 0, close: () => server.close() };
}

test.run();
