import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { verify } from '@octokit/webhooks-methods';
import type { Hook } from '../../github/deliveries.ts';
import { KubeError } from '../../kube/client.ts';
import type { Log } from '../../telemetry/log.ts';
import type { EventResult } from '../../telemetry/metrics.ts';
import type { Clock } from '../../time/clock.ts';
import { waitFor } from '../../time/deadline.ts';
import { Gate } from '../../time/gate.ts';
import { TokenBucket } from '../../time/token-bucket.ts';
import { Bodies, Refused } from '../body.ts';
import { deliveredMs } from '../records/rules/delivered.ts';

import { hookOf } from './rules/lost.ts';
import {
	answerWithinMs,
	headerWithinMs,
	idleConnectionLastsMs,
	largestBodyBytes,
	mostAtOnce,
	mostConnections,
	mostInBurst,
	mostPerSecond,
	mostUnverifiedBytes,
	mostWaiting,
	refusalLoggedEveryMs,
	requestWithinMs,
} from './rules/policy.ts';
import { mayTell, type WebhookSecret } from './rules/secrets.ts';
import type { WebhookSecrets } from './secrets.ts';
import { type EventWriters, Overflow, readEvent, withoutRunner, writeEvent } from './take-event.ts';

export interface ReceiverOptions extends EventWriters {
	secrets: Pick<WebhookSecrets, 'current' | 'newest'>;
	/** Told of the webhook of each delivery that GitHub has signed, and with what. */
	heardOf: (hook: Hook, by: readonly WebhookSecret[]) => void;
	clock: Clock;
	log: Log;
}

export interface Receiver {
	server: Server;
	/**
	 * A payload that is known to be GitHub's, as if it had been delivered.
	 *
	 * @param sentMs when GitHub sent it, ms since the epoch
	 * @param of what it may still tell of
	 * @throws Refused, or why it could not be written
	 */
	take(
		event: string,
		payload: unknown,
		sentMs: number,
		of?: 'jobs' | 'jobs and runners',
	): Promise<EventResult>;
	/** Resolves when no delivery is being answered any more. */
	drained(): Promise<void>;
}

/**
 * Where GitHub's webhook delivers its events, at any path. GET is answered for load balancers and people.
 *
 * Nothing of a delivery is looked at before its signature, and it is answered when what it says is written: GitHub never
 * sends an event again by itself, but what was answered with an error stands in its list of failed deliveries.
 */
