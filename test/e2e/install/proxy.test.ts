/**
 * The server as users start it, in a network where GitHub is reached only through a proxy, and the API server only beside it:
 * a real proxy process, which refuses everything but GitHub and reports each request.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { behindTls } from '../../rig/behind-tls.ts';
import { type ConnectProxy, startProxy } from '../../rig/connect-proxy.ts';
import { eventually } from '../../rig/eventually.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { SetUnderTest } from '../../rig/runner-sets.ts';
import { suite } from '../../support/suite.ts';
import { type Installed, installPlugin } from '../support/plugin-process.ts';
import { end } from '../support/space.ts';

interface Context {
	rig: Rig;
	plugin: Installed;
	proxy: ConnectProxy;
	/** HTTPS_PROXY, and NO_PROXY for the API server. */
	env: Record<string, string>;
	stopTls: () => void;
}

const test = suite<Context>('behind a proxy');

const host = 'api.github.test';
/** Linux connects it to the local host, for which no proxy is used: by this name the API server is any other host. */
const apiHost = '0.0.0.0';

/** The kubeconfig, with an address of the API server for which HTTPS_PROXY counts. */
async function elsewhere(rig: Rig, kubeconfig: string): Promise<string> {
	const text = await readFile(kubeconfig, 'utf8');
	const moved = text.replace(
		/^( *)server: "?https:\/\/127\.0\.0\.1:(\d+)"?$/m,
		`$1server: https://${apiHost}:$2\n$1tls-server-name: 127.0.0.1`,
	);
	assert.match(moved, apiHost);
	const file = join(rig.cluster.folder, `elsewhere-${kubeconfig.split('/').at(-1)}`);
	await writeFile(file, moved);
	return file;
}

test.before(async (context) => {
	[context.rig, context.plugin] = await Promise.all([startRig({ sets: true, replicas: 0 }), installPlugin()]);
	const { rig } = context;
	const tls = await behindTls(host, rig.github.port);
	context.stopTls = tls.stop;
	context.proxy = await startProxy({ hosts: { [`${host}:443`]: tls.port }, credentials: 'me:secret' });
	const ca = join(rig.cluster.folder, 'github-ca.pem');
	await writeFile(ca, tls.ca);
	context.env = { HTTPS_PROXY: `http://me:secret@127.0.0.1:${context.proxy.port}`, NO_PROXY: apiHost };
	await rig.addServer({
		kubeconfig: await elsewhere(rig, rig.serverKubeconfig),
		githubUrl: `https://${host}`,
		env: { GITHUB_TOKEN: 'test-token', NODE_EXTRA_CA_CERTS: ca, ...context.env },
	});
	await rig.guarded();
});
test.after(async ({ rig, plugin, proxy, stopTls }) => {
	await end(rig);
	await Promise.all([plugin?.remove(), proxy?.stop()]);
	stopTls?.();
});

test('a RunnerSet comes up, and an idle runner that is deleted goes: GitHub is called only through the proxy, the API server never', async ({
	rig,
	proxy,
}) => {
	const set = await SetUnderTest.make(rig, 'RunnerSet', { replicas: 1 });
	try {
		const [name = ''] = set.live();
		await rig.ok(['delete', 'pod', name, '-n', set.namespace, '--wait=false']);
		await rig.gone(name, set.namespace);
		const removed = () =>
			rig.github.calls.some(({ endpoint, status }) => endpoint === 'delete' && status === 204);
		await eventually('GitHub was asked to remove the runner', removed);
	} finally {
		set.stop();
	}
	assert.ok(proxy.requests.length > 0);
	assert.equal(
		proxy.requests.filter(
			({ method, target, status }) => method !== 'CONNECT' || target !== `${host}:443` || status !== 200,
		),
		[],
	);
	const many = rig.github.calls.length;
	assert.ok(proxy.requests.length < many, `${proxy.requests.length} connections for ${many} calls`);
	assert.not.match(JSON.stringify(rig.logs(() => true)), 'me:secret');
});

test('the plugin calls the API server beside the proxy where NO_PROXY names it, and else through it', async ({
	rig,
	plugin,
	proxy,
	env,
}) => {
	proxy.requests.splice(0);
	const kubeconfig = await elsewhere(rig, rig.cluster.kubeconfig);
	const PATH = plugin.path(dirname(rig.cluster.kubectlPath));
	const list = (more: Record<string, string>) =>
		plugin.run(['list', '-A'], { KUBECONFIG: kubeconfig, PATH, ...more });
	const beside = await list(env);
	assert.is(beside.code, 0, beside.stderr);
	assert.equal(proxy.requests, []);
	const through = await list({ ...env, NO_PROXY: '' });
	assert.is(through.code === 0, false);
	assert.is(proxy.requests[0]?.status, 403);
	assert.match(proxy.requests[0]?.target ?? '', /^0\.0\.0\.0:\d+$/);
	assert.not.match(through.stderr, 'me:secret');
});

test.run();
