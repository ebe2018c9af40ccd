import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import express, { type ErrorRequestHandler, type Request, type Response } from 'express';
import type { Route } from '../api/webhooks.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';
import { Bodies } from './body.ts';
import type { Callers } from './callers.ts';
import { closeServer } from './close-server.ts';
import { Connections } from './connections.ts';
import {
	type AdmissionRequest,
	type AdmissionResponse,
	type Arrival,
	BadReview,
	allowed as nothingToSay,
	parseReview,
	reviewOf,
} from './review.ts';
import { longestWaitMs, mostBeforeCloseMs, quietBeforeCloseMs, retryAfterSeconds } from './rules/policy.ts';
import { routeByContent } from './rules/route.ts';
import { timeBeganMs } from './rules/time-began.ts';
import { Turns } from './turns.ts';

/**
 * Time limits against clients that open a connection and send nothing, or one byte at a time. The API server sends its
 * few KiB at once. But a replica that was frozen for some seconds finds connections that are old already when it goes on:
 * one whose review has waited in the meantime must not be ended before it is read, or an eviction passes.
 */
const firstBytesMs = 12_000;
const wholeRequestMs = 20_000;

/**
 * client-go closes idle connections after 90 s, and must be the first to do so: one that the server closes may just be in
 * use, and a deletion fails with 500 (measured with Node's default of 5 s). That holds also for those that it has opened and
 * not used yet: where another one becomes free meanwhile, a review takes that, and the new one waits for the next.
 */
const idleMs = 120_000;

export type Handler = (
	request: AdmissionRequest,
	arrival: Arrival,
) => AdmissionResponse | Promise<AdmissionResponse>;

export type Handlers = Record<Route, Handler>;

export interface WebhookServerOptions {
	/** For callers that know the path. */
	handlers: Handlers;
	/** For unauthenticated callers: their reviews must have no effect, and are answered as if the API server had sent them. */
	unauthenticated: Handlers;
	callers: Pick<Callers, 'at' | 'spoil'>;
	tls: { cert: string; key: string; clientCa?: string | undefined };
	clock: Pick<Clock, 'now' | 'monotonic' | 'sleep'>;
	metrics: Metrics;
	log: Log;
}

export interface WebhookServer {
	server: Server;
	/**
	 * From now on the server closes each connection with its next answer. The API server keeps connections for a long
	 * time, also when the Service already leads to another replica. Closing one while a review is on its way would make
	 * a deletion fail with 500.
	 */
	leave(): void;
	/** Uses this certificate for new connections. Open ones are not affected. */
	useCertificate(pair: { cert: string; key: string }): void;
	/** Resolves when no review is being answered any more. */
	drained(): Promise<void>;
	/**
	 * Waits until known callers have asked nothing for 1 s, 10 s at most; then it listens no longer, answers what has come,
	 * and closes all connections.
	 */
	close(): Promise<void>;
}

/**
 * The admission endpoints. The path shows only who calls: somebody who knows the segment in the webhook configurations, or
 * not. What a review is about is in its content. So a review never gets a 4xx because of its path: the API server,
 * which may read the configurations a moment late, would let an eviction pass.
 *
 * They use express on `https`, not http2: express 5 crashes there at the first request (measured), and the API server
 * speaks HTTP/1.1 as well.
 */
