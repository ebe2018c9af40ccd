import type { HorizontalRunnerAutoscaler } from '../api/autoscale.ts';
import type { RunnersSet } from '../api/sets.ts';
import type { SetsCache } from '../cluster/sets-cache.ts';
import type { Account, Accounts } from '../github/accounts.ts';
import type { CredentialsMissing } from '../github/types.ts';
import type { Scope } from '../runner/scope.ts';
import { credentialsSecretOf, scopeOf } from '../sets/pod/defaults.ts';
import { configOf } from './candidates.ts';
import type { KnownSets } from './known-sets.ts';
import type { PollTarget, TargetSource } from './poll/poll.ts';
import type { Results } from './results.ts';
import { repositoriesOf } from './rules/metrics.ts';
import { type SetKey, splitSetKey } from './rules/set-key.ts';
import type { Targets } from './targets.ts';

interface PollTargetsDependencies {
	setsCache: SetsCache;
	accounts: Pick<Accounts, 'resolve'>;
	targets: Targets;
	results: Results;
	sets: Pick<KnownSets, 'get'>;
}

/** The sets about whose jobs GitHub is asked, and with which credentials. */
export class PollTargets implements TargetSource {
	readonly #dependencies: PollTargetsDependencies;

	constructor(dependencies: PollTargetsDependencies) {
		this.#dependencies = dependencies;
	}

	/** The sets on which an autoscaler acts, and whose runners GitHub lets register for the scope that they name. */
	list(): PollTarget[] {
		return this.#dependencies.targets.keys().flatMap((key) => this.#targetOf(key) ?? []);
	}

	count(): number {
		return this.#dependencies.targets.keys().filter((key) => this.#acting(key)).length;
	}

	/** With which GitHub is asked about the jobs of a set: the autoscaler's own credentials, or those of its runners. */
	async accountOf(key: SetKey): Promise<Account | CredentialsMissing> {
		const { targets, accounts } = this.#dependencies;
		const config = this.#configOf(key);
		if (!config) return { kind: 'credentials-missing', detail: `there is no ${key}` };
		const { githubAPICredentialsFrom } = targets.acting(key)?.spec ?? {};
		return accounts.resolve({
			namespace: splitSetKey(key).namespace,
			credentialsSecret: githubAPICredentialsFrom?.secretRef?.name || credentialsSecretOf(config),
		});
	}

	#targetOf(key: SetKey): PollTarget | undefined {
		const { results } = this.#dependencies;
		const found = this.#acting(key);
		if (!found) return undefined;
		const { autoscaler, scope } = found;
		return {
			key,
			scope,
			countsRunsOf: repositoriesOf(autoscaler.spec.metrics, scope),
			working: results.get(autoscaler.metadata.uid ?? '')?.working,
		};
	}

	#acting(key: SetKey): { autoscaler: HorizontalRunnerAutoscaler; scope: Scope } | undefined {
		const { targets, sets } = this.#dependencies;
		const blocked = sets.get(key)?.blocked;
		if (blocked === 'ScopeUnconfirmed' || blocked === 'CredentialsMissing') return undefined;
		const autoscaler = targets.acting(key);
		const scope = scopeOf(this.#configOf(key) ?? {});
		return autoscaler && scope && { autoscaler, scope };
	}

	#configOf(key: SetKey) {
		const set = setOf(this.#dependencies.setsCache, key);
		return set && configOf(set);
	}
}

/** The set of this key; undefined: there is none. */
export function setOf({ runnerSets, runnerDeployments }: SetsCache, key: SetKey): RunnersSet | undefined {
	const { kind, namespace, name } = splitSetKey(key);
	const { informer } = kind === 'RunnerSet' ? runnerSets : runnerDeployments;
	return informer.get(namespace, name);
}
