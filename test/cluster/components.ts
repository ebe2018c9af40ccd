import { join } from 'node:path';

export type Component =
	| 'etcd'
	| 'kube-apiserver'
	| 'kube-controller-manager'
	| 'kube-scheduler'
	| 'kwok'
	| 'pod-reaper';

/**
 * Label of nodes whose simulated kubelet works. `works`: kwok starts pods at once, and the pod-reaper removes them.
 * `syncs`: the simulated runners' process does, with the delays and the blind spots of a real one (sim/pod-worker.ts).
 * Any other value, and the node's heartbeats stop.
 */
export const kubeletLabel = 'test.runners/kubelet';
export const kubeletWorks = 'works';
export const kubeletSyncs = 'syncs';

/** The files that the components read, by their names in the cluster's folder. */
export const files = {
	authorityCert: 'ca.crt',
	serverCert: 'server.crt',
	serverKey: 'server.key',
	tokenPublicKey: 'token.pub',
	tokenPrivateKey: 'token.key',
} as const;

/** Whose kubeconfig a component uses; RBAC for the first two comes with the API server, as on any cluster. */
export const componentUsers = {
	'kube-controller-manager': { user: 'system:kube-controller-manager', groups: [] },
	'kube-scheduler': { user: 'system:kube-scheduler', groups: [] },
	kwok: { user: 'kwok', groups: ['system:masters'] },
	'pod-reaper': { user: 'pod-reaper', groups: ['system:masters'] },
} as const satisfies Partial<Record<Component, { user: string; groups: readonly string[] }>>;

/**
 * Controllers of kinds that nothing here creates. The controller manager makes a service account and a token for each
 * controller before it starts any, at a limited rate: without these it starts 2 s sooner.
 */
const idleControllers = [
	'certificatesigningrequest-approving',
	'certificatesigningrequest-cleaner',
	'certificatesigningrequest-signing',
	'device-taint-eviction',
	'endpointslice-mirroring',
	'legacy-serviceaccount-token-cleaner',
	'persistentvolume-attach-detach',
	'persistentvolume-expander',
	'replicationcontroller',
	'resourceclaim',
	'ttl',
	'validatingadmissionpolicy-status',
	'volumeattributesclass-protection',
];

/** Flags of each component. Defaults of Kubernetes are kept where tests could tell the difference. */
export function componentArgs(component: Component, folder: string, port: number): string[] {
	const file = (name: keyof typeof files) => join(folder, files[name]);
	const kubeconfig = `--kubeconfig=${join(folder, `${component}.kubeconfig`)}`;
	const selector = `${kubeletLabel}=${kubeletWorks}`;
	// Sockets: no port to lose a race for, and nobody else can connect. Relative to the folder, in which the components
	// run, because the path of a socket may have only some 100 characters.
	const etcd = 'unix://etcd.sock';
	const nobody = 'http://127.0.0.1:1'; // advertised to other members, of which there are none; a socket is not accepted

	switch (component) {
		case 'etcd':
			return [
				`--data-dir=${join(folder, 'etcd')}`,
				'--unsafe-no-fsync', // a crash of the machine may lose data; a killed process does not
				`--listen-client-urls=${etcd}`,
				'--listen-peer-urls=unix://peer.sock',
				`--advertise-client-urls=${nobody}`,
				`--initial-advertise-peer-urls=${nobody}`,
				`--initial-cluster=default=${nobody}`,
				'--log-level=warn',
			];
		case 'kube-apiserver':
			return [
				`--etcd-servers=${etcd}`,
				'--bind-address=127.0.0.1',
				`--secure-port=${port}`,
				'--advertise-address=127.0.0.1', // otherwise it looks for a default route, which a sandbox may not have
				'--endpoint-reconciler-type=none', // a loopback address is no valid endpoint
				`--tls-cert-file=${file('serverCert')}`,
				`--tls-private-key-file=${file('serverKey')}`,
				`--client-ca-file=${file('authorityCert')}`,
				'--authorization-mode=Node,RBAC',
				'--allow-privileged=true', // ARC's docker-in-docker runners are
				'--service-cluster-ip-range=10.96.0.0/16',
				'--service-account-issuer=https://kubernetes.default.svc',
				`--service-account-key-file=${file('tokenPublicKey')}`,
				`--service-account-signing-key-file=${file('tokenPrivateKey')}`,
				// By default a node's name is tried before its address, and these names lead nowhere.
				'--kubelet-preferred-address-types=InternalIP',
				'--profiling=false',
			];
		case 'kube-controller-manager':
			return [
				kubeconfig,
				'--use-service-account-credentials=true', // each controller is its own user, as with kubeadm
				'--leader-elect=false', // there is only one: no wait for a lease after a restart
				'--secure-port=0',
				'--kube-api-burst=100', // of 30: only the start is quicker, the lasting rate stays 20 a second
				`--controllers=*,${idleControllers.map((name) => `-${name}-controller`).join(',')}`,
				`--root-ca-file=${file('authorityCert')}`,
				`--service-account-private-key-file=${file('tokenPrivateKey')}`,
				'--profiling=false',
			];
		case 'kube-scheduler':
			return [kubeconfig, '--leader-elect=false', '--secure-port=0', '--profiling=false'];
		case 'kwok':
			return [
				kubeconfig,
				`--config=${join(import.meta.dirname, 'stages', 'node.yaml')}`,
				`--config=${join(import.meta.dirname, 'stages', 'pod.yaml')}`,
				'--manage-all-nodes=false',
				// A label, not an annotation: only a label that is taken away makes kwok let a node go.
				`--manage-nodes-with-label-selector=${selector}`,
				'--node-ip=127.0.0.1',
				'--node-lease-duration-seconds=40', // a kubelet's: renewed every 10 s
			];
		case 'pod-reaper':
			return [kubeconfig, `--node-selector=${selector}`];
	}
}
