import type http from 'node:http';
import type { IncomingMessage, RequestOptions } from 'node:http';
import type https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { printError } from '../print/out.ts';
import type { Connection } from './connection.ts';
import { limitOf, longestTimerMs } from './deadline.ts';
import { ApiError, apiError, UnreachableError, unreachable } from './failure.ts';

interface Call {
	query?: Record<string, string | undefined>;
	/** Sent as JSON. */
	body?: unknown;
	contentType?: string;
	accept?: string;
	/** At most this many bytes of the answer are read; default: all of it. */
	mostBytes?: number;
	/** Timeout of this call in ms, in place of the connection's own; 0: no timeout. */
	timeoutMs?: number;
	signal?: AbortSignal;
}

interface Answer {
	body: Buffer;
	contentType: string;
	/** Texts of the answer's Warning headers, such as those of admission webhooks. */
	warnings: string[];
}

export const mergePatch = 'application/merge-patch+json';

/** A connection attempt is given up after this time, as in client-go. */
const connectTimeoutMs = 30_000;

/** The same value as in client-go. */
const readTries = 10;

/**
 * Loaded with the first client: loading TLS takes half the time of Node's own start, and `--help` and `version --client` need
 * no server. Not imported, because an import reads every name that node:http exports and so loads its WebSocket, which
 * takes longer than TLS.
 */
function transportOf({ protocol }: URL): typeof http | typeof https {
	return process.getBuiltinModule(protocol === 'http:' ? 'node:http' : 'node:https');
}

/** Calls the API server over one pool of kept-alive connections. */
export class KubeClient {
	readonly namespace: string;
	/** Called for each Warning header; the default prints it as kubectl does. */
	onWarning: (text: string) => void = (text) => printError(`Warning: ${text}`);
	readonly #connection: Connection;
	readonly #transport: typeof http | typeof https;
	readonly #agent: http.Agent;

	constructor(connection: Connection) {
		this.namespace = connection.namespace;
		this.#connection = connection;
		this.#transport = transportOf(connection.server);
		this.#agent =
			connection.agent ?? new this.#transport.Agent({ keepAlive: true, maxSockets: 16, ...connection.tls });
	}

	/**
	 * Returns the whole answer. A read is repeated if the server asks for it with Retry-After (while it sets up a kind
	 * that was just defined), as in client-go. Throws ApiError for an error of the server's, UnreachableError where
	 * there is no answer.
	 */
	async call(method: string, path: string, call: Call = {}): Promise<Answer> {
		for (let attempt = 1; ; attempt++) {
			try {
				return await this.#callOnce(method, path, call);
			} catch (error) {
				const afterMs = method === 'GET' && error instanceof ApiError ? retryAfterMs(error) : undefined;
				if (afterMs === undefined || attempt === readTries) throw error;
				await sleep(afterMs, undefined, { signal: call.signal });
			}
		}
	}

	async #callOnce(method: string, path: string, call: Call): Promise<Answer> {
		const response = await this.#send(method, path, call);
		const body = await readAll(response, this.#connection.server, call.mostBytes);
		const warnings = warningTexts(response);
		if ((response.statusCode ?? 0) >= 400) {
			throw Object.assign(apiError(response.statusCode ?? 0, body), { warnings });
		}
		for (const text of warnings) this.onWarning(text);
		return { body, contentType: response.headers['content-type'] ?? '', warnings };
	}

	/** `call` for answers in JSON. */
	async json<T>(method: string, path: string, call: Call = {}): Promise<T> {
		const { body } = await this.call(method, path, call);
		return JSON.parse(body.toString()) as T;
	}