export function createReceiver(options: ReceiverOptions): Receiver {
	const { secrets, heardOf, clock, metrics, log } = options;
	const bodies = new Bodies(largestBodyBytes, mostUnverifiedBytes);
	const bucket = new TokenBucket(clock, mostPerSecond, mostInBurst);
	const gate = new Gate(clock, { size: () => mostAtOnce, mostWaiting });
	let inFlight = 0;

	const take: Receiver['take'] = async (event, payload, sentMs, of = 'jobs and runners') => {
		const all = readEvent(event, payload, sentMs);
		if (!all) return 'ignored';
		const read = of === 'jobs' ? withoutRunner(all) : all;
		if (!(await gate.enter(answerWithinMs))) throw new Refused(503, 'too many events wait for their turn');
		return writeEvent(read, options).finally(() => gate.leave());
	};

	/** With which of the secrets, as they are now, GitHub signed the body; none: it did not. */
	const signers = async (body: string, signature: string): Promise<readonly WebhookSecret[]> => {
		const known = await secrets.current();
		const fits = await signersAmong(known, body, signature);
		if (fits.length > 0) return fits;
		const newest = await secrets.newest();
		return newest === known ? [] : signersAmong(newest, body, signature);
	};

	const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
		await bucket.enter(() => request.destroyed);
		if (request.destroyed) throw new Refused(400, 'the request broke off');
		if (request.method === 'GET' || request.method === 'HEAD')
			return end(response, 200, 'webhook server is running');
		if (request.method !== 'POST') {
			response.setHeader('allow', 'GET, POST');
			return end(response, 405, 'only GET and POST');
		}
		const signature = String(request.headers['x-hub-signature-256'] ?? '');
		if (!/^sha256=[0-9a-f]{64}$/.test(signature)) throw new Refused(401, 'there is no X-Hub-Signature-256');
		const body = await bodies.read(request);
		const by = await signers(body, signature);
		if (by.length === 0) throw new Refused(401, 'the signature does not fit');

		const event = String(request.headers['x-github-event'] ?? '');
		const payload = parse(body);
		const may = mayTell(by, payload);
		if (may === false || (may === 'silent' && event === 'workflow_job')) throw new OutOfScope();
		const hook = hookOf((name) => request.headers[name]?.toString(), payload);
		if (hook && may === true) heardOf(hook, by);
		if (event === 'ping') return end(response, 200, 'pong');
		const sentMs = deliveredMs(idOf(request), clock.now());
		// GitHub waits no longer. What has been begun goes on, and does no harm when it is done twice.
		const result = await waitFor(clock, take(event, payload, sentMs), { ms: answerWithinMs }, () => {
			throw new Refused(503, 'it was not written in time');
		});
		metrics.event(result);
		log.debug({ delivery: idOf(request), event, result }, 'event');
		if (kept.includes(result)) return end(response, 200, result);
		end(response, 204);
	};

	/** By status: when a refusal was last logged, by the monotonic clock. There are five statuses. */
	const loggedMs = new Map<number, number>();
	const refuse = (request: IncomingMessage, response: ServerResponse, error: unknown): void => {
		const expected = error instanceof Refused || error instanceof KubeError;
		const status = error instanceof Refused ? error.status : 503;
		const why = error instanceof Error ? error.message : String(error);
		metrics.event(resultOf(status, error));
		const nowMs = clock.monotonic();
		if (nowMs - (loggedMs.get(status) ?? Number.NEGATIVE_INFINITY) >= refusalLoggedEveryMs) {
			loggedMs.set(status, nowMs);
			// Never the body: what cannot be read may hold anything.
			log[expected ? 'warn' : 'error']({ delivery: idOf(request), status, error: why }, 'event refused');
		}
		if (status === 503) response.setHeader('retry-after', '10');
		end(response, status, error instanceof Refused ? why : 'it could not be written');
	};

	const server = createServer({ connectionsCheckingInterval: 1_000 }, (request, response) => {
		inFlight += 1;
		answer(request, response)
			.catch((error: unknown) => refuse(request, response, error))
			.finally(() => {
				inFlight -= 1;
			});
	});
	server.maxConnections = mostConnections;
	server.headersTimeout = headerWithinMs;
	server.requestTimeout = requestWithinMs;
	server.keepAliveTimeout = idleConnectionLastsMs;

	return {
		server,
		take,
		async drained() {
			while (inFlight > 0) await clock.sleep(10);
		},
	};
}

/** One that may sign everything is enough. */
async function signersAmong(
	secrets: readonly WebhookSecret[],
	body: string,
	signature: string,
): Promise<WebhookSecret[]> {
	const fits: WebhookSecret[] = [];
	for (const one of body === '' ? [] : secrets) {
		if (!(await verify(one.secret, body, signature))) continue;
		fits.push(one);
		if (!one.scopes) break;
	}
	return fits;
}

/** It is written down. */
const kept: readonly EventResult[] = ['written', 'unchanged', 'recorded'];

/** GitHub signed it, with a secret that may not tell of this. */
class OutOfScope extends Refused {
	constructor() {
		super(401, 'the secret of this webhook is not for the repository or organization of the event');
	}
}

function end(response: ServerResponse, status: number, text?: string): void {
	if (response.writableEnded) return;
	response.statusCode = status;
	// The unread rest of a body that is refused would be taken for the next request.
	if (status >= 400 && !response.req.complete) response.setHeader('connection', 'close');
	if (text === undefined) response.end();
	else response.setHeader('content-type', 'text/plain').end(`${text}\n`);
}

function parse(body: string): unknown {
	try {
		return JSON.parse(body);
	} catch {
		throw new Refused(400, 'the body is not JSON: the content type of the webhook must be application/json');
	}
}

function resultOf(status: number, error: unknown): EventResult {
	if (error instanceof OutOfScope) return 'out-of-scope';
	if (error instanceof Overflow) return 'overflow';
	if (status === 401) return 'bad-signature';
	if (status === 413) return 'too-large';
	if (status === 400) return 'unreadable';
	return error instanceof Refused ? 'overloaded' : 'failed';
}

/** The delivery's id, for the log: by it people find it at GitHub. Whoever sends it may have written anything. */
const idOf = ({ headers }: IncomingMessage): string | undefined =>
	/^[\w-]{1,64}$/.exec(String(headers['x-github-delivery']))?.[0];
