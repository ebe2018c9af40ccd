import type { KubeObject } from '../api/kinds.ts';
import type { Log } from '../telemetry/log.ts';
import type { Clock } from '../time/clock.ts';
import { withDeadline } from '../time/deadline.ts';
import { type KubeClient, KubeError } from './client.ts';
import {
	keyOf,
	type LargeObjectState,
	LargeObjects,
	type LargeSelection,
	type ShortObject,
} from './large-objects.ts';
import { listPages } from './pages.ts';
import { largeBytes, silentWatch } from './policy.ts';
import { SilenceLimit } from './silence-limit.ts';
import type { Skimmed } from './skim.ts';

export type Change = 'added' | 'modified' | 'deleted';

/** Called after each change of the cache. `before`: the object as it was; undefined if it was added. */
export type Listener<T> = (change: Change, object: T, before: T | undefined) => void;

interface InformerOptions<T extends KubeObject> {
	client: KubeClient;
	/** `/api/v1/pods` */
	path: string;
	query?: Record<string, string>;
	/** Reduces an object to the fields that are read; undefined leaves it out of the cache. */
	trim(object: T): T | undefined;
	/** What this or `trim` throws is a mistake about one object: it is logged, and the other objects are followed as before. */
	onChange(change: Change, object: T, before: T | undefined): void;
	/** Which of the objects that are too large for lists and watches are read alone; default: all. */
	large?: LargeSelection<T>;
	/** Called when the watch broke and is started again. `why`: 'expired', 'silent' or 'error'. */
	onRestart?(why: string): void;
	clock: Clock;
	log: Log;
}

interface WatchEvent<T> {
	type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
	object: T & { code?: number; message?: string };
}

/** The watch brought nothing, and was ended for that. */
class WatchSilent extends Error {}

/** An object that changes all the time must not fill the log. */
const mistakesLoggedEveryMs = 60_000;

/**
 * A cache of objects that is filled by a list and kept up to date by a watch. A broken watch is resumed where it ended; if
 * it has expired, everything is listed again. (client-node's own informer stops at the first error, and can't trim
 * objects that arrive by the watch.) An object of more than `largeBytes` is left out of both, and read alone where it matters;
 * until then it stays in the cache as it was.
 */
export class Informer<T extends KubeObject> {
	readonly #options: InformerOptions<T>;
	readonly #objects = new Map<string, T>();
	readonly #large: LargeObjects<T>;
	#resourceVersion = '';
	#synced = false;
	/** When a mistake was last logged, by the monotonic clock. */
	#loggedMs = Number.NEGATIVE_INFINITY;

	constructor(options: InformerOptions<T>) {
		this.#options = options;
		this.#large = new LargeObjects<T>({ ...options, store: (object) => this.#store(object) });
	}

	/** Whether the first list is complete. */
	get synced(): boolean {
		return this.#synced;
	}

	/** The object as it is in the cache; undefined if it is not there. */
	get(namespace: string | undefined, name: string): T | undefined {
		return this.#objects.get(`${namespace ?? ''}/${name}`);
	}

	values(): IterableIterator<T> {
		return this.#objects.values();
	}

	/**
	 * Takes an object that was read in another way, without a call of `onChange`: whoever read it knows when it has all of
	 * them. Ignored once the first list is complete: the watch shows what is newer.
	 */
	seed(object: T): void {
		const trimmed = this.#synced ? undefined : this.#trim(object);
		if (trimmed) this.#objects.set(keyOf(trimmed), trimmed);
	}

	/** What has become of the objects that are too large for lists and watches, by `namespace/name`. */
	get large(): Iterable<[string, LargeObjectState]> {
		return this.#large.states();
	}

	/** Lists and watches until `signal` ends. Never rejects: errors are retried. */
	async run(signal: AbortSignal): Promise<void> {
		const alone = this.#large.run(signal);
		await this.#follow(signal);
		await alone;
	}

	async #follow(signal: AbortSignal): Promise<void> {
		const { clock } = this.#options;
		let failures = 0;
		while (!signal.aborted) {
			const startedMs = clock.monotonic();
			try {
				if (!this.#resourceVersion) await this.#list(signal);
				await this.#watch(signal);
				failures = 0;
				// If a server closes every watch at once, it must not be called in a tight loop.
				if (clock.monotonic() - startedMs < 1_000) await clock.sleep(1_000, signal);
			} catch (error) {
				if (signal.aborted) return;
				const expired = error instanceof KubeError && error.code === 410;
				if (expired) this.#resourceVersion = '';
				if (clock.monotonic() - startedMs > 30_000) failures = 0;
				failures += 1;
				const why = error instanceof Error ? error.message : String(error);
				const silent = error instanceof WatchSilent;
				this.#options.onRestart?.(expired ? 'expired' : silent ? 'silent' : 'error');
				if (silent) continue; // it is opened where it was, at once: the connection was there for 90 s
				// A watch that ends now and then is normal; one that keeps failing is logged once.
				if (failures === 3)
					this.#options.log.warn({ path: this.#options.path, why }, 'watch keeps failing, retrying');
				const delayMs = expired ? 0 : Math.min(5_000, 100 * 2 ** failures) * (0.5 + clock.random());
				await clock.sleep(delayMs, signal);
			}
		}
	}

