import { names } from '../../admission/api/keys.ts';
import { type Kube, KubeError } from '../sim/kube.ts';
import { eventually } from './eventually.ts';

/** Every object of a cluster, by kind, namespace and name, as text without fields that change by themselves. */
export type Snapshot = Map<string, string>;

interface Item {
	metadata: { name: string; namespace?: string; [field: string]: unknown };
	status?: unknown;
	[field: string]: unknown;
}

interface Resources {
	resources: { name: string; kind: string; verbs: string[] }[];
}

/** They are created, deleted and updated by themselves; their content belongs to other objects. */
const ignoredKinds = new Set(['Event', 'Endpoints', 'EndpointSlice', 'ComponentStatus', 'PodMetrics']);
/** Renewed every few seconds: only whether they are there is compared. */
const tickingKinds = new Set(['Lease', 'Node']);
const tickingObjects = new Set([`ConfigMap ${names.namespace}/${names.status}`]);

/** All objects of all kinds that the API server lists. */
export async function snapshot(kube: Kube): Promise<Snapshot> {
	const { groups } = await kube.get<{ groups: { preferredVersion: { groupVersion: string } }[] }>('/apis');
	const roots = [
		'/api/v1',
		...groups.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`),
	];
	const found: Snapshot = new Map();
	for (const root of roots) {
		const { resources } = await kube.get<Resources>(root);
		for (const { name, kind, verbs } of resources) {
			if (name.includes('/') || !verbs.includes('list') || ignoredKinds.has(kind)) continue;
			const { items } = await list(kube, `${root}/${name}`);
			for (const item of items ?? []) {
				const { namespace = '-', name: object } = item.metadata;
				const key = `${kind} ${namespace}/${object}`;
				found.set(key, tickingKinds.has(kind) || tickingObjects.has(key) ? '' : contentOf(item));
			}
		}
	}
	return found;
}

/** Kinds come and go: one that is being set up or taken down a moment later is there, or not. */
function list(kube: Kube, path: string): Promise<{ items: Item[] | null }> {
	return eventually(`${path} can be listed`, async () => {
		try {
			return await kube.get<{ items: Item[] | null }>(path);
		} catch (error) {
			if (error instanceof KubeError && error.status === 429) return undefined;
			if (error instanceof KubeError && error.status === 404) return { items: null };
			throw error;
		}
	});
}

/** Of the status only the types of conditions: their content may change. */
function contentOf({ metadata, status, ...rest }: Item): string {
	const { managedFields: _1, resourceVersion: _2, generation: _3, ...kept } = metadata;
	const { conditions = [] } = (status ?? {}) as { conditions?: { type: string }[] };
	return JSON.stringify({ ...rest, metadata: kept, conditions: conditions.map(({ type }) => type).sort() });
}

/** `+ Kind ns/name`, `- Kind ns/name`, `~ Kind ns/name: before -> after`; empty: they are the same. */
export function difference(before: Snapshot, after: Snapshot): string[] {
	const lines: string[] = [];
	for (const [key, content] of before) {
		const now = after.get(key);
		if (now === undefined) lines.push(`- ${key}`);
		else if (now !== content) lines.push(`~ ${key}: ${content} -> ${now}`);
	}
	for (const key of after.keys()) if (!before.has(key)) lines.push(`+ ${key}`);
	return lines.sort();
}
