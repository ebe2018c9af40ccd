import type { HorizontalRunnerAutoscaler } from '../api/autoscale.ts';
import type { RunnerConfig, RunnersSet } from '../api/sets.ts';
import type { SetsCache } from '../cluster/sets-cache.ts';
import type { Account, Accounts } from '../github/accounts.ts';
import type { CredentialsMissing } from '../github/types.ts';
import { JobRecords } from '../jobs/records/job-records.ts';
import { concernsUs } from '../jobs/records/rules/labels.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { credentialsSecretOf, scopeOf } from '../sets/pod/defaults.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Entry } from './job-book.ts';
import { configOf, type JobRouter } from './job-router.ts';
import { Poll, type PollJob, type PollTarget } from './poll/poll.ts';
import { repositoriesOf } from './rules/metrics.ts';
import type { Looked } from './status-writer.ts';
import type { Targets } from './targets.ts';

export interface AskGitHubDependencies {
	client: KubeClient;
	setsCache: SetsCache;
	accounts: Pick<Accounts, 'resolve'>;
	host: string;
	namespace: string;
	metrics: Metrics;
	clock: Clock;
	log: Log;
	router: () => JobRouter;
	targets: Targets;
	/** What the last look at the target of each autoscaler has found, by the autoscaler's UID. */
	looked: ReadonlyMap<string, Looked>;
	/** The set of this key is to be looked at again. */
	look: (set: string) => void;
}

/** The poll of GitHub, with all that it asks about: the jobs of this cluster's sets, and with whose credentials. */
export function askGitHub({
	router,
	targets,
	looked,
	look,
	setsCache,
	accounts,
	...dependencies
}: AskGitHubDependencies): Poll {
	const { client, host, namespace, metrics, clock, log } = dependencies;
	const records = new JobRecords({ client, namespace, clock });

	const entryOf = (key: string) => router().get(key);
	/** A set and the configuration of its runners. */
	const setOf = (key: string): { set: RunnersSet; config: RunnerConfig } | undefined => {
		const [, kind = '', setNamespace, name = ''] = /^(\S+) ([^/]+)\/(.+)$/.exec(key) ?? [];
		const { informer } = kind === 'RunnerSet' ? setsCache.runnerSets : setsCache.runnerDeployments;
		const set = informer.get(setNamespace, name);
		const config = set && configOf(kind, set);
		return set && config ? { set, config } : undefined;
	};

	/** With which GitHub is asked about the jobs of a set: the autoscaler's own credentials, or those of its runners. */
	const accountOf = async (
		key: string,
		{ spec }: HorizontalRunnerAutoscaler,
	): Promise<Account | CredentialsMissing> => {
		const target = setOf(key);
		if (!target) return { kind: 'credentials-missing', detail: `there is no ${key}` };
		return accounts.resolve({
			namespace: target.set.metadata.namespace ?? '',
			credentialsSecret: spec.githubAPICredentialsFrom?.secretRef?.name || credentialsSecretOf(target.config),
		});
	};

	/** A set as GitHub is asked about it; undefined: no autoscaler acts on it, or it can't be told where it registers. */
	const targetOf = (key: string): PollTarget | undefined => {
		const autoscaler = targets.acting(key);
		const scope = scopeOf(setOf(key)?.config ?? {});
		if (!autoscaler || !scope) return undefined;
		return {
			key,
			scope,
			account: () => accountOf(key, autoscaler),
			countsRunsOf: repositoriesOf(autoscaler.spec.metrics, scope),
			working: looked.get(autoscaler.metadata.uid ?? '')?.working,
		};
	};

	return new Poll({
		host,
		clock,
		log,
		jobs: () => [...router().jobs()].map(pollJob),
		record: (key) => {
			const entry = entryOf(key);
			return entry && pollJob(entry);
		},
		asks: () =>
			[...looked.values()]
				.flatMap(({ demand }) => demand.ask)
				.flatMap((key) => entryOf(key) ?? [])
				.map(pollJob),
		concerns: (labels) => concernsUs(labels, router().knownLabels()),
		write: (facts) => records.write(facts, 'answer'),
		answered: (...answer) => router().answered(...answer),
		drift: (kind) => metrics.autoscale.drift(kind),
		targets: () => targets.keys().flatMap((key) => targetOf(key) ?? []),
		onKnown: look,
		onVisible: () => router().reroute(),
	});
}

const pollJob = ({ job, set }: Entry): PollJob => ({ ...job, set });
