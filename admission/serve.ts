import { randomUUID } from 'node:crypto';
import type { Server } from 'node:net';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { names } from './api/keys.ts';
import { followFiles, readClientCa } from './certificates/files.ts';
import { manageCertificate } from './certificates/managed.ts';
import { loadProof } from './cluster/proof.ts';
import { RunnerPods } from './cluster/runner-pods.ts';
import type { Settings } from './flags.ts';
import { Accounts } from './github/accounts.ts';
import { credentialReports } from './github/credential-report.ts';
import { credentialFromEnvironment } from './github/credentials.ts';
import { deletePods } from './guard/delete-pods.ts';
import { evictPods } from './guard/evict-pods.ts';
import { leavingOwner } from './guard/exited-pods.ts';
import { createReleasePorts } from './guard/release-adapter.ts';
import { updatePods } from './guard/update-pods.ts';
import { WebhookWatch } from './guard/webhook-watch.ts';
import { createKubeClient, isNotFound, type KubeClient, loadKubeConfig } from './kube/client.ts';
import { systemClock } from './kube/clock.ts';
import { Events } from './kube/events.ts';
import { runAsLeader } from './kube/lease.ts';
import { lead } from './leader/lead.ts';
import { createPods } from './sets/inject-pods.ts';
import { githubUrlOf } from './sets/pod/defaults.ts';
import { setReplicas } from './sets/stamp-replicas.ts';
import { createHealthServer } from './telemetry/health.ts';
import type { Log } from './telemetry/log.ts';
import { Metrics } from './telemetry/metrics.ts';
import { createWebhookServer } from './webhook/server.ts';

/** What is in flight at shutdown gets this long. */
const drainMs = 30_000;