	/** The lines of a watch, as they arrive; ends when the server, the signal or the network ends it. */
	async *lines(path: string, call: Call = {}): AsyncGenerator<string> {
		const response = await this.#send('GET', path, { ...call, timeoutMs: 0 }, 'identity');
		if ((response.statusCode ?? 0) >= 400) {
			throw apiError(response.statusCode ?? 0, await readAll(response, this.#connection.server));
		}
		response.setEncoding('utf8');
		let unfinished = '';
		try {
			for await (const chunk of response) {
				const lines = (unfinished + chunk).split('\n');
				unfinished = lines.pop() ?? '';
				yield* lines;
			}
		} catch (error) {
			if (call.signal?.aborted) throw call.signal.reason;
			throw unreachable(error as NodeJS.ErrnoException, this.#connection.server);
		}
	}

	#send(method: string, path: string, call: Call, encoding = 'gzip'): Promise<IncomingMessage> {
		const { server, headers } = this.#connection;
		const url = new URL(path.replace(/^\//, ''), server);
		for (const [name, value] of Object.entries(call.query ?? {})) {
			if (value !== undefined) url.searchParams.set(name, value);
		}
		const body = call.body === undefined ? undefined : JSON.stringify(call.body);
		const options: RequestOptions = {
			method,
			agent: this.#agent,
			signal: call.signal,
			headers: {
				accept: call.accept ?? 'application/json',
				'user-agent': `kubectl-runners/${version} (${process.platform}/${process.arch})`,
				...(body === undefined ? {} : { 'content-type': call.contentType ?? 'application/json' }),
				...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
				'accept-encoding': encoding,
				...headers,
			},
		};

		return new Promise((resolve, reject) => {
			const request = this.#transport.request(url, options, resolve);
			const limits = limitTime(request, call.timeoutMs ?? this.#connection.requestTimeoutMs);
			request.on('error', (error: NodeJS.ErrnoException) => {
				if (call.signal?.aborted) reject(call.signal.reason);
				// The server closed an idle connection just as we reused it, so it has not seen the request.
				else if (error.code === 'ECONNRESET' && request.reusedSocket)
					resolve(this.#send(method, path, call, encoding));
				else reject(error instanceof UnreachableError ? error : unreachable(error, server));
			});
			request.on('close', limits.clear);
			request.end(body);
		});
	}
}

/** When the server asks to repeat the request; undefined if it does not. */
function retryAfterMs({ code, status }: ApiError): number | undefined {
	const { retryAfterSeconds = 0 } = status.details ?? {};
	return code === 429 && retryAfterSeconds > 0
		? Math.min(retryAfterSeconds * 1000, longestTimerMs)
		: undefined;
}

declare const __VERSION__: string | undefined;

/** The plugin's version, inserted by the bundler; there is none when running from source. */
export const version = typeof __VERSION__ === 'string' ? __VERSION__ : '0.0.0-dev';

function limitTime(request: http.ClientRequest, requestTimeoutMs: number): { clear: () => void } {
	const giveUp = (text: string) => () =>
		request.destroy(new UnreachableError(`Unable to connect to the server: ${text}`));
	const connecting = setTimeout(giveUp('dial tcp: i/o timeout'), connectTimeoutMs);
	const limitMs = limitOf(requestTimeoutMs);
	const whole =
		limitMs === undefined
			? undefined
			: setTimeout(
					giveUp('net/http: request canceled (Client.Timeout exceeded while awaiting headers)'),
					limitMs,
				);
	request.on('socket', (socket) => {
		if (!socket.connecting) clearTimeout(connecting);
		else socket.once('connect', () => clearTimeout(connecting));
	});
	return {
		clear: () => {
			clearTimeout(connecting);
			clearTimeout(whole);
		},
	};
}

/**
 * Pages are about 2 MB when unpacked; in zlib's default chunks of 16 KiB, unpacking takes a fifth of the time of a
 * large list.
 */
const gunzipChunkBytes = 1 << 20;

async function readAll(response: IncomingMessage, server: URL, mostBytes = Infinity): Promise<Buffer> {
	const chunks: Buffer[] = [];
	let length = 0;
	await new Promise<void>((resolve, reject) => {
		response.on('data', (chunk: Buffer) => {
			chunks.push(chunk);
			length += chunk.length;
			if (length < mostBytes) return;
			resolve();
			response.destroy();
		});
		response.on('end', resolve);
		response.on('error', (error: NodeJS.ErrnoException) => {
			reject(error instanceof UnreachableError ? error : unreachable(error, server));
		});
	});
	const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
	if (response.headers['content-encoding'] !== 'gzip') return body;
	// Only answers over 128 KiB are compressed, so most runs never load zlib.
	const { gunzip } = await import('node:zlib');
	return promisify(gunzip)(body, { chunkSize: gunzipChunkBytes });
}

/** `299 - "text"`: RFC 7234; several warnings are joined by commas in one header. */
function warningTexts(response: IncomingMessage): string[] {
	const header = response.headers.warning;
	if (header === undefined) return [];
	const quoted = [...header.matchAll(/\b299 \S+ "((?:[^"\\]|\\.)*)"/g)];
	return quoted.map((match) => match[1]!.replace(/\\(.)/g, '$1'));
}
