import { objectPath } from '../api/paths.ts';
import { apiVersion, type RunnersSet } from '../api/sets.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import type { Accounts } from '../github/accounts.ts';
import type { Ports } from '../guard/release.ts';
import { release } from '../guard/release.ts';
import type { KubeClient } from '../kube/client.ts';
import { isConflict, KubeError } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import type { Events } from '../kube/events.ts';
import { deleteUnlessChanged, unlessChanged } from '../kube/objects.ts';
import type { Log } from '../telemetry/log.ts';
import { type Creator, newName, type SetKind } from './kind.ts';
import type { OwnedRunner, Owners } from './owners.ts';
import { type Plan, refusedForMs } from './rules/plan.ts';
import { releaseRetryMs, setReleaseBudget, setWritesAtOnce } from './rules/policy.ts';

export interface PlanExecutorDependencies {
	client: KubeClient;
	pods: RunnerPods;
	ports: Ports;
	accounts: Accounts;
	events: Events;
	clock: Clock;
	log: Log;
}

/** So many are created or released before the set is looked at anew: its replicas may have changed meanwhile. */
export const mostAtOnce = 64;

/** Carries a plan out: creates runners, unregisters and deletes them, many at a time. */
export class PlanExecutor<S extends RunnersSet> {
	readonly #kind: SetKind<S>;
	readonly #dependencies: PlanExecutorDependencies;
	readonly #owners: Owners;
	readonly #lookAgain: (set: S, afterMs: number) => void;

	constructor(
		kind: SetKind<S>,
		dependencies: PlanExecutorDependencies,
		owners: Owners,
		lookAgain: (set: S, afterMs: number) => void,
	) {
		this.#kind = kind;
		this.#dependencies = dependencies;
		this.#owners = owners;
		this.#lookAgain = lookAgain;
	}

	/** @throws the first of what went wrong, when all the rest is done */
	async execute(set: S, { create, release, remove }: Plan, creator: Creator | undefined, hash: string) {
		const failures: unknown[] = [];
		const each = <T>(items: T[], work: (item: T) => Promise<void>) => inParallel(items, work, failures);
		await each(remove as OwnedRunner[], (owner) => this.#remove(set, owner));
		await Promise.all([
			each((release as OwnedRunner[]).slice(0, mostAtOnce), (owner) => this.#release(set, owner)),
			creator && each(Array(Math.min(create, mostAtOnce)).fill(0), () => this.#create(set, creator, hash)),
		]);
		if (failures.length > 0) throw failures[0];
	}

	async #create(set: S, creator: Creator, hash: string): Promise<void> {
		const name = newName(set, this.#dependencies.clock.random);
		const { uid = '' } = set.metadata;
		this.#owners.expect(uid, name, hash);
		try {
			await creator(name);
		} catch (error) {
			// Without an answer it may have been made: it is waited for.
			if (error instanceof KubeError && error.code !== 0) this.#owners.unexpect(uid, name);
			if (!isConflict(error)) throw error; // another of that name: the next pass chooses anew
		}
	}

	/** Unregisters, then deletes. Nothing is recorded on one that can not go now: the next pass may choose another. */
	async #release(set: S, owner: OwnedRunner): Promise<void> {
		const { pods, ports, accounts, clock } = this.#dependencies;
		if (!owner.object) return; // created a moment ago: the watch brings it
		const runner = owner.pod && (await pods.from(owner.pod));
		if (runner?.process.state === 'running') {
			// Hundreds that waited for this minute's calls would keep the set from being looked at, and each try is written
			// on its pod.
			const account = await accounts.resolve(runner);
			const spentUntilMs = 'kind' in account ? undefined : account.removalsSpentUntilMs();
			if (spentUntilMs !== undefined) {
				this.#owners.refused(owner, spentUntilMs);
				this.#lookAgain(set, Math.max(100, spentUntilMs - clock.now()));
				return;
			}
		}
		if (runner) {
			const limits = { ...setReleaseBudget, priority: 'request' } as const;
			const { verdict } = await release(runner, undefined, ports, limits);
			if (verdict.kind === 'deny') {
				const waitMs = owner.unfit ? releaseRetryMs : refusedForMs(verdict.reason);
				this.#owners.refused(owner, clock.now() + waitMs);
				this.#lookAgain(set, 500);
				return;
			}
		}
		await this.#remove(set, owner);
	}

	/** Once for each set: the cluster's configuration is at fault, not the set. */
	#tellUnfit({ metadata }: S): void {
		const message =
			'a runner was made without the pod webhook (no RUNNER_NAME, no RUNNER_TOKEN, or restarted in place) and is replaced: is the MutatingWebhookConfiguration runners-admission there?';
		const subject = { apiVersion, kind: this.#kind.kind, metadata };
		this.#dependencies.events.send(subject, 'Warning', 'PodsNotInjected', 'Reconcile', message);
	}

	/**
	 * The owner first: a StatefulSet that is still there would make its pod again. The garbage collector would delete
	 * the pod as well, but makes 20 calls a second for the whole cluster.
	 */
	async #remove(set: S, owner: OwnedRunner): Promise<void> {
		const { client, pods, log } = this.#dependencies;
		const { object, pod, runner } = owner;
		if (!object) return;
		const namespace = set.metadata.namespace ?? '';
		const path = objectPath(this.#kind.ownerResource, { namespace, name: owner.name });
		const preconditions = { uid: owner.uid };
		await deleteUnlessChanged(client, path, { propagationPolicy: 'Background', preconditions });
		this.#owners.removed(owner);
		// A refusal is the guard's last word: it runs a job after all, and goes when that is done.
		if (runner && !pod?.metadata.deletionTimestamp)
			await unlessChanged(pods.remove(runner, { via: 'delete' }));
		log.info(
			{ [this.#kind.controller]: set.metadata.name, namespace, runner: owner.name, was: owner.phase },
			'runner removed',
		);
		if (owner.unfit) this.#tellUnfit(set);
	}
}

/** One failing does not keep the others from being done (E3). */
async function inParallel<T>(
	items: T[],
	work: (item: T) => Promise<void>,
	failures: unknown[],
): Promise<void> {
	const waiting = items.values();
	const worker = async () => {
		for (const item of waiting) await work(item).catch((error: unknown) => failures.push(error));
	};
	await Promise.all(Array.from({ length: Math.min(setWritesAtOnce, items.length) }, worker));
}
