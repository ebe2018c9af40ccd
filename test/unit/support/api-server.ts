import { isDeepStrictEqual } from 'node:util';
import type { KubeObject, ObjectMeta } from '../../../admission/api/kinds.ts';
import { type KubeClient, KubeError, type RequestOptions } from '../../../admission/kube/client.ts';
import { type Kept, type Skimmed, Skimmer } from '../../../admission/kube/skim.ts';
import type { SimulatedClock } from './clock.ts';
import { type Address, addressOf, applyJsonPatch, matches, mergePatch, strategicPatch } from './requests.ts';

type StreamOptions = Parameters<KubeClient['stream']>[1];
type Query = StreamOptions['query'];

/** Any object, with the parts that tests look at. */
export interface Stored extends KubeObject {
	metadata: ObjectMeta & { generation?: number };
	spec?: Record<string, unknown>;
	status?: Record<string, unknown>;
	data?: Record<string, string>;
}

interface Call extends Address {
	method: string;
	path: string;
	body: unknown;
	query: Query;
	accept?: string | undefined;
}

/** What goes wrong with a call: an HTTP error, no answer until the caller's limit, or an answer that is late. */
type Fault = Error | 'no answer' | { delayMs: number };

interface Review {
	operation: 'CREATE' | 'UPDATE' | 'DELETE';
	resource: string;
	object: Stored;
}

type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';

interface Change {
	version: number;
	type: EventType;
	key: string;
	object: Stored;
	before: Stored | undefined;
}

interface Watcher {
	address: Address;
	query: Query;
	/** It brings nothing any more. */
	silent: boolean;
	onLine: (line: string) => void;
	end: (error?: KubeError) => void;
}

/** What a runner prints that waits for a job. */
const listening = '2026-11-23 12:00:05Z: Listening for Jobs\n';
/** The container of a pod that is terminating has stopped after this. */
const podStopsMs = 1_000;
/** A watch that asked for bookmarks gets one this often. */
const bookmarkEveryMs = 60_000;

/**
 * A small API server in memory, on a simulated clock: lists with pages, watches from a resourceVersion, optimistic
 * locking, patches, finalizers, graceful deletion of pods, evictions under PodDisruptionBudgets. It knows no schemas and
 * checks nobody's rights. `fail` makes calls go wrong, `admission` reviews writes, `onChange` is where controllers of a
 * test (see controllers.ts) receive changes.
 */
export class ApiServer implements KubeClient {
	readonly server = 'https://simulated';
	/** Every call that was made, watches included. */
	readonly calls: Call[] = [];
	/** Asked for each write in turn: an error refuses it, an object is what is written in its place. */
	readonly admission: ((review: Review) => KubeError | Stored | undefined)[] = [];
	/** How long a call takes to get there. What it changed is in the watches before the caller's next call arrives. */
	latencyMs = 0;
	/** What a container has printed, by `namespace/name` of its pod; one that is not here listens for jobs. */
	readonly logs = new Map<string, string>();
	readonly #clock: SimulatedClock;
	/** By `/api/v1/pods`, then by `namespace/name`. */
	readonly #objects = new Map<string, Map<string, Stored>>();
	readonly #served = new Set<string>();
	readonly #history: Change[] = [];
	readonly #watchers = new Set<Watcher>();
	readonly #listeners: ((type: EventType, resource: string, object: Stored) => void)[] = [];
	readonly #faults: ((call: Call) => Fault | undefined)[] = [];
	readonly #losing: ((call: Call) => boolean)[] = [];
	/** By collection: what its watches have not shown yet. */
	readonly #held = new Map<string, (() => void)[]>();
	#closing = false;
	#version = 100;
	#oldestVersion = 0;
	#uids = 0;

	constructor(clock: SimulatedClock) {
		this.#clock = clock;
	}

	// What tests do and see.

	/** These kinds exist, as `/apis/apps/v1/statefulsets`; only discovery depends on it. */
	serve(...collections: string[]): void {
		for (const collection of collections) this.#served.add(collection);
	}

	/** ... and these do not. */
	unserve(...collections: string[]): void {
		for (const collection of collections) this.#served.delete(collection);
	}

