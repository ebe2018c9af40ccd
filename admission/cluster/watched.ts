import type { KubeObject } from '../api/kinds.ts';
import { collectionPath, groupPath, type Resource } from '../api/paths.ts';
import type { KubeClient } from '../kube/client.ts';
import { Informer, type Listener } from '../kube/informer.ts';
import type { LargeSelection } from '../kube/large-objects.ts';
import { servesResource } from '../kube/objects.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';

/** An informer with any number of listeners. */
export interface Watched<T extends KubeObject> {
	informer: Informer<T>;
	on(listener: Listener<T>): void;
}

/** An informer as runWhenServed needs it. */
export interface Runnable {
	run(signal: AbortSignal): Promise<void>;
}

export interface WatchDependencies {
	client: KubeClient;
	metrics: Metrics;
	clock: Clock;
	log: Log;
}

interface WatchOptions<T extends KubeObject> {
	query?: Record<string, string>;
	/** Default: objects of all namespaces. */
	namespace?: string;
	/** Which of the objects that are too large for lists and watches are read alone; default: all. */
	large?: LargeSelection<T>;
}

/** Prepares a watch over the objects of a resource; it starts with `informer.run`. `trim` keeps only what is read. */
export function watched<T extends KubeObject>(
	{ client, metrics, clock, log }: WatchDependencies,
	resource: Resource,
	trim: (object: T) => T | undefined,
	{ query = {}, namespace, large }: WatchOptions<T> = {},
): Watched<T> {
	const path = collectionPath(resource, namespace);
	const listeners: Listener<T>[] = [];
	const informer = new Informer<T>({
		client,
		path,
		query,
		trim,
		...(large ? { large } : {}),
		onChange: (change, object, before) => {
			const mistakes: unknown[] = [];
			for (const listener of listeners)
				try {
					listener(change, object, before);
				} catch (error) {
					mistakes.push(error); // the other listeners are called all the same
				}
			if (mistakes.length > 0) throw mistakes[0];
		},
		onRestart: (why) => metrics.watchRestarted(path, why),
		clock,
		log,
	});
	metrics.largeObjects.watch([path, ...Object.values(query)].join(' '), () => informer.large);
	return { informer, on: (listener) => void listeners.push(listener) };
}

/**
 * Runs the informers once their CRD is served, until `signal` ends: it may be installed after the server, or never.
 * Whether it is served is asked every `everyMs`.
 */
export async function runWhenServed(
	{ client, clock }: Pick<WatchDependencies, 'client' | 'clock'>,
	{ apiVersion, resource }: Resource,
	watches: readonly { informer: Runnable }[],
	everyMs: number,
	signal: AbortSignal,
): Promise<void> {
	while (!signal.aborted) {
		if (await servesResource(client, groupPath(apiVersion), resource)) {
			await Promise.all(watches.map(({ informer }) => informer.run(signal)));
			return;
		}
		await clock.sleep(everyMs, signal);
	}
}
