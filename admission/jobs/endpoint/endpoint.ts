import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { KubeError } from '../../kube/client.ts';
import type { Log } from '../../telemetry/log.ts';
import { BoundedMap } from '../../time/bounded-map.ts';
import type { Clock } from '../../time/clock.ts';
import { FixedWindow } from '../../time/fixed-window.ts';
import { Gate } from '../../time/gate.ts';
import { TokenBucket } from '../../time/token-bucket.ts';
import { closeServer } from '../../webhook/close-server.ts';
import { listenAgainMs } from '../rules/policy.ts';
import { type Answer, type CommonResult, overloaded, Refusal } from './answer.ts';
import { Bodies } from './bodies.ts';

/** What a port costs at most, whoever calls it: the same process answers reviews. Times in ms. */
export interface EndpointLimits {
	/** Open at a time. */
	connections: number;
	/** Opened in a period; more are closed before their TLS handshake. Default: any number. */
	newConnections?: { most: number; windowMs: number };
	/** Requests that are answered, in the order in which they came. Default: any number. */
	requests?: { perSecond: number; burst: number };
	/** Until the header has come, and the whole request. */
	headerWithinMs: number;
	requestWithinMs: number;
	/** How long a connection without a request stays open; default: each is closed after its answer. */
	idleConnectionMs?: number;
	/** Bytes of one body, and of all that are being read. */
	bodyBytes: number;
	allBodiesBytes: number;
	/** How much is done at a time, how much more waits, and for how long. */
	turns: { atOnce: number; waiting: number; waitMs: number };
	/** One log line in this time for each refused caller, for at most this number of callers. */
	refusalLogged: { everyMs: number; callers: number };
	/** When a caller that was refused because of load may come back. */
	retryAfterSeconds: number;
}

interface EndpointOptions<Result extends string> {
	/** What comes, for the log: "event". */
	name: string;
	/** undefined: HTTP without TLS. */
	tls?: { cert: string; key: string };
	limits: Readonly<EndpointLimits>;
	answer: (
		request: IncomingMessage,
		address: string,
	) => Promise<Answer<Result> | Refusal<Result | CommonResult>>;
	count: (result: Result | CommonResult) => void;
	/** Names a refused caller: the log has one line in a while about each `caller` and status. */
	describe: (request: IncomingMessage, who: string) => { caller: string; facts: object };
	clock: Clock;
	log: Log;
}

/**
 * A port of its own for what others report about jobs. Anybody may call it, so all that it costs is bounded. An error of the
 * API server is answered with 503; any other error is a bug: it is answered the same and logged as an error.
 */
export class Endpoint<Result extends string> {
	readonly server: Server | TlsServer;
	readonly #options: EndpointOptions<Result>;
	readonly #bodies: Bodies;
	readonly #gate: Gate;
	readonly #requests: TokenBucket | undefined;
	/** Callers whose refusal was logged lately. */
	readonly #logged: BoundedMap<string, true>;
	#inFlight = 0;

	constructor(options: EndpointOptions<Result>) {
		const { limits, clock } = options;
		const { atOnce, waiting } = limits.turns;
		const { everyMs, callers } = limits.refusalLogged;
		this.#options = options;
		this.#bodies = new Bodies(limits.bodyBytes, limits.allBodiesBytes);
		this.#gate = new Gate(clock, { size: () => atOnce, mostWaiting: waiting });
		this.#requests =
			limits.requests && new TokenBucket(clock, limits.requests.perSecond, limits.requests.burst);
		this.#logged = new BoundedMap({ most: callers, lastsMs: everyMs });
		this.server = this.#createServer();
	}

	/** Uses this certificate for new connections. */
	useCertificate(pair: { cert: string; key: string }): void {
		if ('setSecureContext' in this.server) this.server.setSecureContext(contextOf(pair));
	}

	/** The body, as text; its signature has not been verified. */
	read(request: IncomingMessage): Promise<string | Refusal<CommonResult>> {
		return this.#bodies.read(request);
	}

