/**
 * The part of the Kubernetes API that the simulated runners need: get, merge-patch, and a watch that outlives restarts
 * of the API server. It uses only node:https, so that a mistake in the product's own client cannot go unnoticed here.
 */
import { Agent, request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterAccess } from './cluster-access.ts';

export interface KubeItem {
	metadata: {
		name: string;
		namespace?: string;
		uid: string;
		resourceVersion: string;
		deletionTimestamp?: string;
		deletionGracePeriodSeconds?: number;
		finalizers?: string[];
		labels?: Record<string, string>;
		annotations?: Record<string, string>;
		ownerReferences?: { apiVersion: string; kind: string; name: string; uid: string }[];
	};
}

export class KubeError extends Error {
	readonly status: number;
	constructor(status: number, message: string) {
		super(message);
		this.status = status;
	}
}

interface WatchHandlers<T extends KubeItem> {
	/** Every object as it is, again after each reconnection. */
	seen(item: T): void;
	/** The object is gone; its last known state. */
	gone(item: T): void;
}

/** How long to wait before the next try while the API server is down. */
const retryMs = 250;

export class Kube {
	readonly #access: ClusterAccess;
	readonly #agent: Agent;
	readonly #stop = new AbortController();

	constructor(access: ClusterAccess) {
		this.#access = access;
		const { ca, cert, key } = access;
		this.#agent = new Agent({ keepAlive: true, maxSockets: 16, ...definedOnly({ ca, cert, key }) });
	}

	get<T>(path: string): Promise<T> {
		return this.#call<T>('GET', path);
	}

	/** JSON merge patch (RFC 7386), or Kubernetes' strategic one, which keeps conditions of others. */
	patch<T>(path: string, body: unknown, how: 'merge' | 'strategic-merge' = 'merge'): Promise<T> {
		return this.#call<T>('PATCH', path, body, { 'content-type': `application/${how}-patch+json` });
	}

	create<T>(path: string, body: unknown): Promise<T> {
		return this.#call<T>('POST', path, body);
	}

	/** With DeleteOptions, if any. `headers`: to impersonate somebody. */
	delete<T>(path: string, options?: object, headers: Record<string, string> = {}): Promise<T> {
		return this.#call<T>('DELETE', path, options, headers);
	}

	/** Follows a collection until stop(); resolves after the first complete list. */
	async watch<T extends KubeItem>(path: string, handlers: WatchHandlers<T>): Promise<void> {
		const known = new Map<string, T>();
		const first = await this.#relist(path, known, handlers);
		void this.#follow(path, first, known, handlers);
	}

	stop(): void {
		this.#stop.abort();
		this.#agent.destroy();
	}

	async #follow<T extends KubeItem>(
		path: string,
		from: string,
		known: Map<string, T>,
		handlers: WatchHandlers<T>,
	): Promise<void> {
		let version: string | undefined = from;
		while (!this.#stop.signal.aborted) {
			try {
				version ??= await this.#relist(path, known, handlers);
				version = await this.#stream(path, version, known, handlers);
			} catch (error) {
				if (this.#stop.signal.aborted) return;
				if (
					error instanceof KubeError &&
					error.status < 500 &&
					error.status !== 410 &&
					error.status !== 429
				) {
					console.error(`simulated runners: watch of ${path}:`, error.message);
				}
				version = undefined;
				await sleep(retryMs);
			}
		}
	}

	async #relist<T extends KubeItem>(
		path: string,
		known: Map<string, T>,
		handlers: WatchHandlers<T>,
	): Promise<string> {
		const list = await this.get<{ metadata: { resourceVersion: string }; items: T[] }>(path);
		const present = new Set(list.items.map((item) => item.metadata.uid));
		for (const [uid, item] of known) {
			if (present.has(uid)) continue;
			known.delete(uid);
			handlers.gone(item);
		}
		for (const item of list.items) {
			known.set(item.metadata.uid, item);
			handlers.seen(item);
		}
		return list.metadata.resourceVersion;
	}

	/** One watch request; resolves with the version to go on from when the server ends it. */
	#stream<T extends KubeItem>(
		path: string,
		from: string,
		known: Map<string, T>,
		handlers: WatchHandlers<T>,
	): Promise<string> {
		const query = new URLSearchParams({
			watch: 'true',
			resourceVersion: from,
			allowWatchBookmarks: 'true',
			timeoutSeconds: '300',
		});
		return new Promise((resolve, reject) => {
			let version = from;
			const req = this.#request('GET', `${path}?${query}`);
			req.on('error', reject);
			req.on('response', (res) => {
				if (res.statusCode !== 200) {
					res.resume();
					reject(new KubeError(res.statusCode ?? 0, `watch answered ${res.statusCode}`));
					return;
				}
				let rest = '';
				res.setEncoding('utf8');
				res.on('data', (chunk: string) => {
					const lines = (rest + chunk).split('\n');
					rest = lines.pop() ?? '';
					for (const line of lines) {
						if (line === '') continue;
						const event = JSON.parse(line) as {
							type: string;
							object: T & { code?: number; message?: string };
						};
						if (event.type === 'ERROR') {
							req.destroy(new KubeError(event.object.code ?? 0, event.object.message ?? 'watch error'));
							return;
						}
						const { metadata } = event.object;
						version = metadata.resourceVersion;
						if (event.type === 'BOOKMARK') continue;
						if (event.type === 'DELETED') {
							known.delete(metadata.uid);
							handlers.gone(event.object);
						} else {
							known.set(metadata.uid, event.object);
							handlers.seen(event.object);
						}
					}
				});
				res.on('error', reject);
				res.on('aborted', () => reject(new Error('watch cut off')));
				res.on('end', () => resolve(version));
			});
			req.end();
		});
	}

	#request(method: string, path: string, headers: Record<string, string> = {}) {
		const { token, server } = this.#access;
		const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
		return request(new URL(path, server), {
			method,
			agent: this.#agent,
			signal: this.#stop.signal,
			headers: {
				accept: 'application/json',
				'user-agent': 'simulated-runners',
				...authorization,
				...headers,
			},
		});
	}

	#call<T>(method: string, path: string, body?: unknown, more: Record<string, string> = {}): Promise<T> {
		return new Promise((resolve, reject) => {
			const text = body === undefined ? '' : JSON.stringify(body);
			const headers: Record<string, string> = {
				'content-type': 'application/json',
				// Node itself sends a DELETE's body without its length, and the server takes it for the next request.
				'content-length': String(Buffer.byteLength(text)),
			};
			const req = this.#request(method, path, { ...(text === '' ? {} : headers), ...more });
			req.on('error', (error: NodeJS.ErrnoException) => {
				// The server closed an idle connection just as it was used again, so it has not seen the request.
				if (error.code === 'ECONNRESET' && req.reusedSocket) resolve(this.#call<T>(method, path, body, more));
				else reject(error);
			});
			req.on('response', (res) => {
				const chunks: Buffer[] = [];
				res.on('data', (chunk: Buffer) => chunks.push(chunk));
				res.on('error', reject);
				res.on('end', () => {
					const answer = Buffer.concat(chunks).toString();
					const status = res.statusCode ?? 0;
					if (status >= 300) {
						reject(new KubeError(status, `${method} ${path}: ${status} ${answer.slice(0, 300)}`));
						return;
					}
					resolve(JSON.parse(answer) as T);
				});
			});
			req.end(text);
		});
	}
}

function definedOnly(values: Record<string, string | undefined>): Record<string, string> {
	return Object.fromEntries(
		Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined),
	);
}
