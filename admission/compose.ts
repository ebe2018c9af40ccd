import { enabledBy } from './api/controllers.ts';
import { names } from './api/keys.ts';
import { routes } from './api/webhooks.ts';
import { arcCapability } from './arc/capability.ts';
import { autoscalingCapability } from './autoscale/capability.ts';
import type { Capability, LeaderPart } from './capability.ts';
import { certificatesCapability, type Prepared, prepareCertificates } from './certificates/capability.ts';
import { readClientCa } from './certificates/files.ts';
import { BackgroundWork } from './cluster/background-work.ts';
import { epochSeal } from './cluster/epoch-seal.ts';
import { githubAccounts, readSecret } from './cluster/github-accounts.ts';
import { Replicas } from './cluster/replicas.ts';
import { RunnerPods } from './cluster/runner-pods.ts';
import { loadSigner, type Signer } from './cluster/signer.ts';
import type { Term } from './cluster/term.ts';
import type { Settings } from './flags.ts';
import { credentialReports } from './github/credential-report.ts';
import { credentialFromEnvironment } from './github/credentials.ts';
import { guardCapability } from './guard/capability.ts';
import { jobsCapability } from './jobs/capability.ts';
import type { KubeClient } from './kube/client.ts';
import { Events } from './kube/events.ts';
import { Leader } from './leader/leader.ts';
import { reportPart } from './leader/report-part.ts';
import { hostOf } from './runner/scope.ts';
import { setsCapability } from './sets/capability.ts';
import type { Log } from './telemetry/log.ts';
import type { Metrics } from './telemetry/metrics.ts';
import type { Clock } from './time/clock.ts';
import { createWebhookServer, type Handlers } from './webhook/server.ts';

/** What a process takes from outside. A simulation brings its own. */
export interface Edges {
	client: KubeClient;
	clock: Clock;
	/** 32 bytes that nobody can predict. */
	newKey(): Buffer;
	/** This replica's name, unique per process. */
	self: string;
	env: NodeJS.ProcessEnv;
	version: string;
	userAgent: string;
	metrics: Metrics;
	log: Log;
}

/** What has been read from the cluster and from files before the parts are made. */
export interface Bootstrapped extends Prepared {
	/** The server's own user name at the API server. */
	user: string;
	signer: Signer;
	/** The CA of callers of the admission port, PEM; undefined: a caller needs no certificate. */
	clientCa: string | undefined;
}

/** @throws Error, KubeError if something is missing without which no review can be answered */
export async function bootstrap(settings: Settings, edges: Edges, user: string): Promise<Bootstrapped> {
	const { namespace, tls, lifetimes, clientCaFile, jobsUrl } = settings;
	const { client, clock, newKey, metrics, log } = edges;
	const signer = await loadSigner(client, namespace, newKey);
	const clientCa = clientCaFile === undefined ? undefined : await readClientCa(clientCaFile);
	const prepared = await prepareCertificates({
		...{ client, namespace, lifetimes, clock, metrics, log },
		hosts: [new URL(jobsUrl).hostname],
		files: tls,
		seal: epochSeal(signer),
	});
	return { ...prepared, user, signer, clientCa };
}

export type Server = ReturnType<typeof compose>;

