/** The built plugin as a child process: what it says to every mistake, and on every Node it promises to run on. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
	chmodSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Companion } from '../../../scripts/build.ts';
import { type Finished, type Installed, installPlugin } from '../../e2e/support/plugin-process.ts';
import { suite } from '../../support/suite.ts';
import { startProxy } from '../support/proxy.ts';
import { type FakeServer, fakeServer, podList, sendJson } from './fake-server.ts';

const test = suite<{ plugin: Installed; server: FakeServer; env: NodeJS.ProcessEnv }>(
	'plugin: the built bundle',
);

const runner = {
	metadata: { name: 'r-0', namespace: 'ci', labels: { 'actions-runner': '' }, uid: 'u' },
	spec: { containers: [{ name: 'runner' }] },
};

test.before(async (context) => {
	context.plugin = await installPlugin();
	context.server = await fakeServer((request, response) => {
		const { authorization = 'none' } = request.headers;
		if (authorization === 'Bearer nobody')
			return sendJson(response, 401, { kind: 'Status', reason: 'Unauthorized' });
		const labels = { ...runner.metadata.labels, 'runnerset-name': authorization.replace('Bearer ', '') };
		sendJson(response, 200, podList(1, [{ ...runner, metadata: { ...runner.metadata, labels } }]));
	});
	// No kubeconfig of the developer's, no colours, no proxy.
	context.env = { KUBECONFIG: '/dev/null', HOME: context.plugin.folder, KUBERNETES_SERVICE_HOST: '' };
});
test.after(async ({ plugin, server }) => {
	await Promise.all([plugin?.remove(), server?.stop()]);
});

const verbs = 'list why delete wait cancel drain protect install uninstall version completion'.split(' ');

test('what list loads has at most 72 kB, and lies with its companions in one folder', ({ plugin }) => {
	const loaded = ['kubectl-runners', 'kubectl-runners-list.cjs'].map((name) => join(plugin.folder, name));
	const bytes = loaded.reduce((sum, file) => sum + statSync(file).size, 0);
	assert.ok(bytes <= 72_000, `${bytes} bytes`);
	assert.equal(readdirSync(plugin.folder).sort(), [
		'kubectl-runners',
		'kubectl-runners-auth.cjs',
		'kubectl-runners-install.cjs',
		'kubectl-runners-list.cjs',
		'kubectl-runners-verbs.cjs',
		'kubectl-runners-yaml.cjs',
		'kubectl_complete-runners',
	]);
});

test('every verb answers --help and -h with exit code 0, an example and its usage', async ({
	plugin,
	env,
}) => {
	for (const verb of verbs) {
		for (const help of [
			[verb, '--help'],
			[verb, '-h'],
			['help', verb],
		]) {
			const { code, stdout, stderr } = await plugin.run(help, env);
			assert.equal([code, stderr], [0, ''], help.join(' '));
			assert.match(stdout, new RegExp(`Examples:\n {2}# .*\n {2}kubectl runners ${verb}`));
			assert.match(stdout, new RegExp(`Usage:\n {2}kubectl runners ${verb}`));
		}
	}
	for (const overview of [[], ['--help'], ['help']]) {
		const { code, stdout } = await plugin.run(overview, env);
		assert.is(code, 0);
		for (const verb of verbs) assert.match(stdout, new RegExp(`^ {2}${verb} +[A-Z]`, 'm'));
	}
});

for (const [argv, message] of [
	[['frob'], 'error: unknown command "frob" for "kubectl runners"'],
	[['lst'], 'error: unknown command "lst" for "kubectl runners" (did you mean "list"?)'],
	[['-n', 'x', 'list'], 'error: flags come after the command: kubectl runners COMMAND -n'],
	[['list', '--foo'], "error: unknown flag: --foo; see 'kubectl runners list --help'"],
	[
		['list', '-o', 'jsonpath={.x}'],
		'error: unable to match a printer suitable for the output format "jsonpath={.x}", allowed formats are: json,name,wide,yaml',
	],
	[['list', 'a', '-l', 'b=c'], 'error: name cannot be provided when a selector is specified'],
	[['list', 'a', '-A'], 'error: a resource cannot be retrieved by name across all namespaces'],
	[['list', '-w', '-o', 'json'], 'error: --watch prints a table; it cannot be combined with -o json'],
	[
		['list', '--request-timeout', 'soon'],
		'error: Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a corresponding time unit (e.g. 1s | 2m | 3h)',
	],
	[['list', '--context', 'x'], 'error: context "x" does not exist'],
	[['list', '--kubeconfig', '/none'], 'error: stat /none: no such file or directory'],
	[['why'], 'error: name the pod'],
	[['why', 'a', 'b'], 'error: name only one pod'],
	[['delete'], 'error: name the pods, or use --selector or --all'],
	[['delete', 'a', '--all'], 'error: name cannot be provided when --all is specified'],
	[
		['delete', 'a', '--now'],
		'error: --now kills the job that the runner runs: state the reason with --reason TEXT',
	],
	[
		['delete', 'a', '--now', '--reason='],
		'error: --now kills the job that the runner runs: state the reason with --reason TEXT',
	],
	[['delete', 'a', '--reason', 'b'], 'error: --reason can only be used with --now'],
	[
		['delete', 'a', '--timeout', '5'],
		'error: invalid argument "5" for "--timeout" flag: time: missing unit in duration "5"',
	],
	[
		['delete', 'a', '--grace-period=x'],
		'error: invalid argument "x" for "--grace-period" flag: strconv.ParseInt: parsing "x": invalid syntax',
	],
	[
		['delete', 'a', '--dry-run=foo'],
		'error: Invalid dry-run value (foo). Must be "none", "server", or "client".',
	],
	[['wait'], 'error: name the pods to wait for'],
	[['wait', 'a', '--for=x'], 'error: unrecognized condition: "x"'],
	[['cancel'], 'error: name the pods whose deletion you want to cancel'],
	[['drain'], 'error: name the node to drain'],
	[['drain', 'a', 'b'], 'error: name only one node: each drain waits for its own jobs'],
	[['protect'], 'error: name the namespaces to protect'],
	[['protect', 'pod/ci'], 'error: "pod/ci" is not the name of a namespace'],
	[['install', '--evictions=open'], 'error: Invalid evictions value (open). Must be "fail-closed".'],
	[['install', 'x'], 'error: unexpected argument "x"'],
	[['install', '--mode', 'all'], 'error: Invalid mode (all). Must be "default" or "guard-only".'],
	[['install', '--replicas=0'], 'error: --replicas must be greater than 0'],
	[
		['install', '--external', 'host'],
		'error: Invalid --external value (host). Must be HOST:PORT, HOST a DNS name or an IPv4 address.',
	],
	[
		['install', '--external', 'host:99999'],
		'error: Invalid --external value (host:99999). Must be HOST:PORT, HOST a DNS name or an IPv4 address.',
	],
	[
		['install', '--external', 'host:1', '--image', 'a'],
		'error: --image cannot be used with --external: it is for a server in the cluster',
	],
	[
		['install', '-s', 'http://127.0.0.1:1'],
		'The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?',
	],
	[
		['uninstall', '-s', 'http://127.0.0.1:1'],
		'The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?',
	],
	[['completion', 'tcsh'], 'error: name one shell: bash, zsh or fish'],
	[
		['list', '-s', 'http://127.0.0.1:1'],
		'The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?',
	],
	[
		['drain', 'n', '-s', 'https://127.0.0.1:1'],
		'The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?',
	],
	[
		['list', '-s', 'https://no-such-host.invalid'],
		'Unable to connect to the server: dial tcp: lookup no-such-host.invalid: no such host',
	],
] as const) {
	test(`kubectl runners ${argv.join(' ')}: one line on stderr, exit code 1`, async ({ plugin, env }) => {
		const { code, stdout, stderr } = await plugin.run([...argv], env);
		assert.equal([code, stdout, stderr], [1, '', `${message}\n`]);
	});
}

test('a server without TLS, and one whose certificate nobody signed', async ({ plugin, env, server }) => {
	const wrong = await plugin.run(['list', '-s', server.url.replace('http:', 'https:')], env);
	assert.match(
		wrong.stderr,
		/^Unable to connect to the server: 127.0.0.1:\d+ does not speak TLS as expected/,
	);
	const refused = await plugin.run(['list', '-s', server.url, '--token', 'nobody'], env);
	assert.equal(
		[refused.code, refused.stderr],
		[1, 'error: You must be logged in to the server (Unauthorized)\n'],
	);
});

test('into a pipe there are no colours and no control sequences, nor after a closed pipe a stack trace', async (context) => {
	const { plugin, env, server } = context;
	const listed = await plugin.run(['list', '-s', server.url], env);
	assert.not.ok(listed.stdout.includes('\u001b'));
	const script = `"$0" "$@" | true; echo "\${PIPESTATUS[0]}"`;
	const entry = join(plugin.folder, 'kubectl-runners');
	const piped = spawnSync('bash', ['-c', script, entry, 'list', '--help'], {
		env: { ...process.env, ...env },
		encoding: 'utf8',
	});
	assert.equal([piped.stdout, piped.stderr], ['0\n', '']);
});

/** Every Node on this machine that the tests may use: the one of devDependencies, and the one in PATH. */
const nodes = [process.execPath, execFileSync('sh', ['-c', 'command -v node'], { encoding: 'utf8' }).trim()];

