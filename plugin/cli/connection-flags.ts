import type { TypeFlag } from 'cleye';
import { requestTimeoutFlag } from './flag-types.ts';

/** How to reach the cluster: kubectl's own flags, understood by every verb that asks it something. */
export const connectionFlags = {
	namespace: {
		type: String,
		alias: 'n',
		placeholder: 'NAMESPACE',
		description: 'Namespace; by default, that of the context',
	},
	context: { type: String, placeholder: 'NAME', description: 'Context of the kubeconfig to use' },
	kubeconfig: {
		type: String,
		placeholder: 'FILE',
		description: 'Kubeconfig file; by default, KUBECONFIG or ~/.kube/config',
	},
	cluster: { type: String, placeholder: 'NAME', description: 'Cluster of the kubeconfig to use' },
	user: { type: String, placeholder: 'NAME', description: 'User of the kubeconfig to use' },
	server: { type: String, alias: 's', placeholder: 'URL', description: 'Address of the API server' },
	token: { type: String, placeholder: 'TOKEN', description: 'Bearer token' },
	requestTimeout: {
		type: requestTimeoutFlag,
		placeholder: 'DURATION',
		description: 'Timeout of a single request, e.g. 30s; 0 means no timeout',
	},
	as: { type: String, placeholder: 'USER', description: 'User to impersonate' },
	asGroup: { type: [String], placeholder: 'GROUP', description: 'Group to impersonate; may be repeated' },
	certificateAuthority: {
		type: String,
		placeholder: 'FILE',
		description: "File with the CA of the API server's certificate",
	},
	insecureSkipTlsVerify: {
		type: Boolean,
		description: "Do not verify the API server's certificate (insecure)",
	},
} as const;

export type ConnectionFlags = Partial<TypeFlag<typeof connectionFlags>['flags']>;
