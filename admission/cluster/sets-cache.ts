import type { KubeObject } from '../api/kinds.ts';
import { collectionPath, groupPath, resources } from '../api/paths.ts';
import {
	apiVersion,
	arcReplicaSet,
	type RunnerDeployment,
	type RunnerSet,
	type SetMeta,
	setKeys,
	setKinds,
} from '../api/sets.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { type Change, Informer } from '../kube/informer.ts';
import { servesResource } from '../kube/objects.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';

/** A StatefulSet or a Runner: who it is and whose. What is in it is its API server's business. */
export interface OwnerObject extends KubeObject {
	metadata: SetMeta;
}

/** An informer with any number of listeners. */
export interface Watched<T extends KubeObject> {
	informer: Informer<T>;
	on(listener: (change: Change, object: T) => void): void;
}

/** The CRDs may be installed after the server. */
const servedCheckMs = 3_000;

/** Our own kinds, and the StatefulSets of RunnerSets. Runs only what the enabled controllers need. */
export class SetsCache {
	readonly runnerSets: Watched<RunnerSet>;
	readonly statefulSets: Watched<OwnerObject>;
	readonly runnerDeployments: Watched<RunnerDeployment>;
	readonly runners: Watched<OwnerObject>;
	/** ARC's: served only where ARC was installed before. */
	readonly runnerReplicaSets: Watched<OwnerObject>;
	readonly #client: KubeClient;
	readonly #clock: Clock;

	constructor(client: KubeClient, metrics: Metrics, clock: Clock, log: Log) {
		this.#client = client;
		this.#clock = clock;
		const watch = <T extends KubeObject>(
			path: string,
			trim: (object: T) => T,
			query: Record<string, string> = {},
		): Watched<T> => {
			const listeners: ((change: Change, object: T) => void)[] = [];
			const informer = new Informer<T>({
				client,
				path,
				query,
				trim,
				onChange: (change, object) => {
					for (const listener of listeners) listener(change, object);
				},
				onRestart: (why) => metrics.watchRestarted(path, why),
				clock,
				log,
			});
			return { informer, on: (listener) => void listeners.push(listener) };
		};
		this.runnerSets = watch<RunnerSet>(collectionPath(setKinds.runnerSet), trimSet(setKinds.runnerSet.kind));
		this.runnerDeployments = watch<RunnerDeployment>(
			collectionPath(setKinds.runnerDeployment),
			trimSet(setKinds.runnerDeployment.kind),
		);
		this.runners = watch<OwnerObject>(collectionPath(setKinds.runner), trimOwner);
		this.runnerReplicaSets = watch<OwnerObject>(collectionPath(arcReplicaSet), trimOwner);
		// ARC's StatefulSets carry this label too, and not the set's name.
		this.statefulSets = watch<OwnerObject>(collectionPath(resources.statefulSets), trimOwner, {
			labelSelector: setKeys.templateHash,
		});
	}

	/** Follows what these controllers need, from when their kind is served. */
	async run(controllers: readonly string[], signal: AbortSignal): Promise<void> {
		await Promise.all([
			controllers.includes('runnerset') &&
				this.#whenServed(setKinds.runnerSet.resource, [this.runnerSets, this.statefulSets], signal),
			controllers.includes('runnerdeployment') &&
				this.#whenServed(setKinds.runnerDeployment.resource, [this.runnerDeployments, this.runners], signal),
			controllers.includes('runnerdeployment') &&
				this.#whenServed(arcReplicaSet.resource, [this.runnerReplicaSets], signal),
		]);
	}

	async #whenServed(
		resource: string,
		needed: { informer: { run(signal: AbortSignal): Promise<void> } }[],
		signal: AbortSignal,
	): Promise<void> {
		while (!signal.aborted) {
			if (await servesResource(this.#client, groupPath(apiVersion), resource)) {
				await Promise.all(needed.map(({ informer }) => informer.run(signal)));
				return;
			}
			await this.#clock.sleep(servedCheckMs, signal);
		}
	}
}

/** The items of a list do not say their kind. */
const trimSet =
	(kind: string) =>
	<T extends KubeObject>(object: T): T => {
		const { managedFields: _none, ...metadata } = object.metadata as T['metadata'] & {
			managedFields?: unknown;
		};
		return { ...object, apiVersion, kind, metadata };
	};

const trimOwner = ({ metadata }: OwnerObject): OwnerObject => ({
	metadata: {
		name: metadata.name,
		namespace: metadata.namespace,
		uid: metadata.uid,
		resourceVersion: metadata.resourceVersion,
		creationTimestamp: metadata.creationTimestamp,
		deletionTimestamp: metadata.deletionTimestamp,
		labels: metadata.labels,
		ownerReferences: metadata.ownerReferences,
		finalizers: metadata.finalizers,
	},
});
