import type { Account, Accounts, CredentialsSource } from '../../../admission/github/accounts.ts';
import { Registry } from '../../../admission/github/registry.ts';
import type {
	CredentialsMissing,
	GitHubFailure,
	RemoveOutcome,
	RunnerInfo,
	TokenOutcome,
} from '../../../admission/github/types.ts';
import { Unregistrations } from '../../../admission/github/unregistrations.ts';
import { type Scope, scopeKey } from '../../../admission/runner/scope.ts';
import type { SimulatedClock } from './clock.ts';

const perPage = 100;

/**
 * GitHub behind one account, without HTTP and budgets, on a simulated clock: lists, removes unless busy, hands out
 * registration tokens. The registry and the exchanges are the real ones.
 */
export class SimulatedGitHub {
	/** Every call, as `list octo-org`, `remove 7`, `token octo-org`. */
	readonly calls: string[] = [];
	/** What every call is answered with while it is set, and what the account knows of itself. */
	failure: GitHubFailure | undefined;
	/** Scopes, by scopeKey, that no credential may manage. */
	readonly forbidden = new Set<string>();
	/** While it is set there is no account at all. */
	credentialsMissing: string | undefined;
	/** How long each answer takes. */
	answersAfterMs = 0;
	/** No DELETE can be sent before: the minute's are spent. */
	spentUntilMs: number | undefined;
	readonly #clock: SimulatedClock;
	/** By scope, then by id. */
	readonly #runners = new Map<string, Map<number, RunnerInfo>>();
	/** By `namespace/secret`; '' is the controller-wide credential's. */
	readonly #registries = new Map<string, Registry>();
	readonly #unregistrations: Unregistrations;
	#lastId = 0;

	constructor(clock: SimulatedClock) {
		this.#clock = clock;
		this.#unregistrations = new Unregistrations(clock);
	}

	#registryOf(secret: string): Registry {
		const known = this.#registries.get(secret);
		if (known) return known;
		const registry = new Registry({
			clock: this.#clock,
			list: async (scope, { page, name }) => {
				await this.#call(`list ${scopeKey(scope)}`);
				if (this.failure) return this.failure;
				if (this.forbidden.has(scopeKey(scope))) {
					return { kind: 'forbidden', detail: '403', retryAtMs: this.#clock.now() + 60_000 };
				}
				const all = [...this.#of(scope).values()].filter(
					(runner) => name === undefined || runner.name === name,
				);
				const runners = all.slice((page - 1) * perPage, page * perPage).map((runner) => ({ ...runner }));
				return { kind: 'page', page: { runners, totalCount: all.length } };
			},
		});
		this.#registries.set(secret, registry);
		return registry;
	}

	/** A runner registers; answers its id. */
	register(name: string, more: Partial<RunnerInfo> = {}, scope = 'octo-org'): number {
		const id = more.id ?? ++this.#lastId;
		const runners = this.#runners.get(scope) ?? new Map<number, RunnerInfo>();
		this.#runners.set(scope, runners.set(id, { name, busy: false, status: 'online', ...more, id }));
		return id;
	}

	/** Changes what GitHub says of the runner of this name. */
	set(name: string, change: Partial<RunnerInfo>, scope = 'octo-org'): void {
		const runner = this.find(name, scope);
		if (!runner) throw new Error(`GitHub has no runner ${name}`);
		Object.assign(runner, change);
	}

	find(name: string, scope = 'octo-org'): RunnerInfo | undefined {
		return [...(this.#runners.get(scope)?.values() ?? [])].find((runner) => runner.name === name);
	}

	/** The runner has gone from GitHub by itself, as an ephemeral one does with its job. */
	leave(name: string, scope = 'octo-org'): void {
		const runner = this.find(name, scope);
		if (runner) this.#runners.get(scope)?.delete(runner.id);
	}

	/** How often GitHub was asked for this. */
	count(what: 'list' | 'remove' | 'token'): number {
		return this.calls.filter((call) => call.startsWith(`${what} `)).length;
	}

	readonly accounts = {
		resolve: async (source: CredentialsSource) => this.#resolve(source),
		list: () => [this.account],
		readingShare: () => 1,
	} as unknown as Accounts;

	get account(): Account {
		return this.#account('');
	}

	#account(secret: string): Account {
		return {
			id: secret || 'environment',
			now: this.#clock.now,
			registry: this.#registryOf(secret),
			unregistrations: this.#unregistrations,
			failure: () => this.failure,
			removalsSpentUntilMs: () =>
				this.spentUntilMs !== undefined && this.spentUntilMs > this.#clock.now()
					? this.spentUntilMs
					: undefined,
			remove: (scope: Scope, id: number) => this.#remove(scope, id),
			registrationToken: (scope: Scope) => this.#token(scope),
		} as unknown as Account;
	}

	#resolve({ namespace, credentialsSecret }: CredentialsSource): Account | CredentialsMissing {
		if (this.credentialsMissing === undefined)
			return this.#account(credentialsSecret ? `${namespace}/${credentialsSecret}` : '');
		return { kind: 'credentials-missing', detail: this.credentialsMissing };
	}

	async #remove(scope: Scope, id: number): Promise<RemoveOutcome> {
		await this.#call(`remove ${id}`);
		if (this.failure) return this.failure;
		const runner = this.#of(scope).get(id);
		if (!runner) return { kind: 'not-found' };
		if (runner.busy) return { kind: 'busy', message: `Runner "${runner.name}" is still running a job` };
		this.#of(scope).delete(id);
		for (const registry of this.#registries.values()) registry.forget(scope, id);
		return { kind: 'removed' };
	}

	async #token(scope: Scope): Promise<TokenOutcome> {
		await this.#call(`token ${scopeKey(scope)}`);
		if (this.failure) return this.failure;
		return { kind: 'token', token: `token-${this.calls.length}`, expiresAtMs: this.#clock.now() + 3_600_000 };
	}

	async #call(what: string): Promise<void> {
		this.calls.push(what);
		if (this.answersAfterMs > 0) await this.#clock.sleep(this.answersAfterMs);
	}

	#of(scope: Scope): Map<number, RunnerInfo> {
		const key = scopeKey(scope);
		const runners = this.#runners.get(key) ?? new Map<number, RunnerInfo>();
		this.#runners.set(key, runners);
		return runners;
	}
}
