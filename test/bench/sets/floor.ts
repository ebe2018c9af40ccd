import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import type { SetUnderTest } from '../../rig/runner-sets.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { Kube, KubeError, type KubeItem } from '../../sim/kube.ts';

/** As many as the reconciler; more at once are not faster here. */
const writersAtOnce = 16;
/** The StatefulSet controller may make 100 calls at once and 20 a second: until it has all of them again, with slack. */
export const controllerRestsMs = 12_000;
let made = 0;

interface Item extends KubeItem {
	apiVersion?: string;
	kind?: string;
	spec?: Spec;
}

interface Spec {
	selector?: object;
	template?: { metadata: object };
	containers?: { volumeMounts?: Named[] }[];
	volumes?: Named[];
	[field: string]: unknown;
}

interface Named {
	name: string;
}

const kinds = {
	statefulsets: { group: '/apis/apps/v1', apiVersion: 'apps/v1', kind: 'StatefulSet' },
	controllerrevisions: { group: '/apis/apps/v1', apiVersion: 'apps/v1', kind: 'ControllerRevision' },
	runners: {
		group: '/apis/actions.summerwind.dev/v1alpha1',
		apiVersion: 'actions.summerwind.dev/v1alpha1',
		kind: 'Runner',
	},
	persistentvolumeclaims: { group: '/api/v1', apiVersion: 'v1', kind: 'PersistentVolumeClaim' },
	pods: { group: '/api/v1', apiVersion: 'v1', kind: 'Pod' },
} as const;
type Resource = keyof typeof kinds;

/** One runner of a set as the API server has it, in the order in which its objects are created. */
export type Sample = { resource: Resource; item: Item }[];

/** What a bare loop creates as often. */
export async function sampleOf({ rig, kind, namespace }: SetUnderTest): Promise<Sample> {
	const resources: Resource[] =
		kind === 'RunnerSet' ? ['statefulsets', 'persistentvolumeclaims', 'pods'] : ['runners', 'pods'];
	const found = await Promise.all(
		resources.map(async (resource) => {
			const { items } = await rig.kube.get<{ items: Item[] }>(collection(resource, namespace));
			return items[0] && { resource, item: items[0] };
		}),
	);
	return found.filter((one) => one !== undefined);
}

export interface Floor {
	/** Seconds until this number of pods exists. */
	up: number;
	/** Seconds from the first DELETE until the last pod is gone. */
	down: number;
}

/**
 * The same objects, `count` times, created and deleted by a bare loop with as many writers, while no server of ours runs.
 * Their pods are nobody's runners: no runner process, no registration, no review.
 */
export async function floorOf(rig: Rig, sample: Sample, count: number): Promise<Floor> {
	const namespace = `floor-${++made}`;
	await rig.cluster.createNamespace(namespace);
	const kube = new Kube(readKubeconfig(rig.cluster.kubeconfig));
	const pods = new Set<string>();
	await kube.watch<KubeItem>(collection('pods', namespace), {
		seen: ({ metadata }) => void pods.add(metadata.name),
		gone: ({ metadata }) => void pods.delete(metadata.name),
	});
	try {
		const names = Array.from({ length: count }, (_, index) => `bare-${index}`);
		let fromMs = Date.now();
		await each(names, async (name) => {
			let owner: Item | undefined;
			for (const { resource, item } of sample) {
				const creating = kube.create<Item>(
					collection(resource, namespace),
					copy(resource, item, name, owner),
				);
				// The StatefulSet controller may be quicker with a pod.
				const made = await (owner ? unlessThere(creating) : creating);
				owner ??= made;
			}
		});
		await eventually(`${count} bare pods exist`, () => pods.size === count, {
			withinMs: 60_000,
			everyMs: 10,
		});
		const up = (Date.now() - fromMs) / 1000;
		// So that all of them run, and the controllers are quiet.
		await sleep(controllerRestsMs + count * 60);
		fromMs = Date.now();
		await each(names, async (name) => {
			for (const { resource } of sample.filter((one) => one.resource !== 'persistentvolumeclaims'))
				await kube.delete(`${collection(resource, namespace)}/${nameOf(resource, name)}`, {
					apiVersion: 'v1',
					kind: 'DeleteOptions',
					propagationPolicy: 'Background',
				});
		});
		await eventually('the bare pods are gone', () => pods.size === 0, { withinMs: 60_000, everyMs: 10 });
		return { up, down: (Date.now() - fromMs) / 1000 };
	} finally {
		await rig.ok(['delete', 'namespace', namespace, '--wait=false']);
		await eventually('the bare pods are gone', () => pods.size === 0, { withinMs: 400_000 });
		kube.stop();
	}
}

async function unlessThere<T>(creating: Promise<T>): Promise<T | undefined> {
	try {
		return await creating;
	} catch (error) {
		if (error instanceof KubeError && error.status === 409) return undefined;
		throw error;
	}
}

async function each<T>(items: T[], work: (item: T) => Promise<unknown>): Promise<void> {
	const waiting = items.values();
	await Promise.all(
		Array.from({ length: writersAtOnce }, async () => {
			for (const item of waiting) await work(item);
		}),
	);
}

const collection = (resource: Resource, namespace: string) =>
	`${kinds[resource].group}/namespaces/${namespace}/${resource}`;

function nameOf(resource: Resource, owner: string): string {
	if (resource === 'pods') return `${owner}-0`;
	return resource === 'persistentvolumeclaims' ? `work-${owner}-0` : owner;
}

/** The object under another name, without the labels and the container's name that make a pod a runner's. */
function copy(resource: Resource, item: Item, name: string, owner: Item | undefined): object {
	const { apiVersion, kind } = kinds[resource];
	const app = { app: name };
	const spec = JSON.parse(JSON.stringify(item.spec).replaceAll('"name":"runner"', '"name":"main"')) as Spec;
	if (resource === 'pods') delete spec.nodeName;
	if (resource === 'statefulsets') {
		spec.selector = { matchLabels: app };
		if (spec.template) spec.template.metadata = { labels: app };
	}
	const own = (one: Named) => !one.name.startsWith('kube-api-access');
	if (spec.volumes) spec.volumes = spec.volumes.filter(own);
	for (const container of spec.containers ?? [])
		if (container.volumeMounts) container.volumeMounts = container.volumeMounts.filter(own);
	const belongs = owner && {
		apiVersion: owner.apiVersion,
		kind: owner.kind,
		name: owner.metadata.name,
		uid: owner.metadata.uid,
		controller: true,
		blockOwnerDeletion: true,
	};
	return {
		apiVersion,
		kind,
		metadata: {
			name: nameOf(resource, name),
			labels: { ...app, 'statefulset.kubernetes.io/pod-name': nameOf('pods', name) },
			annotations: item.metadata.annotations,
			ownerReferences: belongs && resource !== 'persistentvolumeclaims' ? [belongs] : [],
		},
		spec,
	};
}
