import type { KubeClient } from '../kube/client.ts';
import { Cache } from './cache.ts';
import { ExchangePods } from './exchange-pods.ts';
import { getEphemeralRunner, RunnerPods } from './runner-pods.ts';
import { SetsCache } from './sets-cache.ts';
import type { Signer } from './signer.ts';
import type { WatchDependencies } from './watched.ts';

export interface TermOptions extends WatchDependencies {
	/** Writes only while this process leads. */
	client: KubeClient;
	/** Writes at any time: for what GitHub has answered. */
	unfenced: KubeClient;
	signer: Signer;
	/** Host of the GitHub that this server talks to. */
	host: string;
}

/** What the leader's loops share during one term: what they watch, and how they read and write runner pods. */
export interface Term {
	/** Writes only while this process leads. */
	client: KubeClient;
	cache: Cache;
	setsCache: SetsCache;
	pods: RunnerPods;
	/** For exchanges with GitHub, whose outcome is written whoever leads by then. */
	exchangePods: ExchangePods;
}

/** Prepares a term. Nothing is watched before the caches run. */
export function createTerm({ client, unfenced, signer, host, metrics, clock, log }: TermOptions): Term {
	const cache = new Cache({ client, metrics, clock, log });
	// What the cache lacks may be newer than the cache, or its CRD may just have been installed: then it is read.
	const ephemeralRunner = async (namespace: string, name: string) =>
		cache.ephemeralRunners.get(namespace, name) ?? getEphemeralRunner(client, namespace, name);
	const pods = new RunnerPods(client, signer, host, clock.now, ephemeralRunner);
	return {
		client,
		cache,
		setsCache: new SetsCache({ client, metrics, clock, log }),
		pods,
		exchangePods: new ExchangePods(pods, unfenced, signer, host, clock.now, ephemeralRunner),
	};
}
