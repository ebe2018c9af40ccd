import { randomUUID } from 'node:crypto';
import type { Server as NetServer } from 'node:net';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { names } from './api/keys.ts';
import { collectionPath, objectPath, resources } from './api/paths.ts';
import { CallerPaths } from './certificates/caller-paths.ts';
import { followFiles, readClientCa } from './certificates/files.ts';
import { manageCertificate } from './certificates/managed.ts';
import { WebhookConfigurations } from './certificates/webhook-configurations.ts';
import { epochSeal } from './cluster/epoch-seal.ts';
import { Replicas } from './cluster/replicas.ts';
import { RunnerPods } from './cluster/runner-pods.ts';
import { loadSigner, type Signer } from './cluster/signer.ts';
import type { Settings } from './flags.ts';
import { Accounts } from './github/accounts.ts';
import { credentialReports } from './github/credential-report.ts';
import { credentialFromEnvironment } from './github/credentials.ts';
import type { AccountState } from './github/types.ts';
import { deletePods } from './guard/delete-pods.ts';
import { evictPods } from './guard/evict-pods.ts';
import { leavingOwner } from './guard/exited-pods.ts';
import { reviewJobPod } from './guard/job-pods/review.ts';
import { createReleasePorts } from './guard/release-adapter.ts';
import type { ReviewDependencies } from './guard/review-deletion.ts';
import { unauthenticated } from './guard/unauthenticated-callers.ts';
import { UnguardedTime } from './guard/unguarded-time.ts';
import { updatePods } from './guard/update-pods.ts';
import { EventPort } from './jobs/events/port.ts';
import { JobHooks } from './jobs/hooks/job-hooks.ts';
import { readLog } from './jobs/read-log.ts';
import { createKubeClient, type KubeClient, loadKubeConfig } from './kube/client.ts';
import { Events } from './kube/events.ts';
import { runAsLeader } from './kube/lease.ts';
import { getObject, listObjects } from './kube/objects.ts';
import { lead } from './leader/lead.ts';
import type { RunnerPod } from './runner/runner-pod.ts';
import { hostOf } from './runner/scope.ts';
import { createPods, isOfOurSets } from './sets/inject-pods.ts';
import { refuseOrphans } from './sets/refuse-orphans.ts';
import { setReplicas } from './sets/stamp-replicas.ts';
import { createHealthServer } from './telemetry/health.ts';
import type { Log } from './telemetry/log.ts';
import { Metrics } from './telemetry/metrics.ts';
import type { Clock } from './time/clock.ts';
import { systemClock } from './time/system-clock.ts';
import { Callers } from './webhook/callers.ts';
import type { AdmissionRequest } from './webhook/review.ts';
import { createWebhookServer, type Handlers } from './webhook/server.ts';

/** What is in flight at shutdown gets this long. */
const drainMs = 30_000;

/** How one process of the server was started. */
export interface Start {
	settings: Settings;
	env: NodeJS.ProcessEnv;
	version: string;
	log: Log;
}

/** Runs the server until `signal`; resolves when everything that was in flight is done. */
export async function serve(start: Start, signal: AbortSignal): Promise<void> {
	const server = await compose(start);
	const loops = await run(server);
	await Promise.race([aborted(signal), loops.failed]);
	await leave(server, loops);
}

type Server = Awaited<ReturnType<typeof compose>>;

