import { names } from '../api/keys.ts';
import { objectKey } from '../api/object-key.ts';
import { BoundedMap } from '../time/bounded-map.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { type Credential, credentialFromSecret, fingerprint } from './credentials.ts';
import type { JobsAnswer, JobsQuestion } from './jobs.ts';
import {
	badSecretMaxAgeMs,
	knownSecrets,
	leastReading,
	secretForgottenMs,
	secretMaxAgeMs,
} from './policy.ts';
import type { Registry } from './registry.ts';
import type {
	AccountState,
	CallOptions,
	CredentialsMissing,
	GitHubFailure,
	Read,
	RemoveOutcome,
	Scope,
	TokenOutcome,
} from './types.ts';
import type { UnregisteringAccount } from './unregister.ts';
import type { Unregistrations } from './unregistrations.ts';

/** Kubernetes' own limit for a Secret's name. */
const longestName = 253;

export interface AccountsOptions extends ConnectionOptions {
	/** The controller-wide credential of the server's environment, if any. */
	environment?: Credential | undefined;
	/** The Secret with the controller-wide credential: in the server's own namespace, by default `runners-github`. */
	namespace?: string | undefined;
	secret?: string | undefined;
	/** A Secret's data (base64); undefined: there is none. Throws when it cannot be read. */
	readSecret: (namespace: string, name: string) => Promise<Record<string, string> | undefined>;
	/** Whether this namespace is being deleted. Throws when it cannot be read. */
	isTerminating: (namespace: string) => Promise<boolean>;
}

/** Which credentials a runner pod uses. */
export interface CredentialsSource {
	/** The pod's namespace. */
	namespace: string;
	/** Name of the Secret there; undefined: the controller's own credentials. */
	credentialsSecret?: string | undefined;
}

/**
 * The credentials that some runner pods share, and their connection to GitHub. The object and its id stay the same
 * when the Secret gets a new credential. Accounts with the same credential share one budget and one list per scope.
 */
export class Account implements UnregisteringAccount {
	/** 'environment' or 'namespace/secret-name'. */
	readonly id: string;
	readonly now: () => number;
	connection: Connection;

	constructor(id: string, connection: Connection, now: () => number) {
		this.id = id;
		this.connection = connection;
		this.now = now;
	}

	get registry(): Registry {
		return this.connection.registry;
	}

	get unregistrations(): Unregistrations {
		return this.connection.unregistrations;
	}

	remove(scope: Scope, runnerId: number, options: CallOptions = {}): Promise<RemoveOutcome> {
		return this.connection.remove(scope, runnerId, options);
	}

	registrationToken(scope: Scope, options: CallOptions = {}): Promise<TokenOutcome> {
		return this.connection.registrationToken(scope, options);
	}

	/** GET of what the credential need not be able to see, in the background. */
	readonly read: Read = (...call) => this.connection.read(...call);

	/** Whether the jobs that GitHub has given this runner in an attempt of a run have all completed; see RunJobs. */
	jobsOf(question: JobsQuestion, options: Pick<CallOptions, 'signal'> = {}): Promise<JobsAnswer> {
		return this.connection.jobsOf(question, options);
	}

	/** Why a call for this scope would fail now, as far as is known without one; undefined: no reason is known. */
	failure(scope: Scope): GitHubFailure | undefined {
		return this.connection.failure(scope);
	}

	/** Until when no DELETE can be sent, ms since the epoch; undefined: one can be sent now. */
	removalsSpentUntilMs(): number | undefined {
		return this.connection.removalsSpentUntilMs();
	}

	state(): AccountState {
		return this.connection.state();
	}

	/** Whether GitHub has ever answered a call with this credential. Until then nothing is known about it. */
	get answered(): boolean {
		return this.connection.answered;
	}
}

interface CachedSecret {
	readAtMs: number;
	result: Account | CredentialsMissing;
	reading?: Promise<Account | CredentialsMissing> | undefined;
	/** It is being read for the first time, so `result` is only a placeholder. */
	unread?: boolean;
}

