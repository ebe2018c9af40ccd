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

/**
 * What plugin/auth/main.ts exports. A separate bundle, because loading @kubernetes/client-node takes five times as long
 * as a whole run of kubectl.
 */
interface AuthBundle {
	completeConnection: (connection: Connection) => Promise<Connection>;
}

/** undici 8, a dependency of client-node 2, does not load on an older Node. */
const leastNode = [22, 19] as const;

function loadAuthBundle(what: ExternalAuth['what']): AuthBundle {
	const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
	if (major < leastNode[0] || (major === leastNode[0] && minor < leastNode[1])) {
		throw new CliError(
			`error: this kubeconfig's "${what}" needs Node.js ${leastNode.join('.')} or newer, but this is ${process.versions.node}\n` +
				'Put a newer node first in PATH, or use --token.',
		);
	}
	return loadBeside<AuthBundle>('kubectl-runners-auth.cjs');
}
