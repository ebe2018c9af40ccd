import type { CredentialsMissing } from '../../github/types.ts';
import type { Scope } from '../../runner/scope.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Clock } from '../../time/clock.ts';
import type { SetKey } from '../rules/set-key.ts';
import { Credential, type PollAccount } from './credential.ts';
import type { Working } from './rules/drift.ts';
import { byNarrowness, covers } from './rules/targets.ts';

/** A set that an autoscaler acts on. */
export interface PollTarget {
	key: SetKey;
	scope: Scope;
	/** OWNER/NAME of each repository whose runs a metric counts. */
	countsRunsOf: readonly string[];
	/** Its runners that work, and its jobs that are in progress; undefined: it is not known now. */
	working: Working | undefined;
}

/** The sets about whose jobs GitHub is asked. */
export interface TargetSource {
	list(): PollTarget[];
	/** With which GitHub is asked about the jobs of a set. */
	accountOf(set: SetKey): Promise<PollAccount | CredentialsMissing>;
}

interface CredentialsDependencies {
	targets: TargetSource;
	clock: Clock;
	log: Log;
}

/** The credentials of all sets, and which of them is used for what. */
export class Credentials {
	readonly #dependencies: CredentialsDependencies;
	/** By the connection of their accounts. */
	readonly #credentials = new Map<PollAccount['connection'], Credential>();
	/** The narrowest scope first. */
	#scopes: { scope: Scope; credential: Credential }[] = [];

	constructor(dependencies: CredentialsDependencies) {
		this.#dependencies = dependencies;
	}

	/** Looks up the credentials of all sets. */
	async refresh(targets: readonly PollTarget[]): Promise<void> {
		const sorted = targets.toSorted(byNarrowness);
		const accounts = await Promise.all(sorted.map((target) => this.#accountOf(target)));
		this.#scopes = sorted.flatMap(({ scope }, index) => {
			const account = accounts[index];
			return account ? [{ scope, credential: this.#of(account) }] : [];
		});
		const used = new Set(this.#scopes.map(({ credential }) => credential));
		for (const [connection, credential] of this.#credentials)
			if (!used.has(credential)) this.#credentials.delete(connection);
	}

	/** Counts for each the repositories of which no webhook delivers events. */
	count(withoutWebhook: readonly { key: string }[]): void {
		for (const credential of this.#credentials.values()) credential.withoutWebhook = 0;
		for (const { key } of withoutWebhook) {
			const credential = this.for(key);
			if (credential) credential.withoutWebhook += 1;
		}
	}

	/** The one that is most likely shown a repository, by OWNER/NAME in lower case. */
	for(repository: string): Credential | undefined {
		return this.#scopes.find(({ scope }) => covers(scope, repository))?.credential;
	}

	values(): IterableIterator<Credential> {
		return this.#credentials.values();
	}

	/** The organizations whose runners they have. */
	organizations(): { name: string; credential: Credential }[] {
		return this.#scopes.flatMap(({ scope, credential }) =>
			scope.kind === 'organization' ? [{ name: scope.name, credential }] : [],
		);
	}

	async #accountOf({ key }: PollTarget): Promise<PollAccount | undefined> {
		const { targets, log } = this.#dependencies;
		try {
			const found = await targets.accountOf(key);
			return 'read' in found ? found : undefined; // missing credentials are reported elsewhere
		} catch (error) {
			log.warn({ set: key, error: String(error) }, 'credentials could not be looked up');
			return undefined;
		}
	}

	#of(account: PollAccount): Credential {
		const credential =
			this.#credentials.get(account.connection) ?? new Credential(account, this.#dependencies.clock);
		credential.account = account;
		this.#credentials.set(account.connection, credential);
		return credential;
	}
}
