import type { SetController } from '../api/controllers.ts';
import type { Pod } from '../api/kinds.ts';
import type { Capability, LeaderPart, Stoppable } from '../capability.ts';
import type { Signer } from '../cluster/signer.ts';
import type { Term } from '../cluster/term.ts';
import type { Accounts } from '../github/accounts.ts';
import type { Ports as ReleasePorts } from '../guard/subjects/runner/release.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Events } from '../kube/events.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';
import type { RunnerVersions } from '../versions/runner-versions.ts';
import { type AdmissionRequest, allowed, type PatchOperation } from '../webhook/review.ts';
import type { Handler } from '../webhook/server.ts';
import type { DemandSource } from './demand-source.ts';
import { createPods, injected, isOfOurSets, refuseUnknownCaller } from './inject-pods.ts';
import { OrphanedStatefulSets } from './orphaned-stateful-sets.ts';
import type { TemplateDefaults } from './pod/defaults.ts';
import { SetReconciler } from './reconciler.ts';
import { refuseOrphans } from './refuse-orphans.ts';
import { RegistrationTokens } from './registration-tokens.ts';
import { runnerDeployments } from './runner-deployment.ts';
import { runnerSets } from './runner-set.ts';
import { setReplicas } from './stamp-replicas.ts';
import { StandaloneRunners } from './standalone-runners.ts';
import { VolumeReuse } from './volume-reuse.ts';

interface SetsOptions {
	/** Whose sets are reconciled. */
	controllers: readonly SetController[];
	templateDefaults: TemplateDefaults;
	client: KubeClient;
	/** The server's own user name. */
	user: string;
	accounts: Accounts;
	signer: Signer;
	events: Events;
	metrics: Metrics;
	clock: Clock;
	log: Log;
	/** What gives a new pod of a set its job hooks. */
	jobHooks: (pod: Pod) => PatchOperation[];
	/** Reviews CREATE of a runner pod that belongs to no set of ours. */
	reviewOtherPods: Handler;
	/** How runners are unregistered and released in a term. */
	releasePorts: (term: Term) => ReleasePorts;
}

interface LeadOptions {
	/** How many runners autoscaled sets need; undefined: sets have as many as their `replicas` say. */
	demand: DemandSource | undefined;
	/** What runners say of their versions. */
	versions: RunnerVersions;
}

/** RunnerSets, RunnerDeployments and Runners: their pods are filled in when they are created, and the leader reconciles them. */
export function setsCapability(options: SetsOptions) {
	return { ...reviews(options), lead: (term: Term, more: LeadOptions) => lead(options, term, more) };
}

function reviews({
	controllers,
	client,
	user,
	clock,
	jobHooks,
	reviewOtherPods,
	log,
}: SetsOptions): Capability {
	const stampReplicas = (request: AdmissionRequest) => setReplicas(request, clock.now());
	const refuseOrphan = refuseOrphans(client, user, log);
	return {
		reviews: {
			'/sets/replicas': stampReplicas,
			'/pods/create': async (request, arrival) =>
				isOfOurSets(request)
					? ((await refuseOrphan(request)) ?? createPods(request, jobHooks))
					: reviewOtherPods(request, arrival),
		},
		unauthenticatedReviews: {
			// Where no set is reconciled here, as beside ARC, such a pod is ARC's, and is only to be marked.
			'/pods/create': controllers.length > 0 ? refuseUnknownCaller : ({ uid }) => allowed(uid),
			'/sets/replicas': stampReplicas,
		},
	};
}

function lead(options: SetsOptions, term: Term, more: LeadOptions): LeaderPart {
	const { controllers, templateDefaults, jobHooks, releasePorts, ...shared } = options;
	const { client, setsCache } = term;
	const tokens = new RegistrationTokens({ ...shared, client, cache: setsCache });
	const inject = (pod: Pod) => injected(pod, jobHooks);
	const ofKinds = { client, setsCache, templateDefaults, clock: options.clock, inject };
	const forSets = { ...shared, ...term, ports: releasePorts(term), tokens, ...more };
	const reconcilers: Record<SetController, () => Stoppable[]> = {
		runnerset: () => [
			new SetReconciler(runnerSets(ofKinds), forSets),
			new OrphanedStatefulSets(forSets),
			new VolumeReuse(forSets),
		],
		runnerdeployment: () => [
			new SetReconciler(runnerDeployments(ofKinds), forSets),
			new StandaloneRunners({ ...forSets, ...ofKinds }),
		],
	};
	return {
		loops: [(signal) => setsCache.run(controllers, signal)],
		controllers: [tokens, ...controllers.flatMap((name) => reconcilers[name]())],
		githubRecovered: () => tokens.retryGitHub(),
	};
}
