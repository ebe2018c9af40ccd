import type { KubeObject } from '../api/kinds.ts';
import type { Log } from '../telemetry/log.ts';
import { BoundedMap } from '../time/bounded-map.ts';
import type { Clock } from '../time/clock.ts';
import { isTooLarge, type KubeClient } from './client.ts';
import { aloneEveryMs, largeBytes, mostObjectBytes } from './policy.ts';
import { WorkQueue } from './queue.ts';
import type { Kept, Skimmed } from './skim.ts';

/** An object without all fields that are not kept. Its metadata have namespace, name, uid and resourceVersion. */
export type ShortObject<T extends KubeObject> = Partial<T> & Pick<T, 'metadata'>;

/** Which large objects are read alone. */
export interface LargeSelection<T extends KubeObject> {
	/** What is to be known of an object for that, beside its metadata. */
	kept: Kept;
	isRead(object: ShortObject<T>): boolean;
}

/** What becomes of a large object. `unreadable`: it should be read, and has more than `mostObjectBytes`. */
export type LargeObjectState = 'read-alone' | 'left-out' | 'unreadable';

interface LargeObject {
	state: LargeObjectState;
}

interface LargeObjectsOptions<T extends KubeObject> {
	client: KubeClient;
	path: string;
	query?: Record<string, string>;
	large?: LargeSelection<T>;
	/** Called with each object that was read. */
	store(object: T): void;
	clock: Clock;
	log: Log;
}

/** Of how many large objects it is remembered that they have been logged. */
const mostNamed = 1_000;

/**
 * The objects of a collection that have more than `largeBytes`. Anybody can make some, so that lists and watches do not hold
 * them: those that matter are read alone, one after the other.
 */
export class LargeObjects<T extends KubeObject> {
	/** What is to be kept of an object in a list or watch. */
	readonly kept: Kept;
	readonly #options: LargeObjectsOptions<T>;
	/** By `namespace/name`. An object that has changed since is another entry. */
	readonly #objects = new Map<string, LargeObject>();
	/** UIDs of those that the log has named. */
	readonly #named = new BoundedMap<string, true>({ most: mostNamed });
	#queue: WorkQueue | undefined;

	constructor(options: LargeObjectsOptions<T>) {
		this.#options = options;
		const metadata = { namespace: true, name: true, uid: true, resourceVersion: true } as const;
		this.kept = { ...options.large?.kept, metadata };
	}

	/** What has become of each, by `namespace/name`. */
	*states(): Iterable<[string, LargeObjectState]> {
		for (const [key, { state }] of this.#objects) yield [key, state];
	}

	/** Reads objects after `readSoon` until `signal` ends. */
	async run(signal: AbortSignal): Promise<void> {
		const { clock, log, path } = this.#options;
		const queue = new WorkQueue({
			controller: 'large-objects',
			metrics: { reconciled: () => {} }, // the reads of a client are not counted anywhere
			clock,
			concurrency: 1,
			reconcile: async (key) => {
				await this.read(key, signal);
				await clock.sleep(aloneEveryMs, signal);
				return undefined;
			},
			onError: (key, error, _retryMs, failures) => {
				const facts = { path, object: key, error: String(error) };
				if (failures === 1 && !signal.aborted) log.warn(facts, 'a large object could not be read, retrying');
			},
		});
		this.#queue = queue;
		if (!signal.aborted)
			await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
		await queue.stop();
	}

	/** A list or watch has shown the object. @param isKnown the cache has it: then it is read as well */
	seen(key: string, { value, whole }: Skimmed<ShortObject<T>>, isKnown: boolean): void {
		const { large, log, path } = this.#options;
		const isRead = !large || !whole || isKnown || large.isRead(value);
		const state = isRead ? 'read-alone' : 'left-out';
		this.#objects.set(key, { state });
		const { uid = '' } = value.metadata;
		if (!this.#named.has(uid)) {
			const facts = { path, object: key, moreThanBytes: largeBytes, state };
			log.info(facts, 'an object is too large for lists and watches');
		}
		this.#named.set(uid, true);
	}

	/** Reads the object, if it is one that is read. Rejects with KubeError. */
	async read(key: string, signal: AbortSignal): Promise<void> {
		const { client, path, query, store, log } = this.#options;
		const object = this.#objects.get(key);
		if (object?.state !== 'read-alone') return;
		const [namespace = '', name = ''] = key.split('/');
		const fieldSelector = [query?.fieldSelector, `metadata.name=${name}`].filter(Boolean).join();
		try {
			// A list, because whoever may watch may list.
			const { items } = await client.request<{ items: T[] }>('GET', within(path, namespace), {
				query: { ...query, fieldSelector },
				mostBytes: mostObjectBytes,
				signal,
				timeoutMs: 30_000,
			});
			// What came meanwhile is newer. Where there is none, the watch will show whether it was deleted.
			const [found] = this.#objects.get(key) === object ? items : [];
			if (found) store(found);
		} catch (error) {
			if (!isTooLarge(error)) throw error;
			object.state = 'unreadable';
			const facts = { path, object: key, moreThanBytes: mostObjectBytes };
			log.error(facts, 'an object is too large to be read: make it smaller, or delete it by hand');
		}
	}

	/** Reads the object when it is its turn, if it is one that is read; a failure is retried. */
	readSoon(key: string): void {
		if (this.#objects.get(key)?.state === 'read-alone') this.#queue?.add(key);
	}

	/** The object is gone, or not large. */
	forget(key: string): void {
		this.#objects.delete(key);
	}

	/** A list has shown all objects. */
	forgetOthers(keys: ReadonlySet<string>): void {
		for (const key of this.#objects.keys()) if (!keys.has(key)) this.forget(key);
	}
}

/** `/api/v1/pods` -> `/api/v1/namespaces/ns/pods`; a path within a namespace, or of objects that have none, as it is. */
const within = (path: string, namespace: string) =>
	namespace === '' || path.includes('/namespaces/')
		? path
		: path.replace(/\/([^/]+)$/, `/namespaces/${namespace}/$1`);

/** `namespace/name`; `/name` where it has no namespace. */
export const keyOf = ({ metadata }: KubeObject) => `${metadata.namespace ?? ''}/${metadata.name}`;
