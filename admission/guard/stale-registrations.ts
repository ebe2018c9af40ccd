import type { Pod } from '../api/kinds.ts';
import { type ObjectKey, objectKey } from '../api/object-key.ts';
import type { Cache } from '../cluster/cache.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import type { Accounts } from '../github/accounts.ts';
import { runnerNamed } from '../github/registry.ts';
import { isFailure } from '../github/types.ts';
import { Controller } from '../kube/controller.ts';
import type { ReconcileObserver, Requeue } from '../kube/queue.ts';
import { runnerKey } from '../runner/github-name.ts';
import type { RunnerPod } from '../runner/runner-pod.ts';
import type { Scope } from '../runner/scope.ts';
import type { Log } from '../telemetry/log.ts';
import { BoundedMap } from '../time/bounded-map.ts';
import type { Clock } from '../time/clock.ts';

/** First check after a pod is gone: by then GitHub shows the runner offline, and an ephemeral one has removed itself. */
const firstCheckMs = 15_000;
const nextCheckMs = 60_000;
/** After this it is left to GitHub, which removes an offline ephemeral runner after a day. */
const giveUpMs = 24 * 60 * 60_000;

/** Of more pods that are gone, those gone longest are left to GitHub as well: nobody may fill our memory by creating and deleting pods. */
const mostDangling = 5_000;

/** A pod that is gone and whose registration may have stayed. */
interface Dangling {
	pod: RunnerPod;
	scope: Scope;
	sinceMs: number;
}

interface StaleRegistrationsDependencies {
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
	/** By runnerKey; each for giveUpMs at most. */
	readonly #dangling = new BoundedMap<string, Dangling>({ most: mostDangling });
	/** The runnerKey that each pod uses; one entry for a pod of the cache, gone with it. */
	readonly #nameOf = new Map<ObjectKey, string>();
	/** The reverse: by runnerKey, the keys of the pods that use it. */
	readonly #nameOwners = new Map<string, Set<ObjectKey>>();
	readonly #controller: Controller<string>;
	readonly #dependencies: StaleRegistrationsDependencies;

	constructor(dependencies: StaleRegistrationsDependencies) {
		this.#dependencies = dependencies;
		const { cache, clock } = dependencies;
		this.#controller = new Controller<string>(
			{
				name: 'tidy-up',
				field: 'runner',
				concurrency: 1,
				reconcile: (key) => this.#removeRegistration(key),
				failure: 'registration of a runner whose pod is gone not removed',
			},
			dependencies,
		);
		cache.onPod((change, object) => {
			const pod = this.#read(object);
			this.#noteName(objectKey(object.metadata), change === 'deleted' ? undefined : pod);
			if (change !== 'deleted') return;
			if (!pod?.scope || pod.unregistered || pod.process.state === 'unbound') return;
			this.#noteDangling({ pod, scope: pod.scope, sinceMs: clock.now() });
		});
		cache.onEphemeralRunner((_change, { metadata }) => {
			const object = cache.pods.get(metadata.namespace, metadata.name);
			if (object) this.#noteName(objectKey(object.metadata), this.#read(object));
		});
	}

	#read(object: Pod): RunnerPod | undefined {
		const { namespace, name } = object.metadata;
		const { cache, pods } = this.#dependencies;
		const ephemeralRunner = cache.ephemeralRunners.get(namespace, name);
		return pods.read(object, { ephemeralRunner });
	}

	/** Notes which runner's name a pod uses, so that a reconcile need not walk over all pods. */
	#noteName(key: ObjectKey, pod: RunnerPod | undefined): void {
		const name = pod?.scope && runnerKey(pod.scope, pod.runnerName);
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
		const key = runnerKey(dangling.scope, dangling.pod.runnerName);
		this.#dangling.set(key, dangling);
		this.#controller.enqueueAfter(key, firstCheckMs);
	}

	stop(): Promise<void> {
		return this.#controller.stop();
	}

	async #removeRegistration(key: string): Promise<Requeue> {
		const { accounts, cache, clock, log } = this.#dependencies;
		const dangling = this.#dangling.get(key);
		if (!dangling) return undefined;
		const { pod, scope, sinceMs } = dangling;
		const again = { afterMs: nextCheckMs };
		const done = (): undefined => void this.#dangling.delete(key);
		// If another pod uses this name, it is not certain whose the registration is, and it stays.
		const isRegisteredAnew = cache.pods.get(pod.namespace, pod.name) !== undefined; // by the new pod of this name
		if (clock.now() - sinceMs > giveUpMs || isRegisteredAnew || this.#nameOwners.has(key)) return done();

		const account = await accounts.resolve(pod);
		if (!('registry' in account)) return again;
		const snapshot = await account.registry.refresh(scope, {
			maxAgeMs: Math.min(nextCheckMs / 2, clock.now() - sinceMs),
			priority: 'background',
		});
		if (isFailure(snapshot) || snapshot.startedAtMs < sinceMs) return again;
		const runner = runnerNamed(snapshot, pod.runnerName);
		if (!runner) return done();
		// Another machine may run a runner of this name: it is removed only if it has our id and is idle and offline.
		if (pod.runnerId !== undefined && runner.id !== pod.runnerId) return done();
		if (runner.busy || runner.status !== 'offline') return again;
		const outcome = await account.remove(scope, runner.id, { priority: 'background' });
		if (outcome.kind !== 'removed' && outcome.kind !== 'not-found') return again;
		log.info(
			{ pod: objectKey(pod), runner: pod.runnerName, runnerId: runner.id },
			'registration of a runner whose pod is gone removed',
		);
		return done();
	}
}
