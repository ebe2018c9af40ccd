/** After a run in which much happens and much goes wrong, no secret is in anything that anybody can read. */
import { randomBytes } from 'node:crypto';
import { sign } from '@octokit/webhooks-methods';
import * as assert from 'uvu/assert';
import { freePort } from '../../cluster/free-port.ts';
import { eventually } from '../../rig/eventually.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { kinds, SetUnderTest } from '../../rig/runner-sets.ts';
import { allObjects, commandLines, secretsInUse } from '../../rig/secrets.ts';
import type { ServerProcess } from '../../rig/server-process.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { suite } from '../../support/suite.ts';
import { type Installed, installPlugin } from '../support/plugin-process.ts';
import { end, Space } from '../support/space.ts';
import { deletion, knownPath, post, review } from '../support/webhook-post.ts';

interface Context {
	rig: Rig;
	plugin: Installed;
	servers: ServerProcess[];
	/** Where GitHub's events go. */
	receivers: { port: number; secret: string }[];
	/** Secrets that are neither in a Secret nor at GitHub. */
	more: Record<string, string>;
	/** What was printed, by who printed it. */
	printed: Map<string, string>;
	sets: SetUnderTest[];
	privateKey: string;
}

const test = suite<Context>('secrets');

test.before(async (context) => {
	const { rig } = Object.assign(context, {
		rig: await startRig({
			sets: true,
			replicas: 0,
			github: { tokens: [`ghp_${randomBytes(18).toString('hex')}`] },
		}),
		plugin: await installPlugin(),
		servers: [],
		receivers: [],
		more: {},
		printed: new Map(),
		sets: [],
	});
	// The controller-wide credential is an App, whose key and tokens are the most there is to lose.
	const app = rig.github.addApp();
	context.privateKey = app.privateKey;
	context.more['the App’s private key'] = app.privateKey;
	const env = {
		GITHUB_APP_ID: String(app.appId),
		GITHUB_APP_INSTALLATION_ID: String(app.installationId),
		GITHUB_APP_PRIVATE_KEY: app.privateKey,
	};
	const webhookSecret = `whs-${randomBytes(18).toString('hex')}`;
	context.more['the secret of the webhook'] = webhookSecret;
	for (const format of ['json', 'text']) {
		const eventsPort = await freePort();
		context.receivers.push({ port: eventsPort, secret: webhookSecret });
		context.servers.push(
			await rig.addServer({
				env: { ...env, GITHUB_WEBHOOK_SECRET_TOKEN: webhookSecret, EVENTS_PORT: `${eventsPort}` },
				args: ['--log-format', format, '--log-level', 'trace'],
			}),
		);
	}
	await eventually('a replica leads', () =>
		context.servers.some(({ log, noise }) =>
			[...log.map(({ msg }) => msg), ...noise].some((line) => / leading|^leading/.test(line)),
		),
	);
});
test.after(async ({ rig, plugin, sets }) => {
	for (const set of sets ?? []) set.stop();
	await plugin?.remove();
	await end(rig);
});

const print = (printed: Map<string, string>, who: string, ...texts: string[]) =>
	printed.set(who, [printed.get(who) ?? '', ...texts].join('\n'));

test('a broad run: sets, deletions of all kinds, drains, break-glass, the plugin’s verbs', async (context) => {
	const { rig, plugin, printed } = context;
	for (const kind of kinds)
		context.sets.push(await SetUnderTest.make(rig, kind, { replicas: 2, config: { ephemeral: false } }));
	const space = await Space.make(rig, { ownCredentials: true });
	await space.runners(['busy', 'idle', 'glass', 'dry', 'drained']);
	await space.scaleSetRunners(['scale-busy', 'scale-idle']);
	for (const name of ['busy', 'glass', 'scale-busy'])
		await space.runJob(name, { known: name !== 'scale-busy' });
	const kubectl = async (...args: string[]) => {
		const { stdout, stderr } = await space.kubectl(...args);
		print(printed, 'kubectl', stdout, stderr);
	};
	await kubectl('delete', 'pod', 'busy', 'idle', 'scale-busy', 'scale-idle', '-v=8');
	await kubectl('delete', 'pod', 'dry', '--dry-run=server');
	await kubectl('drain', (await space.pod('drained'))?.spec?.nodeName ?? '', '--force', '--timeout=6s');
	const env = { KUBECONFIG: rig.cluster.kubeconfig, PATH: plugin.path(rig.cluster.folder) };
	for (const args of [
		['list', '-A'],
		['list', '-A', '-o', 'yaml'],
		['list', '-A', '-o', 'json'],
		['why', 'busy'],
		['why', 'dry'],
		['status'],
		['status', '-A', '-o', 'json'],
		['cancel', 'busy'],
		['delete', 'glass', '--now', '--reason', 'the test wants it'],
		['wait', 'busy', '--timeout', '1s'],
		['version'],
	]) {
		const done = await plugin.run([...args, '-n', space.name], env);
		print(printed, 'plugin', done.stdout, done.stderr);
	}
	for (const set of context.sets) await set.scale(1);
	for (const set of context.sets) await set.reaches(1);
});

