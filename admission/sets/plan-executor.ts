import { objectPath } from '../api/paths.ts';
import { apiVersion, type RunnersSet } from '../api/sets.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import type { Accounts } from '../github/accounts.ts';
import { graceOf, type Ports, release } from '../guard/subjects/runner/release.ts';
import type { KubeClient } from '../kube/client.ts';
import { isConflict, KubeError } from '../kube/client.ts';
import type { Events } from '../kube/events.ts';
import { deleteUnlessChanged, unlessChanged } from '../kube/objects.ts';
import { controllerOf } from '../kube/owner-references.ts';
import type { RunnerPod } from '../runner/runner-pod.ts';
import type { Log } from '../telemetry/log.ts';
import type { Clock } from '../time/clock.ts';
import { type Creator, newName, type SetKind } from './kind.ts';
import type { OwnedRunner, Owners } from './owners.ts';
import { inParallel } from './parallel.ts';
import { type Plan, refusedForMs } from './rules/plan.ts';
import { releaseRetryMs, setReleaseBudget, setWritesAtOnce } from './rules/policy.ts';
import { type QuotaRefusal, quotaRefusal } from './rules/quota.ts';

export interface PlanExecutorDependencies {
	client: KubeClient;
	pods: RunnerPods;
	ports: Ports;
	accounts: Accounts;
	events: Events;
	clock: Clock;
	log: Log;
}

/** How many runners one reconcile releases at most. The changes of the runners start the next reconcile. */
const mostReleases = 64;

/** One reconcile starts creating runners for this long at most; the next one finds out what has become of the others. */
const createsForMs = 2_000;

/** How much follow-up work may wait, each piece as large as a pod's template. The rest is left to the cluster's controllers. */
const mostWaiting = 1_000;

/** Reasons of a runner that GitHub has removed, or no longer lists, whose quiet period is not over yet. */
const isUnregistering: ReadonlySet<string> = new Set(['unregistering', 'registering', 'starting']);

/** What has come of the creations of a plan. */
interface Created {
	/** How many runners got a pod. */
	count: number;
	/** What a quota refused, see quotaRefusal; undefined: nothing. */
	quota: QuotaRefusal | undefined;
}

/** Carries a plan out: creates, unregisters and deletes runners, many at a time. */
export class PlanExecutor<S extends RunnersSet> {
	readonly #kind: SetKind<S>;
	readonly #dependencies: PlanExecutorDependencies;
	readonly #owners: Owners;
	readonly #requeue: (set: S, afterMs: number) => void;
	/** Follow-up work that saves other controllers calls, and that nobody waits for. */
	readonly #later: (() => Promise<unknown>)[] = [];
	/** For how many sets runners are being created or removed now. */
	#busy = 0;
	#followUp: Promise<void> | undefined;

	constructor(
		kind: SetKind<S>,
		dependencies: PlanExecutorDependencies,
		owners: Owners,
		requeue: (set: S, afterMs: number) => void,
	) {
		this.#kind = kind;
		this.#dependencies = dependencies;
		this.#owners = owners;
		this.#requeue = requeue;
	}

	/**
	 * Carries the plan out. Stops creating runners once the set has changed or createsForMs have passed, and releases
	 * mostReleases at most. If one call fails, the others are still made; only a quota's refusal ends the creations.
	 *
	 * @param creator undefined: the spec can't be carried out, and no runner is created
	 * @param withoutPod owners that never had a pod: they get theirs before others are created
	 * @param probe one runner is created first, and the others only if no quota refuses it
	 * @throws the first failure, but for a quota's refusal
	 */
	async execute(
		set: S,
		planned: Plan,
		creator: Creator | undefined,
		hash: string,
		{ withoutPod, probe }: { withoutPod: readonly OwnedRunner[]; probe: boolean },
	): Promise<Created> {
		this.#busy += 1;
		let allCreated = true;
		const created: Created = { count: 0, quota: undefined };
		try {
			allCreated = await this.#execute(set, planned, creator, hash, withoutPod, probe, created);
			return created;
		} finally {
			this.#busy -= 1;
			// A set that needs more runners is reconciled again at once: until then no follow-up work delays it.
			if (allCreated) this.#startFollowUp();
		}
	}

