/** Which API servers are called through a proxy: one that runs as a process of its own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { createKubeClient, type KubeClient, loadKubeConfig } from '../../../admission/kube/client.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { behindTls } from '../../rig/behind-tls.ts';
import { type ConnectProxy, startProxy } from '../../rig/connect-proxy.ts';
import { suite } from '../../support/suite.ts';

const test = suite<{
	proxy: ConnectProxy;
	silent: ConnectProxy;
	/** A client for https://api.cluster.test:6443 by a kubeconfig. */
	client(env: NodeJS.ProcessEnv, proxyUrl?: string): KubeClient;
	stop(): Promise<void>;
}>('API server and proxy');
const host = 'api.cluster.test';

test.before(async (context) => {
	const api = createServer((request, response) => response.end(JSON.stringify({ path: request.url })));
	await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
	const address = api.address();
	const tls = await behindTls(host, typeof address === 'object' && address ? address.port : 0);
	context.proxy = await startProxy({ hosts: { [`${host}:6443`]: tls.port }, credentials: 'me:secret' });
	context.silent = await startProxy({ hosts: {}, silent: true });
	const folder = mkdtempSync(join(tmpdir(), 'kube-proxy-'));
	const file = join(folder, 'kubeconfig');
	context.client = (env, proxyUrl) => {
		const ca = Buffer.from(tls.ca).toString('base64');
		const cluster = {
			server: `https://${host}:6443`,
			'certificate-authority-data': ca,
			...(proxyUrl && { 'proxy-url': proxyUrl }),
		};
		const config = {
			'current-context': 'a',
			contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
			clusters: [{ name: 'a', cluster }],
			users: [{ name: 'a', user: {} }],
		};
		writeFileSync(file, JSON.stringify(config));
		return createKubeClient(loadKubeConfig(file, env), 'test', systemClock);
	};
	context.stop = async () => {
		await Promise.all([context.proxy.stop(), context.silent.stop()]);
		rmSync(folder, { recursive: true });
		tls.stop();
		api.close();
		api.closeAllConnections();
	};
});
test.before.each(({ proxy }) => void proxy.requests.splice(0));
test.after(({ stop }) => stop());

const asked = { method: 'CONNECT', target: `${host}:6443`, status: 200 };
const messageOf = (work: Promise<unknown>): Promise<string> =>
	work.then(
		() => 'it did not fail',
		({ message }: Error) => message,
	);

test('a cluster of a kubeconfig is called through HTTPS_PROXY, as by kubectl', async ({ client, proxy }) => {
	const through = client({ HTTPS_PROXY: `http://me:secret@127.0.0.1:${proxy.port}` });
	assert.equal(await through.request('GET', '/api'), { path: '/api' });
	assert.equal(proxy.requests, [asked]);
});

test('NO_PROXY exempts it: the proxy, which could reach it, is not asked', async ({ client, proxy }) => {
	const env = { HTTPS_PROXY: `http://me:secret@127.0.0.1:${proxy.port}` };
	for (const NO_PROXY of [host, '.cluster.test', 'a.test,cluster.test:6443', '*'])
		assert.match(await messageOf(client({ ...env, NO_PROXY }).request('GET', '/api')), host);
	assert.equal(proxy.requests, []);
});

test("the kubeconfig's proxy-url comes before the variables", async ({ client, proxy }) => {
	const url = `http://me:secret@127.0.0.1:${proxy.port}`;
	const through = client({ HTTPS_PROXY: 'http://127.0.0.1:1' }, url);
	assert.equal(await through.request('GET', '/api'), { path: '/api' });
	assert.equal(proxy.requests, [asked]);
	const exempt = client({ NO_PROXY: '*' }, url);
	assert.equal(await exempt.request('GET', '/api'), { path: '/api' });
	assert.equal(proxy.requests.length, 2);
});

test('a proxy that refuses or is silent is named, without its password, and the time limit holds', async ({
	client,
	proxy,
	silent,
}) => {
	const refused = client({ HTTPS_PROXY: `http://me:wrong@127.0.0.1:${proxy.port}` }).request('GET', '/api');
	assert.is(
		await messageOf(refused),
		`GET /api through the proxy http://127.0.0.1:${proxy.port}: Bad response: 407`,
	);
	const slow = client({ HTTPS_PROXY: `http://me:wrong@127.0.0.1:${silent.port}` });
	assert.is(
		await messageOf(slow.request('GET', '/api', { timeoutMs: 300 })),
		`GET /api through the proxy http://127.0.0.1:${silent.port}: timed out`,
	);
});

test("the service account's own cluster is never called through it", () => {
	const env = {
		HTTPS_PROXY: 'http://127.0.0.1:1',
		KUBERNETES_SERVICE_HOST: '10.96.0.1',
		KUBERNETES_SERVICE_PORT: '443',
	};
	// The client library reads these from the process.
	const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
	Object.assign(process.env, env);
	try {
		const { server, proxyUrl } = loadKubeConfig(undefined, env).getCurrentCluster() ?? {};
		assert.equal([server, proxyUrl], ['https://10.96.0.1:443', undefined]);
	} finally {
		for (const name of Object.keys(env)) delete process.env[name];
		if (host !== undefined) process.env.KUBERNETES_SERVICE_HOST = host;
		if (port !== undefined) process.env.KUBERNETES_SERVICE_PORT = port;
	}
});

test.run();
