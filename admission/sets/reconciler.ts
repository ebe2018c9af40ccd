import { durationMs } from '../api/duration.ts';
import { objectPath } from '../api/paths.ts';
import { apiVersion, drainFinalizer, type SetConditionType, setKeys } from '../api/sets.ts';
import type { Cache } from '../cluster/cache.ts';
import type { Proof } from '../cluster/proof.ts';
import type { Subject } from '../kube/events.ts';
import { mergePatch, unlessChanged } from '../kube/objects.ts';
import { type LookAgain, type ReconcileObserver, WorkQueue } from '../kube/queue.ts';
import { mostAtOnce, PlanExecutor, type PlanExecutorDependencies } from './carry-out.ts';
import type { RunnersSet, SetKind } from './kind.ts';
import { type OwnedRunner, Owners } from './owners.ts';
import { credentialsSecretOf } from './pod/defaults.ts';
import { templateHash } from './pod/template.ts';
import { type Accounting, plan } from './rules/plan.ts';
import { defaultSurge, statusEveryMs } from './rules/policy.ts';
import { type Found, readAccounting, statusOf, surgeOf } from './status.ts';

export interface SetReconcilerDependencies extends PlanExecutorDependencies {
	cache: Cache;
	proof: Proof;
	metrics: ReconcileObserver;
}

/** Changes that come together are looked at together. */
const gatherMs = 25;
/** What is known of a set between two passes, beside its status. */
interface Memory {
	accounting: Accounting;
	replicas: number;
	statusWrittenMs: number;
	/** UIDs of completed owners that the accounting has, and that may still be there. */
	counted: Set<string>;
	/** What Events have told last. */
	told: Map<SetConditionType, string>;
}

/** Keeps the sets of one kind at the wanted number of runners. Levels, not edges; `plan` decides, this carries out. */
export class SetReconciler<S extends RunnersSet> {
	readonly #dependencies: SetReconcilerDependencies;
	readonly #kind: SetKind<S>;
	readonly #owners: Owners;
	readonly #executor: PlanExecutor<S>;
	readonly #queue: WorkQueue;
	/** By UID. */
	readonly #memory = new Map<string, Memory>();
	readonly #keys = new Map<string, string>();
	/** UIDs of sets that were deleted with --cascade=orphan: the garbage collector takes its finalizer away when done. */
	readonly #orphaning = new Set<string>();

