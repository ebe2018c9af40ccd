import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeObject } from '../api/kinds.ts';
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
import { type Change, Informer } from '../kube/informer.ts';
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

	constructor(client: KubeClient, metrics: Metrics, log: Log) {
		this.#client = client;
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
				log,
			});
			return { informer, on: (listener) => void listeners.push(listener) };
		};
		const ours = (resource: string) => `/apis/${apiVersion}/${resource}`;
		this.runnerSets = watch<RunnerSet>(ours(setKinds.runnerSet.resource), trimSet(setKinds.runnerSet.kind));
		this.runnerDeployments = watch<RunnerDeployment>(
			ours(setKinds.runnerDeployment.resource),
			trimSet(setKinds.runnerDeployment.kind),
		);
		this.runners = watch<OwnerObject>(ours(setKinds.runner.resource), trimOwner);
		this.runnerReplicaSets = watch<OwnerObject>(ours(arcReplicaSet.resource), trimOwner);
		// ARC's StatefulSets carry this label too, and not the set's name.
		this.statefulSets = watch<OwnerObject>('/apis/apps/v1/statefulsets', trimOwner, {
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
			if (await this.#serves(resource)) {
				await Promise.all(needed.map(({ informer }) => informer.run(signal)));
				return;
			}
			await sleep(servedCheckMs, undefined, { signal }).catch(() => undefined);
		}
	}

	async #serves(resource: string): Promise<boolean> {
		try {
			const list = await this.#client.request<{ resources: { name: string }[] }>(
				'GET',
				`/apis/${apiVersion}`,
			);
			return list.resources.some(({ name }) => name === resource);
		} catch {
			return false; // not installed, or the API server is away: asked again in a moment either way
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

export const runnersPath = (namespace: string) =>
	`/apis/${apiVersion}/namespaces/${namespace}/${setKinds.runner.resource}`;
