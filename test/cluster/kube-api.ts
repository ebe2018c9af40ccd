import { Agent, request } from 'node:https';
import type { KeyPair } from './certificates.ts';

/** An answer of the API server that is not 2xx. */
export class KubeApiError extends Error {
	readonly code: number;
	constructor(method: string, path: string, code: number, body: string) {
		super(`${method} ${path}: ${code} ${body.slice(0, 500)}`);
		this.code = code;
	}
}

/**
 * The few calls that a test cluster makes for itself. Without a client library, so that what is under test is not
 * also what tests it, and without a kubectl process of some 0.3 s for each.
 */
export class KubeApi {
	readonly server: string;
	readonly #agent: Agent;

	constructor(server: string, authorityCert: string, client: KeyPair) {
		this.server = server;
		this.#agent = new Agent({ ca: authorityCert, cert: client.cert, key: client.key, keepAlive: false });
	}

	get<T>(path: string): Promise<T> {
		return this.#call('GET', path);
	}

	post<T>(path: string, body: object): Promise<T> {
		return this.#call('POST', path, 'application/json', body);
	}

	/** A merge patch. */
	patch<T>(path: string, body: object): Promise<T> {
		return this.#call('PATCH', path, 'application/merge-patch+json', body);
	}

	delete<T>(path: string): Promise<T> {
		return this.#call('DELETE', path);
	}

	#call<T>(method: string, path: string, contentType?: string, body?: object): Promise<T> {
		return new Promise((resolve, reject) => {
			const call = request(new URL(path, this.server), {
				method,
				agent: this.#agent,
				timeout: 30_000,
				headers: contentType ? { 'content-type': contentType } : {},
			});
			call.on('timeout', () => call.destroy(new Error(`${method} ${path}: no answer within 30 s`)));
			call.on('error', reject);
			call.on('response', async (response) => {
				try {
					const text = Buffer.concat(await response.toArray()).toString();
					const code = response.statusCode ?? 0;
					if (code < 200 || code > 299) reject(new KubeApiError(method, path, code, text));
					else resolve((text.startsWith('{') ? JSON.parse(text) : text) as T);
				} catch (error) {
					reject(error);
				}
			});
			call.end(body && JSON.stringify(body));
		});
	}
}
