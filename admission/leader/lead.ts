import type { Controller } from '../api/controllers.ts';
import type { Pod } from '../api/kinds.ts';
import { ArcFinalizers } from '../arc/finalizers.ts';
import { ArcReplicaSets } from '../arc/replica-sets.ts';
import { Autoscaler } from '../autoscale/autoscaler.ts';
import { AutoscaleCache } from '../autoscale/cache.ts';
import { Cache } from '../cluster/cache.ts';
import { getEphemeralRunner, RunnerPods } from '../cluster/runner-pods.ts';
import { SetsCache } from '../cluster/sets-cache.ts';
import type { Signer } from '../cluster/signer.ts';
import { standingOwner } from '../cluster/standing-owner.ts';
import type { Accounts } from '../github/accounts.ts';
import { credentialReports } from '../github/credential-report.ts';
import { keepBusyBudgets } from '../guard/busy-budget.ts';
import { BusyPolling } from '../guard/busy-polling.ts';
import { DeletionLoop } from '../guard/deletion-loop.ts';
import { JobPodLoop } from '../guard/job-pods/job-pod-loop.ts';
import { OpenSignals } from '../guard/open-signals.ts';
import { createReleasePorts } from '../guard/release-adapter.ts';
import { StaleRegistrations } from '../guard/stale-registrations.ts';
import type { UnguardedTime } from '../guard/unguarded-time.ts';
import { FollowedLogs } from '../jobs/followed-logs.ts';
import { followAuthorities } from '../jobs/hooks/follow-authorities.ts';
import { readLog } from '../jobs/read-log.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import type { Events } from '../kube/events.ts';
import { injected } from '../sets/inject-pods.ts';
import type { TemplateDefaults } from '../sets/pod/defaults.ts';
import { SetReconciler } from '../sets/reconciler.ts';
import { RegistrationTokens } from '../sets/registration-tokens.ts';
import { runnerDeployments } from '../sets/runner-deployment.ts';
import { runnerSets } from '../sets/runner-set.ts';
import { StandaloneRunners } from '../sets/standalone-runners.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { PatchOperation } from '../webhook/review.ts';
import { ExchangePods } from './exchange-pods.ts';
import { writeReports } from './report-writer.ts';

export interface LeadDependencies {
	/** Writes only while this process leads. */
	client: KubeClient;
	/** Writes at any time: for what GitHub has answered. */
	unfenced: KubeClient;
	accounts: Accounts;
	signer: Signer;
	/** Host of the GitHub that this server talks to. */
	host: string;
	events: Events;
	metrics: Metrics;
	/** Which reconcilers run. The guard's loops always run. */
	controllers: readonly Controller[];
	templateDefaults: TemplateDefaults;
	version: string;
	/** The server's own namespace. */
	namespace: string;
	unguardedTime: UnguardedTime;
	/** What gives a new pod its job hooks. */
	jobHooks: (pod: Pod) => PatchOperation[];
	/** The CAs that job hooks are to trust, PEM. */
	hookAuthorities: () => string;
	self: string;
	clock: Clock;
	background: (work: Promise<unknown>) => void;
	/** Registers a listener that is called whenever the calls of a GitHub account work again. */
	onGitHubRecovered: (listener: () => void) => void;
	log: Log;
}