export function createWebhookServer({
	handlers,
	unauthenticated,
	callers,
	tls,
	clock,
	metrics,
	log,
}: WebhookServerOptions): WebhookServer {
	const { clientCa } = tls;
	const app = express().disable('x-powered-by').disable('etag');
	const bodies = new Bodies(clock);
	const connections = new Connections(clock.monotonic);
	const turns = new Turns(clock);
	let inFlight = 0;
	let leaving = false;
	/** When the last review of a known caller came; monotonic ms. */
	let lastKnownMs = Number.NEGATIVE_INFINITY;

	app.use(async (request, response) => {
		if (request.method !== 'POST') {
			response.status(405).set({ allow: 'POST', connection: 'close' }).type('text/plain').send('only POST\n');
			return;
		}
		const caller = callers.at(request.path);
		const arrivedMs = clock.now();
		const waitMs = waitMsOf(request);
		// The connection of an unauthenticated caller is never kept, that of a known one not for ever.
		const isLast = caller === 'known' ? connections.known(request.socket) : true;
		if (isLast || leaving) response.set('connection', 'close');
		if (caller === 'known') {
			lastKnownMs = clock.monotonic();
			whenTooLate(response, arrivedMs + (waitMs ?? longestWaitMs), clock.now, () => callers.spoil());
		}
		inFlight += 1;
		const answered = metrics.reviewStarted();
		let route: Route | undefined;
		let allowed = false;
		try {
			const body = await bodies.read(request, caller);
			try {
				if (caller !== 'known' && !(await turns.take()))
					throw new BadReview(503, 'too many reviews of unknown callers at a time');
				const review = parseReview(body.json, body.reduced);
				const arrival: Arrival = {
					atMs: timeBeganMs(arrivedMs, clock.now(), waitMs),
					caller,
					certified: clientCa !== undefined && (request.socket as TLSSocket).authorized,
				};
				route = routeByContent(review, request.path);
				const handler = route && (caller === 'known' ? handlers : unauthenticated)[route];
				const answer = handler ? await handler(review, arrival) : nothingToSay(review.uid);
				allowed = answer.allowed;
				response.status(200).json(reviewOf(answer));
			} finally {
				body.release();
			}
		} finally {
			inFlight -= 1;
			answered(route ?? 'none', allowed);
		}
	});

	const onError: ErrorRequestHandler = (error: unknown, request, response, _next) => {
		const isBad = error instanceof BadReview;
		const status = isBad ? error.status : 503;
		const message = error instanceof Error ? error.message : String(error);
		metrics.badRequest(isBad ? String(status) : 'failed');
		// Never the path: it would tell the segment to whoever reads the log.
		log[isBad ? 'warn' : 'error'](
			{ caller: callers.at(request.path), from: request.ip, status, error: message },
			'request refused',
		);
		// The unread rest of a body that is too large would be taken for the next request.
		if (!request.complete) response.set('connection', 'close');
		// The API server asks again on a new connection, which may lead to another replica. Any other error passes for an answer.
		if (status === 503) response.set({ 'retry-after': String(retryAfterSeconds), connection: 'close' });
		if (!response.headersSent) response.status(status).type('text/plain').send(`${message}\n`);
	};
	app.use(onError);

	// With a client CA, a caller without a certificate signed by it is refused in the TLS handshake.
	const asked = clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: true };
	const contextOf = ({ cert, key }: { cert: string; key: string }) =>
		({ cert, key, minVersion: 'TLSv1.2', ...(clientCa === undefined ? {} : { ca: clientCa }) }) as const;
	const server = createServer(
		{
			...contextOf(tls),
			...asked,
			maxHeaderSize: 64 * 1024,
			handshakeTimeout: firstBytesMs,
			connectionsCheckingInterval: 2_000,
		},
		app,
	);
	connections.watch(server);
	server.on('tlsClientError', (error) => log.debug({ error: String(error) }, 'TLS handshake failed'));
	server.keepAliveTimeout = idleMs;
	server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
		const isSilent = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && socket.bytesRead === 0;
		if (isSilent && connections.mayBeKept(socket)) socket.setTimeout(idleMs);
		else refuse(error, socket);
	});
	server.headersTimeout = firstBytesMs;
	server.requestTimeout = wholeRequestMs;

	const drained = async () => {
		while (inFlight > 0) await clock.sleep(10);
	};
	return {
		server,
		leave() {
			leaving = true;
		},
		useCertificate: (pair) => server.setSecureContext(contextOf(pair)),
		drained,
		async close() {
			const untilMs = clock.monotonic() + mostBeforeCloseMs;
			while (clock.monotonic() < Math.min(untilMs, lastKnownMs + quietBeforeCloseMs)) await clock.sleep(50);
			await closeServer(server, { drained, inFlight: () => inFlight });
		},
	};
}

/** As Node does where nobody listens: tells why, if nothing has been said on this connection, and ends it. */
function refuse({ code = '' }: NodeJS.ErrnoException, socket: Socket): void {
	if (socket.writable && socket.bytesWritten === 0)
		socket.write(`HTTP/1.1 ${refusals[code] ?? '400 Bad Request'}\r\nConnection: close\r\n\r\n`);
	socket.destroy();
}

const refusals: Record<string, string> = {
	HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
	HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
	ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** How long the API server waits for the answer, as it says (`?timeout=5s`); undefined: it does not say. */
function waitMsOf({ query }: Request): number | undefined {
	const [, seconds] = /^(\d+)s$/.exec(String(query.timeout)) ?? [];
	return seconds === undefined ? undefined : Number(seconds) * 1000;
}

/**
 * Calls back if the answer comes too late: after the time that the API server waits, or after it has closed the connection.
 * It then reports the webhook with its whole URL.
 */
function whenTooLate(response: Response, untilMs: number, now: () => number, callBack: () => void): void {
	response.once('close', () => {
		if (!response.writableFinished || now() > untilMs) callBack();
	});
}