/** Makes all parts and connects them. The API server is asked who we are; nothing listens and no loop runs yet. */
async function compose({ settings, env, version, log }: Start) {
	const { namespace, tls, lifetimes, clientCaFile } = settings;
	const clock = systemClock;
	const metrics = new Metrics();
	const self = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
	const userAgent = `runners-admission/${version}`;
	const client = createKubeClient(loadKubeConfig(settings.kubeconfig, env), userAgent);
	const user = await whoAmI(client);
	log.info({ version, server: client.server, user, replica: self }, 'starting');

	const signer = await loadSigner(client, namespace);
	const host = hostOf(settings.githubUrl) ?? '';
	const clientCa = clientCaFile === undefined ? undefined : await readClientCa(clientCaFile);
	const configurations = new WebhookConfigurations({
		client,
		clock,
		onRestart: (watch, why) => metrics.watchRestarted(watch, why),
		log,
	});
	const callers = new Callers(epochSeal(signer), clock.now);
	const callerPaths = new CallerPaths({ callers, configurations, clock, metrics, log });
	await callerPaths.start();
	const certificate = tls
		? await followFiles(tls, metrics, log)
		: await manageCertificate({
				client,
				namespace,
				hosts: [new URL(settings.jobsUrl).hostname],
				configurations,
				lifetimes,
				clock,
				metrics,
				log,
			});

	const recovery = new Set<() => void>();
	const replicas = new Replicas({
		client,
		namespace,
		name: self.slice(-8),
		used: () => accounts.used(),
		events: () => metrics.sightings.report(),
		webhooks: { notes: () => eventPort.hooks.notes(), told: (notes) => eventPort.hooks.told(notes) },
		clock,
		log,
	});
	const accounts = new Accounts({
		share: replicas.share,
		apiUrl: settings.githubApiUrl,
		userAgent,
		clock,
		environment: credentialFromEnvironment(env),
		namespace,
		secret: settings.githubSecret,
		readSecret: (secretNamespace, name) => readSecret(client, secretNamespace, name),
		isTerminating: (name) => isTerminating(client, name),
		onStateChange(account, before, after) {
			logAccount(log, account, after);
			if (after.healthy && !before.healthy) for (const listener of recovery) listener();
		},
		onCall: (call) => metrics.github.call(call),
	});
	metrics.github.credentials = () => credentialReports(accounts);

	const background = new BackgroundWork(log);
	const pods = new RunnerPods(client, signer, host, clock.now);
	const events = new Events(client, log, { component: names.server, instance: self }, clock);
	const reporting = { pods, sign: signer.signStatement, events, metrics, clock, log };
	const ports = createReleasePorts({
		...reporting,
		accounts,
		client,
		signer,
		self,
		background: background.add,
	});
	const eventPort = new EventPort({
		...reporting,
		port: settings.eventsPort,
		recordsJobs: settings.controllers.includes('horizontalrunnerautoscaler'),
		environment: env.GITHUB_WEBHOOK_SECRET_TOKEN,
		readSecret: () => readSecret(client, namespace, settings.githubSecret),
		account: () => accounts.resolve({ namespace }),
		client,
		namespace,
	});
	const jobHooks = new JobHooks({
		...reporting,
		mode: settings.jobHooks,
		port: settings.jobsPort,
		url: settings.jobsUrl,
		githubUrl: settings.githubUrl,
		namespace,
		client,
		tls: certificate.current,
		authorities: () => configurations.bundled,
	});
	const webhook = createWebhookServer({
		...handlers({ client, user, signer, pods, ports, events, clock, metrics, log }, settings, jobHooks),
		callers,
		tls: { ...certificate.current, clientCa },
		now: clock.now,
		metrics,
		log,
	});
	const state: { notReady: string | undefined } = { notReady: 'starting' };
	const health = createHealthServer(metrics, () => state.notReady);
	const unguardedTime = new UnguardedTime({ configurations, metrics, clock, log });
	/** What the leader gets. */
	const shared = {
		client,
		accounts,
		signer,
		host,
		events,
		metrics,
		unguardedTime,
		self,
		clock,
		version,
		log,
	};
	return {
		settings,
		shared,
		replicas,
		configurations,
		callerPaths,
		certificate,
		background,
		recovery,
		eventPort,
		jobHooks,
		webhook,
		health,
		state,
	};
}

/** Which review is answered by which handler: for callers that know the path, and for strangers. */
function handlers(
	parts: Omit<ReviewDependencies, 'jobPod' | 'leavingOwner'> & {
		client: KubeClient;
		user: string;
		signer: Signer;
		clock: Clock;
	},
	settings: Settings,
	jobHooks: JobHooks,
): { handlers: Handlers; unauthenticated: Handlers } {
	const { client, user, signer, clock, log } = parts;
	const forJobPods = {
		...parts,
		readLog: (runner: RunnerPod) => readLog(client, runner),
		sign: signer.signStatement,
		verify: signer.verifyStatement,
	};
	const withRunnerSets = settings.controllers.includes('runnerset');
	const review: ReviewDependencies = {
		...parts,
		jobPod: (asked, pod) => reviewJobPod(asked, pod, forJobPods),
		leavingOwner: withRunnerSets ? leavingOwner(client, user, clock, log) : undefined,
	};
	// These have no effect and tell nobody more than the review itself contains.
	const forEverybody = {
		'/pods/update': (request: AdmissionRequest) => updatePods(request, user),
		'/pods/create': (request: AdmissionRequest) => createPods(request, jobHooks.forSets),
		'/sets/replicas': (request: AdmissionRequest) => setReplicas(request, clock.now()),
	};
	const orphan = refuseOrphans(client, user, log);
	const createdPod = async (request: AdmissionRequest) =>
		isOfOurSets(request)
			? ((await orphan(request)) ?? forEverybody['/pods/create'](request))
			: jobHooks.reviewOthers(request);
	return {
		handlers: {
			...forEverybody,
			'/pods/create': createdPod,
			'/pods/delete': (request, arrival) => deletePods(request, arrival, review),
			'/pods/evict': (request, arrival) => evictPods(request, arrival, review),
		},
		unauthenticated: { ...forEverybody, ...unauthenticated(parts) },
	};
}

interface Loops {
	/** Rejects when a loop fails: a server that only answers reviews and completes nothing must be started anew. */
	failed: Promise<unknown>;
	/** Ends them, except the beats of Replicas; resolves when they have ended. */
	stop(): Promise<unknown>;
}

