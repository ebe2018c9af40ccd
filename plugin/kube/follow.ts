import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeObject, Pod } from '../../admission/api/kinds.ts';
import { podsPath } from '../../admission/api/paths.ts';
import type { KubeClient } from './client.ts';
import { deadline } from './deadline.ts';
import { ApiError, UnreachableError } from './failure.ts';
import { listPods, type PodQuery } from './pods.ts';

/** Is called with what happens to the objects of a query, in order. */
export interface Observer<T> {
	/** An object exists or has changed. */
	seen: (object: T) => void;
	/** An object is gone; it is passed as it was last seen. */
	gone: (object: T) => void;
	/** A whole list has been reported, so an object that was not in it does not exist. */
	synced?: () => void;
	/** The server fails or cannot be reached, and the request is repeated. Called once for each series of failures. */
	failure?: (message: string) => void;
}

export type PodObserver = Observer<Pod>;

/** One collection of the API server. */
export interface Source<T> {
	path: string;
	labelSelector?: string;
	fieldSelector?: string;
	/** All its objects, and the resource version from which a watch continues. */
	list: (signal: AbortSignal) => Promise<{ objects: T[]; resourceVersion: string }>;
}

/** A watch is renewed after this time (s), so that nobody waits forever on a connection that has died unnoticed. */
const watchSeconds = 300;
const graceMs = 15_000;
const backoff = { firstMs: 500, mostMs: 10_000 };

/** `follow` for pods. */
export function followPods(
	client: KubeClient,
	query: PodQuery,
	observer: PodObserver,
	signal: AbortSignal,
): Promise<void> {
	const { labelSelector, fieldSelector } = query;
	const list = async (until: AbortSignal) => {
		const { pods, resourceVersion } = await listPods(client, query, until);
		return { objects: pods, resourceVersion };
	};
	const source = { path: podsPath(query.namespace), labelSelector, fieldSelector, list };
	return follow(client, source, observer, signal);
}

/**
 * Reports every change of the objects in the query to the observer, and returns when the signal aborts.
 *
 * Survives what ends watches: time limits, restarts of the API server, a history that was dropped (410, listed anew),
 * lost connections. The first list is not retried, so that a wrong address or a missing right fails at once; a right
 * that is lost later fails too.
 */
export async function follow<T extends KubeObject>(
	client: KubeClient,
	source: Source<T>,
	observer: Observer<T>,
	signal: AbortSignal,
): Promise<void> {
	const progress: Progress<T> = { known: new Map(), version: '' };
	let failures = 0;
	let listedOnce = false;
	let reportedFailure = false;

	while (!signal.aborted) {
		const startedAtMs = Date.now();
		try {
			if (progress.version === '') await relist(source, observer, progress, signal);
			listedOnce = true;
			await watchOnce(client, source, observer, progress, signal);
			reportedFailure = false;
		} catch (error) {
			if (signal.aborted) return;
			if (!listedOnce || !isPassing(error)) throw error;
			if (error instanceof ApiError && error.code === 410) progress.version = '';
			else if (!reportedFailure) {
				observer.failure?.((error as Error).message);
				reportedFailure = true;
			}
		}
		// A watch that lasted counts as a success; if the server ends watches at once, the pauses get longer and
		// longer.
		failures = Date.now() - startedAtMs > backoff.mostMs ? 0 : failures + 1;
		if (failures > 0) await pause(failures, signal);
	}
}

interface Progress<T> {
	/** By uid, because names are reused. */
	known: Map<string, T>;
	/** The resource version up to which everything has been reported; '' asks for a new list. */
	version: string;
}

async function relist<T extends KubeObject>(
	source: Source<T>,
	observer: Observer<T>,
	progress: Progress<T>,
	signal: AbortSignal,
): Promise<void> {
	const { objects, resourceVersion } = await source.list(signal);
	const left = new Map(progress.known);
	progress.known = new Map(objects.map((object) => [object.metadata.uid ?? '', object]));
	progress.version = resourceVersion;
	for (const uid of progress.known.keys()) left.delete(uid);
	// First those that are gone, then those that exist: the last report about a name must be about its present owner.
	for (const object of left.values()) observer.gone(object);
	for (const object of objects) observer.seen(object);
	observer.synced?.();
}

interface WatchEvent<T> {
	type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
	object: T & { code?: number; message?: string };
}

/** One watch request, until it ends. */
async function watchOnce<T extends KubeObject>(
	client: KubeClient,
	source: Source<T>,
	observer: Observer<T>,
	progress: Progress<T>,
	signal: AbortSignal,
): Promise<void> {
	const limit = deadline(watchSeconds * 1000 + graceMs);
	const lines = client.lines(source.path, {
		query: {
			watch: 'true',
			allowWatchBookmarks: 'true',
			resourceVersion: progress.version,
			timeoutSeconds: String(watchSeconds),
			labelSelector: source.labelSelector,
			fieldSelector: source.fieldSelector,
		},
		signal: AbortSignal.any([signal, limit]),
	});
	try {
		for await (const line of lines) {
			if (line !== '') tell(JSON.parse(line) as WatchEvent<T>, observer, progress);
		}
	} catch (error) {
		if (!limit.aborted) throw error;
	}
}

function tell<T extends KubeObject>(
	{ type, object }: WatchEvent<T>,
	observer: Observer<T>,
	progress: Progress<T>,
): void {
	if (type === 'ERROR') throw new ApiError(object.code ?? 500, { message: object.message });
	progress.version = object.metadata.resourceVersion ?? progress.version;
	const uid = object.metadata.uid ?? '';
	switch (type) {
		case 'DELETED':
			progress.known.delete(uid);
			observer.gone(object);
			break;
		case 'ADDED':
		case 'MODIFIED':
			progress.known.set(uid, object);
			observer.seen(object);
	}
}

/** Whether another try may succeed: not if the caller has to change something (rights, names, a wrong request). */
function isPassing(error: unknown): boolean {
	if (error instanceof UnreachableError) return true;
	return error instanceof ApiError && (error.code === 410 || error.code === 429 || error.code >= 500);
}

async function pause(failures: number, signal: AbortSignal): Promise<void> {
	const ms = Math.min(backoff.firstMs * 2 ** (failures - 1), backoff.mostMs);
	try {
		await sleep(ms * (0.75 + Math.random() / 2), undefined, { signal });
	} catch {
		// The signal ended it; the caller's loop checks that.
	}
}