export class Accounts {
	readonly #options: AccountsOptions;
	readonly #now: () => number;
	readonly #environment: Account | undefined;
	/** By account id. Those that hold no credential are forgotten first, and last those whose credential GitHub has answered. */
	readonly #secrets = new BoundedMap<string, CachedSecret>({
		most: knownSecrets,
		lastsMs: secretForgottenMs,
		isPinned: ({ reading }) => reading !== undefined, // there are as many as callers wait for
		rank: ({ result }) => (result instanceof Account ? 1 + Number(result.answered) : 0),
		onForget: (id) => this.#forget(id),
	});
	/** By id: that of the environment, and one for each of `#secrets` that ever held a credential. */
	readonly #accounts = new Map<string, Account>();
	/** By fingerprint: those that an account uses. */
	readonly #connections = new Map<string, Connection>();

	constructor(options: AccountsOptions) {
		this.#options = options;
		this.#now = options.clock.now;
		if (!/^https?:/.test(URL.parse(options.apiUrl)?.protocol ?? '')) {
			throw new Error(`the GitHub API URL ${options.apiUrl} is not an http(s) URL`);
		}
		this.#environment = options.environment && this.#account('environment', options.environment);
	}

	/** The account that a pod's runner belongs to. */
	async resolve(source: CredentialsSource): Promise<Account | CredentialsMissing> {
		if (source.credentialsSecret) return this.#fromSecret(source.namespace, source.credentialsSecret);
		const environment = this.#environment;
		const refused = environment?.state().failure?.kind === 'credentials-invalid';
		if (environment && !refused) return environment;
		const stored = await this.#fromSecret(
			this.#options.namespace ?? names.namespace,
			this.#options.secret ?? names.credentialsSecret,
		);
		if (!environment) return stored;
		// The environment of a running process cannot be corrected; the Secret can, so it is tried as well.
		const other = stored instanceof Account && stored.connection !== environment.connection;
		return other ? stored : environment;
	}

	/** Which part of the lists a minute this process may ask for: `leastReading` to 1. */
	readingShare(): number {
		return Math.max(leastReading, this.#options.share?.() ?? 1);
	}

	/** Which part of a minute's calls this process has made in the last minute with one credential: the largest, 0 to 1. */
	used(): number {
		return Math.max(0, ...[...this.#connections.values()].map((connection) => connection.used()));
	}

	/** All accounts in use, for metrics and polling. */
	list(): Account[] {
		const stored = [...this.#secrets.values()].map(({ result }) => result);
		return [this.#environment, ...stored].filter((account) => account instanceof Account);
	}

	/** Secrets that pods name but that hold no usable credential, by account id, with the reason. */
	missing(): Map<string, CredentialsMissing> {
		const found = new Map<string, CredentialsMissing>();
		for (const [id, { result, unread }] of this.#secrets) {
			if (!unread && !(result instanceof Account)) found.set(id, result);
		}
		return found;
	}

	/** Aborts the calls under way, at shutdown. */
	close(): void {
		for (const connection of this.#connections.values()) connection.close();
	}

	async #fromSecret(namespace: string, name: string): Promise<Account | CredentialsMissing> {
		if (name.length > longestName) {
			const detail = `no Secret can have a name of ${name.length} characters`;
			return { kind: 'credentials-missing', detail };
		}
		const id = objectKey({ namespace, name });
		const cached = this.#secrets.get(id);
		if (cached?.reading) return cached.reading;
		if (cached && this.#now() - cached.readAtMs < maxAgeMs(cached.result)) return cached.result;

		const readAtMs = this.#now();
		const reading = this.#read(namespace, name, cached?.result).then(
			(result) => {
				this.#secrets.set(id, { readAtMs, result }, readAtMs);
				return result;
			},
			(error: unknown) => {
				this.#forget(id);
				throw error;
			},
		);
		const missing = { kind: 'credentials-missing', detail: `Secret ${id} is being read` } as const;
		const entry = { readAtMs, result: cached?.result ?? missing, reading, unread: !cached };
		this.#secrets.set(id, entry, readAtMs);
		return reading;
	}

	async #read(
		namespace: string,
		name: string,
		before: Account | CredentialsMissing | undefined,
	): Promise<Account | CredentialsMissing> {
		const id = objectKey({ namespace, name });
		let data: Record<string, string> | undefined;
		try {
			data = await this.#options.readSecret(namespace, name);
			// A namespace is deleted with its Secrets first, while its runners still have to be unregistered or finish their
			// jobs. Nothing can be created there any more, so nobody else comes to use this credential.
			const kept = !data && before instanceof Account && (await this.#options.isTerminating(namespace));
			if (kept) return before;
		} catch (error) {
			// The credential read before is still the best guess; if it is wrong, GitHub says so.
			if (before instanceof Account) return before;
			const why = error instanceof Error ? error.message : String(error);
			return { kind: 'credentials-missing', detail: `Secret ${id} cannot be read: ${why.slice(0, 200)}` };
		}
		if (!data) {
			const keys = 'github_token, or github_app_id, github_app_installation_id and github_app_private_key';
			return { kind: 'credentials-missing', detail: `Secret ${id} does not exist; it needs ${keys}` };
		}
		const credential = credentialFromSecret(data, id);
		if (credential.kind === 'credentials-missing') return credential;
		return this.#account(id, credential);
	}

	/** The account with this id, switched to this credential if it had another one. */
	#account(id: string, credential: Credential): Account {
		const print = fingerprint(credential);
		const known = this.#accounts.get(id);
		const own = known?.connection.fingerprint === print ? known.connection : undefined;
		const connection = this.#connections.get(print) ?? own ?? new Connection(credential, this.#options);
		const account = known ?? new Account(id, connection, this.#now);
		const before = account.connection;
		this.#leave(id, before);
		account.connection = connection;
		connection.users.add(id);
		this.#connections.set(print, connection);
		this.#accounts.set(id, account);
		// A new credential starts without a failure: whoever logged that of the old one learns that it is over.
		const [old, fresh] = [before.state(), connection.state()];
		if (before !== connection && !old.healthy) this.#options.onStateChange?.(id, old, fresh);
		return account;
	}

	#forget(id: string): void {
		const account = this.#accounts.get(id);
		if (account) this.#leave(id, account.connection);
		this.#accounts.delete(id);
		this.#secrets.delete(id);
	}

	/** An account stops using a connection, which is forgotten with its last user. Calls under way may finish. */
	#leave(id: string, connection: Connection): void {
		connection.users.delete(id);
		if (connection.users.size === 0) this.#connections.delete(connection.fingerprint);
	}
}

/** A Secret is read again sooner while GitHub refuses its credential, because somebody may have corrected it. */
function maxAgeMs(result: Account | CredentialsMissing): number {
	if (!(result instanceof Account)) return badSecretMaxAgeMs;
	return result.connection.refused() ? badSecretMaxAgeMs : secretMaxAgeMs;
}
