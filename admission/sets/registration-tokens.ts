import { names } from '../api/keys.ts';
import type { KubeObject } from '../api/kinds.ts';
import { type ObjectKey, objectKey, splitKey } from '../api/object-key.ts';
import { objectPath, resources } from '../api/paths.ts';
import { apiVersion, type Runner, type RunnerConfig, setKeys, setKinds } from '../api/sets.ts';
import type { SetsCache } from '../cluster/sets-cache.ts';
import type { Signer } from '../cluster/signer.ts';
import type { Accounts } from '../github/accounts.ts';
import { type CredentialsMissing, type GitHubFailure, isFailure } from '../github/types.ts';
import { type KubeClient, KubeError } from '../kube/client.ts';
import { Controller } from '../kube/controller.ts';
import { applyObject, deleteObject, getObject, unlessGone } from '../kube/objects.ts';
import type { ReconcileObserver, Requeue } from '../kube/queue.ts';
import { type Scope, scopeKey } from '../runner/scope.ts';
import type { Log } from '../telemetry/log.ts';
import type { Clock } from '../time/clock.ts';
import { credentialsSecretOf, scopeOf } from './pod/defaults.ts';
import {
	type OwnedSecret,
	readTokenSecret,
	type SecretOwner,
	type Token,
	type TokenUse,
	tokenSecretBody,
	tokenSecretName,
} from './token-secret.ts';

/** GitHub's tokens are valid for 60 min. They are renewed early, since a pod may be pending for a while before it registers. */
const renewBeforeMs = 30 * 60_000;
/** Somewhat more than that: GitHub's clock and ours differ. */
const longestTokenMs = 65 * 60_000;
/** How often a Secret is checked, because somebody may have deleted it. A watch would need the permission to read all Secrets. */
const checkMs = 60_000;
const retryMs = 10_000;
/** How long the rate limit may delay a call to GitHub. */
const mostWaitMs = 30_000;
/** A change is delayed by this, so that sets that are created together cause one write of the Secret's owners. */
const gatherMs = 50;

/** One set, and the Secret with the token with which its runners register. */
interface Use extends TokenUse {
	owner: SecretOwner;
}

/** What GitHub has answered, when it last did, to a credential that asked for a scope. A set may name any scope. */
export type ScopeAccess =
	| { kind: 'granted' }
	/** `detail`: why, for people. */
	| { kind: 'refused'; detail: string }
	/** It has not been asked yet, or has not answered. */
	| { kind: 'unanswered' };

export interface RegistrationTokensOptions {
	client: KubeClient;
	cache: Pick<SetsCache, 'runnerSets' | 'runnerDeployments' | 'runners'>;
	accounts: Accounts;
	/** A tenant may write Secrets in its namespace: only what this server has signed says what GitHub has answered. */
	signer: Pick<Signer, 'sign' | 'verify'>;
	clock: Clock;
	metrics: ReconcileObserver;
	log: Log;
}

/**
 * Keeps registration tokens: one Secret for each scope and credential that the sets of a namespace use. So GitHub need not
 * be called while a pod is being created. The Secret is owned by these sets, and deleted after the last of them.
 */
export class RegistrationTokens {
	readonly #options: RegistrationTokensOptions;
	readonly #secrets: Controller;
	/** Runners without a controller were created by people. Their specs are not in the cache, so they have to be read. */
	readonly #runners: Controller;
	/** By the UID of the set. */
	readonly #uses = new Map<string, Use>();
	/** Why there is no new token; by the Secret. */
	readonly #problems = new Map<ObjectKey, GitHubFailure | CredentialsMissing>();
	/** By the Secret; forgotten with its last set. Absent: GitHub has not answered. */
	readonly #access = new Map<ObjectKey, Exclude<ScopeAccess, { kind: 'unanswered' }>>();
	readonly #listeners: ((setUid: string) => void)[] = [];

