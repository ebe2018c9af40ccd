import { arc } from '../api/keys.ts';
import { type ObjectKey, objectKey, splitKey } from '../api/object-key.ts';
import { objectPath, resources } from '../api/paths.ts';
import { type PersistentVolume, setKeys, setKinds, type VolumeClaim } from '../api/sets.ts';
import type { Cache } from '../cluster/cache.ts';
import type { SetsCache } from '../cluster/sets-cache.ts';
import type { KubeClient } from '../kube/client.ts';
import { Controller, type ControllerDependencies } from '../kube/controller.ts';
import { deleteUnlessChanged, getObject, mergePatch, unlessChanged } from '../kube/objects.ts';
import type { Requeue } from '../kube/queue.ts';
import { claimStep, reusesVolumes, statefulSetsOf, volumeStep } from './rules/volume-reuse.ts';
import { claimName, podName } from './stateful-set/objects.ts';

interface VolumeReuseDependencies extends ControllerDependencies {
	client: KubeClient;
	cache: Cache;
	setsCache: SetsCache;
}

/** A pod of a StatefulSet that is gone is looked at again after this: it uses the volume. */
const podAgainMs = 10_000;
/** A change by somebody else was quicker. */
const againMs = 1_000;

/**
 * Gives the volumes of ended runners to later ones, as ARC does. Each runner of a RunnerSet has a StatefulSet of another name,
 * and so volume claims of other names: that of an ended runner would hold its volume for ever. It is deleted, and its volume,
 * which Kubernetes then keeps for nobody, made available.
 */
export class VolumeReuse {
	readonly #dependencies: VolumeReuseDependencies;
	readonly #claims: Controller;
	readonly #volumes: Controller;

	constructor(dependencies: VolumeReuseDependencies) {
		this.#dependencies = dependencies;
		const { setsCache } = dependencies;
		this.#claims = new Controller(
			{
				name: 'volume-claims',
				concurrency: 4,
				reconcile: (key) => this.#reconcileClaim(key),
				failure: 'volume claim of an ended runner not deleted',
			},
			dependencies,
		)
			.watch(setsCache.volumeClaims.on, ({ metadata }, change) =>
				change === 'deleted' ? undefined : objectKey(metadata),
			)
			.watch(setsCache.statefulSets.on, ({ metadata: { namespace, name, ownerReferences } }, change) => {
				if (change !== 'deleted') return undefined;
				// Those that ARC made have no label that names their set.
				const owner = ownerReferences?.find(({ kind }) => kind === setKinds.runnerSet.kind);
				const set = setsCache.runnerSets.informer.get(namespace, owner?.name ?? '');
				return (set?.spec.volumeClaimTemplates ?? []).map((template) =>
					objectKey({ namespace, name: claimName(template, name) }),
				);
			});
		this.#volumes = new Controller(
			{
				name: 'reused-volumes',
				concurrency: 2,
				reconcile: (key) => this.#reconcileVolume(key),
				failure: 'volume of an ended runner not made available',
			},
			dependencies,
		).watch(setsCache.reusedVolumes.on, ({ metadata }, change) =>
			change === 'deleted' ? undefined : objectKey(metadata),
		);
	}

	async stop(): Promise<void> {
		await Promise.all([this.#claims.stop(), this.#volumes.stop()]);
	}

	async #reconcileClaim(key: ObjectKey): Promise<Requeue> {
		const { client, cache, setsCache, log } = this.#dependencies;
		const { runnerSets, statefulSets, volumeClaims } = setsCache;
		const { namespace = '', name } = splitKey(key);
		if (!runnerSets.informer.synced || !statefulSets.informer.synced || !cache.pods.synced)
			return { afterMs: 200 };
		const claim = volumeClaims.informer.get(namespace, name);
		if (!claim || claim.metadata.deletionTimestamp) return undefined;
		const set = runnerSets.informer.get(namespace, claim.metadata.labels?.[arc.runnerSet] ?? '');
		if (!set || !reusesVolumes(set)) return undefined;
		const owners = statefulSetsOf(set, claim);
		if (owners.length === 0) return undefined;
		for (const owner of owners) {
			if (statefulSets.informer.get(namespace, owner)) return undefined; // its deletion starts the next reconcile
			if (cache.pods.get(namespace, podName(owner))) return { afterMs: podAgainMs };
			// One that has just been created is not in the cache yet.
			if (await getObject(client, objectPath(resources.statefulSets, { namespace, name: owner })))
				return { afterMs: podAgainMs };
		}

		const volume = await this.#volumeOf(claim);
		if (volume && claimStep(claim, volume) === 'mark-volume') {
			const marked = await this.#mark(volume, claim.metadata.uid ?? null);
			if (!marked) return { afterMs: againMs };
		}
		const { uid, resourceVersion } = claim.metadata;
		const path = objectPath(resources.persistentVolumeClaims, { namespace, name });
		if (!(await deleteUnlessChanged(client, path, { preconditions: { uid, resourceVersion } })))
			return { afterMs: againMs };
		log.info({ namespace, volumeClaim: name, volume: volume?.metadata.name }, 'its runner is gone: deleted');
		return undefined;
	}

	#volumeOf({ spec }: VolumeClaim): Promise<PersistentVolume | undefined> {
		const { volumeName: name } = spec ?? {};
		if (!name) return Promise.resolve(undefined);
		return getObject<PersistentVolume>(
			this.#dependencies.client,
			objectPath(resources.persistentVolumes, { name }),
		);
	}

	/** Writes the mark, or removes it (null), and changes the spec. Whether it did: somebody else may have changed the volume. */
	async #mark(
		volume: PersistentVolume,
		mark: string | null,
		change: { spec?: object } = {},
	): Promise<boolean> {
		const { name, uid, resourceVersion } = volume.metadata;
		const path = objectPath(resources.persistentVolumes, { name });
		const labels = { [setKeys.reusedFrom]: mark };
		const whole = { ...change, metadata: { labels } };
		const patched = mergePatch(this.#dependencies.client, path, whole, { uid, resourceVersion });
		return (await unlessChanged(patched)) !== undefined;
	}

	async #reconcileVolume(key: ObjectKey): Promise<Requeue> {
		const { setsCache, log } = this.#dependencies;
		const { name } = splitKey(key);
		const volume = setsCache.reusedVolumes.informer.get(undefined, name);
		if (!volume) return undefined;
		const step = volumeStep(volume);
		if (step === 'wait') return undefined; // its change of phase starts the next reconcile
		const change = step === 'release' ? { spec: { claimRef: null } } : {};
		if (!(await this.#mark(volume, null, change))) return { afterMs: againMs };
		if (step === 'release') log.info({ volume: name }, 'the volume of an ended runner is available again');
		return undefined;
	}
}
