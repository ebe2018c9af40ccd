import type { RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import { CliError } from '../errors.ts';
import type { Connection, ExternalAuth } from '../kube/connection.ts';

/**
 * The second bundle: credentials that come from a program (exec: EKS, GKE, AKS, OIDC helpers) or an auth-provider, and
 * connections through a proxy. @kubernetes/client-node does all of it.
 */
export async function completeConnection(connection: Connection): Promise<Connection> {
	const { external, server, tls } = connection;
	if (!external) return connection;

	announceCluster(connection, external);
	const config = new KubeConfig();
	config.loadFromString(JSON.stringify(asKubeconfig(external, server)));
	const options: RequestOptions = { ...tls, headers: {} };
	try {
		await config.applyToHTTPSOptions(options);
	} catch (error) {
		throw new CliError(`error: getting credentials (${external.what}): ${(error as Error).message.trim()}`);
	}

	return {
		...connection,
		tls: {
			...tls,
			cert: (options.cert as string | undefined) ?? tls.cert,
			key: (options.key as string | undefined) ?? tls.key,
		},
		headers: { ...(options.headers as Record<string, string>), ...connection.headers },
		...(external.cluster['proxy-url'] ? { agent: options.agent as Connection['agent'] } : {}),
	};
}

/** A kubeconfig with one context: the cluster and the user that flags and kubeconfig select. */
function asKubeconfig({ cluster, user }: ExternalAuth, server: URL): object {
	return {
		apiVersion: 'v1',
		kind: 'Config',
		'current-context': 'selected',
		contexts: [{ name: 'selected', context: { cluster: 'selected', user: 'selected' } }],
		clusters: [{ name: 'selected', cluster: { ...cluster, server: server.href.replace(/\/$/, '') } }],
		users: [{ name: 'selected', user }],
	};
}

/** Some credential programs need the cluster and the requested API version; client-node passes on neither. */
function announceCluster({ server, tls }: Connection, { user }: ExternalAuth): void {
	if (!user.exec) return;
	const cluster = {
		server: server.href.replace(/\/$/, ''),
		...(tls.ca ? { 'certificate-authority-data': Buffer.from(tls.ca).toString('base64') } : {}),
	};
	process.env.KUBERNETES_EXEC_INFO = JSON.stringify({
		kind: 'ExecCredential',
		apiVersion: user.exec.apiVersion ?? 'client.authentication.k8s.io/v1',
		spec: { interactive: false, ...(user.exec.provideClusterInfo ? { cluster } : {}) },
	});
}