	/** Resolves when the follow-up work that has begun is done. The rest is left to the cluster's controllers. */
	async stop(): Promise<void> {
		this.#later.length = 0;
		await this.#followUp;
	}

	/** Returns whether all runners of the plan were created. */
	async #execute(
		set: S,
		{ create, release, remove }: Plan,
		creator: Creator | undefined,
		hash: string,
		withoutPod: readonly OwnedRunner[],
		probe: boolean,
		created: Created,
	): Promise<boolean> {
		const failures: unknown[] = [];
		const each = <T>(items: Iterable<T>, work: (item: T) => Promise<void>) =>
			inParallel(items, work, failures);
		const { clock } = this.#dependencies;
		const untilMs = clock.monotonic() + createsForMs;
		let left = creator ? create : 0;
		const stillWanted = () =>
			created.quota === undefined && clock.monotonic() < untilMs && this.#isCurrent(set);
		const creations = function* (most = Number.POSITIVE_INFINITY) {
			for (let begun = 0; left > 0 && begun < most && stillWanted(); begun++) yield left--;
		};
		const missing = withoutPod.values();
		const missingPods = function* (most = Number.POSITIVE_INFINITY) {
			for (let begun = 0; begun < most && stillWanted(); begun++) {
				const next = missing.next();
				if (next.done) return;
				yield next.value;
			}
		};
		const createAll = async () => {
			if (!creator) return;
			const mend = (owner: OwnedRunner) => this.#createMissingPod(set, owner, created);
			const create = () => this.#create(set, creator, hash, created);
			if (probe) await each(missingPods(1), mend);
			await each(missingPods(), mend);
			if (probe && withoutPod.length === 0) await each(creations(1), create);
			await each(creations(), create);
		};
		// A runner that was just created has no object yet: it is released when the watch has shown it.
		const releasable = (release as OwnedRunner[]).filter(({ object }) => object);
		// A runner that GitHub has unregistered still runs: its job signals are read once more before its owner is deleted.
		// One that may not be removed yet still runs, so none is created in its place (invariant 7).
		let kept = 0;
		await each(remove as OwnedRunner[], async (owner) => {
			if (!owner.runner || !isUnregistered(owner.runner)) return this.#remove(set, owner);
			kept += 1;
			if (await this.#release(set, owner)) kept -= 1;
		});
		left = Math.max(0, left - kept);
		await Promise.all([
			each(releasable.slice(0, mostReleases), async (owner) => void (await this.#release(set, owner))),
			createAll(),
		]);
		if (failures.length > 0) throw failures[0];
		if (created.quota !== undefined) return true; // the reconciler tries again when there may be room
		if (left > 0) this.#requeue(set, 0);
		return left === 0;
	}

	/** Whether the set's spec has not changed, and its deletion was not requested, since this reconcile began. */
	#isCurrent({ metadata: { namespace, name, uid, generation } }: S): boolean {
		const now = this.#kind.sets.informer.get(namespace, name)?.metadata;
		return now?.uid === uid && now?.generation === generation;
	}

	#afterwards(work: () => Promise<unknown>): void {
		if (this.#later.length < mostWaiting) this.#later.push(work);
	}

	/** Does the work that was put off until runners exist or are gone. Pauses while runners are created or removed again. */
	#startFollowUp(): void {
		if (this.#followUp || this.#later.length === 0) return;
		const worker = async () => {
			while (this.#busy === 0) {
				const work = this.#later.shift();
				if (!work) return;
				await work().catch((error: unknown) =>
					this.#dependencies.log.debug(
						{ error: String(error) },
						"follow-up work failed: it is left to the cluster's controllers",
					),
				);
			}
		};
		const workers = Array.from({ length: setWritesAtOnce }, worker);
		this.#followUp = Promise.all(workers).then(() => {
			this.#followUp = undefined;
			if (this.#busy === 0) this.#startFollowUp();
		});
	}

	async #create(set: S, creator: Creator, hash: string, created: Created): Promise<void> {
		const name = newName(set, this.#dependencies.clock.random);
		const { uid: setUid = '', namespace } = set.metadata;
		this.#owners.expect(setUid, name, hash);
		try {
			const { later, failure, uid } = await creator(name);
			if (later) this.#afterwards(later);
			if (!failure) {
				created.count += 1;
				return;
			}
			this.#reportRefused(set, failure);
			const quota = quotaOf(failure);
			if (quota === undefined) return;
			created.quota = quota;
			if (uid) this.#owners.podRefused(namespace, { name, uid });
		} catch (error) {
			if (!isConflict(error)) this.#reportRefused(set, error);
			// Code 0, no answer: the runner may have been created, so it counts until it has been read.
			if (!isUnanswered(error)) this.#owners.unexpect(setUid, name);
			const quota = quotaOf(error);
			if (quota !== undefined) created.quota = quota;
			else if (!isConflict(error)) throw error; // the name is taken: the next reconcile chooses another one
		}
	}

	/** Whatever else than a quota refuses it now is left to the owner's controller. */
	async #createMissingPod(set: S, owner: OwnedRunner, created: Created): Promise<void> {
		let failure: unknown;
		try {
			failure = (await this.#kind.createMissingPod?.(set, owner))?.failure;
			if (!failure) created.count += 1;
		} catch (error) {
			failure = error;
		}
		const quota = quotaOf(failure);
		if (quota !== undefined) created.quota = quota;
		else this.#owners.podMade(owner.uid);
		if (failure && !isConflict(failure)) this.#reportRefused(set, failure);
	}

	/**
	 * Unregisters the runner, then deletes it. If it can't be removed now, nothing is recorded: the next plan may choose another one.
	 *
	 * @returns whether it is removed
	 */
	async #release(set: S, planned: OwnedRunner): Promise<boolean> {
		const { ports, accounts, clock } = this.#dependencies;
		const owner = await this.#current(set, planned);
		const { runner } = owner;
		if (runner?.process.state === 'running' && !runner.unregistered) {
			// If this minute's calls to GitHub are used up, do not even try: hundreds of waiting runners would block the set's
			// reconcile, and each try writes an attempt on its pod.
			const account = await accounts.resolve(runner);
			const spentUntilMs = 'kind' in account ? undefined : account.removalsSpentUntilMs();
			if (spentUntilMs !== undefined) {
				this.#owners.refused(owner, spentUntilMs);
				this.#requeue(set, Math.max(100, spentUntilMs - clock.now()));
				return false;
			}
		}
		if (runner) {
			const { budgetMs, rateLimitWaitMs } = setReleaseBudget;
			const answerByMs = clock.now() + budgetMs;
			const limits = {
				answerByMs,
				rateLimitWaitMs,
				priority: 'request',
				waitsQuiet: false,
				brief: true,
			} as const;
			const { verdict, pod } = await release(runner, undefined, ports, limits);
			const leftMs = isUnregistering.has(verdict.reason) ? ports.quiet.leftMs(pod) : undefined;
			if (leftMs !== undefined && leftMs > 0) {
				this.#owners.refused(owner, clock.now() + leftMs);
				this.#requeue(set, leftMs);
				return false;
			}
			if (verdict.kind === 'deny') {
				const waitMs = owner.unfit ? releaseRetryMs : refusedForMs(verdict.reason);
				this.#owners.refused(owner, clock.now() + waitMs);
				this.#requeue(set, 500);
				return false;
			}
			await this.#remove(set, owner, graceOf(verdict, pod));
			return true;
		}
		await this.#remove(set, owner);
		return true;
	}

	/**
	 * The runner with the facts that are not in its objects. If the cache shows no pod, or a container that does not run,
	 * the pod is read from the API server: otherwise, while a watch lags behind, a runner with a job would lose its owner.
	 */
	async #current({ metadata }: S, owner: OwnedRunner): Promise<OwnedRunner> {
		const { pods } = this.#dependencies;
		const { state } = owner.runner?.process ?? {};
		const started = state === 'running' || state === 'exited';
		const found = started
			? owner.pod
			: await pods.get(metadata.namespace ?? '', this.#kind.podName(owner.name));
		const pod = controllerOf(found) === owner.uid ? found : undefined;
		return { ...owner, pod, runner: pod && (await pods.from(pod)) };
	}

	/**
	 * Sends an Event on the set, one for all runners that fail in the same way: refused by a quota, a policy or a webhook, or by
	 * a mistake in this program.
	 */
	#reportRefused({ metadata }: S, error: unknown): void {
		if (isUnanswered(error)) return;
		const { message, reason, code = '' } = error instanceof KubeError ? error : ofOurs(error);
		const subject = { apiVersion, kind: this.#kind.kind, metadata };
		const text = `a runner could not be created, retrying: ${message}`;
		const occasion = `${code} ${reason}`;
		this.#dependencies.events.send(subject, 'Warning', 'FailedCreate', 'Reconcile', text, occasion);
	}

	/** Sends an Event on the set; the same one for all its runners, since the cluster's configuration is at fault. */
	#reportUnfit({ metadata }: S): void {
		const message =
			'a runner was created without the pod webhook (no RUNNER_NAME, no RUNNER_TOKEN, or restarted in place) and is replaced: check that the MutatingWebhookConfiguration runners-admission exists';
		const subject = { apiVersion, kind: this.#kind.kind, metadata };
		this.#dependencies.events.send(subject, 'Warning', 'PodsNotInjected', 'Reconcile', message);
	}

	/**
	 * Deletes the owner, then the pod: a StatefulSet that still exists would create its pod again. The garbage collector
	 * would delete the pod too, but it makes only 20 calls a second for the whole cluster.
	 *
	 * @param gracePeriodSeconds undefined: the pod's own
	 */
	async #remove(set: S, owner: OwnedRunner, gracePeriodSeconds?: number): Promise<void> {
		const { client, pods, log } = this.#dependencies;
		const { object, pod, runner } = owner;
		if (!object) return;
		const namespace = set.metadata.namespace ?? '';
		const path = objectPath(this.#kind.ownerResource, { namespace, name: owner.name });
		const preconditions = { uid: owner.uid };
		await deleteUnlessChanged(client, path, { propagationPolicy: 'Background', preconditions });
		this.#owners.removed(owner);
		// If the guard denies it, the runner has got a job after all: the pod is deleted when the job is done.
		if (runner && !pod?.metadata.deletionTimestamp)
			await unlessChanged(
				pods.remove(runner, {
					via: 'delete',
					...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
				}),
			);
		const { deleteDependents } = this.#kind;
		if (deleteDependents) this.#afterwards(() => deleteDependents(set, owner));
		log.info(
			{ [this.#kind.controller]: set.metadata.name, namespace, runner: owner.name, was: owner.phase },
			'runner removed',
		);
		if (owner.unfit) this.#reportUnfit(set);
	}
}

/** The API server has not answered: whatever was asked of it may have been done. */
const isUnanswered = (error: unknown) => error instanceof KubeError && error.code === 0;

const quotaOf = (error: unknown) => (error instanceof KubeError ? quotaRefusal(error) : undefined);

/** An error that did not come from the API server. */
const ofOurs = (error: unknown): { message: string; reason: string; code?: undefined } => ({
	message: String(error),
	reason: error instanceof Error ? error.name : typeof error,
});

/** Whether GitHub has unregistered the runner while its container still runs, or may start again. */
const isUnregistered = ({ process, terminating, unregistered }: RunnerPod) =>
	process.state !== 'exited' && !terminating && unregistered !== undefined;
