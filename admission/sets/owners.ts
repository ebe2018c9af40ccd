import type { arc } from '../api/keys.ts';
import type { KubeObject, Pod } from '../api/kinds.ts';
import { type ObjectKey, objectKey, splitKey } from '../api/object-key.ts';
import { arcReplicaSet, setKeys } from '../api/sets.ts';
import type { Cache } from '../cluster/cache.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import type { OwnerObject } from '../cluster/sets-cache.ts';
import type { Watched } from '../cluster/watched.ts';
import type { Change } from '../kube/informer.ts';
import { controllerOf } from '../kube/owner-references.ts';
import { cannotStartFromMs } from '../runner/process.ts';
import type { RunnerPod } from '../runner/runner-pod.ts';
import type { Clock } from '../time/clock.ts';
import { lacksInjection } from './pod/injection.ts';
import { isLive, phaseOf, terminationOf } from './rules/phase.ts';
import type { Owner } from './rules/plan.ts';

/** An owner with its objects. One that was just created has none yet. */
export interface OwnedRunner extends Owner {
	object: OwnerObject | undefined;
	pod: Pod | undefined;
	runner: RunnerPod | undefined;
}

/** If the watch has not shown an owner this long after its creation was tried, it was not created. */
const expectedWithinMs = 30_000;
/** A Runner without a pod this long after its creation counts as ended. (A StatefulSet creates its pod itself.) */
const podWithinMs = 20_000;

interface OwnersOptions {
	cache: Cache;
	owners: Watched<OwnerObject>;
	/** See SetKind. */
	between: Watched<OwnerObject> | undefined;
	pods: RunnerPods;
	clock: Clock;
	/** Label on a pod that holds its set's name. */
	setLabel: typeof arc.runnerSet | typeof arc.runnerDeployment;
	podName(owner: string): string;
	/** Whether the owner creates and recreates its pod itself: a StatefulSet does, a Runner does not. */
	createsItsPod: boolean;
	/** Called when a set has to be reconciled: by its UID, or by its key. */
	changed(set: { uid: string } | { key: ObjectKey }): void;
}

/**
 * Knows which runners each set has, from the caches and from what was just created or deleted. So a cache that lags behind
 * never causes a second creation or deletion of the same runner.
 */
export class Owners {
	readonly #options: OwnersOptions;
	/** By the set's UID, then the owner's name. */
	readonly #owners = new Map<string, Map<string, OwnerObject>>();
	/** By the owner's key: the UID of its set. */
	readonly #setOf = new Map<ObjectKey, string>();
	/** By the set's key: keys of the pods with its label. */
	readonly #pods = new Map<ObjectKey, Set<ObjectKey>>();
	/** By the set's UID: names of owners whose creation was tried and that the watch has not shown yet, and until when they count. */
	readonly #expected = new Map<string, Map<string, { templateHash: string; untilMs: number }>>();
	/** UIDs of owners that we deleted and that may still be in the cache. */
	readonly #removed = new Set<string>();
	/** UIDs of owners whose pod existed and is gone. */
	readonly #ended = new Set<string>();
	/** By pod UID: when its runner's end was first seen, ms since the epoch. */
	readonly #exitSeenMs = new Map<string, number>();
	/** By owner UID: until when it is not tried again, because it could not be released; ms since the epoch. */
	readonly #refused = new Map<string, number>();

