import type { Pod } from '../api/kinds.ts';
import type { Cache } from '../cluster/cache.ts';
import type { Signer } from '../cluster/signer.ts';
import type { Accounts } from '../github/accounts.ts';
import { isTrouble } from '../github/types.ts';
import type { Clock } from '../kube/clock.ts';
import { type LookAgain, type ReconcileObserver, WorkQueue } from '../kube/queue.ts';
import { sameRunner } from '../runner/name-holder.ts';
import { podKey, type RunnerPod, readRunnerPod } from '../runner/runner-pod.ts';
import { type Scope, scopeKey } from '../runner/scope.ts';
import type { Log } from '../telemetry/log.ts';

/** First check after a pod is gone: by then GitHub shows the runner offline, and an ephemeral one has removed itself. */
const firstLookMs = 15_000;
const nextLookMs = 60_000;
/** After this it is left to GitHub, which removes an offline ephemeral runner after a day. */
const giveUpMs = 24 * 60 * 60_000;

/** A pod that is gone and whose registration may have stayed. */
interface Dangling {
	pod: RunnerPod;
	scope: Scope;
	sinceMs: number;
}

export interface StaleRegistrationsDependencies {
	cache: Cache;
	accounts: Accounts;
	signer: Signer;
	clock: Clock;
	metrics: ReconcileObserver;
	log: Log;
}

/**
 * Removes the registrations of runners whose pods are gone without having been unregistered: the runner failed, the node
 * was lost, or break-glass was used. Best effort: a new leader does not know what the previous one had not finished.
 */
export class StaleRegistrations {
	readonly #dangling = new Map<string, Dangling>();
	readonly #queue: WorkQueue;
	readonly #dependencies: StaleRegistrationsDependencies;

	constructor(dependencies: StaleRegistrationsDependencies) {
		this.#dependencies = dependencies;
		const { cache, signer, clock, metrics, log } = dependencies;
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
		cache.onPod((change, object: Pod) => {
			if (change !== 'deleted') return;
			const facts = {
				holds: signer.vouches,
				ephemeralRunner: cache.ephemeralRunners.get(object.metadata.namespace, object.metadata.name),
			};
			const pod = readRunnerPod(object, facts);
			if (!pod?.scope || pod.unregistered || pod.process.state === 'never-started') return;
			const key = `${scopeKey(pod.scope)} ${pod.runnerName}`;
			this.#dangling.set(key, { pod, scope: pod.scope, sinceMs: clock.now() });
			this.#queue.addAfter(key, firstLookMs);
		});
	}

	stop(): Promise<void> {
		return this.#queue.stop();
	}

	async #tidy(key: string): Promise<LookAgain> {
		const { accounts, cache, clock, log } = this.#dependencies;
		const dangling = this.#dangling.get(key);
		if (!dangling) return undefined;
		const { pod, scope, sinceMs } = dangling;
		const again = { afterMs: nextLookMs };
		const done = (): undefined => void this.#dangling.delete(key);
		if (clock.now() - sinceMs > giveUpMs || this.#registeredAnew(cache, pod) || this.#isAnothers(pod))
			return done();

		const account = await accounts.resolve(pod);
		if (!('registry' in account)) return again;
		const snapshot = await account.registry.refresh(scope, {
			maxAgeMs: Math.min(nextLookMs / 2, clock.now() - sinceMs),
			priority: 'background',
		});
		if (isTrouble(snapshot) || snapshot.startedAtMs < sinceMs) return again;
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

	/** Whether another pod claims to be this runner. Then it is not certain whose the registration is, and it stays. */
	#isAnothers(pod: RunnerPod): boolean {
		const { cache } = this.#dependencies;
		for (const object of cache.pods.values()) {
			const ephemeralRunner = cache.ephemeralRunners.get(object.metadata.namespace, object.metadata.name);
			const other = readRunnerPod(object, { ephemeralRunner });
			if (other && sameRunner(other, pod)) return true;
		}
		return false;
	}

	/** Whether a new pod of the same name exists, which registers under the same runner name. */
	#registeredAnew(cache: Cache, pod: RunnerPod): boolean {
		const successor = cache.pods.get(pod.namespace, pod.name);
		return successor !== undefined && podKey(successor) === `${pod.namespace}/${pod.name}`;
	}
}
