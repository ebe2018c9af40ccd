import type { arc } from '../api/keys.ts';
import type { KubeObject, Pod } from '../api/kinds.ts';
import { type ObjectKey, objectKey, splitKey } from '../api/object-key.ts';
import { arcReplicaSet, setKeys } from '../api/sets.ts';
import { pastMs } from '../api/written-time.ts';
import type { Cache } from '../cluster/cache.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import type { OwnerObject } from '../cluster/sets-cache.ts';
import type { Watched } from '../cluster/watched.ts';
import type { Change } from '../kube/informer.ts';
import { controllerOf } from '../kube/owner-references.ts';
import { cannotStartFromMs } from '../runner/process.ts';
import type { RunnerPod } from '../runner/runner-pod.ts';
import { waitingOf } from '../runner/waiting.ts';
import type { Clock } from '../time/clock.ts';
import { Expectations } from './expectations.ts';
import { lacksInjection } from './pod/injection.ts';
import { isLive, phaseOf, terminationOf } from './rules/phase.ts';
import type { Owner } from './rules/plan.ts';
import { expectations, podWithinMs } from './rules/policy.ts';

/** An owner with its objects. One that was just created has none yet. */
export interface OwnedRunner extends Owner {
	object: OwnerObject | undefined;
	pod: Pod | undefined;
	runner: RunnerPod | undefined;
}

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
	readonly #expected = new Expectations();
	/** UIDs of owners that we deleted and that may still be in the cache. */
	readonly #removed = new Set<string>();
	/** UIDs of owners whose pod is gone, or was never made. */
	readonly #ended = new Set<string>();
	/** UIDs of owners whose pod was refused when they were made, and that no pod was seen of since. */
	readonly #neverHadPod = new Set<string>();
	/** By owner UID: when its pod, which no watch has shown, is read again, by the monotonic clock. */
	readonly #podReadAtMs = new Map<string, number>();
	/** By pod UID: when its runner's end was first seen, ms since the epoch. */
	readonly #exitSeenMs = new Map<string, number>();
	/** By owner UID: until when it is not tried again, because it could not be released; by monotonic time. */
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
			this.#neverHadPod.delete(controllerOf(pod) ?? '');
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
			this.#podReadAtMs.delete(uid);
			this.#neverHadPod.delete(uid);
		}
		if (!set) return;
		const known = this.#owners.get(set) ?? new Map<string, OwnerObject>();
		this.#owners.set(set, known.set(name, owner));
		this.#setOf.set(key, set);
		this.#expected.remove(set, name);
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
		for (const [expected, { templateHash }] of this.#expected.of(uid))
			found.push(expectedOwner(expected, templateHash, nowMs));
		return found;
	}

	/** An owner of this name is going to be created: it counts until the watch shows it, or it is known not to be there. */
	expect(setUid: string, name: string, templateHash: string): void {
		this.#expected.add(setUid, name, templateHash, this.#options.clock.monotonic());
	}

	/** The owner was certainly not created, or is gone. */
	unexpect(setUid: string, name: string): void {
		this.#expected.remove(setUid, name);
	}

	/** Names of owners that were to be created and that the watch should have shown by now: they are to be read. */
	unshown(setUid: string): string[] {
		return this.#expected.due(setUid, this.#options.clock.monotonic());
	}

	/** This owner is being read: until a read says that it is not there, it counts. */
	confirmLater(setUid: string, name: string): void {
		this.#expected.keep(setUid, name, this.#options.clock.monotonic());
	}

	/** The owners whose pods should have been shown by now, and are to be read. Only of a kind that does not make its pods itself. */
	withoutPod(setUid: string): OwnerObject['metadata'][] {
		const { cache, clock, createsItsPod, podName } = this.#options;
		if (createsItsPod) return [];
		const [nowMs, monotonicMs] = [clock.now(), clock.monotonic()];
		return [...(this.#owners.get(setUid)?.values() ?? [])]
			.map(({ metadata }) => metadata)
			.filter(
				({ name, namespace, uid = '', creationTimestamp = '' }) =>
					nowMs - Date.parse(creationTimestamp) > podWithinMs &&
					(this.#podReadAtMs.get(uid) ?? 0) <= monotonicMs &&
					!this.#ended.has(uid) &&
					!cache.pods.get(namespace, podName(name)),
			);
	}

	/** The pod of this owner is being read: until a read says that it is not there, it counts. */
	confirmPodLater(uid: string): void {
		this.#podReadAtMs.set(uid, this.#options.clock.monotonic() + expectations.readEveryMs);
	}

	/** The owner has no pod. */
	podMissing(uid: string): void {
		this.#ended.add(uid);
	}

	/** The API server has refused to create the pod of this owner, which had none before. */
	podRefused(namespace: string | undefined, { name, uid }: { name: string; uid: string }): void {
		const { cache, podName } = this.#options;
		const shown = cache.pods.get(namespace, podName(name));
		if (controllerOf(shown) !== uid) this.#neverHadPod.add(uid);
	}

	/** Its pod was created, or may have been: whether it is made again is its controller's decision. */
	podMade(uid: string): void {
		this.#neverHadPod.delete(uid);
	}

	/**
	 * Whether this owner never had a pod, so that one under its name is no successor of a runner that has ended (invariant 6). False
	 * of all that an earlier leader made.
	 */
	neverHadPod({ uid, object, pod, phase, departing }: OwnedRunner): boolean {
		return this.#neverHadPod.has(uid) && !!object && !pod && phase === 'unbound' && !departing;
	}

	/** We have deleted this owner. */
	removed({ object, name, uid }: OwnedRunner): void {
		if (object && this.#owners.get(this.#setUid(object) ?? '')?.has(name)) this.#removed.add(uid);
	}

	/** The runner could not be released: it is not tried again before this time, ms since the epoch. */
	refused(owner: OwnedRunner, untilMs: number): void {
		const { clock } = this.#options;
		this.#refused.set(owner.uid, clock.monotonic() + untilMs - clock.now());
	}

	forget(setUid: string): void {
		this.#owners.delete(setUid);
		this.#expected.forget(setUid);
	}

	#read(object: OwnerObject, pod: Pod | undefined, nowMs: number): OwnedRunner {
		const { metadata } = object;
		const uid = metadata.uid ?? '';
		const createdMs = pastMs(metadata.creationTimestamp, nowMs) ?? 0;
		const runner = pod && this.#runner(pod);
		const { phase, sinceMs, brief } =
			pod && runner
				? phaseOf(pod, runner, this.#exitSeenMs.get(runner.uid) ?? nowMs, nowMs)
				: this.#phaseWithoutPod(uid);
		const gone = metadata.deletionTimestamp !== undefined || this.#removed.has(uid);
		const untilMs = this.#refused.get(uid);
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
			waiting: pod && waitingIn(pod),
			notBeforeMs: untilMs === undefined ? undefined : nowMs + untilMs - this.#options.clock.monotonic(),
			object,
			pod,
			runner,
		};
	}

	/** A StatefulSet makes its pod again. */
	#phaseWithoutPod(uid: string): Pick<Owner, 'phase' | 'sinceMs' | 'brief'> {
		const over = !this.#options.createsItsPod && this.#ended.has(uid);
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

function waitingIn(pod: Pod): Owner['waiting'] {
	const waiting = waitingOf(pod);
	return waiting && { ...waiting, pod: pod.metadata.name };
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