	constructor(options: OwnersOptions) {
		this.#options = options;
		const { cache, owners, between, setLabel, clock, changed } = options;
		owners.on((change, owner) => this.#note(change, owner));
		between?.on((_change, { metadata }) => {
			for (const owner of owners.informer.values())
				if (controllerOf(owner) === metadata.uid) this.#note('modified', owner);
		});
		cache.onPod((change, pod) => {
			const set = pod.metadata.labels?.[setLabel];
			if (!set) return;
			const key = objectKey({ namespace: pod.metadata.namespace, name: set });
			const known = this.#pods.get(key) ?? new Set<ObjectKey>();
			this.#pods.set(key, known);
			const { uid = '' } = pod.metadata;
			if (change === 'deleted') {
				known.delete(objectKey(pod.metadata));
				this.#exitSeenMs.delete(uid);
				const owner = controllerOf(pod);
				if (owner && this.#setOf.has(objectKey(pod.metadata))) this.#ended.add(owner);
			} else {
				known.add(objectKey(pod.metadata));
				if (terminationOf(pod) && !this.#exitSeenMs.has(uid)) this.#exitSeenMs.set(uid, clock.now());
			}
			changed({ key });
		});
	}

	#note(change: Change, owner: OwnerObject): void {
		const { changed } = this.#options;
		const { name, uid = '' } = owner.metadata;
		const key = objectKey(owner.metadata);
		const before = this.#setOf.get(key);
		const set = change === 'deleted' ? undefined : this.#setUid(owner);
		if (before && before !== set) {
			this.#owners.get(before)?.delete(name); // deleted, or orphaned
			this.#setOf.delete(key);
			changed({ uid: before });
		}
		if (change === 'deleted') {
			this.#removed.delete(uid);
			this.#refused.delete(uid);
			this.#ended.delete(uid);
		}
		if (!set) return;
		const known = this.#owners.get(set) ?? new Map<string, OwnerObject>();
		this.#owners.set(set, known.set(name, owner));
		this.#setOf.set(key, set);
		this.#expected.get(set)?.delete(name);
		changed({ uid: set });
	}

	/** UID of the set that an owner belongs to, directly or by way of ARC's RunnerReplicaSet. */
	#setUid(owner: OwnerObject): string | undefined {
		const controller = owner.metadata.ownerReferences?.find((reference) => reference.controller);
		if (controller?.kind !== arcReplicaSet.kind) return controller?.uid;
		const through = this.#options.between?.informer.get(owner.metadata.namespace, controller.name);
		return through?.metadata.uid === controller.uid ? controllerOf(through) : undefined;
	}

	get synced(): boolean {
		const { cache, owners } = this.#options;
		return owners.informer.synced && cache.pods.synced && cache.nodes.synced && cache.namespaces.synced;
	}

	/** All runners of a set, also running pods whose owner is gone. */
	of(set: KubeObject): OwnedRunner[] {
		const { cache, clock, podName } = this.#options;
		const { uid = '', namespace } = set.metadata;
		const nowMs = clock.now();
		const found: OwnedRunner[] = [];
		const seen = new Set<ObjectKey>();
		for (const object of this.#owners.get(uid)?.values() ?? []) {
			const pod = cache.pods.get(namespace, podName(object.metadata.name));
			const own = pod && controllerOf(pod) === object.metadata.uid ? pod : undefined;
			if (own) seen.add(objectKey(own.metadata));
			found.push(this.#read(object, own, nowMs));
		}
		for (const key of this.#pods.get(objectKey(set.metadata)) ?? []) {
			if (seen.has(key)) continue;
			const pod = cache.pods.get(namespace, splitKey(key).name);
			const left = pod && this.#unowned(pod, nowMs);
			if (left) found.push(left);
		}
		for (const [expected, { templateHash, untilMs }] of this.#expected.get(uid) ?? []) {
			if (untilMs > nowMs) found.push(expectedOwner(expected, templateHash, nowMs));
			else this.#expected.get(uid)?.delete(expected);
		}
		return found;
	}

	/** An owner of this name is going to be created: it counts until the watch shows it, or for expectedWithinMs. */
	expect(setUid: string, name: string, templateHash: string): void {
		const expected = this.#expected.get(setUid) ?? new Map();
		const untilMs = this.#options.clock.now() + expectedWithinMs;
		this.#expected.set(setUid, expected.set(name, { templateHash, untilMs }));
	}

	/** The owner was certainly not created. */
	unexpect(setUid: string, name: string): void {
		this.#expected.get(setUid)?.delete(name);
	}

	/** We have deleted this owner. */
	removed({ object, name, uid }: OwnedRunner): void {
		if (object && this.#owners.get(this.#setUid(object) ?? '')?.has(name)) this.#removed.add(uid);
	}

	/** The runner could not be released: it is not tried again before this time, ms since the epoch. */
	refused(owner: OwnedRunner, untilMs: number): void {
		this.#refused.set(owner.uid, untilMs);
	}

	forget(setUid: string): void {
		this.#owners.delete(setUid);
		this.#expected.delete(setUid);
	}

	#read(object: OwnerObject, pod: Pod | undefined, nowMs: number): OwnedRunner {
		const { metadata } = object;
		const uid = metadata.uid ?? '';
		const createdMs = Date.parse(metadata.creationTimestamp ?? '') || 0;
		const runner = pod && this.#runner(pod);
		const { phase, sinceMs, brief } =
			pod && runner
				? phaseOf(pod, runner, this.#exitSeenMs.get(runner.uid) ?? nowMs, nowMs)
				: this.#withoutPod(uid, createdMs, nowMs);
		const gone = metadata.deletionTimestamp !== undefined || this.#removed.has(uid);
		return {
			name: metadata.name,
			uid,
			createdMs,
			templateHash: metadata.labels?.[setKeys.templateHash] ?? '',
			// A runner that still runs without its owner counts as busy until its pod is gone (invariant 7): the guard may have
			// kept the pod, because the runner had started or got a job in the meantime.
			phase: !gone ? phase : runner && isLive(runner, nowMs) ? 'busy' : 'leaving',
			onCordonedNode: this.#cordoned(pod),
			departing: gone || runner?.record !== undefined,
			unfit: pod && lacksInjection(pod),
			sinceMs,
			brief,
			vainFromMs: runner?.process.state === 'starting' ? cannotStartFromMs(runner.process, nowMs) : undefined,
			notBeforeMs: this.#refused.get(uid),
			object,
			pod,
			runner,
		};
	}

	#withoutPod(uid: string, createdMs: number, nowMs: number): Pick<Owner, 'phase' | 'sinceMs' | 'brief'> {
		const late = this.#ended.has(uid) || nowMs - createdMs > podWithinMs;
		const over = !this.#options.createsItsPod && late;
		return { phase: over ? 'stopping' : 'unbound', sinceMs: undefined };
	}

	/** A running pod without an owner still counts; only a recorded deletion removes it. undefined: it does not run. */
	#unowned(pod: Pod, nowMs: number): OwnedRunner | undefined {
		const runner = this.#runner(pod);
		if (!runner || !isLive(runner, nowMs)) return undefined;
		return {
			name: pod.metadata.name,
			uid: pod.metadata.uid ?? '',
			createdMs: 0,
			templateHash: pod.metadata.labels?.[setKeys.templateHash] ?? '',
			phase: 'busy',
			onCordonedNode: false,
			// A pod that was orphaned on purpose has no owner reference any more, and stays.
			departing: runner.record !== undefined || controllerOf(pod) !== undefined,
			object: undefined,
			pod,
			runner,
		};
	}

	#runner(pod: Pod): RunnerPod | undefined {
		return this.#options.pods.read(pod);
	}

	#cordoned(pod: Pod | undefined): boolean {
		const node = pod?.spec?.nodeName;
		return node ? this.#options.cache.nodes.get(undefined, node)?.spec?.unschedulable === true : false;
	}
}

const expectedOwner = (name: string, templateHash: string, nowMs: number): OwnedRunner => ({
	name,
	uid: '',
	createdMs: nowMs,
	templateHash,
	phase: 'unbound',
	onCordonedNode: false,
	departing: false,
	object: undefined,
	pod: undefined,
	runner: undefined,
});
