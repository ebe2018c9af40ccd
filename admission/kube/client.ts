import http from 'node:http';
import https from 'node:https';
import { StringDecoder } from 'node:string_decoder';
import { createSecureContext } from 'node:tls';
import { type Cluster, KubeConfig } from '@kubernetes/client-node';
import { proxyForPeople, proxyFromEnvironment } from '../api/proxy.ts';
import { withoutSegments } from '../api/webhooks.ts';
import type { Clock } from '../time/clock.ts';
import { DeadlineExceeded, withDeadline } from '../time/deadline.ts';
import { Gate } from '../time/gate.ts';
import { LineReader, type Lines } from './lines.ts';
import { largeAnswersAtOnce, largeBytes, mostAnswerBytes, tcpKeepAliveMs } from './policy.ts';
import { type Kept, Skimmer } from './skim.ts';

/**
 * A thin client that uses @kubernetes/client-node only for the kubeconfig. The library's typed API turns times into Date
 * objects in lists but not in watches or AdmissionReviews; here every object is as it is on the wire, and every
 * request has a time limit. kube/objects.ts has typed functions over it.
 */
export interface KubeClient {
	/**
	 * Sends one request. Rejects with KubeError: a status of 400 or more, or code 0 if there was no answer in time, or one that
	 * was too long (isTooLarge).
	 */
	request<T>(method: string, path: string, options?: RequestOptions): Promise<T>;
	/**
	 * Sends a GET and reads the first `mostBytes` of a text. `toItsEnd` is false where there was that much, or more. Rejects
	 * as `request` does.
	 */
	text(
		path: string,
		options: { query: Query; mostBytes: number; timeoutMs: number },
	): Promise<{ text: string; toItsEnd: boolean }>;
	/** Sends a GET and reads the lines of the answer. Resolves at its end; rejects with KubeError. */
	stream(path: string, options: { query: Query; signal: AbortSignal } & Lines): Promise<void>;
	/** URL of the API server. */
	readonly server: string;
}

type Query = Record<string, string | number | boolean | undefined>;

export interface RequestOptions {
	query?: Query;
	/** Sent as JSON; a string is JSON already. */
	body?: unknown;
	/** Default application/json; a PATCH needs one of `patchType`. */
	contentType?: string;
	signal?: AbortSignal;
	/** The form of the answer; default: the objects as JSON. */
	accept?: string;
	/** Default 10 s. */
	timeoutMs?: number;
	/** A longer answer is broken off, in bytes of JSON. Default: mostAnswerBytes. */
	mostBytes?: number;
	/** Resolves with these fields alone, as Skimmed: an answer of any length is read without being held. */
	keep?: Kept;
	/**
	 * Called before the request is sent, and again when it has got its connection, for which it may have waited. If it throws,
	 * nothing is sent, and the request rejects with that error.
	 */
	beforeSend?: () => void;
}

export const patchType = {
	merge: 'application/merge-patch+json',
	json: 'application/json-patch+json',
	/** Lists such as conditions are merged by their key. Only for kinds that Kubernetes itself defines. */
	strategic: 'application/strategic-merge-patch+json',
	apply: 'application/apply-patch+yaml',
} as const;

/** An error answer of the API server: HTTP status, with reason and message of its metav1.Status. Code 0: there was no answer. */
export class KubeError extends Error {
	readonly code: number;
	readonly reason: string;
	/** The reasons of the causes that the API server's Status names. */
	readonly causes: readonly string[];
	constructor(code: number, reason: string, message: string, causes: readonly string[] = []) {
		super(withoutSegments(message));
		this.name = 'KubeError';
		this.code = code;
		this.reason = reason;
		this.causes = causes;
	}
}

/**
 * Refuses a path that may lead to another object than the one meant. Names in a path may come from a pod (a Secret named
 * by an annotation, an owner reference), where anybody can write anything. Names of Kubernetes objects have no such
 * characters, and encoding them would not help, because the API server decodes a path before it splits it.
 */
