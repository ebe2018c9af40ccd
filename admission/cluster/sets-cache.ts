import type { SetController } from '../api/controllers.ts';
import { arc } from '../api/keys.ts';
import type { KubeObject } from '../api/kinds.ts';
import { type Resource, resources } from '../api/paths.ts';
import {
	apiVersion,
	arcReplicaSet,
	type PersistentVolume,
	type RunnerDeployment,
	type RunnerSet,
	type SetMeta,
	setKeys,
	setKinds,
	type VolumeClaim,
} from '../api/sets.ts';
import { type Runnable, runWhenServed, type WatchDependencies, type Watched, watched } from './watched.ts';

/** The metadata of a StatefulSet or Runner. Its spec is not kept in the cache. */
export interface OwnerObject extends KubeObject {
	metadata: SetMeta;
}

/** How often it is checked whether the CRDs are installed, which may be after the server has started. */
const servedCheckMs = 3_000;

/** The sets, Runners and StatefulSets that the leader watches. Only what the enabled controllers need is watched. */
export class SetsCache {
	readonly runnerSets: Watched<RunnerSet>;
	readonly statefulSets: Watched<OwnerObject>;
	readonly runnerDeployments: Watched<RunnerDeployment>;
	readonly runners: Watched<OwnerObject>;
	/** ARC's kind, which is served only if ARC was installed before. */
	readonly runnerReplicaSets: Watched<OwnerObject>;
	/** PersistentVolumeClaims of RunnerSets. */
	readonly volumeClaims: Watched<VolumeClaim>;
	/** PersistentVolumes that are about to be made available again. */
	readonly reusedVolumes: Watched<PersistentVolume>;
	readonly #dependencies: WatchDependencies;

	constructor(dependencies: WatchDependencies) {
		this.#dependencies = dependencies;
		this.runnerSets = watched<RunnerSet>(dependencies, setKinds.runnerSet, trimSet(setKinds.runnerSet.kind));
		this.runnerDeployments = watched<RunnerDeployment>(
			dependencies,
			setKinds.runnerDeployment,
			trimSet(setKinds.runnerDeployment.kind),
		);
		this.runners = watched<OwnerObject>(dependencies, setKinds.runner, trimOwner);
		this.runnerReplicaSets = watched<OwnerObject>(dependencies, arcReplicaSet, trimOwner);
		// StatefulSets that ARC made have this label too, but none with the set's name.
		this.statefulSets = watched<OwnerObject>(dependencies, resources.statefulSets, trimOwner, {
			query: { labelSelector: setKeys.templateHash },
		});
		// The StatefulSet's controller gives them the labels that its selector names.
		this.volumeClaims = watched<VolumeClaim>(dependencies, resources.persistentVolumeClaims, trimClaim, {
			query: { labelSelector: `${arc.runnerSet},${setKeys.templateHash}` },
		});
		this.reusedVolumes = watched<PersistentVolume>(dependencies, resources.persistentVolumes, trimVolume, {
			query: { labelSelector: setKeys.reusedFrom },
		});
	}

	/** Watches what these controllers need, once their kinds are served. */
	async run(controllers: readonly SetController[], signal: AbortSignal): Promise<void> {
		const follow = (resource: Resource, ...watches: { informer: Runnable }[]) =>
			runWhenServed(this.#dependencies, resource, watches, servedCheckMs, signal);
		const needed: Record<SetController, () => Promise<void>[]> = {
			runnerset: () => [
				follow(setKinds.runnerSet, this.runnerSets, this.statefulSets, this.volumeClaims, this.reusedVolumes),
			],
			runnerdeployment: () => [
				follow(setKinds.runnerDeployment, this.runnerDeployments, this.runners),
				follow(arcReplicaSet, this.runnerReplicaSets),
			],
		};
		await Promise.all(controllers.flatMap((name) => needed[name]()));
	}
}

/** Removes managedFields and adds the kind, which items of a list lack. */
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

const trimClaim = ({ metadata, spec }: VolumeClaim): VolumeClaim => ({
	metadata: trimOwner({ metadata }).metadata,
	spec: { volumeName: spec?.volumeName },
});

const trimVolume = ({ metadata, spec, status }: PersistentVolume): PersistentVolume => ({
	metadata: trimOwner({ metadata }).metadata,
	spec: {
		claimRef: spec?.claimRef,
		persistentVolumeReclaimPolicy: spec?.persistentVolumeReclaimPolicy,
	},
	status: { phase: status?.phase },
});
