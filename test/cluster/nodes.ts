import { setTimeout as sleep } from 'node:timers/promises';
import { kubeletLabel, kubeletSyncs, kubeletWorks } from './components.ts';
import type { KubeApi } from './kube-api.ts';

export interface NodeOptions {
	labels?: Record<string, string>;
	taints?: unknown[];
	/** How many pods fit; default 1000. */
	pods?: number;
	/** Its kubelet is that of the simulated runners, which have to run already: see kubeletSyncs. Default false: kwok. */
	syncs?: boolean;
}

interface Node {
	spec: { taints?: { key: string }[] };
	status: { conditions?: { type: string; status: string }[] };
}

const readyWithinMs = 30_000;

/** Adds a node, as a kubelet registers itself, and waits until pods can be scheduled to it. */
export async function addNode(api: KubeApi, name: string, options: NodeOptions): Promise<void> {
	const resources = { cpu: '1k', memory: '1Ti', pods: String(options.pods ?? 1000) };
	await api.post('/api/v1/nodes', {
		apiVersion: 'v1',
		kind: 'Node',
		metadata: {
			name,
			labels: {
				'kubernetes.io/hostname': name,
				'kubernetes.io/os': 'linux',
				[kubeletLabel]: options.syncs ? kubeletSyncs : kubeletWorks,
				...options.labels,
			},
		},
		spec: { taints: options.taints },
		status: { capacity: resources, allocatable: resources },
	});

	const deadline = Date.now() + readyWithinMs;
	while (!isReady(await api.get<Node>(`/api/v1/nodes/${name}`))) {
		if (Date.now() > deadline) throw new Error(`node ${name} is not Ready after ${readyWithinMs / 1000} s`);
		await sleep(50);
	}
}

function isReady(node: Node): boolean {
	const ready = node.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
	return ready === true && !node.spec.taints?.some(({ key }) => key.startsWith('node.kubernetes.io/'));
}

/** Stops or resumes a node's heartbeats, pod starts and pod stops; 50 s after a stop the node is NotReady. */
export async function setKubelet(api: KubeApi, name: string, works: boolean): Promise<void> {
	const labels = { [kubeletLabel]: works ? kubeletWorks : 'stopped' };
	await api.patch(`/api/v1/nodes/${name}`, { metadata: { labels } });
}