test('list runs on Node 20 and newer, from wherever it was copied to', async ({ plugin, env, server }) => {
	for (const node of new Set(nodes)) {
		const listed = await onNode(plugin, node, ['list', '-s', server.url, '--token', 'example'], env);
		assert.equal([listed.code, listed.stderr], [0, ''], node);
		assert.match(listed.stdout, /^r-0 +example /m);
	}
});

test('the entry is the same program under a package.json of either type, and through a link as krew makes', async (context) => {
	const { plugin, env } = context;
	const link = join(plugin.folder, 'kubectl-runners-link');
	symlinkSync(join(plugin.folder, 'kubectl-runners'), link);
	for (const type of ['module', 'commonjs', undefined]) {
		const manifest = join(plugin.folder, 'package.json');
		if (type) writeFileSync(manifest, JSON.stringify({ type }));
		else rmSync(manifest);
		for (const entry of [link, join(plugin.folder, 'kubectl-runners')]) {
			const { status, stdout, stderr } = spawnSync(entry, ['version', '--client'], {
				env: { ...process.env, ...env },
				encoding: 'utf8',
			});
			assert.equal([status, stderr], [0, ''], `${type} ${entry}`);
			assert.match(stdout, /^Client Version: v/);
		}
	}
	rmSync(link);
});