/** Makes all parts and connects them. Nothing listens and no loop runs yet. */
export function compose(settings: Settings, edges: Edges, bootstrapped: Bootstrapped) {
	const { namespace } = settings;
	const { client, clock, self, env, version, userAgent, metrics, log } = edges;
	const { user, signer, configurations, certificate } = bootstrapped;
	const enabled = enabledBy(settings.controllers);
	const host = hostOf(settings.githubUrl) ?? '';

	const replicas = new Replicas({
		...{ client, namespace, clock, log },
		name: self.slice(-8),
		used: () => accounts.used(),
		events: () => metrics.sightings.report(),
		webhooks: { notes: () => jobs.notes.notes(), receive: (notes) => jobs.notes.receive(notes) },
	});
	const accounts = githubAccounts({
		...{ client, namespace, userAgent, clock, log },
		share: replicas.share,
		apiUrl: settings.githubApiUrl,
		environment: credentialFromEnvironment(env),
		secret: settings.githubSecret,
		onRecovered: () => leader.githubRecovered(),
		onCall: (call) => metrics.github.call(call),
	});
	metrics.github.credentials = () => credentialReports(accounts);
	const background = new BackgroundWork(log);
	const pods = new RunnerPods(client, signer, host, clock.now);
	const events = new Events(client, log, { component: names.server, instance: self }, clock);
	const shared = { client, accounts, signer, events, metrics, clock, log };

	const jobs = jobsCapability({
		...shared,
		pods,
		namespace,
		sign: signer.signStatement,
		eventPort: {
			port: settings.eventsPort,
			recordsJobs: enabled.autoscaling,
			environment: env.GITHUB_WEBHOOK_SECRET_TOKEN,
			readSecret: () => readSecret(client, namespace, settings.githubSecret),
			account: () => accounts.resolve({ namespace }),
		},
		jobHooks: {
			mode: settings.jobHooks,
			port: settings.jobsPort,
			url: settings.jobsUrl,
			githubUrl: settings.githubUrl,
			tls: certificate.current,
			authorities: () => configurations.bundled,
		},
	});
	const guard = guardCapability({
		...shared,
		...{ pods, user, self, configurations },
		setControllers: enabled.sets,
		background: background.add,
	});
	const { runnerImage, dockerImage, githubUrl } = settings;
	const sets = setsCapability({
		...shared,
		user,
		controllers: enabled.sets,
		templateDefaults: { runnerImage, dockerImage, githubUrl },
		jobHooks: jobs.injectHooks,
		reviewOtherPods: jobs.reviewOtherPods,
		releasePorts: guard.releasePorts,
	});
	const autoscaling = enabled.autoscaling
		? autoscalingCapability({ ...shared, controllers: enabled.sets, host, namespace })
		: undefined;
	const arc = enabled.arcTakeover ? arcCapability({ ...shared, controllers: enabled.sets }) : undefined;
	const certificates = certificatesCapability(bootstrapped, (pair) => {
		webhook.useCertificate(pair);
		jobs.useCertificate(pair);
	});
	const capabilities: readonly Capability[] = [certificates, guard, sets, jobs];

	const leader = new Leader({
		...shared,
		...{ namespace, self, host },
		partsOf(term: Term): LeaderPart[] {
			const guarding = guard.lead(term);
			const demand = autoscaling?.lead(term);
			return [
				guarding,
				...(demand ? [demand] : []),
				sets.lead(term, demand?.demand),
				...(arc ? [arc.lead(term)] : []),
				jobs.lead(term),
				reportPart(
					{ ...shared, ...{ version, self, namespace }, unguardedTime: guard.unguardedTime },
					term,
					guarding.waiting,
				),
			];
		},
		onChange: (leads) => {
			replicas.leads = leads;
		},
	});
	const webhook = createWebhookServer({
		handlers: complete(capabilities.map(({ reviews }) => reviews)),
		unauthenticated: complete(capabilities.map(({ unauthenticatedReviews }) => unauthenticatedReviews)),
		callers: bootstrapped.callers,
		tls: { ...certificate.current, clientCa: bootstrapped.clientCa },
		clock,
		metrics,
		log,
	});
	return {
		webhook,
		loops: [...capabilities.flatMap(({ loops = [] }) => loops), (signal: AbortSignal) => leader.run(signal)],
		replicas,
		accounts,
		events,
		background,
	};
}

/** The handlers of all capabilities. @throws Error if none of them answers a route */
function complete(parts: readonly (Partial<Handlers> | undefined)[]): Handlers {
	const handlers: Partial<Handlers> = Object.assign({}, ...parts);
	const missing = routes.find((route) => !handlers[route]);
	if (missing) throw new Error(`internal error: no capability answers ${missing}`);
	return handlers as Handlers;
}