	constructor(options: RegistrationTokensOptions) {
		this.#options = options;
		const { cache } = options;
		const shared = {
			name: 'registration-tokens',
			concurrency: 4,
			failure: 'registration token could not be renewed or stored',
		};
		this.#secrets = new Controller(
			{ ...shared, field: 'secret', reconcile: (key) => this.#reconcile(key) },
			options,
		);
		this.#runners = new Controller(
			{ ...shared, field: 'runner', reconcile: (key) => this.#readRunner(key) },
			options,
		).watch(cache.runners.on, (runner, change) => {
			if (runner.metadata.ownerReferences?.some(({ controller }) => controller)) return undefined;
			if (change !== 'deleted') return objectKey(runner.metadata);
			this.#note(runner, 'Runner', undefined);
			return undefined;
		});
		cache.runnerSets.on((change, set) =>
			this.#note(set, 'RunnerSet', change === 'deleted' ? undefined : set.spec),
		);
		cache.runnerDeployments.on((change, set) =>
			this.#note(set, 'RunnerDeployment', change === 'deleted' ? undefined : set.spec?.template?.spec),
		);
	}

	/**
	 * Whether GitHub gives this credential tokens for this scope. It is asked for sets without runners too. The last answer counts
	 * until another one comes: an outage changes nothing. The next leader finds a grant in the Secret, where it is signed.
	 */
	access(namespace: string, scope: Scope, credentialsSecret: string | undefined): ScopeAccess {
		const key = objectKey({ namespace, name: tokenSecretName(scope, credentialsSecret) });
		return this.#access.get(key) ?? { kind: 'unanswered' };
	}

	/** `listener` is called with the UID of each set for which GitHub has now answered otherwise than before. */
	onAccess(listener: (setUid: string) => void): void {
		this.#listeners.push(listener);
	}

	/** Why there is no new token for runners of this scope; undefined: there is one. */
	problem(
		namespace: string,
		scope: Scope,
		credentialsSecret: string | undefined,
	): GitHubFailure | CredentialsMissing | undefined {
		return this.#problems.get(objectKey({ namespace, name: tokenSecretName(scope, credentialsSecret) }));
	}

