import * as assert from 'uvu/assert';
import { type Kubeconfig, loadKubeconfig } from '../../../../plugin/kube/kubeconfig.ts';
import { suite } from '../../../support/suite.ts';

const test = suite('plugin: kubeconfig');

/** Loads from files that exist only here. */
function load(files: Record<string, string>, env: NodeJS.ProcessEnv, explicit?: string): Kubeconfig {
	const readFile = (path: string) => {
		const text = files[path];
		if (text !== undefined) return text;
		throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
	};
	return loadKubeconfig(explicit, { env, home: '/home/me', readFile });
}

const first = `
current-context: a
clusters:
- name: shared
  cluster: {server: "https://first", certificate-authority: ca.crt}
contexts:
- name: a
  context: {cluster: shared, user: me, namespace: ci}
users:
- name: me
  user:
    client-certificate: ../me.crt
    client-key: /abs/me.key
    exec: {command: ./login, args: [token]}
`;
const second = `
current-context: b
clusters:
- name: shared
  cluster: {server: "https://second"}
- name: own
  cluster: {server: "https://own"}
contexts:
- {name: b, context: {cluster: own, user: you}}
users:
- {name: you, user: {token: t, exec: {command: aws}}}
`;

test('a list of files: the first file wins for a name that is set twice, and for current-context', () => {
	const config = load({ '/k/1': first, '/k/2': second }, { KUBECONFIG: '/k/1::/k/missing:/k/2' });
	assert.is(config.currentContext, 'a');
	assert.equal([...config.contexts.keys()], ['a', 'b']);
	assert.is(config.clusters.get('shared')?.server, 'https://first');
	assert.is(config.clusters.get('own')?.server, 'https://own');
	assert.equal(config.files, ['/k/1', '/k/2']);
});

test('current-context comes from the second file if the first has none', () => {
	const config = load({ '/k/1': 'kind: Config', '/k/2': second }, { KUBECONFIG: '/k/1:/k/2' });
	assert.is(config.currentContext, 'b');
});

test('file names are relative to the file that names them, bare commands are looked up in PATH', () => {
	const config = load({ '/k/1': first, '/k/2': second }, { KUBECONFIG: '/k/1:/k/2' });
	assert.is(config.clusters.get('shared')?.['certificate-authority'], '/k/ca.crt');
	assert.is(config.users.get('me')?.['client-certificate'], '/me.crt');
	assert.is(config.users.get('me')?.['client-key'], '/abs/me.key');
	assert.is(config.users.get('me')?.exec?.command, '/k/login');
	assert.is(config.users.get('you')?.exec?.command, 'aws');
});

test('with --kubeconfig only that file is read, and it must exist', () => {
	const config = load({ '/k/1': first, '/k/2': second }, { KUBECONFIG: '/k/1' }, '/k/2');
	assert.is(config.currentContext, 'b');
	assert.throws(() => load({}, {}, '/k/none'), /^error: stat \/k\/none: no such file or directory$/);
});

test('without KUBECONFIG it is ~/.kube/config; without that, nothing', () => {
	assert.is(load({ '/home/me/.kube/config': first }, {}).currentContext, 'a');
	const empty = load({}, { KUBECONFIG: '' });
	assert.equal([empty.currentContext, empty.files], ['', []]);
});

test('JSON and empty files are kubeconfigs', () => {
	const json = JSON.stringify({ 'current-context': 'j', contexts: [{ name: 'j', context: { user: 'u' } }] });
	const config = load({ '/1': '', '/2': json, '/3': '# nothing\n' }, { KUBECONFIG: '/1:/2:/3' });
	assert.is(config.contexts.get('j')?.user, 'u');
});

test('a file that is not YAML, or not a mapping, is reported in one line', () => {
	assert.throws(
		() => load({ '/bad': 'a: [1' }, { KUBECONFIG: '/bad' }),
		/^error: error loading config file "\/bad": yaml: [^\n]+$/,
	);
	assert.throws(() => load({ '/bad': '- 1' }, { KUBECONFIG: '/bad' }), /"\/bad": it is not a mapping$/);
});

test.run();
