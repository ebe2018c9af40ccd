import type { CredentialsMissing } from '../../github/types.ts';
import { foldName } from '../../runner/github-name.ts';
import { type Scope, scopeKey, unknownEnterprise } from '../../runner/scope.ts';
import type { Log } from '../../telemetry/log.ts';
import { BoundedMap } from '../../time/bounded-map.ts';
import type { Clock } from '../../time/clock.ts';
import type { SetKey } from '../rules/set-key.ts';
import type { Job } from '../rules/types.ts';
import { Credential, type PollAccount } from './credential.ts';
import type { Working } from './rules/drift.ts';
import { mostOwners } from './rules/policy.ts';
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
	/** Those of which GitHub has said that their runners may register for their scopes: a set may name any scope. */
	list(): PollTarget[];
	/** How many these are, without what is read for each: asked every second. */
	count(): number;
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
	readonly #ofSets = new Map<SetKey, Credential>();
	/** The narrowest scope first. */
	#scopes: Scoped[] = [];
	/** The organizations and repositories that are such scopes, in lower case. */
	#named = new Set<string>();
	/** The enterprises of owners, by their names in lower case. */
	readonly #enterprises = new BoundedMap<string, string>({ most: mostOwners });

	constructor(dependencies: CredentialsDependencies) {
		this.#dependencies = dependencies;
	}

	/** Looks up the credentials of all sets. */
	async refresh(targets: readonly PollTarget[]): Promise<void> {
		const sorted = targets.toSorted(byNarrowness);
		const accounts = await Promise.all(sorted.map((target) => this.#accountOf(target)));
		this.#ofSets.clear();
		this.#scopes = sorted.flatMap(({ key, scope }, index) => {
			const account = accounts[index];
			if (!account) return [];
			const credential = this.#of(account);
			this.#ofSets.set(key, credential);
			return [{ scope, credential }];
		});
		this.#named = new Set(
			this.#scopes.flatMap(({ scope }) => (scope.kind === 'enterprise' ? [] : [foldName(scopeKey(scope))])),
		);
		const used = new Set(this.#scopes.map(({ credential }) => credential));
		for (const [connection, credential] of this.#credentials)
			if (!used.has(credential)) this.#credentials.delete(connection);
	}

	/** A job says to which enterprise the owner of its repository belongs, as far as who has signed that may speak for it. */
	enterpriseSeen({ repository, enterprise }: Pick<Job, 'repository' | 'enterprise'>): void {
		if (enterprise === undefined) return;
		const owner = ownerOf(repository.toLowerCase());
		const isKnown = enterprise === unknownEnterprise && this.#enterprises.has(owner);
		if (!isKnown) this.#enterprises.set(owner, enterprise);
	}

	/** The enterprise that other jobs of the owner of a repository, by OWNER/NAME in lower case, have named. */
	enterpriseSaid(repository: string): string | undefined {
		return this.#enterprises.get(ownerOf(repository));
	}

	/** Whether jobs of a repository, by OWNER/NAME in lower case, may be for runners of a scope. */
	covers(scope: Scope, repository: string): boolean {
		return covers(scope, repository, this.#enterpriseOf(repository));
	}

	/** Counts for each the repositories of which no webhook delivers events. */
	count(withoutWebhook: readonly { key: string }[]): void {
		for (const credential of this.#credentials.values()) credential.withoutWebhook = 0;
		for (const { key } of withoutWebhook) {
			const credential = this.for(key);
			if (credential) credential.withoutWebhook += 1;
		}
	}

	/**
	 * The one that is most likely shown a repository, by OWNER/NAME in lower case: of the narrowest scope. The next one is asked where
	 * GitHub does not show it to that, or refuses that.
	 */
	for(repository: string): Credential | undefined {
		const enterprise = this.#enterpriseOf(repository);
		return bestOf(repository, this.#scopes, ({ scope }) => covers(scope, repository, enterprise));
	}

	/** The one that is most likely shown the runner groups of a repository: that of its organization, not of the repository. */
	forGroups(repository: string): Credential | undefined {
		const isIts = ({ scope }: Scoped) => scope.kind !== 'repository' && this.covers(scope, repository);
		return bestOf(groupsOf(repository), this.#scopes, isIts);
	}

	/** GitHub does not show the repository or organization (in lower case) to this one. @returns whether another one is to be asked */
	refused(credential: Credential, name: string): boolean {
		credential.refused(name);
		const next = name.includes('/') ? this.for(name) : this.#ofOrganization(name);
		return next !== undefined && !next.isRefused(name);
	}

	/** GitHub does not show the runner groups of the repository to this one. @returns whether another one is to be asked */
	refusedGroups(credential: Credential, repository: string): boolean {
		const name = groupsOf(repository);
		credential.refused(name);
		return this.forGroups(repository)?.isRefused(name) === false;
	}

	values(): IterableIterator<Credential> {
		return this.#credentials.values();
	}

	/** The organizations whose runners they have. */
	organizations(): { name: string; credential: Credential }[] {
		const names = new Map(
			this.#scopes.flatMap(({ scope }) =>
				scope.kind === 'organization' ? [[foldName(scope.name), scope.name] as const] : [],
			),
		);
		return [...names].flatMap(([key, name]) => {
			const credential = this.#ofOrganization(key);
			return credential ? [{ name, credential }] : [];
		});
	}

	#ofOrganization(key: string): Credential | undefined {
		return bestOf(
			key,
			this.#scopes,
			({ scope }) => scope.kind === 'organization' && foldName(scope.name) === key,
		);
	}

	/** Whether a set's own credential is the one with which the repository is asked about. */
	isOwn(set: SetKey, repository: string): boolean {
		const used = this.for(repository);
		return used === undefined || this.#ofSets.get(set) === used;
	}

	/**
	 * The enterprise to which the owner of a repository belongs, as far as its jobs say; undefined: it may be any. Where nothing says
	 * so and a set of its own has runners for it, no enterprise counts: its jobs must not have another owner's enterprise asked.
	 */
	#enterpriseOf(repository: string): string | undefined {
		const owner = ownerOf(repository);
		const hasOwn = this.#named.has(owner) || this.#named.has(repository);
		return this.enterpriseSaid(repository) ?? (hasOwn ? unknownEnterprise : undefined);
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

/** What a credential is shown of them is the same for all repositories of an organization. Never a repository's or organization's name. */
const groupsOf = (repository: string): string => `runner groups of ${ownerOf(repository)}`;

const ownerOf = (repository: string): string => repository.slice(0, repository.indexOf('/'));

interface Scoped {
	scope: Scope;
	credential: Credential;
}

/** The first that is shown the name and does not fail; else the first that is shown it, else the first. */
function bestOf(
	name: string,
	scopes: readonly Scoped[],
	covering: (one: Scoped) => boolean,
): Credential | undefined {
	let shown: Credential | undefined;
	let any: Credential | undefined;
	for (const one of scopes) {
		if (!covering(one)) continue;
		const { credential } = one;
		any ??= credential;
		if (credential.isRefused(name)) continue;
		if (!credential.failing) return credential;
		shown ??= credential;
	}
	return shown ?? any;
}
