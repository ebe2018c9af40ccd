import type { Pod } from '../api/kinds.ts';
import type { Cache } from '../cluster/cache.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import type { Accounts } from '../github/accounts.ts';
import { isFailure } from '../github/types.ts';
import type { Clock } from '../kube/clock.ts';
import { type ReconcileObserver, type Requeue, WorkQueue } from '../kube/queue.ts';
import { podKey, type RunnerPod } from '../runner/runner-pod.ts';
import { type Scope, scopeKey } from '../runner/scope.ts';
import type { Log } from '../telemetry/log.ts';

/** First check after a pod is gone: by then GitHub shows the runner offline, and an ephemeral one has removed itself. */
const firstLookMs = 15_000;
const nextLookMs = 60_000;
/** After this it is left to GitHub, which removes an offline ephemeral runner after a day. */
const giveUpMs = 24 * 60 * 60_000;

/** Of more pods that are gone the oldest are left to GitHub as well: whoever makes and deletes pods may not fill our memory. */
const mostDangling = 5_000;

/** A pod that is gone and whose registration may have stayed. */
interface Dangling {
	pod: RunnerPod;
	scope: Scope;
	sinceMs: number;
}

export interface StaleRegistrationsDependencies {
	cache: Cache;
	accounts: Accounts;
	pods: RunnerPods;
	clock: Clock;
	metrics: ReconcileObserver;
	log: Log;
}

/**
 * Removes the registrations of runners whose pods are gone without having been unregistered: the runner failed, the node
 * was lost, or break-glass was used. Best effort: a new leader does not know what the previous one had not finished.
 */
export class StaleRegistrations {
	/** By runnerKey, in the order in which they went; at most mostDangling, each for giveUpMs at most. */
	readonly #dangling = new Map<string, Dangling>();
	/** By pod key: the runnerKey that the pod claims; one entry for a pod of the cache, gone with it. */
	readonly #nameOf = new Map<string, string>();
	/** The reverse: by runnerKey, the keys of the pods that claim it. */
	readonly #nameOwners = new Map<string, Set<string>>();
	readonly #queue: WorkQueue;
	readonly #dependencies: StaleRegistrationsDependencies;

	constructor(dependencies: StaleRegistrationsDependencies) {
		this.#dependencies = dependencies;
		const { cache, clock, metrics, log } = dependencies;
		this.#queue = new WorkQueue({
			controller: 'tidy-up',
			metrics,
			clock,
			concurrency: 1,
			reconcile: (key) => this.#tidy(key),
			onError: (key, error, retryMs) =>
				log.warn(
					{ runner: key, error: String(error), retryMs },
					'registration of a runner whose pod is gone not removed, retrying',
				),
		});
		cache.onPod((change, object) => {
			const pod = this.#read(object);
			this.#noteName(podKey(object), change === 'deleted' ? undefined : pod);
			if (change !== 'deleted') return;
			if (!pod?.scope || pod.unregistered || pod.process.state === 'never-started') return;
			this.#noteDangling({ pod, scope: pod.scope, sinceMs: clock.now() });
		});
		cache.onEphemeralRunner((_change, { metadata }) => {
			const object = cache.pods.get(metadata.namespace, metadata.name);
			if (object) this.#noteName(podKey(object), this.#read(object));
		});
	}

	#read(object: Pod): RunnerPod | undefined {
		const { namespace, name } = object.metadata;
		const { cache, pods } = this.#dependencies;
		const ephemeralRunner = cache.ephemeralRunners.get(namespace, name);
		return pods.read(object, { ephemeralRunner });
	}

	/** Which runner a pod claims to be, so that a look need not walk over all pods. */
	#noteName(key: string, pod: RunnerPod | undefined): void {
		const name = pod?.scope && runnerKey(pod.scope, pod);
		const before = this.#nameOf.get(key);
		if (name === before) return;
		if (before !== undefined) {
			const others = this.#nameOwners.get(before);
			others?.delete(key);
			if (others?.size === 0) this.#nameOwners.delete(before);
			this.#nameOf.delete(key);
		}
		if (name === undefined) return;
		this.#nameOf.set(key, name);
		this.#nameOwners.set(name, (this.#nameOwners.get(name) ?? new Set()).add(key));
	}

	#noteDangling(dangling: Dangling): void {
		const key = runnerKey(dangling.scope, dangling.pod);
		this.#dangling.delete(key);
		this.#dangling.set(key, dangling);
		const [oldest] = this.#dangling.keys();
		if (this.#dangling.size > mostDangling && oldest !== undefined) this.#dangling.delete(oldest);
		this.#queue.addAfter(key, firstLookMs);
	}

	stop(): Promise<void> {
		return this.#queue.stop();
	}

	async #tidy(key: string): Promise<Requeue> {
		const { accounts, cache, clock, log } = this.#dependencies;
		const dangling = this.#dangling.get(key);
		if (!dangling) return undefined;
		const { pod, scope, sinceMs } = dangling;
		const again = { afterMs: nextLookMs };
		const done = (): undefined => void this.#dangling.delete(key);
		// Where another pod claims to be this runner, it is not certain whose the registration is, and it stays.
		const isRegisteredAnew = cache.pods.get(pod.namespace, pod.name) !== undefined; // by the new pod of this name
		if (clock.now() - sinceMs > giveUpMs || isRegisteredAnew || this.#nameOwners.has(key)) return done();

		const account = await accounts.resolve(pod);
		if (!('registry' in account)) return again;
		const snapshot = await account.registry.refresh(scope, {
			maxAgeMs: Math.min(nextLookMs / 2, clock.now() - sinceMs),
			priority: 'background',
		});
		if (isFailure(snapshot) || snapshot.startedAtMs < sinceMs) return again;
		const runner = snapshot.runners.get(pod.runnerName);
		if (!runner) return done();
		// Another machine may run a runner of this name: it is removed only if it has our id and is idle and offline.
		if (pod.runnerId !== undefined && runner.id !== pod.runnerId) return done();
		if (runner.busy || runner.status !== 'offline') return again;
		const outcome = await account.remove(scope, runner.id, { priority: 'background' });
		if (outcome.kind !== 'removed' && outcome.kind !== 'not-found') return again;
		log.info(
			{ pod: `${pod.namespace}/${pod.name}`, runner: pod.runnerName, runnerId: runner.id },
			'registration of a runner whose pod is gone removed',
		);
		return done();
	}
}

/** A runner at GitHub, whose names do not distinguish case. */
const runnerKey = (scope: Scope, { runnerName }: RunnerPod) =>
	`${scopeKey(scope)} ${runnerName}`.toLowerCase();
