import type { ConnectionFlags } from '../cli/connection-flags.ts';
import { CliError } from '../errors.ts';
import { loadBeside } from '../load-beside.ts';
import { KubeClient } from './client.ts';
import { type Connection, type ExternalAuth, resolveConnection } from './connection.ts';

/** A client for the cluster that flags and kubeconfig name. */
export async function connect(flags: ConnectionFlags): Promise<KubeClient> {
	const connection = resolveConnection(flags);
	if (!connection.external) return new KubeClient(connection);
	const { completeConnection } = loadAuthBundle(connection.external.what);
	return new KubeClient(await completeConnection(connection));
}

/** What plugin/auth/main.ts exports. Apart, because @kubernetes/client-node takes 5 x kubectl's whole run to load. */
export interface AuthBundle {
	completeConnection: (connection: Connection) => Promise<Connection>;
}

/** undici 8, which client-node 2 brings, does not load on anything older. */
const leastNode = [22, 19] as const;

function loadAuthBundle(what: ExternalAuth['what']): AuthBundle {
	const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
	if (major < leastNode[0] || (major === leastNode[0] && minor < leastNode[1])) {
		throw new CliError(
			`error: this kubeconfig's "${what}" needs Node.js ${leastNode.join('.')} or newer, and this is ${process.versions.node}\n` +
				'Put a newer node first in PATH, or give --token.',
		);
	}
	return loadBeside<AuthBundle>('kubectl-runners-auth.cjs');
}
