import type { IncomingMessage } from 'node:http';
import { verify } from '@octokit/webhooks-methods';
import type { Hook } from '../../github/deliveries.ts';
import type { Log } from '../../telemetry/log.ts';
import type { EventResult } from '../../telemetry/metrics.ts';
import type { Clock } from '../../time/clock.ts';
import { waitFor } from '../../time/deadline.ts';
import { type Answer, overloaded, Refusal } from '../endpoint/answer.ts';
import { Endpoint } from '../endpoint/endpoint.ts';
import { deliveredMs } from '../records/rules/delivered.ts';
import { type EventWriters, readEvent, withoutRunner, writeEvent } from './handle-event.ts';
import { hookOf } from './rules/lost.ts';
import { answerWithinMs, eventLimits } from './rules/policy.ts';
import { coversHook, mayReport, type WebhookSecret, withCoveredEnterprise } from './rules/secrets.ts';
import type { WebhookSecrets } from './secrets.ts';

interface ReceiverOptions extends EventWriters {
	secrets: Pick<WebhookSecrets, 'current' | 'newest'>;
	/** Called for each delivery that GitHub has signed, with its webhook and the secrets that fit. */
	onDelivery: (hook: Hook, by: readonly WebhookSecret[]) => void;
	clock: Clock;
	log: Log;
}

/**
 * Handles a payload that is known to be GitHub's.
 *
 * @param sentMs when GitHub sent it, ms since the epoch
 * @param of what of it is to be written
 * @throws why it could not be written
 */
export type HandleEvent = (
	event: string,
	payload: unknown,
	sentMs: number,
	of?: 'jobs' | 'jobs and runners',
) => Promise<EventResult | Refusal<EventResult>>;

interface Receiver {
	endpoint: Endpoint<EventResult>;
	/** As if it had been delivered. */
	handle: HandleEvent;
}

/**
 * Where GitHub's webhook delivers its events, at any path. GET is answered for load balancers and people.
 *
 * Nothing of a delivery is read before its signature is verified, and it is answered when what it says is written: GitHub never
 * sends an event again by itself, but what was answered with an error stays in its list of failed deliveries.
 */
export function createReceiver(options: ReceiverOptions): Receiver {
	const { secrets, onDelivery, clock, metrics, log } = options;
	const endpoint = new Endpoint<EventResult>({
		name: 'event',
		limits: eventLimits,
		answer,
		count: (result) => metrics.event(result),
		// Never the body: it may contain anything.
		describe: (request) => ({ caller: '', facts: { delivery: idOf(request) } }),
		clock,
		log,
	});
	return { endpoint, handle };

	async function handle(...[event, payload, sentMs, of = 'jobs and runners']: Parameters<HandleEvent>) {
		const read = readEvent(event, payload, sentMs);
		if (!read) return 'ignored';
		if (read instanceof Refusal) return read;
		return endpoint.inTurn(() => writeEvent(of === 'jobs' ? withoutRunner(read) : read, options));
	}

	async function answer(request: IncomingMessage): Promise<Answer<EventResult> | Refusal<EventResult>> {
		if (request.method === 'GET' || request.method === 'HEAD')
			return { status: 200, text: 'webhook server is running' };
		if (request.method !== 'POST')
			return { status: 405, text: 'only GET and POST', headers: { allow: 'GET, POST' } };
		const delivery = await verified(request);
		if (delivery instanceof Refusal) return delivery;

		const { payload, by } = delivery;
		const event = String(request.headers['x-github-event'] ?? '');
		const may = mayReport(by, payload, await secrets.current());
		if (may === false || (may === 'silent' && event === 'workflow_job')) return outOfScope();
		const hook = hookOf((name) => request.headers[name]?.toString(), payload);
		// Its headers are not signed.
		if (hook && may === true && coversHook(by, hook.owner)) onDelivery(hook, by);
		if (event === 'ping') return { status: 200, text: 'pong' };

		// GitHub does not wait for what takes longer. What has been begun goes on, and does no harm when it is done twice.
		const covered = withCoveredEnterprise(by, payload);
		const handling = handle(event, covered, deliveredMs(idOf(request), clock.now()));
		const result = await waitFor(clock, handling, { ms: answerWithinMs }, () =>
			overloaded('it was not written in time'),
		);
		if (result instanceof Refusal) return result;
		log.debug({ delivery: idOf(request), event, result }, 'event');
		return kept.includes(result) ? { status: 200, text: result, result } : { status: 204, result };
	}

	/** Its payload, and with which secrets GitHub signed it. */
	async function verified(
		request: IncomingMessage,
	): Promise<{ payload: unknown; by: readonly WebhookSecret[] } | Refusal<EventResult>> {
		const signature = String(request.headers['x-hub-signature-256'] ?? '');
		if (!/^sha256=[0-9a-f]{64}$/.test(signature))
			return badSignature('the header X-Hub-Signature-256 is missing');
		const body = await endpoint.read(request);
		if (body instanceof Refusal) return body;
		const by = await signersOf(body, signature);
		if (by.length === 0) return badSignature('the signature does not match');
		try {
			return { payload: JSON.parse(body), by };
		} catch {
			const why = 'the body is not JSON: the content type of the webhook must be application/json';
			return new Refusal(400, 'unreadable', why);
		}
	}

	/** The secrets with which GitHub signed the body; none: it did not sign it. */
	async function signersOf(body: string, signature: string): Promise<readonly WebhookSecret[]> {
		const known = await secrets.current();
		const fits = await signersAmong(known, body, signature);
		if (fits.length > 0) return fits;
		const newest = await secrets.newest();
		return newest === known ? [] : signersAmong(newest, body, signature);
	}
}

/** The first that may sign everything ends the search. */
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

/** Results that are answered 200: what the event says is in the cluster. */
const kept: readonly EventResult[] = ['written', 'unchanged', 'recorded'];

const badSignature = (why: string) => new Refusal<EventResult>(401, 'bad-signature', why);

/** GitHub signed it, but the secret is not for the repository or organization that the event names. */
const outOfScope = () =>
	new Refusal<EventResult>(
		401,
		'out-of-scope',
		'the secret that signed this delivery is not valid for its repository or organization',
	);

/** The delivery's id, for the log: people find it at GitHub by this id. Checked, because a caller may send anything. */
const idOf = ({ headers }: IncomingMessage): string | undefined =>
	/^[\w-]{1,64}$/.exec(String(headers['x-github-delivery']))?.[0];
