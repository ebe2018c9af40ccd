import { readFileSync } from 'node:fs';
import type { Cluster, User } from './kubeconfig.ts';

/** Where the kubelet mounts a pod's service account. */
const mount = '/var/run/secrets/kubernetes.io/serviceaccount';

/** The configuration of a pod that talks to its own cluster; undefined outside of one. */
export function inClusterConfig(
	env: NodeJS.ProcessEnv = process.env,
	folder = mount,
): { cluster: Cluster; user: User; namespace?: string } | undefined {
	const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env;
	const token = readIfThere(`${folder}/token`);
	if (!host || token === undefined) return undefined;

	const bracketed = host.includes(':') ? `[${host}]` : host; // IPv6
	return {
		cluster: { server: `https://${bracketed}:${port}`, 'certificate-authority': `${folder}/ca.crt` },
		user: { tokenFile: `${folder}/token` },
		namespace: readIfThere(`${folder}/namespace`)?.trim(),
	};
}

function readIfThere(path: string): string | undefined {
	try {
		return readFileSync(path, 'utf8');
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
		throw error;
	}
}