function refuseOddPath(path: string): void {
	const odd = path
		.split('/')
		.some((part, index) => (part === '' && index > 0) || part === '.' || part === '..');
	if (odd || /[^\x21-\x7e]|[%?#\\]/.test(path))
		throw new KubeError(0, 'BadPath', `${JSON.stringify(path).slice(0, 300)} is not the path of an object`);
}

/** The object, its namespace or its kind does not exist. */
export const isNotFound = (error: unknown) => error instanceof KubeError && error.code === 404;
/** A precondition failed, an object of this name exists, or the guard denied the deletion. */
export const isConflict = (error: unknown) => error instanceof KubeError && error.code === 409;
/** A `test` of a JSON patch failed. A change that is not valid is answered with 422 as well, and with its causes. */
export const isTestFailure = (error: unknown) =>
	error instanceof KubeError && error.code === 422 && error.causes.length === 0;
/** The answer was longer than the caller, or this client, reads. */
export const isTooLarge = (error: unknown) => error instanceof KubeError && error.reason === tooLarge;
const tooLarge = 'TooLarge';
/**
 * A PodDisruptionBudget does not allow the eviction. Without that cause a 429 comes from a webhook, our own included, or from an
 * API server that has too much to do.
 */
export const isBudgetRefusal = (error: unknown): error is KubeError =>
	error instanceof KubeError && error.code === 429 && error.causes.includes('DisruptionBudget');

/** Where client-node finds no kubeconfig, it takes kubectl's old default, and refuses to call it. */
const noKubeconfig = 'http://localhost:8080';

/**
 * Loads the named kubeconfig, else the pod's service account, else KUBECONFIG or ~/.kube/config. As with kubectl, a cluster
 * without a proxy-url of its own is called through the proxy that HTTPS_PROXY and NO_PROXY configure; but never the API server of
 * the service account's own cluster. @throws Error if it names no cluster
 */
export function loadKubeConfig(file: string | undefined, env: NodeJS.ProcessEnv): KubeConfig {
	const config = new KubeConfig();
	if (file) config.loadFromFile(file);
	else if (env.KUBERNETES_SERVICE_HOST) config.loadFromCluster();
	else config.loadFromDefault();
	const cluster = config.getCurrentCluster();
	if (!cluster) throw new Error('the kubeconfig names no cluster: pass --kubeconfig FILE');
	if (cluster.server === noKubeconfig && !cluster.skipTLSVerify)
		throw new Error('there is no kubeconfig: pass --kubeconfig FILE');
	const isOwnCluster = !file && env.KUBERNETES_SERVICE_HOST;
	if (!isOwnCluster && !cluster.proxyUrl) useProxy(config, cluster, env);
	return config;
}

function useProxy(config: KubeConfig, cluster: Cluster, env: NodeJS.ProcessEnv): void {
	const proxyUrl = URL.canParse(cluster.server) && proxyFromEnvironment(new URL(cluster.server), env);
	if (!proxyUrl) return;
	config.clusters = config.clusters.map((one) => (one.name === cluster.name ? { ...one, proxyUrl } : one));
}

/** A client for the current cluster of the kubeconfig. @throws Error if it names none */
export function createKubeClient(
	config: KubeConfig,
	userAgent: string,
	clock: Pick<Clock, 'after'>,
): KubeClient {
	const cluster = config.getCurrentCluster();
	if (!cluster) throw new Error('the kubeconfig names no cluster');
	const base = new URL(cluster.server);
	const transport = base.protocol === 'http:' ? http : https;
	// KubeConfig's own agent does not keep connections open, which would cost a TLS handshake for each call.
	let agent: https.Agent | http.Agent | undefined;
	const via = cluster.proxyUrl ? ` through the proxy ${proxyForPeople(cluster.proxyUrl)}` : '';
	const largeAnswers = new Gate(clock, { size: () => largeAnswersAtOnce });

	async function send(
		method: string,
		path: string,
		query: Query | undefined,
		body: Buffer | undefined,
		contentType: string | undefined,
		signal: AbortSignal,
		beforeSend?: () => void,
		accept = 'application/json',
	): Promise<http.IncomingMessage> {
		const auth: https.RequestOptions = {};
		await config.applyToHTTPSOptions(auth);
		if (cluster?.proxyUrl) agent = auth.agent as https.Agent;
		agent ??=
			base.protocol === 'http:'
				? new http.Agent({ keepAlive: true, keepAliveMsecs: tcpKeepAliveMs })
				: newAgent(auth);
		const search = new URLSearchParams();
		for (const [key, value] of Object.entries(query ?? {}))
			if (value !== undefined) search.set(key, String(value));
		const headers: http.OutgoingHttpHeaders = {
			...(auth.headers as http.OutgoingHttpHeaders | undefined),
			accept,
			'user-agent': userAgent,
		};
		if (body) {
			headers['content-type'] = contentType ?? 'application/json';
			headers['content-length'] = body.length;
		}
		const prefix = base.pathname === '/' ? '' : base.pathname.replace(/\/$/, '');
		beforeSend?.();
		return new Promise((resolve, reject) => {
			const request = transport.request({
				agent,
				auth: auth.auth,
				method,
				host: base.hostname.replace(/^\[|\]$/g, ''),
				port: base.port || (base.protocol === 'http:' ? 80 : 443),
				path: `${prefix}${path}${search.size > 0 ? `?${search}` : ''}`,
				headers,
				signal,
			});
			// A request that waits for a proxy fails only when the proxy has answered, whatever its signal says.
			const giveUp = () => reject(signal.reason);
			signal.addEventListener('abort', giveUp, { once: true });
			request.once('close', () => signal.removeEventListener('abort', giveUp));
			request.once('response', resolve);
			request.once('error', reject);
			// Nothing is written to the connection before this event has been handled.
			request.once('socket', (socket) => {
				// Node's agent asks for it only while a connection is unused, and a watch uses its connection for minutes.
				if (socket.connecting) socket.once('connect', () => socket.setKeepAlive(true, tcpKeepAliveMs));
				try {
					beforeSend?.();
				} catch (error) {
					request.destroy(error as Error);
				}
			});
			request.end(body);
		});
	}

	function noAnswer(error: unknown, what: string): KubeError {
		if (error instanceof KubeError) return error;
		const reason = error instanceof Error ? error.message : String(error);
		return new KubeError(0, 'NoAnswer', `${what}${via}: ${reason}`);
	}

	/** @throws KubeError of code 0 if there is no answer within `timeoutMs` */
	function answered<T>(
		what: string,
		timeoutMs: number,
		work: (signal: AbortSignal) => Promise<T>,
		outer?: AbortSignal,
	): Promise<T> {
		const attempt = (signal: AbortSignal) =>
			work(signal).catch((error: unknown) => {
				throw noAnswer(signal.reason instanceof DeadlineExceeded ? signal.reason : error, what);
			});
		return withDeadline(clock, timeoutMs, attempt, outer);
	}

	/**
	 * The answer, read by `use`. Of long answers only a few are held at a time, and the others wait, unread but for their start:
	 * they need several times their size until they have been parsed.
	 */
	async function readAnswer<T>(
		response: http.IncomingMessage,
		mostBytes: number,
		signal: AbortSignal,
		use: (text: string) => T,
	): Promise<T> {
		const chunks: Buffer[] = [];
		let length = 0;
		let entered = false;
		try {
			for await (const chunk of response as AsyncIterable<Buffer>) {
				chunks.push(chunk);
				length += chunk.length;
				if (length > mostBytes)
					throw new KubeError(0, tooLarge, `the answer has more than ${mostBytes} bytes of JSON`);
				if (entered || length <= largeBytes) continue;
				entered = await largeAnswers.enter(Number.POSITIVE_INFINITY, signal);
				if (!entered) break; // the signal has ended, and with it the answer
			}
			signal.throwIfAborted();
			return use(Buffer.concat(chunks).toString('utf8'));
		} finally {
			if (entered) largeAnswers.leave();
		}
	}

	return {
		server: cluster.server,

		async request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
			refuseOddPath(path);
			const { query, contentType, beforeSend, keep, timeoutMs = 10_000 } = options;
			const { mostBytes = mostAnswerBytes } = options;
			const body = options.body === undefined ? undefined : Buffer.from(asJson(options.body));
			const exchange = async (signal: AbortSignal) => {
				const response = await send(
					method,
					path,
					query,
					body,
					contentType,
					signal,
					beforeSend,
					options.accept,
				);
				const status = response.statusCode ?? 0;
				if (status >= 400)
					return readAnswer(response, mostBytes, signal, (text) => {
						throw statusError(status, text);
					});
				if (keep) return (await skim(response, keep)) as T;
				return readAnswer(response, mostBytes, signal, (text) => JSON.parse(text) as T);
			};
			return answered(`${method} ${path}`, timeoutMs, exchange, options.signal);
		},

		async text(path, { query, mostBytes, timeoutMs }) {
			refuseOddPath(path);
			return answered(`GET ${path}`, timeoutMs, async (signal) => {
				const response = await send('GET', path, query, undefined, undefined, signal);
				if ((response.statusCode ?? 0) >= 400)
					throw statusError(response.statusCode ?? 0, await readText(response));
				// Decoded as it arrives: buffers are garbage that V8 leaves for longer than texts.
				const decoder = new StringDecoder('utf8');
				let text = '';
				let length = 0;
				for await (const chunk of response as AsyncIterable<Buffer>) {
					text += decoder.write(chunk.subarray(0, mostBytes - length));
					length += chunk.length;
					if (length >= mostBytes) break; // ends the connection as well
				}
				return { text: text + decoder.end(), toItsEnd: length < mostBytes };
			});
		},

		async stream(path, { query, signal, ...lines }) {
			const response = await send('GET', path, query, undefined, undefined, signal).catch((error) => {
				throw noAnswer(error, `GET ${path}`);
			});
			if ((response.statusCode ?? 0) >= 400)
				throw statusError(response.statusCode ?? 0, await readText(response));
			const reader = new LineReader(lines);
			try {
				for await (const chunk of response as AsyncIterable<Buffer>) reader.push(chunk);
			} catch (error) {
				throw noAnswer(error, `GET ${path}`);
			}
		},
	};
}

const asJson = (body: unknown) => (typeof body === 'string' ? body : JSON.stringify(body));

function newAgent(auth: https.RequestOptions): https.Agent {
	const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = auth;
	// One context for all connections: without it each reads the certificates anew, and keeps them.
	const secureContext = createSecureContext({ ca, cert, key, pfx, passphrase });
	const options: https.AgentOptions = {
		keepAlive: true,
		keepAliveMsecs: tcpKeepAliveMs,
		maxSockets: 64,
		secureContext,
	};
	if (rejectUnauthorized !== undefined) options.rejectUnauthorized = rejectUnauthorized;
	if (servername) options.servername = servername;
	return new https.Agent(options);
}

async function readText(response: http.IncomingMessage): Promise<string> {
	const chunks: Buffer[] = [];
	for await (const chunk of response) chunks.push(chunk as Buffer);
	return Buffer.concat(chunks).toString('utf8');
}

async function skim(response: http.IncomingMessage, keep: Kept): Promise<unknown> {
	const skimmer = new Skimmer(keep);
	for await (const chunk of response as AsyncIterable<Buffer>) skimmer.push(chunk);
	return skimmer.result;
}

interface Status {
	reason?: string;
	message?: string;
	details?: { causes?: { reason?: string }[] };
}

function statusError(code: number, text: string): KubeError {
	try {
		const { reason = '', message = `HTTP ${code}`, details } = JSON.parse(text) as Status;
		return new KubeError(
			code,
			reason,
			message,
			details?.causes?.map((cause) => cause.reason ?? ''),
		);
	} catch {
		return new KubeError(code, '', `HTTP ${code}: ${text.slice(0, 200)}`);
	}
}
