import { randomBytes } from 'node:crypto';
import { type Route, routes } from '../../../admission/api/webhooks.ts';
import { epochSeal } from '../../../admission/cluster/epoch-seal.ts';
import { Signer } from '../../../admission/cluster/signer.ts';
import { Callers } from '../../../admission/webhook/callers.ts';
import type { Handler, Handlers, WebhookServerOptions } from '../../../admission/webhook/server.ts';

/** The key that all replicas of a test share. */
const seal = epochSeal(new Signer(randomBytes(32)));

/** What a webhook server needs where all reviews get the same answer, whoever asks. */
export function answering(
	handler: Handler,
	unauthenticated = handler,
): Pick<WebhookServerOptions, 'handlers' | 'unauthenticated' | 'callers'> & { callers: Callers } {
	const all = (one: Handler) => Object.fromEntries(routes.map((route) => [route, one])) as Handlers;
	return {
		handlers: all(handler),
		unauthenticated: all(unauthenticated),
		callers: new Callers(seal, Date.now),
	};
}

/** As the webhook configurations have it now. */
export const knownPath = (route: Route, callers = new Callers(seal, Date.now)): string =>
	callers.plan().pathOf(route);