	/** Makes or replaces an object as it is given, status included and whatever admission says. */
	put<T extends KubeObject>(collection: string, object: T): Stored {
		const { metadata } = object;
		const old = this.find(collection, metadata.name, metadata.namespace);
		const stored: Stored = copy({
			...object,
			metadata: {
				creationTimestamp: this.#seconds(),
				generation: 1,
				...metadata,
				uid: metadata.uid ?? old?.metadata.uid ?? `uid-${++this.#uids}`,
			},
		});
		return this.#store(collection, stored, old);
	}

	/** Changes an object in place, as its kubelet or its controller would. */
	update<T extends KubeObject = Stored>(
		collection: string,
		name: string,
		namespace: string | undefined,
		change: (object: T) => void,
	): void {
		const old = this.find(collection, name, namespace);
		if (!old) throw new Error(`there is no ${collection} ${namespace ?? ''}/${name}`);
		const changed = copy(old);
		change(changed as unknown as T);
		this.#store(collection, changed, old);
	}

	/** Takes an object away at once, whatever finalizers it has. */
	drop(collection: string, name: string, namespace?: string): void {
		const old = this.find(collection, name, namespace);
		if (old) this.#erase(collection, old);
	}

	find(collection: string, name: string, namespace?: string): Stored | undefined {
		return copy(this.#objects.get(collection)?.get(`${namespace ?? ''}/${name}`));
	}

	all(collection: string): Stored[] {
		return [...(this.#objects.get(collection)?.values() ?? [])].map((object) => copy(object));
	}

	/** The same objects as `all`, not copied: to look at, as often as time passes. */
	*each(collection: string): Iterable<Readonly<Stored>> {
		yield* this.#objects.get(collection)?.values() ?? [];
	}

	/** The calls of one method on paths that match, as `POST` and `/pods/r1/eviction`. */
	callsTo(method: string, path: RegExp): Call[] {
		return this.calls.filter((call) => call.method === method && path.test(call.path));
	}

	/** Makes calls go wrong, `times` times or until the returned function is called. */
	fail(method: string, path: RegExp, fault: Fault, times = Number.POSITIVE_INFINITY): () => void {
		let left = times;
		this.#faults.push((call) => {
			if (left <= 0 || call.method !== method || !path.test(call.path)) return undefined;
			left -= 1;
			return fault;
		});
		return () => {
			left = 0;
		};
	}

	/** These calls are carried out, and their callers get no answer until their time is up. */
	loseAnswers(method: string, path: RegExp, times: number): () => void {
		let left = times;
		this.#losing.push((call) => call.method === method && path.test(call.path) && left-- > 0);
		return () => {
			left = 0;
		};
	}

	/** No call goes wrong any more. */
	mend(): void {
		this.#faults.length = 0;
		this.#losing.length = 0;
	}

	onChange(listener: (type: EventType, resource: string, object: Stored) => void): void {
		this.#listeners.push(listener);
	}

	/** Every watch ends as when a connection breaks. */
	breakWatches(): void {
		for (const { end } of [...this.#watchers]) end(new KubeError(0, 'NoAnswer', 'connection reset'));
	}

	/** The present watches stay open and bring nothing any more, no bookmark either, as behind a load balancer whose server died. */
	silenceWatches(): void {
		for (const watcher of this.#watchers) watcher.silent = true;
	}

	/**
	 * The watches of this collection, as `/api/v1/pods`, are behind until the returned function is called. Given a number, it
	 * shows only so many of the changes, and the watches stay behind.
	 */
	holdWatches(collection: string): (changes?: number) => void {
		this.#held.set(collection, []);
		return (changes) => {
			const held = this.#held.get(collection) ?? [];
			const shown = held.splice(0, changes ?? held.length);
			if (changes === undefined) this.#held.delete(collection);
			for (const show of shown) show();
		};
	}

	/** Watches are accepted and closed in the same moment, until the returned function is called. */
	endWatchesAtOnce(): () => void {
		this.#closing = true;
		return () => {
			this.#closing = false;
		};
	}

	/** History before now is forgotten: a watch from before it is answered with 410. */
	compact(): void {
		this.#oldestVersion = this.#version;
	}

	// What clients do and see.

	async request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
		const address = addressOf(path);
		const call = {
			...address,
			method,
			path,
			body: typeof options.body === 'string' ? JSON.parse(options.body) : copy(options.body),
			query: options.query ?? {},
			accept: options.accept,
		};
		this.calls.push(call);
		if (this.latencyMs > 0) await this.#clock.sleep(this.latencyMs, options.signal);
		await this.#misfortune(call, options);
		if (options.signal?.aborted) throw new KubeError(0, 'NoAnswer', `${method} ${path}: aborted`);
		const answer = copy(this.#answer(call, options)) as T;
		if (this.#losing.some((ask) => ask(call))) {
			await this.#clock.sleep(options.timeoutMs ?? 10_000, options.signal);
			throw new KubeError(0, 'NoAnswer', `${method} ${path}: timed out`);
		}
		if (options.keep) return skimmed<T>(wire(answer), options.keep) as T;
		const { mostBytes = Number.POSITIVE_INFINITY } = options;
		if (mostBytes < Number.POSITIVE_INFINITY && wire(answer).length > mostBytes)
			throw new KubeError(0, 'TooLarge', `the answer has more than ${mostBytes} bytes of JSON`);
		return answer;
	}

	async text(
		path: string,
		{ query, mostBytes, timeoutMs }: Parameters<KubeClient['text']>[1],
	): Promise<{ text: string; toItsEnd: boolean }> {
		const call = { ...addressOf(path), method: 'GET', path, body: undefined, query };
		this.calls.push(call);
		await this.#misfortune(call, { timeoutMs });
		const { collection, namespace, name, subresource } = call;
		const key = `${namespace ?? ''}/${name}`;
		if (subresource !== 'log' || !this.#objects.get(collection)?.has(key))
			throw new KubeError(404, 'NotFound', `${path} not found`);
		const lines = (this.logs.get(key) ?? listening).split('\n');
		const text = lines.slice(-Number(query.tailLines ?? lines.length) - 1).join('\n');
		return { text: text.slice(0, mostBytes), toItsEnd: text.length < mostBytes };
	}

	async stream(path: string, options: StreamOptions): Promise<void> {
		const { query, signal } = options;
		const onLine = (line: string) => this.#line(line, options);
		const address = addressOf(path);
		const call = { ...address, method: 'WATCH', path, body: undefined, query };
		this.calls.push(call);
		await this.#misfortune(call, { signal, timeoutMs: Number.POSITIVE_INFINITY });
		if (signal.aborted) throw new KubeError(0, 'NoAnswer', `GET ${path}: aborted`);
		const since = Number(query.resourceVersion ?? 0);
		if (since < this.#oldestVersion) {
			onLine(JSON.stringify({ type: 'ERROR', object: { metadata: {}, code: 410, message: 'expired' } }));
			return;
		}
		for (const change of this.#history)
			if (change.version > since && change.key === address.collection)
				this.#tell({ address, query, onLine }, change);
		if (!this.#closing) await this.#follow(address, query, signal, onLine);
	}

	/** As in LineReader. */
	#line(line: string, { onLine, longestLine = Number.POSITIVE_INFINITY, long }: StreamOptions): void {
		const sent = long && 6 * line.length > longestLine ? wire(JSON.parse(line)) : undefined;
		if (long && sent && sent.length > longestLine) long.onSkimmed(skimmed(sent, long.kept));
		else onLine(line);
	}

	#follow(
		address: Address,
		query: Query,
		signal: AbortSignal,
		onLine: (line: string) => void,
	): Promise<void> {
		return new Promise((resolve, reject) => {
			const { after } = this.#clock;
			const bookmark = () => {
				const metadata = { resourceVersion: `${this.#version}` };
				if (!watcher.silent) onLine(JSON.stringify({ type: 'BOOKMARK', object: { metadata } }));
				cancelBookmark = after(bookmarkEveryMs, bookmark);
			};
			let cancelBookmark = query.allowWatchBookmarks ? after(bookmarkEveryMs, bookmark) : () => {};
			const end = (error?: KubeError) => {
				this.#watchers.delete(watcher);
				cancelBookmark();
				cancelEnd();
				signal.removeEventListener('abort', aborted);
				if (error) reject(error);
				else resolve();
			};
			const aborted = () => end(new KubeError(0, 'NoAnswer', `GET ${address.collection}: aborted`));
			const watcher: Watcher = {
				address,
				query,
				silent: false,
				end,
				onLine: (line) => {
					if (watcher.silent) return;
					try {
						onLine(line);
					} catch (error) {
						if (error instanceof KubeError) end(error);
						else throw error;
					}
				},
			};
			const cancelEnd = after(Number(query.timeoutSeconds ?? 1_800) * 1_000, () => end());
			this.#watchers.add(watcher);
			signal.addEventListener('abort', aborted, { once: true });
		});
	}

	async #misfortune(call: Call, { timeoutMs = 10_000, signal }: RequestOptions): Promise<void> {
		for (const ask of this.#faults) {
			const fault = ask(call);
			if (fault === undefined) continue;
			if (fault instanceof Error) throw fault;
			const delayMs = fault === 'no answer' ? Number.POSITIVE_INFINITY : fault.delayMs;
			await this.#clock.sleep(Math.min(delayMs, timeoutMs), signal);
			if (delayMs > timeoutMs) throw new KubeError(0, 'NoAnswer', `${call.method} ${call.path}: timed out`);
			return;
		}
	}

	#answer(call: Call, options: RequestOptions): unknown {
		const { method, collection, namespace, name, subresource } = call;
		if (collection.endsWith('/')) return this.#discovery(call);
		if (method === 'POST' && subresource === 'eviction') return this.#evict(call);
		if (method === 'POST') return this.#create(call);
		if (name === undefined) {
			if (method !== 'GET') throw new KubeError(405, 'MethodNotAllowed', `${method} ${call.path}`);
			return this.#list(call);
		}
		const found = this.#objects.get(collection)?.get(`${namespace ?? ''}/${name}`);
		if (method === 'PATCH' && options.contentType?.includes('apply-patch')) return this.#apply(call, found);
		if (!found) throw new KubeError(404, 'NotFound', `${call.path} not found`);
		switch (method) {
			case 'GET':
				return found;
			case 'PUT':
				return this.#replace(call, found, call.body as Stored);
			case 'PATCH':
				return this.#patch(call, found, options.contentType ?? '');
			case 'DELETE':
				return this.#delete(call, found, call.body);
			default:
				throw new KubeError(405, 'MethodNotAllowed', `${method} ${call.path}`);
		}
	}

	#discovery({ path, collection }: Call): unknown {
		const resources = [...this.#served].filter((one) => one.startsWith(collection));
		if (resources.length === 0) throw new KubeError(404, 'NotFound', `${path} not found`);
		return { resources: resources.map((one) => ({ name: one.slice(collection.length) })) };
	}

	#list({ collection, namespace, query, accept }: Call): unknown {
		const all = [...(this.#objects.get(collection)?.entries() ?? [])]
			.filter(([, object]) => matches(object, namespace, query))
			.sort(([a], [b]) => (a < b ? -1 : 1));
		const from = query.continue ? all.findIndex(([key]) => key > String(query.continue)) : 0;
		const left = from === -1 ? [] : all.slice(from);
		const page = left.slice(0, Number(query.limit ?? left.length));
		const more = page.length < left.length ? page.at(-1)?.[0] : undefined;
		return {
			metadata: {
				resourceVersion: `${this.#version}`,
				...(more ? { continue: more, remainingItemCount: left.length - page.length } : {}),
			},
			// As real lists have them: without a kind, and null where only metadata is asked for and there is none.
			items: !accept?.includes('PartialObjectMetadataList')
				? page.map(([, { apiVersion: _version, kind: _kind, ...item }]) => item)
				: page.length === 0
					? null
					: page.map(([, { metadata }]) => ({ metadata })),
		};
	}

	#create(call: Call): Stored {
		const { collection, namespace, body } = call;
		const sent = body as Stored;
		const { metadata } = sent;
		const home = this.#objects.get('/api/v1/namespaces')?.get(`/${namespace}`);
		if (home?.metadata.deletionTimestamp)
			throw new KubeError(403, 'Forbidden', `namespace ${namespace} is being terminated`);
		if (this.find(collection, metadata.name, namespace))
			throw new KubeError(409, 'AlreadyExists', `${call.path} ${metadata.name} already exists`);
		const object: Stored = {
			...sent,
			metadata: {
				...metadata,
				...(namespace === undefined ? {} : { namespace }),
				uid: `uid-${++this.#uids}`,
				creationTimestamp: this.#seconds(),
				generation: 1,
			},
		};
		return this.#store(collection, this.#review('CREATE', collection, object), undefined);
	}

	#apply(call: Call, found: Stored | undefined): Stored {
		const body = call.body as Stored;
		if (found) return this.#replace(call, found, mergePatch(found, body) as Stored);
		return this.#create({ ...call, body });
	}

	#patch(call: Call, found: Stored, contentType: string): Stored {
		const before = copy(found);
		if (contentType.includes('json-patch'))
			return this.#replace(call, found, applyJsonPatch(before, call.body));
		const body = call.body as Stored;
		if (body.metadata?.uid !== undefined && body.metadata.uid !== found.metadata.uid)
			throw new KubeError(409, 'Conflict', 'Precondition failed: UID in precondition');
		const patched = contentType.includes('strategic')
			? strategicPatch(before, body)
			: mergePatch(before, body);
		return this.#replace(call, found, patched as Stored);
	}

	#replace({ collection, subresource }: Call, found: Stored, sent: Stored): Stored {
		const { uid, resourceVersion } = sent.metadata;
		if (uid !== undefined && uid !== found.metadata.uid)
			throw new KubeError(409, 'Conflict', 'the object has been deleted and made again');
		if (resourceVersion !== undefined && resourceVersion !== found.metadata.resourceVersion)
			throw new KubeError(409, 'Conflict', 'the object has been modified');
		const ofStatus = subresource === 'status';
		const changed: Stored = ofStatus
			? { ...found, ...(sent.status ? { status: sent.status } : {}) }
			: { ...sent, ...(found.status ? { status: found.status } : {}) };
		changed.metadata = { ...(ofStatus ? found : sent).metadata };
		if (!isDeepStrictEqual(changed.spec, found.spec))
			changed.metadata.generation = (found.metadata.generation ?? 1) + 1;
		this.#review('UPDATE', collection, changed);
		if (changed.metadata.deletionTimestamp && !changed.metadata.finalizers?.length && !isPod(collection))
			return this.#erase(collection, changed);
		if (isDeepStrictEqual({ ...changed, metadata: { ...changed.metadata } }, found)) return found;
		return this.#store(collection, changed, found);
	}

