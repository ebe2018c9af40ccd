import { durationMs } from '../api/duration.ts';
import { type ObjectKey, objectKey, splitKey } from '../api/object-key.ts';
import { objectPath } from '../api/paths.ts';
import { drainFinalizer, type RunnersSet, type SetStatus, setKeys } from '../api/sets.ts';
import { pastMs } from '../api/written-time.ts';
import type { Cache } from '../cluster/cache.ts';
import { Controller } from '../kube/controller.ts';
import { mergePatch, unlessChanged } from '../kube/objects.ts';
import { type ReconcileObserver, type Requeue, soonest } from '../kube/queue.ts';
import type { StatusWriter } from '../kube/status-writer.ts';
import type { RunnerPod } from '../runner/runner-pod.ts';
import type { RunnerVersions } from '../versions/runner-versions.ts';
import { BySpec } from './by-spec.ts';
import { confirmOwners } from './confirm-owners.ts';
import type { Blocked, DemandSource } from './demand-source.ts';
import type { Creator, SetKind } from './kind.ts';
import { type OwnedRunner, Owners } from './owners.ts';
import { PlanExecutor, type PlanExecutorDependencies } from './plan-executor.ts';
import { credentialsSecretOf, scopeOf } from './pod/defaults.ts';
import { templateHash } from './pod/template.ts';
import type { RegistrationTokens, ScopeAccess } from './registration-tokens.ts';
import { type Accounting, type Plan, plan, type SetState } from './rules/plan.ts';
import { defaultSurge, gatherMs, quotaBackoff } from './rules/policy.ts';
import { afterEnd, afterRefusal, type QuotaWait } from './rules/quota.ts';
import { noBackoff } from './rules/start-backoff.ts';
import { countedCompletions, type Found, readAccounting, statusOf, surgeOf } from './rules/status.ts';
import { setStatusWriter } from './status-writer.ts';

interface SetReconcilerDependencies extends PlanExecutorDependencies {
	cache: Cache;
	metrics: ReconcileObserver;
	/** undefined: sets have as many runners as their `replicas` say. */
	demand?: DemandSource | undefined;
	/** Whether GitHub gives its credential registration tokens for its scope; undefined: nobody asks. */
	tokens?: Pick<RegistrationTokens, 'access' | 'onAccess'> | undefined;
	/** What runners say of their versions; undefined: nobody reads it. */
	versions?: Pick<RunnerVersions, 'isReading' | 'refusalOf' | 'onRead'> | undefined;
}

/** What is known about a set between two reconciles, beside its status. */
interface Memory {
	accounting: Accounting;
	/** spec.replicas at the last reconcile. */
	replicas: number;
	/** UIDs of completed runners that are in the accounting and may still exist. */
	counted: Set<string>;
	/** The last creations were refused. */
	createsFail: boolean;
	/** A quota has refused the last one. */
	quota: QuotaWait | undefined;
	/** Until then no jobs are expected to get further runners here, for a quota has refused one; by the monotonic clock. */
	fullUntilMs: number;
}

/**
 * Keeps the sets of one kind at the wanted number of runners. Each reconcile compares the whole state, not what has
 * changed; `plan` decides what to do, and a PlanExecutor does it.
 */
export class SetReconciler<S extends RunnersSet> {
	readonly #dependencies: SetReconcilerDependencies;
	readonly #kind: SetKind<S>;
	readonly #owners: Owners;
	readonly #executor: PlanExecutor<S>;
	readonly #status: StatusWriter<SetStatus>;
	readonly #bySpec: BySpec<S, { hash: string; made: ReturnType<SetKind<S>['creator']> }>;
	readonly #controller: Controller;
	/** By the set's UID. */
	readonly #memory = new Map<string, Memory>();
	/** By the set's UID. */
	readonly #keys = new Map<string, ObjectKey>();
	/** How many runners each set had at its last reconcile. */
	readonly #sizes = new Map<ObjectKey, number>();
	/** UIDs of sets deleted with --cascade=orphan. Remembered, because the garbage collector removes its finalizer when it is done. */
	readonly #orphaning = new Set<string>();

