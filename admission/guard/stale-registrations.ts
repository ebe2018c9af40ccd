import { names } from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import { type ObjectKey, objectKey } from '../api/object-key.ts';
import { objectPath, resources } from '../api/paths.ts';
import type { Cache } from '../cluster/cache.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import type { Accounts } from '../github/accounts.ts';
import { runnerNamed } from '../github/registry.ts';
import { isFailure } from '../github/types.ts';
import type { KubeClient } from '../kube/client.ts';
import { Controller } from '../kube/controller.ts';
import { applyObject, getObject } from '../kube/objects.ts';
import type { ReconcileObserver, Requeue } from '../kube/queue.ts';
import { runnerKey } from '../runner/github-name.ts';
import type { RunnerPod } from '../runner/runner-pod.ts';
import type { Log } from '../telemetry/log.ts';
import { BoundedMap } from '../time/bounded-map.ts';
import type { Clock } from '../time/clock.ts';
import { type OwedRegistration, readOwed, writtenOwed } from './rules/owed-registrations.ts';

/** In the ConfigMap: one registration a line, as JSON. */
const dataKey = 'registrations';

/** What is owed is written so often at most, for the next leader. */
const writeEveryMs = 2_000;

/** First check after a pod is gone: by then GitHub shows the runner offline, and an ephemeral one has removed itself. */
const firstCheckMs = 15_000;
/** The next ones, at first; later after a tenth of the time since then, at most once an hour. */
const nextCheckMs = { first: 60_000, part: 1 / 10, most: 60 * 60_000 } as const;
const dayMs = 24 * 60 * 60_000;
/**
 * After this it is left to GitHub, which removes an ephemeral runner that has not connected for a day, another one after 14
 * days (docs.github.com, "Removing self-hosted runners").
 */
const giveUpMs = { ephemeral: dayMs, static: 14 * dayMs } as const;

/** Of more pods that are gone, those gone longest are left to GitHub as well: nobody may fill our memory by creating and deleting pods. */
const mostDangling = 5_000;

interface StaleRegistrationsDependencies {
	client: KubeClient;
	/** The server's own namespace. */
	namespace: string;
	cache: Cache;
	accounts: Accounts;
	pods: RunnerPods;
	clock: Clock;
	metrics: ReconcileObserver;
	log: Log;
}

/**
 * Removes the registrations of runners whose pods are gone without having been unregistered: the runner failed, the node
 * was lost, or break-glass was used. What is left to do is in a ConfigMap, so that the next leader does it. Best effort: of a
 * pod that goes while nobody leads nothing is known.
 */
export class StaleRegistrations {
	/** By runnerKey; each until it is left to GitHub. */
	readonly #dangling = new BoundedMap<string, OwedRegistration>({ most: mostDangling });
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
			const { namespace, name, runnerName, runnerId, scope, credentialsSecret, ephemeral } = pod;
			const owed = { namespace, name, runnerName, runnerId, scope, credentialsSecret, ephemeral };
			this.#noteDangling({ ...owed, sinceMs: clock.now() });
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

	#noteDangling(dangling: OwedRegistration): void {
		const key = runnerKey(dangling.scope, dangling.runnerName);
		this.#dangling.set(key, dangling);
		this.#controller.enqueueAfter(key, firstCheckMs);
	}

	/** Takes over what an earlier leader had not finished, then keeps the ConfigMap up to date until `signal` ends. */
	async run(signal: AbortSignal): Promise<void> {
		const { clock, log } = this.#dependencies;
		let written: string | undefined;
		let isFailing = false;
		while (!signal.aborted) {
			try {
				written ??= await this.#takeOver();
				const owed = writtenOwed([...this.#dangling.values()]);
				if (owed !== written) await this.#write(owed);
				written = owed;
				isFailing = false;
			} catch (error) {
				if (!isFailing && !signal.aborted)
					log.warn(
						{ error: String(error) },
						'registrations that are to be removed were not written, retrying',
					);
				isFailing = true;
			}
			await clock.sleep(writeEveryMs, signal);
		}
	}

	/** @returns what is written there */
	async #takeOver(): Promise<string> {
		const { client, clock } = this.#dependencies;
		const found = await getObject<{ data?: Record<string, string> }>(client, this.#path);
		const text = found?.data?.[dataKey] ?? '';
		for (const owed of readOwed(text, clock.now()))
			if (!this.#dangling.has(runnerKey(owed.scope, owed.runnerName))) this.#noteDangling(owed);
		return text;
	}

	async #write(owed: string): Promise<void> {
		const { client, namespace } = this.#dependencies;
		const configMap = {
			apiVersion: 'v1',
			kind: 'ConfigMap',
			metadata: { name: names.owed, namespace, labels: { 'app.kubernetes.io/name': names.server } },
			data: { [dataKey]: owed },
		};
		await applyObject(client, this.#path, configMap, names.fieldManager);
	}

	get #path(): string {
		return objectPath(resources.configMaps, { namespace: this.#dependencies.namespace, name: names.owed });
	}

	stop(): Promise<void> {
		return this.#controller.stop();
	}

	async #removeRegistration(key: string): Promise<Requeue> {
		const { accounts, cache, clock, log } = this.#dependencies;
		const dangling = this.#dangling.get(key);
		if (!dangling) return undefined;
		const { namespace, name, runnerName, runnerId, scope, sinceMs, ephemeral } = dangling;
		if (!cache.pods.synced) return { afterMs: 1_000 };
		const goneForMs = Math.max(0, clock.now() - sinceMs);
		const { first, part, most } = nextCheckMs;
		const again = { afterMs: Math.min(most, Math.max(first, goneForMs * part)) };
		const done = (): undefined => void this.#dangling.delete(key);
		// If another pod uses this name, it is not certain whose the registration is, and it stays.
		const isRegisteredAnew = cache.pods.get(namespace, name) !== undefined; // by the new pod of this name
		const isLeftToGitHub = goneForMs > giveUpMs[ephemeral ? 'ephemeral' : 'static'];
		if (isLeftToGitHub || isRegisteredAnew || this.#nameOwners.has(key)) return done();

		const account = await accounts.resolve(dangling);
		if (!('registry' in account)) return again;
		const snapshot = await account.registry.refresh(scope, {
			maxAgeMs: Math.min(first / 2, goneForMs),
			priority: 'background',
		});
		if (isFailure(snapshot) || snapshot.startedAtMs < sinceMs) return again;
		const runner = runnerNamed(snapshot, runnerName);
		if (!runner) return done();
		// Another machine may run a runner of this name: it is removed only if it has our id and is idle and offline.
		if (runnerId !== undefined && runner.id !== runnerId) return done();
		if (runner.busy || runner.status !== 'offline') return again;
		const outcome = await account.remove(scope, runner.id, { priority: 'background' });
		if (outcome.kind !== 'removed' && outcome.kind !== 'not-found') return again;
		log.info(
			{ pod: objectKey({ namespace, name }), runner: runnerName, runnerId: runner.id },
			'registration of a runner whose pod is gone removed',
		);
		return done();
	}
}