test('a run in which all goes wrong: bad credentials of every kind, a proxy that echoes the token, garbage at the port', async ({
	rig,
	servers,
	receivers,
	more,
	printed,
	privateKey,
}) => {
	const bad: Record<string, Record<string, string>> = {
		'odd-token': { github_token: `two words ${randomBytes(12).toString('hex')}` },
		'half-a-key': {
			github_app_id: '1',
			github_app_installation_id: '2',
			github_app_private_key: privateKey.slice(0, privateKey.length / 2),
		},
		'another-key': { github_app_id: '1', github_app_private_key: privateKey },
		'not-a-key': {
			github_app_id: '1',
			github_app_installation_id: '2',
			github_app_private_key: randomBytes(48).toString('hex'),
		},
		'unknown-token': { github_token: `ghp_${randomBytes(18).toString('hex')}` },
		'another-purpose': { password: `hunter2-${randomBytes(12).toString('hex')}` },
	};
	const space = await Space.make(rig);
	for (const [name, stringData] of Object.entries(bad)) {
		const metadata = { name, namespace: space.name };
		await rig.apply({ apiVersion: 'v1', kind: 'Secret', metadata, stringData });
		await rig.apply(runnerSetPod(space.options(name, { credentialsSecret: name })));
	}
	await space.registered(Object.keys(bad));
	for (const name of Object.keys(bad)) print(printed, 'kubectl', await space.refused(name));

	const echo = await Space.make(rig, { ownCredentials: true });
	await echo.runners(['a']);
	rig.github.fault({
		fault: {
			kind: 'answer',
			status: 502,
			body: { message: `upstream refused "authorization: token ${echo.token}"` },
			headers: { 'x-echo': echo.token },
		},
		scope: echo.scope,
		method: 'DELETE',
	});
	print(printed, 'kubectl', await echo.refused('a'));

	more['a token in an AdmissionReview that is garbage'] = `ghp_${randomBytes(18).toString('hex')}`;
	const garbage = Object.values(more).join(' ');
	for (const body of [
		garbage,
		review({ ...deletion({ metadata: {}, spec: garbage }), operation: garbage }),
	]) {
		for (const { port } of servers)
			for (const path of ['/pods/delete', await knownPath(rig, '/pods/delete')])
				print(printed, 'the webhook’s port', (await post(port, path, body)).text);
	}
	for (const { port, secret } of receivers)
		for (const by of [secret, 'guessed'])
			for (const body of [
				garbage,
				JSON.stringify({ action: 'in_progress', workflow_job: { name: garbage } }),
			]) {
				const headers = {
					'x-github-event': 'workflow_job',
					'x-github-delivery': garbage.replaceAll('\n', ' '),
					'x-hub-signature-256': await sign(by, body),
				};
				const answer = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body, headers });
				assert.is(answer.status, by === secret ? 400 : 401);
				print(printed, 'the port for events', await answer.text());
			}
	// A server that cannot start tells why.
	const key = join(privateKey, privateKey);
	await rig
		.addServer({ env: { GITHUB_APP_ID: '1', GITHUB_APP_INSTALLATION_ID: '2', GITHUB_APP_PRIVATE_KEY: key } })
		.then(
			(server) => servers.push(server),
			(error: unknown) => print(printed, 'a server that did not start', String(error)),
		);
});

/** Two keys in one value: not PEM any more. */
const join = (one: string, other: string) => one.slice(0, one.length / 2) + other.slice(0, other.length / 3);

test('no secret in logs, metrics, objects, Events, annotations, process arguments, or what kubectl and the plugin print', async ({
	rig,
	servers,
	more,
	printed,
	privateKey,
}) => {
	await Promise.all([...rig.servers].map((server) => server.metrics())).then((texts) =>
		print(printed, 'metrics', ...texts),
	);
	const ours = servers.filter(({ pid }) => rig.servers.some((server) => server.pid === pid));
	print(printed, 'process arguments', await commandLines(ours.map(({ pid }) => pid)));
	print(printed, 'objects', await allObjects(rig));
	const secrets = await secretsInUse(rig, more);
	await Promise.all([...rig.servers].map((server) => server.stop()));
	for (const { log, noise } of servers)
		print(printed, 'logs', ...log.map((line) => JSON.stringify(line)), ...noise);

	// What is looked for is there to be found, and where it is looked.
	const kinds = [
		'tls.key',
		'key of Secret runners-system/runners-admission-proof',
		'github_token',
		'token of Secret',
		'password',
	];
	for (const what of kinds)
		assert.ok(
			secrets.some((secret) => secret.what.includes(what)),
			what,
		);
	assert.ok(
		rig.github.secrets().some((token) => token.startsWith('ghs_')),
		'installation tokens',
	);
	for (const { what, forms } of secrets) assert.ok(forms.length > 0, what);
	const marks = {
		logs: 'deletion recorded',
		objects: 'actions-runner/deletion-requested-by',
		metrics: 'runners_github_calls_total',
		plugin: 'runner',
		'process arguments': '--kubeconfig',
		kubectl: 'is busy',
	};
	for (const [who, mark] of Object.entries(marks)) assert.match(printed.get(who) ?? '', mark, who);
	assert.ok(privateKey.includes('BEGIN RSA PRIVATE KEY'));

	const leaks: string[] = [];
	for (const [who, text] of printed) {
		for (const { what, forms } of secrets)
			for (const form of forms) if (text.includes(form)) leaks.push(`${what} is in ${who}`);
	}
	const size = [...printed.values()].reduce((sum, { length }) => sum + length, 0);
	console.log(`${secrets.length} secrets, none in ${Math.round(size / 1024)} KiB of output`);
	assert.equal([...new Set(leaks)], []);
	// The path by which the API server is recognised stands in the webhook configurations, and nowhere else.
	printed.delete('objects');
	for (const [who, text] of printed) assert.not.match(text, /\/\d{10}\.[0-9a-f]{64}/, who);
});

test.run();