	constructor(kind: SetKind<S>, dependencies: SetReconcilerDependencies) {
		this.#kind = kind;
		this.#dependencies = dependencies;
		this.#status = setStatusWriter(kind, dependencies);
		this.#bySpec = new BySpec((set) => {
			const hash = templateHash(set);
			return { hash, made: kind.creator(set, hash) };
		});
		const { cache, pods, clock } = dependencies;
		this.#controller = new Controller(
			{
				name: kind.controller,
				concurrency: 8,
				reconcile: (key) => this.#reconcile(key),
				failure: 'set not reconciled',
			},
			dependencies,
		).watch(kind.sets.on, ({ metadata }, change) => {
			const key = objectKey(metadata);
			if (change === 'deleted') this.#forget(metadata.uid ?? '', key);
			else this.#keys.set(metadata.uid ?? '', key);
			return key;
		});
		dependencies.demand?.onChange(kind.kind, (key, jobs) => {
			this.#controller.enqueueAfter(key, gatherMs((this.#sizes.get(key) ?? 0) + jobs));
		});
		const { owners, between, setLabel, podName, createsItsPod } = kind;
		this.#owners = new Owners({
			cache,
			owners,
			between,
			pods,
			clock,
			setLabel,
			podName,
			createsItsPod,
			changed: (set) => {
				const key = 'key' in set ? set.key : this.#keys.get(set.uid);
				if (key) this.#controller.enqueueAfter(key, gatherMs(this.#sizes.get(key) ?? 0));
			},
		});
		dependencies.versions?.onRead((pod) => {
			const name = pod.metadata.labels?.[setLabel];
			if (name) this.#controller.enqueueAfter(objectKey({ namespace: pod.metadata.namespace, name }), 0);
		});
		dependencies.tokens?.onAccess((uid) => {
			const key = this.#keys.get(uid);
			if (key) this.#controller.enqueueAfter(key, 0);
		});
		this.#executor = new PlanExecutor(kind, dependencies, this.#owners, ({ metadata }, afterMs) =>
			this.#controller.enqueueAfter(objectKey(metadata), afterMs),
		);
	}

	async stop(): Promise<void> {
		await this.#controller.stop();
		await this.#executor.stop();
	}

	async #reconcile(key: ObjectKey): Promise<Requeue> {
		const { demand, versions } = this.#dependencies;
		const { namespace, name } = splitKey(key);
		const set = this.#kind.sets.informer.get(namespace, name);
		if (!set) return undefined;
		if (!this.#owners.synced) return { afterMs: 50 };
		const deleting = isDeleting(set);
		if (!deleting && demand?.synced === false) return { afterMs: 200 };
		if (!(await this.#isReady(set))) return undefined;

		await confirmOwners(this.#dependencies.client, this.#kind, this.#owners, set);
		const owners = this.#owners.of(set);
		for (const owner of owners) owner.refusal = owner.runner && versions?.refusalOf(owner.runner.uid);
		this.#sizes.set(key, owners.length);
		// Pods without an owner are left to the guard: they don't keep the set from being deleted.
		if (deleting && owners.every(({ pod, object }) => pod && !object)) return this.#removeFinalizer(set);
		// Its log goes with its pod: until it has been read, which takes a second or two, nothing is removed or started anew.
		if (!deleting && owners.some(({ runner }) => runner && isOver(runner) && versions?.isReading(runner.uid)))
			return { afterMs: 200 };
		return this.#reconcileRunners(set, owners);
	}

	/** Whether the set has its finalizer and its runners are to be reconciled. If not, adds the finalizer or lets the set go. */
	async #isReady(set: S): Promise<boolean> {
		const { namespace, uid = '', finalizers = [] } = set.metadata;
		const deleting = isDeleting(set);
		const hasFinalizer = finalizers.includes(drainFinalizer);
		if (deleting && !hasFinalizer) return false;
		// Deleted with --cascade=orphan: its runners stay, without an owner, and remain guarded.
		if (deleting && finalizers.includes('orphan')) this.#orphaning.add(uid);
		if (this.#orphaning.has(uid)) {
			await this.#removeFinalizer(set);
			return false;
		}
		const { namespaces } = this.#dependencies.cache;
		if (!deleting && namespaces.get(undefined, namespace ?? '')?.metadata.deletionTimestamp) return false;
		if (hasFinalizer) return true;
		await this.#patch(set, { metadata: { finalizers: [...finalizers, drainFinalizer] } });
		return false; // the watch shows the change and starts the next reconcile
	}

	async #reconcileRunners(set: S, owners: OwnedRunner[]): Promise<Requeue> {
		const { demand } = this.#dependencies;
		const memory = await this.#account(set, owners);
		for (const owner of owners)
			if (owner.phase === 'completed' && memory.counted.has(owner.uid)) owner.phase = 'stopping';
		const credentialsMissing = await this.#credentialsMissing(set);
		const { hash, made } = this.#bySpec.of(set);
		const { create, message: specInvalid } = made;
		const demanded = isDeleting(set) ? undefined : demand?.demandOf(this.#kind, set, owners);
		const planned = this.#plan(set, owners, {
			demanded,
			templateHash: hash,
			credentialsMissing: credentialsMissing !== undefined,
			accounting: memory.accounting,
		});
		const over = owners.filter(({ uid, phase }) => phase === 'completed' || memory.counted.has(uid));
		memory.counted = new Set(over.map(({ uid }) => uid));
		const hasCompleted = planned.accounting.completionsMs.length > memory.accounting.completionsMs.length;
		memory.accounting = planned.accounting;
		// Only routing and the status go by it: what runs goes on.
		const access = this.#access(set);
		const noCredentials = credentialsMissing ?? (access?.kind === 'refused' ? access.detail : undefined);
		const unconfirmed = access?.kind === 'unanswered';
		const blocked = blockedBy(isDeleting(set), { noCredentials, unconfirmed }, specInvalid, planned);
		const fullForMs = Math.max(0, memory.fullUntilMs - this.#dependencies.clock.monotonic());
		const failing = memory.createsFail ? 'StartsFailing' : fullForMs > 0 ? 'QuotaExceeded' : undefined;
		demand?.blocked(set, blocked ?? failing);
		const replicas = set.spec.replicas ?? 1;
		const found: Found = {
			replicas,
			wanted: demanded?.replicas ?? replicas,
			templateHash: hash,
			owners,
			plan: planned,
			selector: `${this.#kind.setLabel}=${set.metadata.name}`,
			credentialsMissing: noCredentials,
			specInvalid,
			quotaExceeded: memory.quota?.refusal.message,
			accounting: planned.accounting,
		};
		// A completion is in the status before its runner is removed, or the next leader would replace the runner (D4).
		if (hasCompleted) await this.#writeStatus(set, found, { force: true });
		await this.#execute(set, found, planned, create, memory);
		const statusAgain = await this.#writeStatus(set, {
			...found,
			quotaExceeded: memory.quota?.refusal.message,
		});
		return soonest(
			statusAgain?.afterMs,
			demanded?.requeueAfterMs,
			planned.requeueAfterMs === undefined ? undefined : Math.max(100, planned.requeueAfterMs),
			noCredentials === undefined ? undefined : 5_000,
			memory.quota && Math.max(0, memory.quota.nextMs - this.#dependencies.clock.monotonic()),
			fullForMs > 0 ? fullForMs : undefined,
			owners.some((owner) => !owner.pod) ? 10_000 : undefined,
		);
	}

	#plan(
		set: S,
		owners: readonly OwnedRunner[],
		facts: Pick<SetState, 'demanded' | 'templateHash' | 'credentialsMissing' | 'accounting'>,
	): Plan {
		const { demanded } = facts;
		const replicas = set.spec.replicas ?? 1;
		const wanted = demanded?.desired ?? replicas;
		const annotations = set.metadata.annotations ?? {};
		const ephemeral = this.#kind.config(set).ephemeral !== false;
		const state: SetState = {
			...facts,
			replicas,
			surge: surgeOf(annotations[setKeys.maxSurge], wanted) ?? defaultSurge(wanted),
			deleting: isDeleting(set),
			recreationDelayMs: ephemeral ? durationMs(annotations[setKeys.recreationDelay]) : undefined,
		};
		return plan(owners, state, this.#dependencies.clock.now());
	}

	/** Carries the plan out. If that fails, the status says what was found all the same. */
	async #execute(
		set: S,
		found: Found,
		planned: Plan,
		creator: Creator | undefined,
		memory: Memory,
	): Promise<void> {
		const { create, release, remove } = planned;
		const { clock } = this.#dependencies;
		const paused =
			isDeleting(set) || found.credentialsMissing !== undefined || isBackingOff(planned, clock.now());
		const withoutPod = paused
			? []
			: (found.owners as OwnedRunner[]).filter(
					(owner) => this.#owners.neverHadPod(owner) && !release.includes(owner),
				);
		if (remove.length > 0) memory.fullUntilMs = 0;
		if (memory.quota && remove.length > 0) memory.quota = afterEnd(memory.quota);
		const isWaiting = (memory.quota?.nextMs ?? 0) > clock.monotonic();
		try {
			const { count, quota } = await this.#executor.execute(
				set,
				isWaiting ? { ...planned, create: 0 } : planned,
				creator,
				found.templateHash,
				{ withoutPod: isWaiting ? [] : withoutPod, probe: memory.quota !== undefined },
			);
			if (quota !== undefined) {
				memory.quota = afterRefusal(memory.quota, quota, clock.monotonic());
				if (!quota.moving) memory.fullUntilMs = clock.monotonic() + quotaBackoff.mostMs;
			} else if (count > 0 || (create + withoutPod.length === 0 && !paused)) memory.quota = undefined;
			if (count > 0 && quota === undefined) memory.fullUntilMs = 0;
			if (create > 0 && !isWaiting) memory.createsFail = false;
		} catch (error) {
			memory.createsFail = create > 0;
			await this.#writeStatus(set, found);
			throw error;
		}
		if (create + release.length + remove.length === 0) return;
		const facts = { [this.#kind.controller]: objectKey(set.metadata), create };
		this.#dependencies.log.debug({ ...facts, release: release.length, remove: remove.length }, 'reconciled');
	}

	#writeStatus(set: S, found: Found, options?: { force: boolean }): Promise<Requeue> {
		return this.#status.write(set, statusOf(set, found, this.#dependencies.clock.now()), options);
	}

	/** The memory of a set. Advances effectiveTime if spec.replicas has changed or the spec has a newer one. */
	async #account(set: S, owners: OwnedRunner[]): Promise<Memory> {
		const nowMs = this.#dependencies.clock.now();
		const { uid = '', creationTimestamp = '' } = set.metadata;
		const replicas = set.spec.replicas ?? 1;
		const stored = readAccounting(set, nowMs);
		const memory = this.#memory.get(uid) ?? {
			accounting: stored?.accounting ?? {
				effectiveMs: pastMs(creationTimestamp, nowMs) ?? 0,
				completionsMs: [],
				...noBackoff,
			},
			replicas: stored?.replicas ?? replicas,
			counted: new Set(stored && countedCompletions(owners, stored.accounting.completionsMs)),
			createsFail: false,
			quota: undefined,
			fullUntilMs: 0,
		};
		this.#memory.set(uid, memory);
		const stampMs = Date.parse(set.spec.effectiveTime ?? '');
		const before = memory.accounting.effectiveMs;
		// An effectiveTime in the future is ignored until our clock reaches it (D8).
		if (stampMs > before && stampMs <= nowMs)
			memory.accounting = { ...memory.accounting, effectiveMs: stampMs };
		// A change by the scale subresource can't set effectiveTime: admission sees no RunnerSet there (measured). So it is set here.
		if (memory.replicas !== replicas && memory.accounting.effectiveMs === before) {
			await this.#patch(set, { spec: { effectiveTime: new Date(nowMs).toISOString() } });
			memory.accounting = { ...memory.accounting, effectiveMs: nowMs };
		}
		memory.replicas = replicas;
		return memory;
	}

	/** Whether GitHub gives its runners registration tokens: a set may name any scope. */
	#access(set: S): ScopeAccess | undefined {
		const config = this.#kind.config(set);
		const scope = scopeOf(config);
		const { namespace = '' } = set.metadata;
		return scope && this.#dependencies.tokens?.access(namespace, scope, credentialsSecretOf(config));
	}

	async #credentialsMissing(set: S): Promise<string | undefined> {
		const credentialsSecret = credentialsSecretOf(this.#kind.config(set));
		const account = await this.#dependencies.accounts.resolve({
			namespace: set.metadata.namespace ?? '',
			credentialsSecret,
		});
		return 'kind' in account ? account.detail : undefined;
	}

	async #removeFinalizer(set: S): Promise<undefined> {
		const finalizers = (set.metadata.finalizers ?? []).filter((one) => one !== drainFinalizer);
		await this.#patch(set, { metadata: { finalizers } });
		this.#dependencies.log.info(
			{ [this.#kind.controller]: objectKey(set.metadata) },
			'set can be deleted: its finalizer is removed',
		);
	}

	async #patch(set: S, change: { metadata?: { finalizers: string[] }; spec?: object }): Promise<void> {
		const { namespace, name, uid, resourceVersion } = set.metadata;
		// A list is replaced as a whole, so nobody may have changed it meanwhile.
		const preconditions = change.metadata ? { uid, resourceVersion } : { uid };
		const path = objectPath(this.#kind.resource, { namespace, name });
		// If it has changed meanwhile, the watch brings the newer one and this reconcile runs again.
		await unlessChanged(mergePatch(this.#dependencies.client, path, change, preconditions));
	}

	#forget(uid: string, key: ObjectKey): void {
		this.#sizes.delete(key);
		this.#status.forget(uid);
		this.#bySpec.forget(uid);
		this.#owners.forget(uid);
		this.#memory.delete(uid);
		this.#keys.delete(uid);
		this.#orphaning.delete(uid);
	}
}

const isOver = ({ process }: RunnerPod) => process.state === 'exited';
/** Whether no further runner is started now: the last ones failed, or GitHub refuses their version. */
const isBackingOff = ({ accounting }: Plan, nowMs: number) =>
	accounting.nextStartMs > nowMs || accounting.outdated !== undefined;

const isDeleting = ({ metadata }: RunnersSet) => metadata.deletionTimestamp !== undefined;

function blockedBy(
	deleting: boolean,
	{ noCredentials, unconfirmed }: { noCredentials: string | undefined; unconfirmed: boolean },
	specInvalid: string | undefined,
	{ wait }: Plan,
): Blocked | undefined {
	if (deleting) return 'Deleting';
	if (specInvalid !== undefined) return 'SpecInvalid';
	if (noCredentials !== undefined) return 'CredentialsMissing';
	if (unconfirmed) return 'ScopeUnconfirmed';
	if (wait.includes('runner-outdated')) return 'RunnerOutdated';
	return wait.includes('starts-failing') ? 'StartsFailing' : undefined;
}