/** Runs the server until `signal`; resolves when everything that was in flight is done. */
export async function serve(
	settings: Settings,
	env: NodeJS.ProcessEnv,
	version: string,
	log: Log,
	signal: AbortSignal,
): Promise<void> {
	const clock = systemClock;
	const { now } = clock;
	const self = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
	const userAgent = `runners-admission/${version}`;
	const client = createKubeClient(loadKubeConfig(settings.kubeconfig, env), userAgent);
	const metrics = new Metrics();
	const user = await whoAmI(client);
	log.info({ version, server: client.server, user, replica: self }, 'starting');
	const proof = await loadProof(client, settings.namespace);
	const { tls, namespace, lifetimes, clientCaFile } = settings;
	const clientCa = clientCaFile === undefined ? undefined : await readClientCa(clientCaFile);
	const certificate = tls
		? await followFiles(tls, metrics, log)
		: await manageCertificate({ client, namespace, lifetimes, clock, metrics, log });

	const recovered: (() => void)[] = [];
	const accounts = new Accounts({
		apiUrl: settings.githubApiUrl,
		userAgent,
		now,
		environment: credentialFromEnvironment(env),
		namespace: settings.namespace,
		secret: settings.githubSecret,
		readSecret: (namespace, name) => readSecret(client, namespace, name),
		onStateChange(account, before, after) {
			const facts = {
				account,
				remaining: after.remaining,
				limit: after.limit,
				trouble: after.trouble,
				forbidden: Object.keys(after.forbidden),
			};
			log[after.healthy ? 'info' : 'warn'](
				facts,
				after.healthy ? 'GitHub can be asked' : 'GitHub can not be asked',
			);
			if (after.healthy && !before.healthy) for (const listener of recovered) listener();
		},
		onCall: (call) => metrics.github.call(call),
	});
	metrics.github.credentials = () => credentialReports(accounts);

	const inBackground = new Set<Promise<unknown>>();
	const background = (work: Promise<unknown>) => {
		const settled = work.catch((error: unknown) =>
			log.warn({ error: String(error) }, 'an exchange with GitHub could not be written down'),
		);
		inBackground.add(settled);
		void settled.finally(() => inBackground.delete(settled));
	};
	const pods = new RunnerPods(client, proof, now);
	const events = new Events(client, log, self, clock);
	const ports = createReleasePorts({ pods, accounts, proof, self, clock, background });
	const withRunnerSets = settings.controllers.includes('runnerset');
	const reviewDependencies = {
		pods,
		ports,
		leavingOwner: withRunnerSets ? leavingOwner(client, user, clock, log) : undefined,
		events,
		metrics,
		log,
	};
	const webhook = createWebhookServer(
		{
			'/pods/delete': (request) => deletePods(request, reviewDependencies),
			'/pods/evict': (request) => evictPods(request, reviewDependencies),
			'/pods/update': (request) => updatePods(request, user),
			'/pods/create': createPods,
			'/sets/replicas': (request) => setReplicas(request, now()),
		},
		{ ...certificate.current, clientCa },
		metrics,
		log,
	);

	let notReady: string | undefined = 'starting';
	const health = createHealthServer(metrics, () => notReady);
	await Promise.all([listen(webhook.server, settings.port), listen(health, settings.healthPort)]);

	const webhookWatch = new WebhookWatch(client, metrics, clock, log);
	// The loops outlive `signal` by the shutdown delay: they stop when this does.
	const stop = new AbortController();
	const loops: Promise<unknown>[] = [
		webhookWatch.run(stop.signal),
		certificate.run(webhook.useCertificate, stop.signal),
		runAsLeader(
			{
				client,
				namespace: settings.namespace,
				name: names.lease,
				identity: self,
				clock,
				log,
				lead: (leading) => {
					recovered.length = 0;
					return lead(
						{
							client,
							accounts,
							proof,
							events,
							metrics,
							controllers: settings.controllers,
							templateDefaults: {
								runnerImage: settings.runnerImage,
								dockerImage: settings.dockerImage,
								githubUrl: githubUrlOf(settings.githubApiUrl),
							},
							version,
							namespace: settings.namespace,
							webhookWatch,
							self,
							clock,
							background,
							log,
							onGitHubRecovered: (listener) => recovered.push(listener),
						},
						leading,
					);
				},
			},
			stop.signal,
		),
	];
	notReady = undefined;
	log.info({ port: settings.port, healthPort: settings.healthPort }, 'ready');
	// A loop that fails ends the server, to be started anew: it would answer reviews and complete nothing.
	await Promise.race([aborted(signal), ...loops]);

	log.info('shutting down');
	notReady = 'shutting down';
	webhook.leave();
	await sleep(settings.shutdownDelayMs);
	webhook.server.close();
	webhook.server.closeIdleConnections();
	stop.abort();
	const limit = sleep(drainMs, 'late', { ref: false });
	const done = Promise.all([...loops, webhook.drained()]).then(() => Promise.all(inBackground));
	if ((await Promise.race([done, limit])) === 'late') log.warn('not everything in flight could be finished');
	accounts.close();
	webhook.server.closeAllConnections();
	health.close();
	health.closeAllConnections();
	log.info('stopped');
}

async function whoAmI(client: KubeClient): Promise<string> {
	const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
	const review = await client.request<{ status: { userInfo: { username: string } } }>(
		'POST',
		'/apis/authentication.k8s.io/v1/selfsubjectreviews',
		{ body },
	);
	return review.status.userInfo.username;
}

async function readSecret(
	client: KubeClient,
	namespace: string,
	name: string,
): Promise<Record<string, string> | undefined> {
	try {
		const secret = await client.request<{ data?: Record<string, string> }>(
			'GET',
			`/api/v1/namespaces/${namespace}/secrets/${name}`,
			{ timeoutMs: 2_500 },
		);
		return secret.data ?? {};
	} catch (error) {
		if (isNotFound(error)) return undefined;
		throw error;
	}
}

function listen(server: Server, port: number): Promise<void> {
	return new Promise((resolve, reject) => {
		server.once('error', reject);
		server.listen(port, () => resolve());
	});
}

function aborted(signal: AbortSignal): Promise<void> {
	if (signal.aborted) return Promise.resolve();
	return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
