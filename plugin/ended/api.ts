import { type EndedRunner, endedRunners, readEnded } from '../../admission/api/ended-runners.ts';
import type { KubeObject } from '../../admission/api/kinds.ts';
import { collectionPath, resources } from '../../admission/api/paths.ts';
import { printable } from '../../admission/api/printable.ts';
import type { KubeClient } from '../kube/client.ts';

/** A runner that died, and where. */
export interface EndedThere extends EndedRunner {
	namespace: string;
	/** Its set, `RunnerSet/linux`; undefined: it belonged to none. */
	set: string | undefined;
}

interface ConfigMap extends KubeObject {
	data?: Record<string, string>;
}

/** There is one list for each set, of at most 384 KiB: the number that is read at once. */
const pageSize = '50';

/**
 * The runners of the last day that ended otherwise than with their job, newest first: of one namespace, or of all. It needs
 * the right to list ConfigMaps.
 */
export async function listEnded(
	client: KubeClient,
	namespace: string | undefined,
	nowMs: number,
): Promise<EndedThere[]> {
	const found: EndedThere[] = [];
	let token = '';
	do {
		const query = {
			labelSelector: `${endedRunners.label}=true`,
			limit: pageSize,
			continue: token || undefined,
		};
		const page = await client.json<{ items?: ConfigMap[]; metadata?: { continue?: string } }>(
			'GET',
			collectionPath(resources.configMaps, namespace),
			{ query },
		);
		for (const { metadata, data } of page.items ?? []) {
			const [owner] = metadata.ownerReferences ?? [];
			const set = owner && printable(`${owner.kind}/${owner.name}`);
			const there = { namespace: metadata.namespace ?? namespace ?? '', set };
			found.push(...readEnded(data?.[endedRunners.key], nowMs).map((one) => ({ ...one, ...there })));
		}
		token = page.metadata?.continue ?? '';
	} while (token !== '');
	return found.sort((one, other) => Date.parse(other.endedAt) - Date.parse(one.endedAt));
}