	constructor(kind: SetKind<S>, dependencies: SetReconcilerDependencies) {
		this.#kind = kind;
		this.#dependencies = dependencies;
		const { cache, proof, clock, metrics, log } = dependencies;
		this.#queue = new WorkQueue({
			controller: kind.controller,
			metrics,
			clock,
			concurrency: 8,
			reconcile: (key) => this.#reconcile(key),
			onError: (key, error, retryMs) =>
				log.warn({ [kind.controller]: key, error: String(error), retryMs }, 'set not reconciled, retrying'),
		});
		kind.sets.on((change, { metadata }) => {
			const key = `${metadata.namespace}/${metadata.name}`;
			if (change === 'deleted') this.#forget(metadata.uid ?? '');
			else this.#keys.set(metadata.uid ?? '', key);
			this.#queue.add(key);
		});
		const { owners, between, setLabel, podName, makesItsPod } = kind;
		this.#owners = new Owners({
			cache,
			owners,
			between,
			proof,
			clock,
			setLabel,
			podName,
			makesItsPod,
			changed: (set) => {
				const key = 'key' in set ? set.key : this.#keys.get(set.uid);
				if (key) this.#queue.addAfter(key, gatherMs);
			},
		});
		this.#executor = new PlanExecutor(kind, dependencies, this.#owners, ({ metadata }, afterMs) =>
			this.#queue.addAfter(`${metadata.namespace}/${metadata.name}`, afterMs),
		);
	}

	stop(): Promise<void> {
		return this.#queue.stop();
	}

	async #reconcile(key: string): Promise<LookAgain> {
		const { cache, clock, log } = this.#dependencies;
		const [namespace = '', name = ''] = key.split('/');
		const set = this.#kind.sets.informer.get(namespace, name);
		if (!set) return undefined;
		if (!this.#kind.sets.informer.synced || !this.#owners.synced) return { afterMs: 50 };
		const deleting = set.metadata.deletionTimestamp !== undefined;
		const finalizers = set.metadata.finalizers ?? [];
		if (deleting && !finalizers.includes(drainFinalizer)) return undefined;
		// Asked to leave its runners behind: they are nobody's from now on, and stay guarded.
		if (deleting && finalizers.includes('orphan')) this.#orphaning.add(set.metadata.uid ?? '');
		if (this.#orphaning.has(set.metadata.uid ?? '')) return this.#letGo(set);
		if (!deleting && cache.namespaces.get(undefined, namespace)?.metadata.deletionTimestamp) return undefined;
		if (!deleting && !finalizers.includes(drainFinalizer)) {
			await this.#patch(set, { finalizers: [...finalizers, drainFinalizer] });
			return undefined; // the watch brings it back
		}

		const owners = this.#owners.of(set);
		// Pods that nobody owns any more are the guard's alone.
		if (deleting && owners.every(({ pod, object }) => pod && !object)) return this.#letGo(set);
		const memory = await this.#account(set, owners);
		for (const owner of owners)
			if (owner.phase === 'completed' && memory.counted.has(owner.uid)) owner.phase = 'stopping';
		const credentialsMissing = await this.#credentialsMissing(set);
		const creator = this.#kind.creator(set);
		const invalid = typeof creator === 'function' ? undefined : creator;
		const hash = templateHash(set);
		const replicas = set.spec.replicas ?? 1;
		const annotations = set.metadata.annotations ?? {};
		const ephemeral = this.#kind.config(set).ephemeral !== false;
		const planned = plan(
			owners,
			{
				replicas,
				templateHash: hash,
				surge: surgeOf(annotations[setKeys.maxSurge], replicas) ?? defaultSurge(replicas),
				deleting,
				credentialsMissing: credentialsMissing !== undefined,
				recreationDelayMs: ephemeral ? durationMs(annotations[setKeys.recreationDelay]) : undefined,
				accounting: memory.accounting,
			},
			clock.now(),
		);
		const over = owners.filter(({ uid, phase }) => phase === 'completed' || memory.counted.has(uid));
		memory.counted = new Set(over.map(({ uid }) => uid));
		const changed = planned.accounting.completionsMs.length > memory.accounting.completionsMs.length;
		memory.accounting = planned.accounting;
		const found: Found = {
			replicas,
			templateHash: hash,
			owners,
			plan: planned,
			selector: `${this.#kind.setLabel}=${name}`,
			credentialsMissing,
			specInvalid: invalid?.message,
			accounting: planned.accounting,
		};
		// A completion is written down before its runner is removed: the next leader must not fill its place (D4).
		if (changed) await this.#writeStatus(set, found, memory, true);
		await this.#executor.execute(set, planned, typeof creator === 'function' ? creator : undefined, hash);
		const statusAgain = await this.#writeStatus(set, found, memory, false);
		const [release, remove] = [planned.release.length, planned.remove.length];
		if (planned.create + release + remove > 0)
			log.debug({ [this.#kind.controller]: key, create: planned.create, release, remove }, 'reconciled');
		const more = planned.create > mostAtOnce || planned.release.length > mostAtOnce;
		return soonest(
			more ? { afterMs: 0 } : undefined,
			statusAgain,
			planned.lookAgainMs === undefined ? undefined : { afterMs: Math.max(100, planned.lookAgainMs) },
			credentialsMissing === undefined ? undefined : { afterMs: 5_000 },
			owners.some((owner) => !owner.pod) ? { afterMs: 10_000 } : undefined,
			owners.some((owner) => owner.phase === 'leaving' && !owner.pod?.metadata.deletionTimestamp)
				? { afterMs: 1_000 }
				: undefined,
		);
	}

	/** What has to be remembered, moved on to the newest word on how many are wanted. */
	async #account(set: S, owners: OwnedRunner[]): Promise<Memory> {
		const nowMs = this.#dependencies.clock.now();
		const { uid = '', creationTimestamp = '' } = set.metadata;
		const replicas = set.spec.replicas ?? 1;
		const stored = readAccounting(set);
		const memory = this.#memory.get(uid) ?? {
			accounting: stored?.accounting ?? {
				effectiveMs: Date.parse(creationTimestamp) || 0,
				completionsMs: [],
				failedStarts: 0,
				nextStartMs: 0,
			},
			replicas: stored?.replicas ?? replicas,
			statusWrittenMs: 0,
			counted: new Set(stored && countedBefore(owners, stored.accounting.completionsMs)),
			told: new Map(),
		};
		this.#memory.set(uid, memory);
		const stampMs = Date.parse(set.spec.effectiveTime ?? '');
		const before = memory.accounting.effectiveMs;
		// A clock that runs ahead of ours does not count until we are there (D8).
		if (stampMs > before && stampMs <= nowMs)
			memory.accounting = { ...memory.accounting, effectiveMs: stampMs };
		// Through the scale subresource nobody can stamp it: we do, in hindsight (api-server-facts).
		if (memory.replicas !== replicas && memory.accounting.effectiveMs === before) {
			await this.#patch(set, undefined, { effectiveTime: new Date(nowMs).toISOString() });
			memory.accounting = { ...memory.accounting, effectiveMs: nowMs };
		}
		memory.replicas = replicas;
		return memory;
	}

	async #credentialsMissing(set: S): Promise<string | undefined> {
		const credentialsSecret = credentialsSecretOf(this.#kind.config(set));
		const account = await this.#dependencies.accounts.resolve({
			namespace: set.metadata.namespace ?? '',
			credentialsSecret,
		});
		return 'kind' in account ? account.detail : undefined;
	}

	async #writeStatus(set: S, found: Found, memory: Memory, now: boolean): Promise<LookAgain> {
		const { client, log } = this.#dependencies;
		const nowMs = this.#dependencies.clock.now();
		const status = statusOf(set, found, nowMs);
		if (status === set.status) return undefined;
		const dueMs = memory.statusWrittenMs + statusEveryMs - nowMs;
		if (dueMs > 0 && !now) return { afterMs: dueMs };
		memory.statusWrittenMs = nowMs;
		const { namespace, name, uid } = set.metadata;
		const change = { status: { ...status, accounting: { ...emptyAccounting, ...status.accounting } } };
		const path = objectPath(this.#kind.resource, { namespace, name }, 'status');
		await unlessChanged(mergePatch(client, path, change, { uid }));
		for (const { type, status: yes, message = '' } of status.conditions ?? []) {
			if (memory.told.get(type) === message || yes !== 'True' || type === 'Settled') continue;
			memory.told.set(type, message);
			const worrying = type === 'CredentialsMissing' || type === 'StartsFailing' || type === 'SpecInvalid';
			this.#dependencies.events.send(
				this.#subject(set),
				worrying ? 'Warning' : 'Normal',
				type,
				'Reconcile',
				message,
			);
			if (worrying)
				log.warn(
					{ [this.#kind.controller]: `${namespace}/${name}`, condition: type, message },
					'set is in trouble',
				);
		}
		return undefined;
	}

	async #letGo(set: S): Promise<undefined> {
		const finalizers = (set.metadata.finalizers ?? []).filter((one) => one !== drainFinalizer);
		await this.#patch(set, { finalizers });
		this.#dependencies.log.info(
			{ [this.#kind.controller]: `${set.metadata.namespace}/${set.metadata.name}` },
			'set let go',
		);
	}

	async #patch(set: S, metadata: { finalizers: string[] } | undefined, spec?: object): Promise<void> {
		const { namespace, name, uid, resourceVersion } = set.metadata;
		// A list is replaced as a whole, so nobody may have changed it meanwhile.
		const preconditions = metadata ? { uid, resourceVersion } : { uid };
		const path = objectPath(this.#kind.resource, { namespace, name });
		const change = spec ? { metadata, spec } : { metadata };
		// If it has changed meanwhile, the watch brings the newer one and this reconcile runs again.
		await unlessChanged(mergePatch(this.#dependencies.client, path, change, preconditions));
	}

	#forget(uid: string): void {
		this.#owners.forget(uid);
		this.#memory.delete(uid);
		this.#keys.delete(uid);
		this.#orphaning.delete(uid);
	}

	#subject = ({ metadata }: S): Subject => ({ apiVersion, kind: this.#kind.kind, metadata });
}

/** Completed owners whose completion the leader before us had written down, by when: each has its own second of doubt. */
function countedBefore(owners: OwnedRunner[], completionsMs: number[]): string[] {
	const written = [...completionsMs];
	return owners.flatMap(({ phase, sinceMs = 0, uid }) => {
		const index = written.findIndex((atMs) => Math.abs(atMs - sinceMs) <= 1_000);
		if (phase !== 'completed' || index === -1) return [];
		written.splice(index, 1);
		return [uid];
	});
}

/** A merge patch takes away only what it names. */
const emptyAccounting = { completions: null, failedStarts: null, nextStartAt: null };

function soonest(...moments: LookAgain[]): LookAgain {
	const due = moments.filter((moment) => moment !== undefined);
	return due.length > 0 ? due.reduce((a, b) => (a.afterMs <= b.afterMs ? a : b)) : undefined;
}
