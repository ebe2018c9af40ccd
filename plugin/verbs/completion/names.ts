import { collectionPath, resources } from '../../../admission/api/paths.ts';
import { isRunnerPod } from '../../../admission/runner/runner-pod.ts';
import { listAutoscalers } from '../../autoscalers/api.ts';
import { demandText } from '../../autoscalers/state.ts';
import type { ConnectionFlags } from '../../cli/connection-flags.ts';
import type { KubeClient } from '../../kube/client.ts';
import { connect } from '../../kube/connect.ts';
import { loadKubeconfig } from '../../kube/kubeconfig.ts';
import { listPods } from '../../kube/pods.ts';
import { stateOf } from '../../runners/state.ts';
import { allSets, refOf } from '../../sets/api.ts';
import { kinds, shortName } from '../../sets/names.ts';
import { countsOf } from '../../sets/state.ts';

/** A completion that the shell may offer. */
export interface Candidate {
	value: string;
	description?: string;
}

export type NameKind =
	| 'runner'
	| 'set'
	| 'autoscaler'
	| 'node'
	| 'namespace'
	| 'context'
	| 'cluster'
	| 'user';

/** A completion that takes longer is of no use. */
const limitMs = 3000;

/** Names from the kubeconfig or the cluster. */
export async function completeNames(kind: NameKind, flags: ConnectionFlags): Promise<Candidate[]> {
	if (kind === 'context' || kind === 'cluster' || kind === 'user')
		return fromKubeconfig(kind, flags.kubeconfig);
	const client = await connect({ ...flags, requestTimeout: limitMs });
	if (kind === 'node') return firstColumn(client, collectionPath(resources.nodes));
	if (kind === 'namespace') return firstColumn(client, collectionPath(resources.namespaces));
	if (kind === 'autoscaler') {
		const found = await listAutoscalers(client);
		return found.map((one) => ({ value: one.metadata.name, description: demandText(one) }));
	}
	if (kind === 'set') {
		const sets = await allSets(client, kinds, { namespace: client.namespace });
		return sets.map((set) => ({ value: shortName(refOf(set)), description: countsOf(set) }));
	}
	const { pods } = await listPods(client, { namespace: client.namespace });
	return pods
		.filter(isRunnerPod)
		.map((pod) => ({ value: pod.metadata.name, description: stateOf(pod, Date.now()) }));
}

function fromKubeconfig(kind: 'context' | 'cluster' | 'user', path: string | undefined): Candidate[] {
	const config = loadKubeconfig(path);
	const names = { context: config.contexts, cluster: config.clusters, user: config.users }[kind];
	return [...names.keys()].map((value) => ({ value }));
}

/** Only the names, as a table without the objects: a few bytes each. */
async function firstColumn(client: KubeClient, path: string): Promise<Candidate[]> {
	const table = await client.json<{ rows?: { cells: unknown[] }[] }>('GET', path, {
		query: { includeObject: 'None' },
		accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
	});
	return (table.rows ?? []).map(({ cells }) => ({ value: String(cells[0]) }));
}