/** Listens, and starts the loops that every replica runs; one of them makes this replica the leader in its turn. */
async function run({
	settings,
	shared,
	configurations,
	callerPaths,
	certificate,
	background,
	recovery,
	replicas,
	...server
}: Server): Promise<Loops> {
	const { webhook, eventPort, jobHooks, health, state } = server;
	const { port, healthPort, namespace, controllers, runnerImage, dockerImage } = settings;
	await Promise.all([listen(webhook.server, port), listen(health, healthPort)]);
	// The loops outlive the signal to stop by the shutdown delay.
	const stop = new AbortController();
	const leaderDependencies = {
		...shared,
		namespace,
		controllers,
		templateDefaults: { runnerImage, dockerImage, githubUrl: settings.githubUrl },
		jobHooks: jobHooks.forSets,
		hookAuthorities: jobHooks.authorities,
		background: background.add,
		onGitHubRecovered: (listener: () => void) => void recovery.add(listener),
	};
	const loops = Promise.all([
		configurations.run(stop.signal),
		shared.unguardedTime.run(stop.signal),
		callerPaths.run(stop.signal),
		certificate.run((pair) => {
			webhook.useCertificate(pair);
			jobHooks.useCertificate(pair);
		}, stop.signal),
		eventPort.run(stop.signal),
		jobHooks.run(stop.signal),
		runAsLeader(
			{
				...shared,
				namespace,
				name: names.lease,
				identity: shared.self,
				async lead(leading, client) {
					recovery.clear(); // of an earlier term
					replicas.leads = true;
					await lead({ ...leaderDependencies, client, unfenced: shared.client }, leading).finally(() => {
						replicas.leads = false;
					});
				},
			},
			stop.signal,
		),
	]);
	state.notReady = undefined;
	shared.log.info({ port, healthPort }, 'ready');
	return {
		failed: Promise.all([loops, replicas.run()]),
		stop() {
			stop.abort();
			return loops;
		},
	};
}

/** Stops taking reviews, finishes what is in flight, ends the loops, closes the connections. */
async function leave(
	{ settings, shared, replicas, background, webhook, health, state }: Server,
	loops: Loops,
): Promise<void> {
	const { log } = shared;
	log.info('shutting down');
	state.notReady = 'shutting down';
	webhook.leave();
	await sleep(settings.shutdownDelayMs);
	webhook.server.close();
	webhook.server.closeIdleConnections();
	shared.events.stop();
	const done = Promise.all([loops.stop(), webhook.drained()]).then(() => background.done());
	const limit = sleep(drainMs, 'late', { ref: false });
	if ((await Promise.race([done, limit])) === 'late') log.warn('not everything in flight could be finished');
	shared.accounts.close();
	await replicas.leave();
	webhook.server.closeAllConnections();
	health.close();
	health.closeAllConnections();
	log.info('stopped');
}

/** Exchanges with GitHub that go on after their review has been answered, and must end before the process may. */
class BackgroundWork {
	readonly #running = new Set<Promise<unknown>>();
	readonly #log: Log;

	constructor(log: Log) {
		this.#log = log;
	}

	add = (work: Promise<unknown>): void => {
		const settled = work.catch((error: unknown) =>
			this.#log.warn(
				{ error: String(error) },
				'the outcome of a call to GitHub could not be written on the pod',
			),
		);
		this.#running.add(settled);
		void settled.finally(() => this.#running.delete(settled));
	};

	done(): Promise<unknown> {
		return Promise.all(this.#running);
	}
}

/** A line of the log names at most so many scopes, the newest: pods can name any number. */
const mostScopesLogged = 20;

function logAccount(
	log: Log,
	account: string,
	{ healthy, remaining, limit, failure, forbidden }: AccountState,
) {
	const scopes = Object.keys(forbidden);
	const facts = {
		account,
		remaining,
		limit,
		failure,
		forbidden: scopes.slice(-mostScopesLogged),
		forbiddenCount: scopes.length,
	};
	if (healthy) log.info(facts, 'GitHub can be asked');
	else log.warn(facts, 'GitHub can not be asked');
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

/** The data of a Secret, base64 as it is; undefined where there is none of this name. */
async function readSecret(
	client: KubeClient,
	namespace: string,
	name: string,
): Promise<Record<string, string> | undefined> {
	const path = objectPath(resources.secrets, { namespace, name });
	const secret = await getObject<{ data?: Record<string, string> }>(client, path, { timeoutMs: 2_500 });
	return secret && (secret.data ?? {});
}

/** Whether this namespace is being deleted. By a list of one, because the server may list namespaces, and not get one. */
async function isTerminating(client: KubeClient, name: string): Promise<boolean> {
	const query = { fieldSelector: `metadata.name=${name}` };
	const found = await listObjects(client, collectionPath(resources.namespaces), query, { timeoutMs: 2_500 });
	return found.some(({ metadata }) => metadata.deletionTimestamp !== undefined);
}

function listen(server: NetServer, port: number): Promise<void> {
	return new Promise((resolve, reject) => {
		server.once('error', reject);
		// A flood of connections must not fill the queue, or the API server's comes a second later. The kernel has its own limit.
		server.listen({ port, backlog: 4_096 }, () => resolve());
	});
}

function aborted(signal: AbortSignal): Promise<void> {
	if (signal.aborted) return Promise.resolve();
	return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
