/** How to reach a cluster, from its kubeconfig. */
import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';

export interface ClusterAccess {
	/** e.g. https://127.0.0.1:6443 */
	server: string;
	/** PEM */
	ca?: string;
	cert?: string;
	key?: string;
	/** Bearer token, instead of cert and key. */
	token?: string;
}

interface KubeconfigFile {
	'current-context': string;
	clusters: { name: string; cluster: Record<string, string> }[];
	users: { name: string; user: Record<string, string> }[];
	contexts: { name: string; context: { cluster: string; user: string } }[];
}

/** The current context of a kubeconfig file, with certificates or a token, inline or in files. */
export function readKubeconfig(path: string): ClusterAccess {
	const config = load(readFileSync(path, 'utf8')) as KubeconfigFile;
	const context = config.contexts.find((entry) => entry.name === config['current-context'])?.context;
	const cluster = config.clusters.find((entry) => entry.name === context?.cluster)?.cluster;
	const user = config.users.find((entry) => entry.name === context?.user)?.user;
	if (!cluster?.server || user === undefined) throw new Error(`${path}: no usable current context`);
	const pem = (from: Record<string, string>, name: string): string | undefined => {
		const data = from[`${name}-data`];
		if (data !== undefined) return Buffer.from(data, 'base64').toString();
		return from[name] === undefined ? undefined : readFileSync(from[name], 'utf8');
	};
	const access: ClusterAccess = { server: cluster.server };
	const found = {
		ca: pem(cluster, 'certificate-authority'),
		cert: pem(user, 'client-certificate'),
		key: pem(user, 'client-key'),
		token: user.token,
	};
	for (const [name, value] of Object.entries(found)) if (value) access[name as keyof typeof found] = value;
	return access;
}