	#delete({ collection }: Call, found: Stored, body: unknown): Stored {
		const { preconditions, gracePeriodSeconds, propagationPolicy } = (body ?? {}) as {
			preconditions?: { uid?: string; resourceVersion?: string };
			gracePeriodSeconds?: number;
			propagationPolicy?: string;
		};
		const { metadata } = found;
		if (preconditions?.uid !== undefined && preconditions.uid !== metadata.uid)
			throw new KubeError(409, 'Conflict', 'Precondition failed: UID in precondition');
		if (
			preconditions?.resourceVersion !== undefined &&
			preconditions.resourceVersion !== metadata.resourceVersion
		)
			throw new KubeError(409, 'Conflict', 'Precondition failed: ResourceVersion in precondition');
		this.#review('DELETE', collection, found);
		if (metadata.deletionTimestamp) return found;
		const { phase } = (found.status ?? {}) as { phase?: string };
		const graceful =
			isPod(collection) && found.spec?.nodeName !== undefined && phase !== 'Succeeded' && phase !== 'Failed';
		const finalizers = [
			...(metadata.finalizers ?? []),
			...(propagationPolicy === 'Orphan' ? ['orphan'] : []),
		];
		if (!graceful && finalizers.length === 0) return this.#erase(collection, found);
		const graceMs = graceful ? (gracePeriodSeconds ?? 30) * 1_000 : 0;
		const marked = {
			...found,
			metadata: {
				...metadata,
				deletionTimestamp: this.#seconds(graceMs),
				...(finalizers.length > 0 ? { finalizers } : {}),
			},
		};
		const { name, namespace, uid } = metadata;
		if (graceful)
			this.#clock.after(Math.min(graceMs, podStopsMs), () =>
				this.#podStopped(collection, name, namespace, uid),
			);
		return this.#store(collection, marked, found);
	}

	/** The kubelet has stopped a pod that is being deleted: it is gone, unless a finalizer keeps it. */
	#podStopped(
		collection: string,
		name: string,
		namespace: string | undefined,
		uid: string | undefined,
	): void {
		const pod = this.find(collection, name, namespace);
		if (pod?.metadata.uid !== uid || !pod) return;
		if (pod.metadata.finalizers?.length) return;
		this.#erase(collection, pod);
	}

	#evict(call: Call): unknown {
		const pod = this.find(call.collection, call.name ?? '', call.namespace);
		if (!pod) throw new KubeError(404, 'NotFound', `${call.path} not found`);
		const { deleteOptions } = call.body as { deleteOptions?: { dryRun?: string[] } };
		const running = (one: Stored) => one.status?.phase === 'Running' && !one.metadata.deletionTimestamp;
		for (const { metadata, spec } of this.all('/apis/policy/v1/poddisruptionbudgets')) {
			const { minAvailable = 0, selector } = (spec ?? {}) as {
				minAvailable?: number;
				selector?: { matchLabels?: Record<string, string> };
			};
			const covered = ({ metadata: { namespace, labels = {} } }: Stored) =>
				namespace === metadata.namespace &&
				Object.entries(selector?.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
			if (metadata.namespace !== call.namespace || !covered(pod) || !running(pod)) continue;
			const healthy = this.all(call.collection).filter((one) => covered(one) && running(one)).length;
			if (healthy - 1 < minAvailable)
				throw new KubeError(
					429,
					'TooManyRequests',
					"Cannot evict pod as it would violate the pod's disruption budget.",
					['DisruptionBudget'],
				);
		}
		if (!deleteOptions?.dryRun) this.#delete(call, pod, deleteOptions);
		return { kind: 'Status', status: 'Success' };
	}

	#review(operation: Review['operation'], collection: string, object: Stored): Stored {
		const resource = collection.slice(collection.lastIndexOf('/') + 1);
		let reviewed = object;
		for (const ask of this.admission) {
			const answer = ask({ operation, resource, object: copy(reviewed) });
			if (answer instanceof KubeError) throw answer;
			reviewed = answer ?? reviewed;
		}
		return reviewed;
	}

	#store(collection: string, object: Stored, before: Stored | undefined): Stored {
		const { name, namespace } = object.metadata;
		object.metadata.resourceVersion = `${++this.#version}`;
		const objects = this.#objects.get(collection) ?? new Map<string, Stored>();
		this.#objects.set(collection, objects.set(`${namespace ?? ''}/${name}`, object));
		this.#announce(before ? 'MODIFIED' : 'ADDED', collection, object, before);
		return object;
	}

	#erase(collection: string, object: Stored): Stored {
		const { name, namespace } = object.metadata;
		this.#objects.get(collection)?.delete(`${namespace ?? ''}/${name}`);
		const last = { ...object, metadata: { ...object.metadata, resourceVersion: `${++this.#version}` } };
		this.#announce('DELETED', collection, last, object);
		return last;
	}

	#announce(type: EventType, key: string, object: Stored, before: Stored | undefined): void {
		const change = { version: this.#version, type, key, object: copy(object), before };
		this.#history.push(change);
		const resource = key.slice(key.lastIndexOf('/') + 1);
		// As over a network: whoever wrote has the answer before the watch brings the change.
		const show = () => {
			for (const watcher of [...this.#watchers])
				if (watcher.address.collection === key && this.#watchers.has(watcher)) this.#tell(watcher, change);
		};
		this.#clock.after(0, () => {
			const held = this.#held.get(key);
			if (held) held.push(show);
			else show();
			for (const listener of this.#listeners) listener(type, resource, copy(object));
		});
	}

	/** With a selector an object that stops matching is deleted for the watcher, and one that begins to is added. */
	#tell({ address, query, onLine }: Omit<Watcher, 'end' | 'silent'>, { type, object, before }: Change): void {
		const fits = type !== 'DELETED' && matches(object, address.namespace, query);
		const fitted = before !== undefined && matches(before, address.namespace, query);
		if (!fits && !fitted) return;
		const seen: EventType = fits ? (fitted ? 'MODIFIED' : 'ADDED') : 'DELETED';
		onLine(JSON.stringify({ type: seen, object }));
	}

	/** Kubernetes' times are whole seconds. */
	#seconds(laterMs = 0): string {
		return new Date(this.#clock.now() + laterMs).toISOString().replace(/\.\d+Z$/, 'Z');
	}
}

const isPod = (collection: string) => collection === '/api/v1/pods';

/** The object as the API server sends it. */
const wire = (value: unknown): Buffer =>
	Buffer.from(
		JSON.stringify(value).replaceAll('<', '\\u003c').replaceAll('>', '\\u003e').replaceAll('&', '\\u0026'),
	);

function skimmed<T>(sent: Buffer, kept: Kept): Skimmed<T> {
	const skimmer = new Skimmer<T>(kept);
	skimmer.push(sent);
	return skimmer.result;
}

/** As it comes over the wire: nothing is shared, and fields without a value are not there. */
function copy<T>(value: T): T {
	return value === undefined ? value : (JSON.parse(JSON.stringify(value)) as T);
}
