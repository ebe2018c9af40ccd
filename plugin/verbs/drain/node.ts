import type { KubeObject } from '../../../admission/api/kinds.ts';
import { objectPath, resources } from '../../../admission/api/paths.ts';
import { type KubeClient, mergePatch } from '../../kube/client.ts';

interface Node extends KubeObject {
	spec?: { unschedulable?: boolean };
}

export function getNode(client: KubeClient, name: string): Promise<Node> {
	return client.json<Node>('GET', nodePath(name));
}

/** Marks the node as unschedulable. */
export async function cordon(client: KubeClient, name: string, dryRun: boolean): Promise<void> {
	await client.call('PATCH', nodePath(name), {
		contentType: mergePatch,
		body: { spec: { unschedulable: true } },
		query: { dryRun: dryRun ? 'All' : undefined },
	});
}

function nodePath(name: string): string {
	return objectPath(resources.nodes, { name });
}
