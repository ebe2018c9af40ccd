import { names } from '../api/keys.ts';
import type { KubeObject } from '../api/kinds.ts';
import { objectPath, resources } from '../api/paths.ts';
import {
	apiVersion,
	type Runner,
	type RunnerConfig,
	setKeys,
	setKinds,
	tokenSecretKey,
} from '../api/sets.ts';
import type { SetsCache } from '../cluster/sets-cache.ts';
import type { Accounts } from '../github/accounts.ts';
import { type CredentialsMissing, type GitHubFailure, isFailure } from '../github/types.ts';
import { type KubeClient, KubeError } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { applyObject, deleteObject, getObject, unlessGone } from '../kube/objects.ts';
import { type ReconcileObserver, type Requeue, WorkQueue } from '../kube/queue.ts';
import { type Scope, scopeKey } from '../runner/scope.ts';
import type { Log } from '../telemetry/log.ts';
import { credentialsSecretOf, scopeOf } from './pod/defaults.ts';
import { type OwnedSecret, type SecretOwner, tokenSecretBody, tokenSecretName } from './token-secret.ts';

/** GitHub's tokens are valid for 60 min. They are renewed early, since a pod may be pending for a while before it registers. */
const renewBeforeMs = 30 * 60_000;
/** How often a Secret is checked, because somebody may have deleted it. A watch would need the permission to read all Secrets. */
const checkMs = 60_000;
const retryMs = 10_000;
/** How long the pace may delay a call to GitHub. */
const mostWaitMs = 30_000;
/** A change is delayed by this, so that sets that are created together cause one write of the Secret's owners. */
const gatherMs = 50;

/** One set, and the Secret with the token with which its runners register. */
interface Use {
	namespace: string;
	secret: string;
	scope: Scope;
	credentialsSecret: string | undefined;
	owner: SecretOwner;
}

export interface RegistrationTokensOptions {
	client: KubeClient;
	cache: Pick<SetsCache, 'runnerSets' | 'runnerDeployments' | 'runners'>;
	accounts: Accounts;
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
	readonly #queue: WorkQueue;
	/** By the UID of the set. */
	readonly #uses = new Map<string, Use>();
	/** Why there is no new token; by `namespace/secret`. */
	readonly #problems = new Map<string, GitHubFailure | CredentialsMissing>();

