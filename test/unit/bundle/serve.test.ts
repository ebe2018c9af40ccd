/**
 * The built server at work, beside a simulated API server and GitHub. For each package that scripts/build.ts replaces in its
 * bundle, what imports that package runs once: calls into what was cut away would fail here.
 */
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import * as assert from 'uvu/assert';
import { names } from '../../../admission/api/keys.ts';
import { collectionPath, resources } from '../../../admission/api/paths.ts';
import { renderHelp } from '../../../admission/command-line.ts';
import type { replacedInServer } from '../../../scripts/build.ts';
import { readOverlay } from '../../../scripts/manifests/overlays.ts';
import { Running } from '../../e2e/support/plugin-process.ts';
import { review } from '../../e2e/support/webhook-post.ts';
import { eventually } from '../../rig/eventually.ts';
import { type ServerProcess, startServer } from '../../rig/server-process.ts';
import { type GitHub, startGitHub } from '../../sim/simulator.ts';
import { suite } from '../../support/suite.ts';
import { pod } from '../runner/pods.ts';
import { ApiServer, type Stored } from '../support/api-server.ts';
import { SimulatedClock } from '../support/clock.ts';
import { startProxy, type TestProxy } from '../support/proxy.ts';
import { type ServedApi, serveApi } from '../support/served-api.ts';

interface Context {
	folder: string;
	api: ApiServer;
	served: ServedApi;
	proxy: TestProxy;
	github: GitHub;
	server: ServerProcess;
}

const test = suite<Context>('the built server at work');
const scope = 'orgs/octo-org';
const user = 'system:serviceaccount:runners-system:runners-admission';
const configurations = [resources.validatingWebhooks, resources.mutatingWebhooks].map((one) =>
	collectionPath(one),
);

test.before(async (context) => {
	context.folder = mkdtempSync(join(tmpdir(), 'runners-admission-serve-'));
	context.api = new ApiServer(new SimulatedClock(Date.now()));
	context.served = await serveApi(context.api, user);
	context.proxy = await startProxy();
	context.github = await startGitHub({ tokens: [] });
	for (const object of readOverlay('local')) {
		const [collection] = configurations.filter((one) => one.endsWith(`/${object.kind.toLowerCase()}s`));
		if (collection !== undefined) context.api.put(collection, object as Stored);
	}
	context.api.put(collectionPath(resources.namespaces), { metadata: { name: names.namespace } });
	const app = context.github.addApp();
	context.server = await startServer({
		kubeconfig: writeKubeconfig(context),
		githubUrl: context.github.url,
		env: {
			GITHUB_APP_ID: String(app.appId),
			GITHUB_APP_INSTALLATION_ID: String(app.installationId),
			GITHUB_APP_PRIVATE_KEY: app.privateKey,
		},
	});
});
test.after(async ({ folder, served, proxy, github, server }) => {
	await server?.stop();
	await Promise.all([served?.stop(), proxy?.stop(), github?.stop()]);
	rmSync(folder, { recursive: true, force: true });
});

/** Credentials come from a program, and the API server is reached through a proxy. */
function writeKubeconfig({ folder, served, proxy }: Context): string {
	const program = join(folder, 'login');
	const credential = { kind: 'ExecCredential', status: { token: 'of-the-program' } };
	writeFileSync(program, `#!/bin/sh\necho '${JSON.stringify(credential)}'\n`);
	chmodSync(program, 0o755);
	const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: program, interactiveMode: 'Never' };
	const cluster = { server: served.url, 'insecure-skip-tls-verify': true, 'proxy-url': proxy.url };
	const file = join(folder, 'kubeconfig');
	writeFileSync(
		file,
		JSON.stringify({
			'current-context': 'c',
			contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
			clusters: [{ name: 'c', cluster }],
			users: [{ name: 'u', user: { exec } }],
		}),
	);
	return file;
}

interface Reply {
	status: number;
	headers: IncomingHttpHeaders;
	text: string;
	/** Of the certificate that was served. */
	issuer: string;
}

/** One request to the admission port. */
function call(port: number, method: string, path: string, body = ''): Promise<Reply> {
	return new Promise((resolve, reject) => {
		const headers = { 'content-type': 'application/json' };
		const sent = request(
			{ host: '127.0.0.1', port, method, path, headers, rejectUnauthorized: false, agent: false },
			async (response) => {
				const { issuer } = (response.socket as TLSSocket).getPeerCertificate();
				response.setEncoding('utf8');
				let text = '';
				for await (const chunk of response) text += chunk;
				const { statusCode: status = 0, headers } = response;
				resolve({ status, headers, text, issuer: String(issuer.CN) });
			},
		);
		sent.once('error', reject);
		sent.end(body);
	});
}

/** The path that the server has written into its webhook configuration. */
function pathOf({ api }: Context, webhook: string): string | undefined {
	const { webhooks } = api.find(configurations[0] ?? '', names.server) as unknown as {
		webhooks: { name: string; clientConfig: { service: { path?: string } } }[];
	};
	return webhooks.find(({ name }) => name === webhook)?.clientConfig.service.path;
}