	/** GitHub can be called again: retries the tokens that it did not give. */
	retryGitHub(): void {
		for (const key of this.#problems.keys()) this.#secrets.enqueue(key);
	}

	async stop(): Promise<void> {
		await Promise.all([this.#secrets.stop(), this.#runners.stop()]);
	}

	#note({ metadata }: KubeObject, kind: SecretOwner['kind'], config: RunnerConfig | undefined): void {
		const { uid = '', name, namespace = '' } = metadata;
		const before = this.#uses.get(uid);
		const scope = config && scopeOf(config);
		if (config && scope) {
			const credentialsSecret = credentialsSecretOf(config);
			const secret = tokenSecretName(scope, credentialsSecret);
			if (before?.secret === secret) return;
			const owner = { apiVersion, kind, name, uid };
			this.#uses.set(uid, { namespace, secret, scope, credentialsSecret, owner });
			this.#secrets.enqueueAfter(keyOf({ namespace, secret }), gatherMs);
		} else {
			this.#uses.delete(uid);
		}
		if (before) this.#secrets.enqueueAfter(keyOf(before), gatherMs);
	}

	async #reconcile(key: ObjectKey): Promise<Requeue> {
		const uses = [...this.#uses.values()].filter((use) => keyOf(use) === key);
		const use = uses[0];
		const path = objectPath(resources.secrets, splitKey(key));
		const held = await getObject<OwnedSecret>(this.#options.client, path);
		if (held && held.metadata.labels?.[setKeys.tokenSecretMark] !== 'true')
			throw new Error(
				`the Secret ${key} was created by somebody else: it lacks the label ${setKeys.tokenSecretMark}`,
			);
		if (!use) return this.#remove(key, path, held);
		return this.#keep(key, path, use, held, uses.map(({ owner }) => owner).sort(byUid));
	}

	async #keep(
		key: ObjectKey,
		path: string,
		use: Use,
		held: OwnedSecret | undefined,
		owners: SecretOwner[],
	): Promise<Requeue> {
		const { clock, signer, log } = this.#options;
		const given = readTokenSecret(held, use, signer);
		// An earlier leader has asked.
		if (given && !this.#access.has(key)) this.#answered(key, { kind: 'granted' });
		// A token that would last longer than any was written by another clock: it may have expired.
		const heldUntilMs = given && given.expiresAtMs - clock.now() <= longestTokenMs ? given.expiresAtMs : 0;
		if (given && heldUntilMs - clock.now() > renewBeforeMs) {
			const same = JSON.stringify(uidsOf(held?.metadata.ownerReferences)) === JSON.stringify(uidsOf(owners));
			if (!same) await this.#write(path, use, given, owners, signer);
			return { afterMs: Math.min(checkMs, heldUntilMs - renewBeforeMs - clock.now() + 1) };
		}
		const token = await this.#ask(use);
		if (token.kind === 'forbidden' || token.kind === 'credentials-invalid') {
			this.#answered(key, { kind: 'refused', detail: token.detail });
			// The next leader is not to take an earlier answer for the last one.
			if (given) await this.#write(path, use, given, owners, undefined);
		}
		if (token.kind !== 'token') return this.#failing(key, use, token);
		this.#answered(key, { kind: 'granted' });
		const expiresAtMs = Math.min(token.expiresAtMs, clock.now() + longestTokenMs);
		await this.#write(path, use, { token: token.token, expiresAtMs }, owners, signer);
		this.#problems.delete(key);
		const until = new Date(token.expiresAtMs).toISOString();
		log.info({ secret: key, scope: scopeKey(use.scope), until }, 'registration token renewed');
		return { afterMs: checkMs };
	}

	#answered(key: ObjectKey, access: Exclude<ScopeAccess, { kind: 'unanswered' }>): void {
		const before = this.#access.get(key);
		this.#access.set(key, access);
		if (before?.kind === access.kind) return;
		for (const [uid, use] of this.#uses)
			if (keyOf(use) === key) for (const listener of this.#listeners) listener(uid);
	}

	async #ask({ namespace, scope, credentialsSecret }: Use) {
		const account = await this.#options.accounts.resolve({ namespace, credentialsSecret });
		if (!('registrationToken' in account)) return account;
		return account.registrationToken(scope, { maxWaitMs: mostWaitMs });
	}

	#failing(key: ObjectKey, use: Use, failure: GitHubFailure | CredentialsMissing): Requeue {
		const { clock, log } = this.#options;
		if (this.#problems.get(key)?.kind !== failure.kind) {
			const facts = { secret: key, scope: scopeKey(use.scope), reason: failure.kind };
			log.warn(facts, `no registration token: ${failure.detail}`);
		}
		this.#problems.set(key, failure);
		const atMs = isFailure(failure) ? failure.retryAtMs : undefined;
		return { afterMs: atMs === undefined ? retryMs : Math.min(Math.max(atMs - clock.now(), 1_000), checkMs) };
	}

	async #write(
		path: string,
		use: Use,
		token: Token,
		owners: SecretOwner[],
		signer: RegistrationTokensOptions['signer'] | undefined,
	): Promise<void> {
		const body = tokenSecretBody(use, token, owners, signer);
		try {
			await applyObject(this.#options.client, path, body, names.fieldManager);
		} catch (error) {
			const ending =
				error instanceof KubeError && error.code === 403 && /being terminated/.test(error.message);
			if (!ending) throw error; // no pod can be created in a terminating namespace, so no token is needed
		}
	}

	async #remove(key: ObjectKey, path: string, held: OwnedSecret | undefined): Promise<Requeue> {
		this.#problems.delete(key);
		this.#access.delete(key);
		if (!held) return undefined;
		const preconditions = { uid: held.metadata.uid };
		await unlessGone(deleteObject(this.#options.client, path, { preconditions })); // or the garbage collector has deleted it
		return undefined;
	}

	async #readRunner(key: ObjectKey): Promise<Requeue> {
		const path = objectPath(setKinds.runner, splitKey(key));
		const runner = await getObject<Runner>(this.#options.client, path);
		if (runner) this.#note(runner, 'Runner', runner.spec);
		return undefined;
	}
}

const keyOf = ({ namespace, secret }: Pick<Use, 'namespace' | 'secret'>): ObjectKey =>
	objectKey({ namespace, name: secret });

const byUid = (a: SecretOwner, b: SecretOwner) => (a.uid < b.uid ? -1 : 1);

const uidsOf = (owners: { uid: string }[] | undefined) => (owners ?? []).map(({ uid }) => uid).sort();