/** A kubeconfig with one context, for one test. Its user is what the server calls by its token. */
function kubeconfig(
	{ plugin, server }: { plugin: Installed; server: FakeServer },
	{ cluster = {}, user = {} }: { cluster?: object; user?: object },
): string {
	const file = join(plugin.folder, 'kubeconfig');
	const reached = { server: server.url, 'insecure-skip-tls-verify': true, ...cluster };
	writeFileSync(
		file,
		JSON.stringify({
			'current-context': 'c',
			clusters: [{ name: 'c', cluster: reached }],
			users: [{ name: 'u', user }],
			contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
		}),
	);
	return file;
}

const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: './login', args: ['for-me'] };

/** What needs each companion: where it is missing, it is named in one line. */
const needing: Record<Companion, (plugin: Installed, server: FakeServer) => string[]> = {
	list: () => ['list'],
	verbs: () => ['version', '--client'],
	yaml: ({ folder }) => ['list', '--kubeconfig', join(folder, 'documents.yaml')],
	install: (_, { url }) => ['install', '-s', url],
	auth: (plugin, server) => ['list', '--kubeconfig', kubeconfig({ plugin, server }, { user: { exec } })],
};
for (const [name, command] of Object.entries(needing))
	test(`the companion ${name} is missing: it is named in one line`, async ({ plugin, env, server }) => {
		const companion = join(plugin.folder, `kubectl-runners-${name}.cjs`);
		writeFileSync(join(plugin.folder, 'documents.yaml'), '---\nclusters: []\n---\n');
		renameSync(companion, `${companion}.away`);
		try {
			const { code, stderr } = await plugin.run(command(plugin, server), env);
			assert.is(code, 1);
			const message = `^error: kubectl-runners-${name}\\.cjs must be in the same folder as kubectl-runners: .*\n$`;
			assert.match(stderr, new RegExp(message));
		} finally {
			renameSync(`${companion}.away`, companion);
		}
	});

