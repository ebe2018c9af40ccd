import { names } from '../../admission/api/keys.ts';
import { connectionFlags } from '../cli/connection-flags.ts';

/** What the verbs `install` and `uninstall` have in common. */

/** The namespace of the server, not the one of the context. */
export const namespaceFlag = {
	...connectionFlags.namespace,
	description: `Namespace of the server (default ${names.namespace})`,
};

/** Without --request-timeout no request of an installation waits longer. */
export const requestTimeoutMs = 30_000;