	constructor(options: RegistrationTokensOptions) {
		this.#options = options;
		const { cache, metrics, clock, log } = options;
		this.#queue = new WorkQueue({
			controller: 'registration-tokens',
			metrics,
			clock,
			concurrency: 4,
			reconcile: (key) => this.#reconcile(key),
			onError: (key, error, againMs) =>
				log.warn(
					{ secret: key, error: String(error), retryMs: againMs },
					'registration token could not be renewed or stored, retrying',
				),
		});
		cache.runnerSets.on((change, set) =>
			this.#note(set, 'RunnerSet', change === 'deleted' ? undefined : set.spec),
		);
		cache.runnerDeployments.on((change, set) =>
			this.#note(set, 'RunnerDeployment', change === 'deleted' ? undefined : set.spec?.template?.spec),
		);
		// A Runner without a controller was created by a person. Its spec is not in the cache, so it has to be read.
		cache.runners.on((change, runner) => {
			if (runner.metadata.ownerReferences?.some(({ controller }) => controller)) return;
			if (change === 'deleted') this.#note(runner, 'Runner', undefined);
			else
				this.#queue.add(`${setKinds.runner.resource}/${runner.metadata.namespace}/${runner.metadata.name}`);
		});
	}

	/** Why there is no new token for runners of this scope; undefined: there is one. */
	problem(
		namespace: string,
		scope: Scope,
		credentialsSecret: string | undefined,
	): GitHubFailure | CredentialsMissing | undefined {
		return this.#problems.get(`${namespace}/${tokenSecretName(scope, credentialsSecret)}`);
	}

	/** GitHub can be called again: retries the tokens that it did not give. */
	retryGitHub(): void {
		for (const key of this.#problems.keys()) this.#queue.add(key);
	}

	stop(): Promise<void> {
		return this.#queue.stop();
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
			this.#queue.addAfter(`${namespace}/${secret}`, gatherMs);
		} else {
			this.#uses.delete(uid);
		}
		if (before) this.#queue.addAfter(`${before.namespace}/${before.secret}`, gatherMs);
	}

	async #reconcile(key: string): Promise<Requeue> {
		const [first = '', second = '', third] = key.split('/');
		if (third !== undefined) return this.#learn(second, third);
		const uses = [...this.#uses.values()].filter(
			({ namespace, secret }) => namespace === first && secret === second,
		);
		const use = uses[0];
		const path = objectPath(resources.secrets, { namespace: first, name: second });
		const held = await getObject<OwnedSecret>(this.#options.client, path);
		if (held && held.metadata.labels?.[setKeys.tokenSecretMark] !== 'true')
			throw new Error(
				`the Secret ${key} was created by somebody else: it lacks the label ${setKeys.tokenSecretMark}`,
			);
		if (!use) return this.#remove(key, path, held);
		return this.#keep(key, path, use, held, uses.map(({ owner }) => owner).sort(byUid));
	}

	async #keep(
		key: string,
		path: string,
		use: Use,
		held: OwnedSecret | undefined,
		owners: SecretOwner[],
	): Promise<Requeue> {
		const { clock, log } = this.#options;
		const heldUntilMs = held?.data?.[tokenSecretKey]
			? Date.parse(held.metadata.annotations?.[setKeys.tokenExpiresAt] ?? '') || 0
			: 0;
		if (held && heldUntilMs - clock.now() > renewBeforeMs) {
			const same = JSON.stringify(uidsOf(held.metadata.ownerReferences)) === JSON.stringify(uidsOf(owners));
			const token = Buffer.from(held.data?.[tokenSecretKey] ?? '', 'base64').toString('utf8');
			if (!same) await this.#write(path, use, { token, expiresAtMs: heldUntilMs }, owners);
			return { afterMs: Math.min(checkMs, heldUntilMs - renewBeforeMs - clock.now() + 1) };
		}
		const token = await this.#ask(use);
		if (token.kind !== 'token') return this.#failing(key, use, token);
		await this.#write(path, use, token, owners);
		this.#problems.delete(key);
		const until = new Date(token.expiresAtMs).toISOString();
		log.info({ secret: key, scope: scopeKey(use.scope), until }, 'registration token renewed');
		return { afterMs: checkMs };
	}

	async #ask({ namespace, scope, credentialsSecret }: Use) {
		const account = await this.#options.accounts.resolve({ namespace, credentialsSecret });
		if (!('registrationToken' in account)) return account;
		return account.registrationToken(scope, { maxWaitMs: mostWaitMs });
	}

	#failing(key: string, use: Use, failure: GitHubFailure | CredentialsMissing): Requeue {
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
		token: { token: string; expiresAtMs: number },
		owners: SecretOwner[],
	): Promise<void> {
		const body = tokenSecretBody(use, token, owners);
		try {
			await applyObject(this.#options.client, path, body, names.fieldManager);
		} catch (error) {
			const ending =
				error instanceof KubeError && error.code === 403 && /being terminated/.test(error.message);
			if (!ending) throw error; // no pod can be created in a terminating namespace, so no token is needed
		}
	}

	async #remove(key: string, path: string, held: OwnedSecret | undefined): Promise<Requeue> {
		this.#problems.delete(key);
		if (!held) return undefined;
		const preconditions = { uid: held.metadata.uid };
		await unlessGone(deleteObject(this.#options.client, path, { preconditions })); // or the garbage collector has deleted it
		return undefined;
	}

	async #learn(namespace: string, name: string): Promise<Requeue> {
		const path = objectPath(setKinds.runner, { namespace, name });
		const runner = await getObject<Runner>(this.#options.client, path);
		if (runner) this.#note(runner, 'Runner', runner.spec);
		return undefined;
	}
}

const byUid = (a: SecretOwner, b: SecretOwner) => (a.uid < b.uid ? -1 : 1);

const uidsOf = (owners: { uid: string }[] | undefined) => (owners ?? []).map(({ uid }) => uid).sort();
