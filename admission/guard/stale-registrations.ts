import type { Pod } from '../api/kinds.ts';
import type { Cache } from '../cluster/cache.ts';
import type { Proof } from '../cluster/proof.ts';
import type { Accounts } from '../github/accounts.ts';
import { isTrouble } from '../github/types.ts';
import type { Clock } from '../kube/clock.ts';
import { type LookAgain, type ReconcileObserver, WorkQueue } from '../kube/queue.ts';
import { sameRunner } from '../runner/name-holder.ts';
import { podKey, type RunnerPod, readRunnerPod } from '../runner/runner-pod.ts';
import { type Scope, scopeKey } from '../runner/scope.ts';
import type { Log } from '../telemetry/log.ts';

/** A runner goes offline at GitHub a moment after its pod is gone, and an ephemeral one removes itself. */
const firstLookMs = 15_000;
const nextLookMs = 60_000;
/** After this GitHub's own clean-up (one day for an ephemeral runner) is as good. */
const giveUpMs = 24 * 60 * 60_000;

interface Dangling {
	pod: RunnerPod;
	scope: Scope;
	sinceMs: number;
}

export interface StaleRegistrationsDependencies {
	cache: Cache;
	accounts: Accounts;
	proof: Proof;
	clock: Clock;
	metrics: ReconcileObserver;
	log: Log;
}

/**
 * Removes the registrations of pods that are gone without having been unregistered: a runner that failed, a node that
 * was lost, a break-glass. Best effort: what a leader has not finished is not known to the next one.
 */
export class StaleRegistrations {
	readonly #dangling = new Map<string, Dangling>();
	readonly #queue: WorkQueue;
	readonly #dependencies: StaleRegistrationsDependencies;

	constructor(dependencies: StaleRegistrationsDependencies) {
		this.#dependencies = dependencies;
		const { cache, proof, clock, metrics, log } = dependencies;
		this.#queue = new WorkQueue({
			controller: 'tidy-up',
			metrics,
			clock,
			concurrency: 1,
			reconcile: (key) => this.#tidy(key),
			onError: (key, error, retryMs) =>
				log.warn({ runner: key, error: String(error), retryMs }, 'registration not removed, retrying'),
		});
		cache.onPod((change, object: Pod) => {
			if (change !== 'deleted' || proof.holds(object)) return;
			const facts = {
				ephemeralRunner: cache.ephemeralRunners.get(object.metadata.namespace, object.metadata.name),
			};
			const pod = readRunnerPod(object, facts);
			if (!pod?.scope || pod.process.state === 'never-started') return;
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
		// Another machine may run under that name: only what is ours, idle and gone from the network is removed.
		if (pod.runnerId !== undefined && runner.id !== pod.runnerId) return done();
		if (runner.busy || runner.status !== 'offline') return again;
		const outcome = await account.remove(scope, runner.id, { priority: 'background' });
		if (outcome.kind !== 'removed' && outcome.kind !== 'not-found') return again;
		log.info(
			{ pod: `${pod.namespace}/${pod.name}`, runner: pod.runnerName, runnerId: runner.id },
			'dangling registration removed',
		);
		return done();
	}

	/** Another pod says that it is this runner: whichever it belongs to, it is not certain enough to remove it. */
	#isAnothers(pod: RunnerPod): boolean {
		const { cache } = this.#dependencies;
		for (const object of cache.pods.values()) {
			const ephemeralRunner = cache.ephemeralRunners.get(object.metadata.namespace, object.metadata.name);
			const other = readRunnerPod(object, { ephemeralRunner });
			if (other && sameRunner(other, pod)) return true;
		}
		return false;
	}

	#registeredAnew(cache: Cache, pod: RunnerPod): boolean {
		const successor = cache.pods.get(pod.namespace, pod.name);
		return successor !== undefined && podKey(successor) === `${pod.namespace}/${pod.name}`;
	}
}
