import { routes } from '../api/webhooks.ts';
import type { Loop } from '../capability.ts';
import type { Settings } from '../flags.ts';
import { Leader } from '../leader/leader.ts';
import { createWebhookServer, type Handlers } from '../webhook/server.ts';
import type { Bootstrapped } from './bootstrap.ts';
import { createCapabilities } from './capabilities.ts';
import type { Edges } from './edges.ts';
import { createServices, type Services } from './services.ts';

/** One replica of the server. */
export interface Composed extends Pick<Services, 'replicas' | 'accounts' | 'events' | 'background'> {
	webhook: ReturnType<typeof createWebhookServer>;
	/** What every replica runs; one of them takes part in the leader election. */
	loops: readonly Loop[];
}

/** Makes all parts and connects them. Nothing listens and no loop runs yet. */
export function compose(settings: Settings, edges: Edges, bootstrapped: Bootstrapped): Composed {
	const { callers, certificate, clientCa } = bootstrapped;
	const services = createServices(settings, edges, bootstrapped, {
		notes: () => capabilities.notes,
		githubRecovered: () => leader.githubRecovered(),
	});
	const { replicas, accounts, events, background } = services;
	const capabilities = createCapabilities(settings, edges, bootstrapped, services, (pair) =>
		webhook.useCertificate(pair),
	);
	const leader = new Leader({
		...services,
		partsOf: capabilities.leaderParts,
		onChange: (leads) => {
			replicas.leads = leads;
		},
	});
	const { clock, metrics, log } = edges;
	const webhook = createWebhookServer({
		handlers: complete(capabilities.all.map(({ reviews }) => reviews)),
		unauthenticated: complete(capabilities.all.map(({ unauthenticatedReviews }) => unauthenticatedReviews)),
		callers,
		tls: { ...certificate.current, clientCa },
		clock,
		metrics,
		log,
	});
	const loops = [
		...capabilities.all.flatMap((one) => one.loops ?? []),
		(signal: AbortSignal) => leader.run(signal),
	];
	return { webhook, loops, replicas, accounts, events, background };
}

/** The handlers of all capabilities. @throws Error if none of them answers a route */
function complete(parts: readonly (Partial<Handlers> | undefined)[]): Handlers {
	const handlers: Partial<Handlers> = Object.assign({}, ...parts);
	const missing = routes.find((route) => !handlers[route]);
	if (missing) throw new Error(`internal error: no capability answers ${missing}`);
	return handlers as Handlers;
}