test('a kubeconfig in any YAML is read', async ({ plugin, env, server }) => {
	const file = join(plugin.folder, 'flow.yaml');
	writeFileSync(
		file,
		`# flow mappings, an anchor, a folded string
current-context: c
clusters: [{name: c, cluster: {server: '${server.url}'}}]
contexts: [{name: c, context: {cluster: c, user: &me u}}]
users:
- name: *me
  user:
    token: >-
      in-yaml
`,
	);
	const { code, stdout, stderr } = await plugin.run(['list', '--kubeconfig', file], env);
	assert.equal([code, stderr], [0, '']);
	assert.match(stdout, /^r-0 +in-yaml /m);
});

test('through a proxy, as a user of an identity provider', async (context) => {
	const { plugin, env } = context;
	const proxy = await startProxy();
	try {
		const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
		const token = `${part({ alg: 'none' })}.${part({ exp: 4_000_000_000 })}.x`;
		const user = { 'auth-provider': { name: 'oidc', config: { 'client-id': 'c', 'id-token': token } } };
		const file = kubeconfig(context, { cluster: { 'proxy-url': proxy.url }, user });
		const { code, stdout, stderr } = await onNode(
			plugin,
			process.execPath,
			['list', '--kubeconfig', file],
			env,
		);
		assert.equal([code, stderr], [0, '']);
		assert.ok(stdout.includes(token.slice(0, 20)), stdout);
		assert.equal(proxy.asked, [new URL(context.server.url).host]);
	} finally {
		await proxy.stop();
	}
});

test('credentials of a program (exec): asked for with the cluster’s facts, where Node is new enough', async (context) => {
	const { plugin, env } = context;
	const program = join(plugin.folder, 'login');
	writeFileSync(
		program,
		'#!/bin/sh\nprintf \'{"kind":"ExecCredential","status":{"token":"%s"}}\' "$(echo "$KUBERNETES_EXEC_INFO" | grep -o ExecCredential)-$1"\n',
	);
	chmodSync(program, 0o755);
	const config = kubeconfig(context, { user: { exec } });
	for (const node of new Set(nodes)) {
		const finished = await onNode(plugin, node, ['list', '--kubeconfig', config], env);
		const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim().slice(1);
		const [major = 0, minor = 0] = version.split('.').map(Number);
		if (major > 22 || (major === 22 && minor >= 19)) {
			assert.equal([finished.code, finished.stderr], [0, ''], version);
			assert.match(finished.stdout, /^r-0 +ExecCredential-for-me /m);
		} else {
			assert.is(finished.code, 1);
			assert.match(
				finished.stderr,
				new RegExp(`^error: .*"exec" needs Node.js 22.19 or newer, but this is ${version}\n`),
			);
		}
	}

	writeFileSync(program, '#!/bin/sh\necho "you are not logged in" >&2\nexit 1\n');
	const failed = await onNode(plugin, process.execPath, ['list', '--kubeconfig', config], env);
	assert.equal(
		[failed.code, failed.stderr],
		[1, 'error: getting credentials (exec): you are not logged in\n'],
	);
});

test('completion never fails and prints nothing on stderr', async ({ plugin, env }) => {
	const path = { ...env, PATH: `${plugin.folder}:${process.env.PATH}` };
	const run = (...args: string[]) =>
		spawnSync(join(plugin.folder, 'kubectl_complete-runners'), args, { env: path, encoding: 'utf8' });
	assert.match(run('dr').stdout, /^drain\t.*\n:4\n$/);
	const unreachable = run('delete', '-s', 'http://127.0.0.1:1', '');
	assert.equal([unreachable.status, unreachable.stdout, unreachable.stderr], [0, ':4\n', '']);
});

test('the bundle names no path of the machine it was built on', ({ plugin }) => {
	for (const file of readdirSync(plugin.folder)) {
		const text = readFileSync(join(plugin.folder, file), 'utf8');
		assert.not.ok(text.includes(process.cwd()), file);
	}
});

/** Runs it on that Node, in a process of its own, so that the fake server in this one can answer. */
function onNode(plugin: Installed, node: string, args: string[], env: NodeJS.ProcessEnv): Promise<Finished> {
	return plugin.run(args, { ...env, PATH: `${join(node, '..')}:${process.env.PATH}` });
}

test.run();
