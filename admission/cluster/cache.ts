import type { EphemeralRunner, KubeObject, Pod } from '../api/kinds.ts';
import { resources } from '../api/paths.ts';
import type { Informer, Listener } from '../kube/informer.ts';
import type { LargeSelection } from '../kube/large-objects.ts';
import { limitsOf, trimEnd } from '../runner/end-fields.ts';
import { trimContainer } from '../runner/identity/identity.ts';
import { trimProcess } from '../runner/process.ts';
import { isRunnerPod } from '../runner/runner-pod.ts';
import { keptAnnotations } from './kept-annotations.ts';
import { runWhenServed, type WatchDependencies, watched } from './watched.ts';

interface Node extends KubeObject {
	/** `unschedulable`: the node is cordoned. */
	spec?: { unschedulable?: boolean | undefined };
}

/** The objects that the leader watches. Only runner pods are kept, and of every object only the fields that are read. */
export class Cache {
	readonly pods: Informer<Pod>;
	readonly nodes: Informer<Node>;
	readonly namespaces: Informer<KubeObject>;
	readonly ephemeralRunners: Informer<EphemeralRunner>;
	readonly onPod: (listener: Listener<Pod>) => void;
	readonly onNode: (listener: Listener<Node>) => void;
	readonly onNamespace: (listener: Listener<KubeObject>) => void;
	readonly onEphemeralRunner: (listener: Listener<EphemeralRunner>) => void;
	readonly #dependencies: WatchDependencies;

	constructor(dependencies: WatchDependencies) {
		this.#dependencies = dependencies;
		({ informer: this.pods, on: this.onPod } = watched(dependencies, resources.pods, trimPod, {
			large: mayBeRunners,
		}));
		({ informer: this.nodes, on: this.onNode } = watched(dependencies, resources.nodes, trimNode));
		const namespaces = watched(dependencies, resources.namespaces, trimToMetadata);
		({ informer: this.namespaces, on: this.onNamespace } = namespaces);
		const runners = watched(dependencies, resources.ephemeralRunners, trimEphemeralRunner);
		({ informer: this.ephemeralRunners, on: this.onEphemeralRunner } = runners);
	}

	async run(signal: AbortSignal): Promise<void> {
		const scaleSets = [{ informer: this.ephemeralRunners }];
		await Promise.all([
			this.pods.run(signal),
			this.nodes.run(signal),
			this.namespaces.run(signal),
			runWhenServed(this.#dependencies, resources.ephemeralRunners, scaleSets, servedCheckMs, signal),
		]);
	}
}

/** How often it is checked whether scale sets have been installed. */
const servedCheckMs = 20_000;

/** Large pods that may be runners', of which a deletion may be recorded, or for which a set would make others. */
const mayBeRunners: LargeSelection<Pod> = {
	kept: { spec: { containers: { '*': { name: true } } } },
	isRead: ({ spec }) => spec?.containers?.some(({ name }) => name === 'runner') ?? false,
};

/** What is kept of a pod; undefined: nothing, it is not a runner's. */
export function trimPod(pod: Pod): Pod | undefined {
	if (!isRunnerPod(pod)) return undefined;
	const { metadata } = pod;
	const { spec, status } = trimProcess(pod, (container) => {
		const limits = limitsOf(container.resources);
		return { ...trimContainer(container), ...(limits ? { resources: { limits } } : {}) };
	});
	const end = trimEnd(pod);
	const ownConditions = (pod.status?.conditions ?? []).filter(({ type }) =>
		type.startsWith('actions-runner/'),
	);
	return {
		metadata: {
			...trimMetadata(metadata),
			labels: metadata.labels,
			annotations: keptAnnotations(pod),
			creationTimestamp: metadata.creationTimestamp,
			ownerReferences: metadata.ownerReferences,
			finalizers: metadata.finalizers,
		},
		spec,
		status: {
			...status,
			...end,
			conditions: [...ownConditions, ...end.conditions, ...(status.conditions ?? [])],
		},
	};
}

function trimEphemeralRunner(runner: EphemeralRunner): EphemeralRunner {
	const { githubConfigUrl, githubConfigSecret } = runner.spec ?? {};
	return {
		metadata: { ...trimMetadata(runner.metadata), finalizers: runner.metadata.finalizers },
		spec: { githubConfigUrl, githubConfigSecret },
		status: runner.status,
	};
}

const trimToMetadata = (object: KubeObject): KubeObject => ({ metadata: trimMetadata(object.metadata) });

/** The label by which a node tells its architecture. */
export const architectureLabel = 'kubernetes.io/arch';

const trimNode = ({ metadata, spec }: Node): Node => ({
	metadata: {
		...trimMetadata(metadata),
		labels: { [architectureLabel]: metadata.labels?.[architectureLabel] ?? '' },
	},
	spec: { unschedulable: spec?.unschedulable },
});

const trimMetadata = ({
	name,
	namespace,
	uid,
	resourceVersion,
	deletionTimestamp,
}: KubeObject['metadata']) => ({
	name,
	namespace,
	uid,
	resourceVersion,
	deletionTimestamp,
});
