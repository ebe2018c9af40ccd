import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Server as NetServer } from 'node:net';
import { hostname } from 'node:os';
import { bootstrap } from './compose/bootstrap.ts';
import { type Composed, compose } from './compose/compose.ts';
import type { Edges } from './compose/edges.ts';
import type { Settings } from './flags.ts';
import { fetchThrough } from './github/fetch.ts';
import { githubProxy } from './github/proxy.ts';
import { createKubeClient, loadKubeConfig } from './kube/client.ts';
import { whoAmI } from './kube/who-am-i.ts';
import { createHealthServer } from './telemetry/health.ts';
import type { Log } from './telemetry/log.ts';
import { Metrics } from './telemetry/metrics.ts';
import { waitFor } from './time/deadline.ts';
import { systemClock } from './time/system-clock.ts';

/** What is in flight at shutdown gets this long. */
const drainMs = 30_000;

/** How one process of the server was started. */
interface Start {
	settings: Settings;
	env: NodeJS.ProcessEnv;
	version: string;
	log: Log;
}

/** Runs the server until `signal`; resolves when everything that was in flight is done. */
export async function serve(start: Start, signal: AbortSignal): Promise<void> {
	const { settings, log } = start;
	const edges = edgesOf(start);
	const { client, self, version } = edges;
	const user = await whoAmI(client);
	log.info({ version, server: client.server, user, replica: self }, 'starting');

	const server = compose(settings, edges, await bootstrap(settings, edges, user));
	const health = new Health(edges.metrics);
	const loops = await run(server, health, settings, log);
	await Promise.race([aborted(signal), loops.failed]);
	await leave(server, loops, health, settings, edges);
}

function edgesOf({ settings, env, version, log }: Start): Edges {
	const userAgent = `runners-admission/${version}`;
	const clock = systemClock;
	const proxy = githubProxy(settings.githubApiUrl, env);
	if (proxy) log.info({ proxy: proxy.forPeople }, 'GitHub is called through a proxy');
	return {
		client: createKubeClient(loadKubeConfig(settings.kubeconfig, env), userAgent, clock),
		fetch: fetchThrough(proxy),
		clock,
		newKey: () => randomBytes(32),
		self: `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`,
		metrics: new Metrics(clock),
		env,
		version,
		userAgent,
		log,
	};
}

/** Health and metrics over HTTP. */
class Health {
	/** undefined: the server is ready. */
	notReady: string | undefined = 'starting';
	readonly server: NetServer & { closeAllConnections(): void };

	constructor(metrics: Metrics) {
		this.server = createHealthServer(metrics, () => this.notReady);
	}
}

interface Loops {
	/** Rejects when a loop fails: a server that only answers reviews and completes nothing must be started anew. */
	failed: Promise<unknown>;
	/** Ends them, except the beats of Replicas; resolves when they have ended. */
	stop(): Promise<unknown>;
}

/** Listens, and starts the loops that every replica runs; one of them makes this replica the leader in its turn. */
async function run(server: Composed, health: Health, settings: Settings, log: Log): Promise<Loops> {
	const { port, healthPort } = settings;
	await Promise.all([listen(server.webhook.server, port), listen(health.server, healthPort)]);
	// The loops outlive the signal to stop by the shutdown delay.
	const stop = new AbortController();
	const loops = Promise.all(server.loops.map((loop) => loop(stop.signal)));
	health.notReady = undefined;
	log.info({ port, healthPort }, 'ready');
	return {
		failed: Promise.all([loops, server.replicas.run()]),
		stop() {
			stop.abort();
			return loops;
		},
	};
}

/** Stops taking reviews, finishes what is in flight, ends the loops, closes the connections. */
async function leave(
	{ webhook, events, accounts, background, replicas }: Composed,
	loops: Loops,
	health: Health,
	{ shutdownDelayMs }: Settings,
	{ clock, log }: Edges,
): Promise<void> {
	log.info('shutting down');
	health.notReady = 'shutting down';
	webhook.leave();
	await clock.sleep(shutdownDelayMs);
	events.stop();
	const done = Promise.all([loops.stop(), webhook.close()]).then(() => background.done());
	await waitFor(clock, done, { ms: drainMs }, () => log.warn('not everything in flight could be finished'));
	webhook.server.closeAllConnections();
	accounts.close();
	await replicas.leave();
	health.server.close();
	health.server.closeAllConnections();
	log.info('stopped');
}

function listen(server: NetServer, port: number): Promise<void> {
	return new Promise((resolve, reject) => {
		server.once('error', reject);
		// A flood of connections must not fill the queue, or the API server's comes a second later. The kernel has its own limit.
		server.listen({ port, backlog: 4_096 }, () => resolve());
	});
}

async function aborted(signal: AbortSignal): Promise<void> {
	if (!signal.aborted) await once(signal, 'abort');
}
