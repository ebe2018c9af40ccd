import { arc, autoscalerMarks, breakGlass, busy, progress, record } from '../api/keys.ts';
import type { EphemeralRunner, KubeObject, Pod } from '../api/kinds.ts';
import { collectionPath, groupPath, resources } from '../api/paths.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { type Change, Informer } from '../kube/informer.ts';
import { servesResource } from '../kube/objects.ts';
import { isRunnerPod } from '../runner/runner-pod.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';

interface Node extends KubeObject {
	/** Cordoned. */
	spec?: { unschedulable?: boolean | undefined };
}

type Listener<T> = (change: Change, object: T, before: T | undefined) => void;

/** What the leader watches. Only runner pods are kept, and of each only what is read. */
export class Cache {
	readonly pods: Informer<Pod>;
	readonly nodes: Informer<Node>;
	readonly namespaces: Informer<KubeObject>;
	readonly ephemeralRunners: Informer<EphemeralRunner>;
	readonly #podListeners: Listener<Pod>[] = [];
	readonly #nodeListeners: Listener<Node>[] = [];
	readonly #namespaceListeners: Listener<KubeObject>[] = [];
	readonly #ephemeralRunnerListeners: Listener<EphemeralRunner>[] = [];
	readonly #client: KubeClient;
	readonly #clock: Clock;

	constructor(client: KubeClient, metrics: Metrics, clock: Clock, log: Log) {
		this.#client = client;
		this.#clock = clock;
		const watch = <T extends KubeObject>(
			path: string,
			listeners: Listener<T>[],
			trim: (object: T) => T | undefined,
		) =>
			new Informer<T>({
				client,
				path,
				trim,
				onChange: (change, object, before) => {
					for (const listener of listeners) listener(change, object, before);
				},
				onRestart: (why) => metrics.watchRestarted(path, why),
				clock,
				log,
			});
		this.pods = watch(collectionPath(resources.pods), this.#podListeners, trimPod);
		this.nodes = watch(collectionPath(resources.nodes), this.#nodeListeners, trimNode);
		this.namespaces = watch(collectionPath(resources.namespaces), this.#namespaceListeners, trimToMetadata);
		this.ephemeralRunners = watch(
			collectionPath(resources.ephemeralRunners),
			this.#ephemeralRunnerListeners,
			trimEphemeralRunner,
		);
	}

	onPod = (listener: Listener<Pod>) => void this.#podListeners.push(listener);
	onNode = (listener: Listener<Node>) => void this.#nodeListeners.push(listener);
	onNamespace = (listener: Listener<KubeObject>) => void this.#namespaceListeners.push(listener);
	onEphemeralRunner = (listener: Listener<EphemeralRunner>) =>
		void this.#ephemeralRunnerListeners.push(listener);

	async run(signal: AbortSignal): Promise<void> {
		await Promise.all([
			this.pods.run(signal),
			this.nodes.run(signal),
			this.namespaces.run(signal),
			this.#runWhenServed(signal),
		]);
	}

	/** Scale sets may be installed later, or never. */
	async #runWhenServed(signal: AbortSignal): Promise<void> {
		while (!signal.aborted) {
			const { apiVersion, resource } = resources.ephemeralRunners;
			const served = await servesResource(this.#client, groupPath(apiVersion), resource);
			if (served) return this.ephemeralRunners.run(signal);
			await this.#clock.sleep(20_000, signal);
		}
	}
}

const keptAnnotations: readonly string[] = [
	...Object.values(record),
	...Object.values(progress),
	...Object.keys(autoscalerMarks),
	busy.since,
	busy.job,
	busy.marks,
	breakGlass,
	arc.credentialsSecret,
];

const keptVariables = [
	'RUNNER_REPO',
	'RUNNER_ORG',
	'RUNNER_ENTERPRISE',
	'RUNNER_NAME',
	'RUNNER_TOKEN',
	'RUNNER_EPHEMERAL',
	'ACTIONS_RUNNER_INPUT_JITCONFIG',
];

function trimPod(pod: Pod): Pod | undefined {
	if (!isRunnerPod(pod)) return undefined;
	const { metadata, spec, status } = pod;
	const annotations = metadata.annotations ?? {};
	return {
		metadata: {
			...trimMetadata(metadata),
			labels: metadata.labels,
			annotations: Object.fromEntries(
				keptAnnotations.flatMap((key) => (key in annotations ? [[key, annotations[key] ?? '']] : [])),
			),
			creationTimestamp: metadata.creationTimestamp,
			ownerReferences: metadata.ownerReferences,
			finalizers: metadata.finalizers,
		},
		spec: {
			nodeName: spec?.nodeName,
			restartPolicy: spec?.restartPolicy,
			containers: spec?.containers
				?.filter((container) => container.name === 'runner')
				.map(({ name, env }) => ({
					name,
					env: env?.filter((variable) => keptVariables.includes(variable.name)),
				})),
		},
		status: {
			phase: status?.phase,
			conditions: status?.conditions?.filter((condition) => condition.type.startsWith('actions-runner/')),
			containerStatuses: status?.containerStatuses
				?.filter((container) => container.name === 'runner')
				.map(({ name, restartCount, state, lastState }) => ({ name, restartCount, state, lastState })),
		},
	};
}

function trimEphemeralRunner(runner: EphemeralRunner): EphemeralRunner {
	const { githubConfigUrl, githubConfigSecret } = runner.spec ?? {};
	return {
		metadata: trimMetadata(runner.metadata),
		spec: { githubConfigUrl, githubConfigSecret },
		status: runner.status,
	};
}

const trimToMetadata = (object: KubeObject): KubeObject => ({ metadata: trimMetadata(object.metadata) });

const trimNode = ({ metadata, spec }: Node): Node => ({
	metadata: trimMetadata(metadata),
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
