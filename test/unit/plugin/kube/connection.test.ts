import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { ConnectionFlags } from '../../../../plugin/cli/connection-flags.ts';
import { resolveConnection } from '../../../../plugin/kube/connection.ts';
import { inClusterConfig } from '../../../../plugin/kube/in-cluster.ts';
import { suite } from '../../../support/suite.ts';

const test = suite<{
	folder: string;
	resolve: (flags?: ConnectionFlags) => ReturnType<typeof resolveConnection>;
}>('plugin: connection');

const base64 = (text: string) => Buffer.from(text).toString('base64');

test.before((context) => {
	context.folder = mkdtempSync(join(tmpdir(), 'plugin-connection-'));
	writeFileSync(join(context.folder, 'token'), 'from-file\n');
	writeFileSync(join(context.folder, 'other-ca'), 'OTHER');
	const config = {
		'current-context': 'main',
		clusters: [
			{
				name: 'main',
				cluster: { server: 'https://main:6443/base', 'certificate-authority-data': base64('CA') },
			},
			{ name: 'named', cluster: { server: 'https://10.0.0.1', 'tls-server-name': 'api.example.com' } },
			{ name: 'lax', cluster: { server: 'https://lax', 'insecure-skip-tls-verify': true } },
		],
		users: [
			{ name: 'token', user: { token: 'T' } },
			{ name: 'file', user: { token: 'ignored', tokenFile: 'token' } },
			{ name: 'cert', user: { 'client-certificate-data': base64('CERT'), 'client-key-data': base64('KEY') } },
			{ name: 'basic', user: { username: 'u', password: 'p' } },
			{ name: 'exec', user: { exec: { command: 'aws' } } },
			{ name: 'someone', user: { token: 'T', as: 'jane', 'as-groups': ['g'] } },
		],
		contexts: [
			{ name: 'main', context: { cluster: 'main', user: 'token', namespace: 'ci' } },
			{ name: 'file', context: { cluster: 'named', user: 'file' } },
		],
	};
	writeFileSync(join(context.folder, 'config'), JSON.stringify(config));
	context.resolve = (flags = {}) =>
		resolveConnection({ kubeconfig: join(context.folder, 'config'), ...flags });
});
test.after(({ folder }) => rmSync(folder, { recursive: true }));

test('the current context gives server, certificate authority, token and namespace', ({ resolve }) => {
	const { server, tls, headers, namespace, requestTimeoutMs, external } = resolve();
	assert.is(server.href, 'https://main:6443/base/');
	assert.is(String(tls.ca), 'CA');
	assert.equal(headers, { authorization: 'Bearer T' });
	assert.equal([namespace, requestTimeoutMs, external], ['ci', 0, undefined]);
});

test('flags win over the context', ({ resolve }) => {
	const other = resolve({ context: 'file', namespace: 'n', requestTimeout: 5000 });
	assert.equal(
		[other.server.href, other.namespace, other.requestTimeoutMs],
		['https://10.0.0.1/', 'n', 5000],
	);
	assert.equal(other.headers, { authorization: 'Bearer from-file' }); // tokenFile wins over token
	assert.is(other.tls.servername, 'api.example.com');
	assert.is(resolve({ cluster: 'lax' }).tls.rejectUnauthorized, false);
	assert.is(resolve({ insecureSkipTlsVerify: true }).tls.rejectUnauthorized, false);
	assert.equal(resolve({ token: 'X', user: 'file' }).headers, { authorization: 'Bearer X' });
	assert.is(resolve({ server: 'other:1' }).server.href, 'https://other:1/');
	assert.is(resolve({ cluster: 'named', server: 'https://x' }).tls.servername, undefined);
});

test('--certificate-authority wins over the data in the kubeconfig', ({ resolve, folder }) => {
	assert.is(String(resolve({ certificateAuthority: join(folder, 'other-ca') }).tls.ca), 'OTHER');
	assert.throws(() => resolve({ certificateAuthority: '/none' }), /unable to read \/none: no such file/);
});

test('client certificates and passwords', ({ resolve }) => {
	const { tls, headers } = resolve({ user: 'cert' });
	assert.equal([String(tls.cert), String(tls.key), headers], ['CERT', 'KEY', {}]);
	assert.equal(resolve({ user: 'basic' }).headers, { authorization: `Basic ${base64('u:p')}` });
});

test('impersonation by flags and by kubeconfig; groups need a user', ({ resolve }) => {
	const flags = resolve({ as: 'bob', asGroup: ['a', 'b'] }).headers;
	assert.equal([flags['impersonate-user'], flags['impersonate-group']], ['bob', ['a', 'b']]);
	assert.equal(resolve({ user: 'someone' }).headers, {
		authorization: 'Bearer T',
		'impersonate-user': 'jane',
		'impersonate-group': ['g'],
	});
	assert.throws(() => resolve({ asGroup: ['a'] }), /without impersonating a user/);
});

test('credentials of a program or a provider are left to the second bundle, unless a token is given', ({
	resolve,
}) => {
	assert.is(resolve({ user: 'exec' }).external?.what, 'exec');
	assert.is(resolve({ user: 'exec', token: 'T' }).external, undefined);
});

test('a missing context, cluster, user or file is reported as kubectl does', ({ resolve }) => {
	assert.throws(() => resolve({ context: 'nope' }), /^error: context "nope" does not exist$/);
	assert.throws(() => resolve({ cluster: 'nope' }), /^error: no server found for cluster "nope"$/);
	assert.throws(() => resolve({ user: 'nope' }), /^error: auth info "nope" does not exist$/);
});

test('in a pod without kubeconfig: the service account', ({ folder }) => {
	const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
	writeFileSync(join(folder, 'namespace'), 'in-pod\n');
	assert.equal(inClusterConfig(env, folder), {
		cluster: { server: 'https://[fd00::1]:443', 'certificate-authority': `${folder}/ca.crt` },
		user: { tokenFile: `${folder}/token` },
		namespace: 'in-pod',
	});
	assert.is(inClusterConfig({}, folder), undefined);
	assert.is(inClusterConfig(env, join(folder, 'none')), undefined);
});

test.run();