/** Runs all loops that only the leader runs, until `signal` ends. Resolves when they have stopped. */
export async function lead(dependencies: LeadDependencies, signal: AbortSignal): Promise<void> {
	const { client, accounts, signer, host, events, metrics, controllers, templateDefaults, clock, log } =
		dependencies;
	const cache = new Cache({ client, metrics, clock, log });
	// What the cache lacks may be newer than the cache, or its CRD may just have been installed: then it is read.
	const ephemeralRunner = async (namespace: string, name: string) =>
		cache.ephemeralRunners.get(namespace, name) ?? getEphemeralRunner(client, namespace, name);
	const pods = new RunnerPods(client, signer, host, clock.now, ephemeralRunner);
	const exchanged = new ExchangePods(pods, dependencies.unfenced, signer, host, clock.now, ephemeralRunner);
	const ports = createReleasePorts({ ...dependencies, pods: exchanged });
	const busy = new BusyPolling({ cache, pods, accounts, signer, clock, metrics, log });
	const followedLogs = new FollowedLogs({ client, clock, log });
	const deletion = new DeletionLoop({
		followedLogs,
		cache,
		pods,
		ports,
		standingOwner: (pod) => standingOwner(client, pod, controllers),
		busyConfirmed: (pod) => busy.confirms(pod),
		events,
		metrics,
		clock,
		log,
	});
	const jobPods = new JobPodLoop({
		...{ client, cache, pods, events, metrics, clock, log },
		readLog: (runner) => readLog(client, runner),
		verify: signer.verifyStatement,
	});
	const signals = new OpenSignals({
		...{ cache, pods, accounts, metrics, clock, log },
		sign: signer.signStatement,
		readLog: (pod) => readLog(client, pod),
		sighting: (pod) => busy.sighting(pod),
	});
	const tidyUp = new StaleRegistrations({ cache, pods, accounts, clock, metrics, log });
	const guarded = keepBusyBudgets(client, cache, metrics, clock, log);
	const setsCache = new SetsCache({ client, metrics, clock, log });
	const tokens = new RegistrationTokens({ client, cache: setsCache, accounts, clock, metrics, log });
	const autoscaleCache = new AutoscaleCache({ client, metrics, clock, log }, dependencies.namespace);
	const autoscaler = controllers.includes('horizontalrunnerautoscaler')
		? new Autoscaler({
				...{ client, cache, setsCache, autoscaleCache, accounts, host, events, metrics, clock, log },
				namespace: dependencies.namespace,
				kinds: [
					...(controllers.includes('runnerset') ? (['RunnerSet'] as const) : []),
					...(controllers.includes('runnerdeployment') ? (['RunnerDeployment'] as const) : []),
				],
			})
		: undefined;
	const forSets = {
		...{ client, cache, pods, ports, accounts, signer, events, clock, metrics, log },
		demand: autoscaler,
	};
	const inject = (pod: Pod) => injected(pod, dependencies.jobHooks);
	const ofKinds = { client, setsCache, templateDefaults, clock, inject };
	const sets = [
		controllers.includes('runnerset') && new SetReconciler(runnerSets(ofKinds), forSets),
		controllers.includes('runnerdeployment') && new SetReconciler(runnerDeployments(ofKinds), forSets),
		controllers.includes('runnerdeployment') && new StandaloneRunners({ ...forSets, ...ofKinds }),
		controllers.includes('runnerdeployment') &&
			new ArcReplicaSets({ client, setsCache, clock, metrics, log }),
		// With `deletion` alone ARC runs beside this server and removes its finalizers itself.
		controllers.some((controller) => controller !== 'deletion') &&
			new ArcFinalizers({ client, cache, setsCache, pods, clock, metrics, log }),
	].filter((one) => one !== false);
	dependencies.onGitHubRecovered(() => {
		deletion.retryGitHub();
		tokens.retryGitHub();
	});

	const leadingSinceMs = clock.now();
	const reportFacts = () =>
		cache.pods.synced
			? {
					version: dependencies.version,
					replica: dependencies.self,
					leadingSinceMs,
					certificates: metrics.certificateEnds,
					credentials: credentialReports(accounts),
					pods: [...cache.pods.values()],
					waiting: deletion.waiting,
					logs: metrics.logReads,
					contradictions: metrics.contradictions,
					guard: dependencies.unguardedTime.current(),
					unguardedMs: dependencies.unguardedTime.unguardedMs,
				}
			: undefined;

	metrics.leading(true);
	try {
		await Promise.all([
			cache.run(signal),
			setsCache.run(controllers, signal),
			...(autoscaler ? [autoscaleCache.run(signal), autoscaler.run(signal)] : []),
			busy.run(signal),
			jobPods.run(signal),
			followAuthorities({ cache, pods, authorities: dependencies.hookAuthorities, clock, log }, signal),
			writeReports({ client, namespace: dependencies.namespace, facts: reportFacts, clock, log }, signal),
		]);
	} finally {
		metrics.leading(false);
		followedLogs.stop();
		await Promise.all(
			[deletion, signals, jobPods, tidyUp, guarded, tokens, autoscaler, ...sets].map((loop) => loop?.stop()),
		);
	}
}
