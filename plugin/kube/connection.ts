import { readFileSync } from 'node:fs';
import type { Agent } from 'node:http';
import { proxyFromEnvironment } from '../../admission/api/proxy.ts';
import type { ConnectionFlags } from '../cli/connection-flags.ts';
import { usageError } from '../errors.ts';
import { inClusterConfig } from './in-cluster.ts';
import { type Cluster, type Kubeconfig, loadKubeconfig, type User } from './kubeconfig.ts';

interface TlsOptions {
	ca?: string | Buffer;
	cert?: string | Buffer;
	key?: string | Buffer;
	rejectUnauthorized?: boolean;
	servername?: string;
}

/** All that is needed to call one API server as one user. */
export interface Connection {
	server: URL;
	tls: TlsOptions;
	headers: Record<string, string | string[]>;
	/** The namespace that is used by default. */
	namespace: string;
	/** Timeout of one request in ms; 0: no timeout. */
	requestTimeoutMs: number;
	/** Set by the auth bundle for connections through a proxy. */
	agent?: Agent;
	/** Set if credentials come from a program or an identity provider; see plugin/auth. */
	external?: ExternalAuth;
}

export interface ExternalAuth {
	what: 'exec' | 'auth-provider' | 'proxy-url';
	cluster: Cluster;
	user: User;
}

/** Selects cluster, user and namespace from flags and kubeconfig, by kubectl's rules. Reads files, makes no request. */
export function resolveConnection(flags: ConnectionFlags): Connection {
	const config = loadKubeconfig(flags.kubeconfig);
	const selected = select(config, flags) ?? { cluster: { server: 'http://localhost:8080' }, user: {} };
	const { user } = selected;
	const server = parseServer(selected.cluster.server ?? '');
	const proxy = selected.cluster['proxy-url'] || proxyFromEnvironment(server, process.env);
	const cluster: Cluster = { ...selected.cluster, ...(proxy ? { 'proxy-url': proxy } : {}) };

	const serverName = cluster['tls-server-name'];
	const skipVerify = flags.insecureSkipTlsVerify || cluster['insecure-skip-tls-verify'] === true;
	const tls: TlsOptions = {
		ca: flags.certificateAuthority
			? readCredential(flags.certificateAuthority)
			: fileOrData(cluster['certificate-authority'], cluster['certificate-authority-data']),
		cert: fileOrData(user['client-certificate'], user['client-certificate-data']),
		key: fileOrData(user['client-key'], user['client-key-data']),
		...(skipVerify ? { rejectUnauthorized: false } : {}),
		...(serverName ? { servername: serverName } : {}),
	};

	return {
		server,
		tls,
		headers: { ...authorization(flags, user), ...impersonation(flags, user) },
		namespace: flags.namespace || selected.namespace || 'default',
		requestTimeoutMs: flags.requestTimeout ?? 0,
		external: externalAuth(flags, cluster, user),
	};
}

interface Selected {
	cluster: Cluster;
	user: User;
	namespace?: string;
}

/** undefined if nothing is configured at all. */
function select(config: Kubeconfig, flags: ConnectionFlags): Selected | undefined {
	const contextName = flags.context || config.currentContext;
	const context = config.contexts.get(contextName);
	if (flags.context && !context) throw usageError(`context "${flags.context}" does not exist`);

	const clusterName = flags.cluster || context?.cluster;
	const known = clusterName === undefined ? undefined : config.clusters.get(clusterName);
	if (clusterName !== undefined && !known && !flags.server) {
		throw usageError(`no server found for cluster "${clusterName}"`);
	}
	const userName = flags.user || context?.user;
	const user = userName === undefined ? undefined : config.users.get(userName);
	if (flags.user && !user) throw usageError(`auth info "${flags.user}" does not exist`);

	if (!known && !flags.server) return inClusterConfig();
	// The tls-server-name of the kubeconfig is meant for its own server, and not for one given by a flag.
	const cluster = flags.server
		? { ...known, server: flags.server, 'tls-server-name': undefined }
		: { ...known };
	return { cluster, user: user ?? {}, namespace: context?.namespace };
}

function parseServer(server: string): URL {
	const withScheme = /^https?:\/\//.test(server) ? server : `https://${server}`;
	try {
		const url = new URL(withScheme);
		if (!url.pathname.endsWith('/')) url.pathname += '/';
		return url;
	} catch (error) {
		throw usageError(`the server "${server}" is not a URL (${(error as Error).message})`);
	}
}

function authorization(flags: ConnectionFlags, user: User): Record<string, string> {
	const token =
		flags.token ?? (user.tokenFile ? readCredential(user.tokenFile).toString().trim() : user.token);
	if (token) return { authorization: `Bearer ${token}` };
	if (!user.username) return {};
	const pair = Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64');
	return { authorization: `Basic ${pair}` };
}

function impersonation(flags: ConnectionFlags, user: User): Record<string, string | string[]> {
	const as = flags.as ?? user.as;
	const groups = flags.asGroup?.length ? flags.asGroup : (user['as-groups'] ?? []);
	if (!as) {
		if (groups.length > 0)
			throw usageError('requesting groups without impersonating a user: use --as as well');
		return {};
	}
	return { 'impersonate-user': as, ...(groups.length > 0 ? { 'impersonate-group': groups } : {}) };
}

function externalAuth(flags: ConnectionFlags, cluster: Cluster, user: User): ExternalAuth | undefined {
	const hasToken = flags.token !== undefined;
	if (user.exec && !hasToken) return { what: 'exec', cluster, user };
	if (user['auth-provider'] && !hasToken) return { what: 'auth-provider', cluster, user };
	if (cluster['proxy-url']) return { what: 'proxy-url', cluster, user };
	return undefined;
}

function fileOrData(path: string | undefined, base64: string | undefined): Buffer | undefined {
	if (base64) return Buffer.from(base64, 'base64');
	return path ? readCredential(path) : undefined;
}

function readCredential(path: string): Buffer {
	try {
		return readFileSync(path);
	} catch (error) {
		const { code, message } = error as NodeJS.ErrnoException;
		throw usageError(code === 'ENOENT' ? `unable to read ${path}: no such file or directory` : message);
	}
}