	/** Does what calls the API server: a limited number at a time, the rest in turn. */
	async inTurn<Value>(work: () => Promise<Value>): Promise<Value | Refusal<CommonResult>> {
		const { name, limits } = this.#options;
		if (!(await this.#gate.enter(limits.turns.waitMs)))
			return overloaded(`too many ${name}s wait for their turn`);
		return work().finally(() => this.#gate.leave());
	}

	/**
	 * Listens until `signal`; resolves when all that came is answered. A port that is taken is logged, and tried again: the guard
	 * does not depend on it.
	 *
	 * @param whileOpen what goes on while it listens, until `signal`
	 */
	async run(
		port: number,
		signal: AbortSignal,
		whileOpen: (signal: AbortSignal) => Promise<void> = untilAborted,
	): Promise<void> {
		const { name, clock, log } = this.#options;
		while (!signal.aborted && !(await this.#listens(port))) await clock.sleep(listenAgainMs, signal);
		if (!this.server.listening) return;
		this.server.on('error', (error) =>
			log.error({ port, error: String(error) }, `the port for ${name}s failed`),
		);
		log.info({ port }, `listens for ${name}s`);
		await whileOpen(signal);
		await closeServer(this.server, { drained: () => this.drained(), inFlight: () => this.#inFlight });
	}

	/** Resolves when no request is being answered any more. */
	async drained(): Promise<void> {
		while (this.#inFlight > 0) await this.#options.clock.sleep(10);
	}

	#createServer(): Server | TlsServer {
		const { name, tls, limits, clock, log } = this.#options;
		const settings = { connectionsCheckingInterval: 1_000, maxHeaderSize: 16 * 1024 };
		const onRequest = (request: IncomingMessage, response: ServerResponse) =>
			void this.#serve(request, response);
		const server = tls
			? createTlsServer(
					{ ...settings, ...contextOf(tls), handshakeTimeout: limits.headerWithinMs },
					onRequest,
				)
			: createServer(settings, onRequest);
		server.maxConnections = limits.connections;
		server.headersTimeout = limits.headerWithinMs;
		server.requestTimeout = limits.requestWithinMs;
		if (limits.idleConnectionMs !== undefined) server.keepAliveTimeout = limits.idleConnectionMs;
		server.on('tlsClientError', (error) =>
			log.debug({ error: String(error) }, `a TLS handshake for ${name}s failed`),
		);
		const { newConnections } = limits;
		const opened = newConnections && new FixedWindow<undefined>(newConnections.most, newConnections.windowMs);
		server.prependListener('connection', (socket: Socket) => {
			if (opened && !opened.allows(undefined, clock.monotonic())) socket.destroy();
		});
		return server;
	}

	async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const address = request.socket.remoteAddress ?? '';
		this.#inFlight += 1;
		try {
			const answer = await this.#answer(request, address);
			if (answer instanceof Refusal) this.#refuse(request, response, answer, address);
			else {
				if (answer.result !== undefined) this.#options.count(answer.result);
				this.#end(response, answer);
			}
		} catch (error) {
			const refusal = new Refusal<CommonResult>(503, 'failed', 'it could not be written');
			this.#refuse(request, response, refusal, address, error);
		} finally {
			this.#inFlight -= 1;
		}
	}

	async #answer(
		request: IncomingMessage,
		address: string,
	): Promise<Answer<Result> | Refusal<Result | CommonResult>> {
		await this.#requests?.enter(() => request.destroyed);
		if (request.destroyed) return new Refusal(400, 'unreadable', 'the request was cut off');
		return this.#options.answer(request, address);
	}

	/** @param error that was thrown; undefined: the refusal says all */
	#refuse(
		request: IncomingMessage,
		response: ServerResponse,
		{ status, result, why, who }: Refusal<Result | CommonResult>,
		address: string,
		error?: unknown,
	): void {
		const { name, limits, count, describe, clock, log } = this.#options;
		count(result);
		const { caller, facts } = describe(request, who ?? address);
		if (this.#logged.add(`${status} ${caller}`, true, clock.monotonic())) {
			const expected = error === undefined || error instanceof KubeError;
			const detail = error instanceof Error ? error.message : String(error ?? why);
			log[expected ? 'warn' : 'error']({ ...facts, status, error: detail }, `${name} refused`);
		}
		if (status === 503) response.setHeader('retry-after', `${limits.retryAfterSeconds}`);
		this.#end(response, { status, text: why });
	}

	#end(response: ServerResponse, { status, text, headers = {} }: Answer<Result>): void {
		if (response.writableEnded) return;
		// The unread rest of a body that is refused would be taken for the next request.
		const unread = status >= 400 && !response.req.complete;
		if (unread || this.#options.limits.idleConnectionMs === undefined)
			response.setHeader('connection', 'close');
		if (text !== undefined) response.setHeader('content-type', 'text/plain');
		response.writeHead(status, headers).end(text === undefined ? undefined : `${text}\n`);
	}

	async #listens(port: number): Promise<boolean> {
		const { name, log } = this.#options;
		const { server } = this;
		try {
			await new Promise<void>((resolve, reject) => {
				server.once('error', reject);
				server.listen(port, () => {
					server.off('error', reject);
					resolve();
				});
			});
			return true;
		} catch (error) {
			log.error({ port, error: String(error) }, `cannot listen for ${name}s, retrying`);
			return false;
		}
	}
}

const contextOf = ({ cert, key }: { cert: string; key: string }) =>
	({ cert, key, minVersion: 'TLSv1.2' }) as const;

function untilAborted(signal: AbortSignal): Promise<void> {
	if (signal.aborted) return Promise.resolve();
	return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