	async #list(signal: AbortSignal): Promise<void> {
		const { client, path, query = {} } = this.#options;
		const seen = new Set<string>();
		const { kept } = this.#large;
		let resourceVersion = '';
		for await (const page of listPages<T>(client, path, { query, kept, signal })) {
			for (const item of page.items) {
				seen.add(keyOf(item));
				this.#large.forget(keyOf(item));
				this.#store(item);
			}
			for (const item of page.large) {
				const key = this.#seenLarge(item);
				seen.add(key);
				await this.#large.read(key, signal);
			}
			resourceVersion = page.resourceVersion;
		}
		this.#large.forgetOthers(seen);
		for (const [key, object] of this.#objects) {
			if (!seen.has(key)) this.#remove(key, object);
		}
		this.#resourceVersion = resourceVersion;
		this.#synced = true;
	}

	async #watch(signal: AbortSignal): Promise<void> {
		const { client, path, query, clock } = this.#options;
		// The server closes the watch after this time. A connection that broke silently is given up 15 s later.
		const timeoutSeconds = 240 + Math.floor(clock.random() * 60);
		const silence = new SilenceLimit(
			clock,
			silentWatch.afterMs + Math.floor(clock.random() * silentWatch.jitterMs),
		);
		const received =
			<Line>(take: (line: Line) => void) =>
			(line: Line) => {
				silence.interrupted();
				take(line);
			};
		const follow = (dead: AbortSignal) =>
			client.stream(path, {
				query: {
					...query,
					watch: true,
					allowWatchBookmarks: true,
					resourceVersion: this.#resourceVersion,
					timeoutSeconds,
				},
				signal: AbortSignal.any([signal, dead, silence.signal]),
				onLine: received((line: string) => this.#take(JSON.parse(line) as WatchEvent<T>)),
				longestLine: largeBytes,
				long: {
					kept: { type: true, object: this.#large.kept },
					onSkimmed: received((event) => this.#takeLarge(event as Skimmed<WatchEvent<T>>)),
				},
			});
		try {
			await withDeadline(clock, (timeoutSeconds + 15) * 1000, follow);
		} catch (error) {
			throw silence.signal.aborted && !signal.aborted ? new WatchSilent() : error;
		} finally {
			silence.end();
		}
	}

	#takeLarge({ value: { type, object }, whole }: Skimmed<WatchEvent<T>>): void {
		this.#resourceVersion = object.metadata.resourceVersion ?? this.#resourceVersion;
		if (type !== 'DELETED') {
			const key = this.#seenLarge({ value: object, whole });
			const { resourceVersion } = this.#objects.get(key)?.metadata ?? {};
			// What a watch shows first has often been read already.
			if (resourceVersion !== object.metadata.resourceVersion) this.#large.readSoon(key);
			return;
		}
		const key = keyOf(object);
		const last = this.#objects.get(key);
		this.#large.forget(key);
		if (last) this.#remove(key, last);
	}

	/** Until it has been read alone, the object stays in the cache as it was: nobody may take it for deleted. */
	#seenLarge(object: Skimmed<ShortObject<T>>): string {
		const { metadata } = object.value;
		const key = keyOf(object.value);
		const cached = this.#objects.get(key);
		if (cached && cached.metadata.uid !== metadata.uid) this.#remove(key, cached);
		this.#large.seen(key, object, cached !== undefined);
		return key;
	}

	#take({ type, object }: WatchEvent<T>): void {
		if (type === 'ERROR') throw new KubeError(object.code ?? 500, '', object.message ?? 'watch error');
		this.#resourceVersion = object.metadata.resourceVersion ?? this.#resourceVersion;
		if (type === 'BOOKMARK') return;
		this.#large.forget(keyOf(object));
		if (type === 'DELETED') {
			const last = this.#trim(object) ?? this.#objects.get(keyOf(object));
			if (last) this.#remove(keyOf(object), last);
		} else {
			this.#store(object);
		}
	}

	#store(object: T): void {
		const key = keyOf(object);
		const before = this.#objects.get(key);
		const trimmed = this.#trim(object);
		if (!trimmed) {
			if (before) this.#remove(key, before);
			return;
		}
		if (before && before.metadata.uid !== trimmed.metadata.uid) this.#remove(key, before);
		const replaced = before?.metadata.uid === trimmed.metadata.uid ? before : undefined;
		if (replaced?.metadata.resourceVersion === trimmed.metadata.resourceVersion && replaced) return;
		this.#objects.set(key, trimmed);
		this.#tell(replaced ? 'modified' : 'added', trimmed, replaced);
	}

	#remove(key: string, object: T): void {
		const before = this.#objects.get(key);
		this.#objects.delete(key);
		if (before) this.#tell('deleted', object, before);
	}

	#trim(object: T): T | undefined {
		try {
			return this.#options.trim(object);
		} catch (error) {
			this.#mistake(object, error);
			return undefined;
		}
	}

	#tell(change: Change, object: T, before: T | undefined): void {
		try {
			this.#options.onChange(change, object, before);
		} catch (error) {
			this.#mistake(object, error);
		}
	}

	#mistake(object: T, error: unknown): void {
		const { clock, log, path } = this.#options;
		if (clock.monotonic() - this.#loggedMs < mistakesLoggedEveryMs) return;
		this.#loggedMs = clock.monotonic();
		const facts = { path, object: keyOf(object), error: String(error) };
		log.error(facts, 'a change of this object could not be followed');
	}
}
