import { createServer, type Server } from 'node:https';
import express, { type ErrorRequestHandler, type Request } from 'express';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { type AdmissionRequest, type AdmissionResponse, BadReview, parseReview, reviewOf } from './review.ts';

/** Larger than any AdmissionReview of a pod: etcd holds objects up to 1.5 MiB, and an UPDATE carries two. */
const bodyLimit = 3 * 1024 * 1024;

/**
 * Whoever reaches the port may open connections and send nothing, or a byte at a time. The API server sends its few KiB
 * at once, or gives up with its webhook's timeout of 5 s.
 */
const firstBytesMs = 5_000;
const wholeRequestMs = 10_000;
/** The API server has one for each review that it waits for. Some 50 KiB each: so many fit into the memory limit. */
const mostConnections = 1_000;

export type Handler = (request: AdmissionRequest) => AdmissionResponse | Promise<AdmissionResponse>;

export interface WebhookServer {
	server: Server;
	/**
	 * From now on each answer ends its connection. The API server keeps connections for a long time and goes on using
	 * them when the Service leads elsewhere: closed under a review on its way, one would fail a deletion with 500.
	 */
	leave(): void;
	/** Served to connections from now on; those that are open stay as they are. */
	useCertificate(pair: { cert: string; key: string }): void;
	/** Resolves when no review is being answered any more. */
	drained(): Promise<void>;
}

/**
 * The admission endpoints: one handler a path. express on `https`, not http2: express 5 crashes there at the first
 * request, and the API server speaks HTTP/1.1 as well (performance-probes section 3).
 */
export function createWebhookServer(
	handlers: Record<string, Handler>,
	tls: { cert: string; key: string; clientCa?: string | undefined },
	metrics: Metrics,
	log: Log,
): WebhookServer {
	const app = express().disable('x-powered-by').disable('etag');
	let inFlight = 0;
	let leaving = false;

	app.use((_request, response, next) => {
		if (leaving) response.set('connection', 'close');
		next();
	});
	for (const [path, handler] of Object.entries(handlers)) {
		app.post(path, async (request, response) => {
			inFlight += 1;
			const answered = metrics.reviewStarted();
			let allowed = false;
			try {
				const review = parseReview(await readBody(request));
				const answer = await handler(review);
				allowed = answer.allowed;
				response.status(200).json(reviewOf(answer));
			} finally {
				inFlight -= 1;
				answered(path, allowed);
			}
		});
	}

	const onError: ErrorRequestHandler = (error: unknown, request, response, _next) => {
		const status = error instanceof BadReview ? error.status : 500;
		const message = error instanceof Error ? error.message : String(error);
		metrics.badRequest(status);
		log[status === 500 ? 'error' : 'warn'](
			{ path: request.path, from: request.ip, status, error: message },
			'request refused',
		);
		// What was not read of a body that is too large would be taken for the next request.
		if (!request.complete) response.set('connection', 'close');
		if (!response.headersSent) response.status(status).type('text/plain').send(`${message}\n`);
	};
	app.use(onError);

	// With a client CA a connection without a certificate that it signed ends in the handshake.
	const { clientCa } = tls;
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
	server.maxConnections = mostConnections;
	server.on('tlsClientError', (error) => log.debug({ error: String(error) }, 'TLS handshake failed'));
	// client-go drops idle connections after 90 s. Node's own 5 s races with their reuse and fails deletions with 500
	// (performance-probes section 5), so the caller has to be the one who closes.
	server.keepAliveTimeout = 120_000;
	server.headersTimeout = firstBytesMs;
	server.requestTimeout = wholeRequestMs;

	return {
		server,
		leave() {
			leaving = true;
		},
		useCertificate: (pair) => server.setSecureContext(contextOf(pair)),
		async drained() {
			while (inFlight > 0) await new Promise((resolve) => setTimeout(resolve, 10));
		},
	};
}

/** @throws BadReview 415 and 413. */
function readBody(request: Request): Promise<Buffer> {
	const type = request.headers['content-type'] ?? '';
	if (!/^application\/json\s*(;|$)/i.test(type)) {
		return Promise.reject(new BadReview(415, `content type ${type || '(none)'} is not application/json`));
	}
	const tooLarge = new BadReview(413, `the body is over ${bodyLimit} bytes`);
	if (Number(request.headers['content-length'] ?? 0) > bodyLimit) return Promise.reject(tooLarge);
	return new Promise((resolve, reject) => {
		const chunks: Buffer[] = [];
		let size = 0;
		request.on('data', (chunk: Buffer) => {
			size += chunk.length;
			if (size <= bodyLimit) chunks.push(chunk);
			else {
				request.removeAllListeners('data').pause(); // not destroyed: the answer still has to get out
				reject(tooLarge);
			}
		});
		request.once('end', () => resolve(Buffer.concat(chunks)));
		request.once('error', reject);
		request.once('aborted', () => reject(new BadReview(400, 'the caller went away')));
	});
}