const uses: Record<keyof typeof replacedInServer, [promise: string, (context: Context) => Promise<void>]> = {
	undici: [
		'the API server is called with the credentials of a program, through a proxy',
		async ({ served, proxy }) => {
			assert.equal([...new Set(served.asked.map((one) => one.authorization))], ['Bearer of-the-program']);
			assert.equal([...new Set(proxy.asked)], [new URL(served.url).host]);
		},
	],
	'body-parser': [
		'what is no review is refused with its reason, whatever its path',
		async ({ server: { port } }) => {
			const refused = async (method: string, path: string, body: string) => {
				const { status, text } = await call(port, method, path, body);
				return `${status} ${text.trim()}`;
			};
			assert.is(await refused('GET', '/', ''), '405 only POST');
			assert.match(await refused('POST', '/nowhere?a=%', '{'), /^400 /);
			assert.match(await refused('POST', '/%zz', 'null'), /^400 /);
		},
	],
	'mime-db': [
		'answers have their media types',
		async ({ server: { port } }) => {
			const typeOf = async (method: string, body: string) =>
				(await call(port, method, '/', body)).headers['content-type'];
			assert.is(await typeOf('GET', ''), 'text/plain; charset=utf-8');
			assert.is(await typeOf('POST', '{'), 'text/plain; charset=utf-8');
			const unknown = { uid: 'u', operation: 'CONNECT', userInfo: {}, resource: { resource: 'pods' } };
			assert.is(await typeOf('POST', review(unknown)), 'application/json; charset=utf-8');
		},
	],
	ansis: ['the help is not what cleye prints', printsItsOwnHelp],
	'terminal-columns': ['the help is in columns all the same', printsItsOwnHelp],
	'@octokit/plugin-rest-endpoint-methods': [
		'an idle runner is unregistered at GitHub, with a token of its App, and its pod may go',
		async (context) => {
			const { github } = context;
			assert.equal(await deletionOf('idle', context), { allowed: true, reason: undefined });
			assert.equal(
				[github.count({ endpoint: 'access-token' }), github.count({ endpoint: 'delete' })],
				[1, 1],
			);
		},
	],
	'@octokit/plugin-paginate-rest': [
		'a runner is found on the second page of the list',
		async (context) => {
			const { github } = context;
			for (let one = 0; one < 120; one++) github.addRunner({ scope, name: `other-${one}` });
			assert.equal(await deletionOf('last', context), { allowed: true, reason: undefined });
			assert.ok(github.calls.some(({ query }) => /\bpage=2\b/.test(query)));
		},
	],
	'@octokit/plugin-request-log': [
		'a page in place of GitHub’s answer is a denial and a line of our own log',
		async (context) => {
			const { github, server } = context;
			const body = '<html>down for maintenance</html>';
			github.fault({ fault: { kind: 'answer', status: 502, body }, method: 'DELETE' });
			const { allowed, reason } = await deletionOf('unlucky', context);
			assert.equal([allowed, reason], [false, 'github-unavailable']);
			assert.equal(server.noise, []);
		},
	],
};
for (const [name, [promise, show]] of Object.entries(uses)) test(`${promise} (without ${name})`, show);

test('the certificate is issued by the file beside the bundle, and SIGTERM ends the server with exit code 0', async ({
	server,
}) => {
	assert.match((await call(server.port, 'GET', '/')).issuer, /^runners-admission CA /);
	server.signal('SIGTERM');
	assert.equal([await server.exited, server.noise], [0, []]);
});

/** Not execFileSync: the API server is in this process, and must go on answering. */
async function printsItsOwnHelp(): Promise<void> {
	const launcher = join(import.meta.dirname, '../../../dist/runners-admission');
	const { code, stdout, stderr } = await new Running(spawn(launcher, ['--help'])).end();
	assert.equal([code, stdout, stderr], [0, renderHelp(), '']);
}

/** Somebody asks to delete the pod of a runner that is idle, and the API server asks the guard. */
async function deletionOf(
	name: string,
	context: Context,
): Promise<{ allowed: boolean; reason: string | undefined }> {
	const { api, github, server } = context;
	github.addRunner({ scope, name });
	const object = pod({ metadata: { name, uid: `uid-${name}` }, env: { RUNNER_NAME: name } });
	const oldObject = api.put(collectionPath(resources.pods), object);
	let path = '';
	await eventually('the webhooks have a path', () => {
		path = pathOf(context, 'pods.runners-admission.svc') ?? '';
		return path !== '';
	});
	const asked = {
		uid: name,
		operation: 'DELETE',
		resource: { group: '', version: 'v1', resource: 'pods' },
		userInfo: { username: 'alice' },
		name,
		namespace: 'ci',
		oldObject,
	};
	// On a slow machine GitHub's answer may not be there within a review's time: then it is asked for again, as people do.
	return eventually('a verdict', async () => {
		const { text } = await call(server.port, 'POST', path, review(asked));
		const { response } = JSON.parse(text) as {
			response: { allowed: boolean; status?: { details?: { causes?: { reason: string }[] } } };
		};
		const reason = response.status?.details?.causes?.[0]?.reason;
		return reason === 'unregistering' ? undefined : { allowed: response.allowed, reason };
	});
}

test.run();
