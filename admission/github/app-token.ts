import type { Clock } from '../time/clock.ts';
import { waitFor } from '../time/deadline.ts';
import type { Credential } from './credentials.ts';
import type { Http } from './http.ts';
import { callTimeoutMs } from './policy.ts';
import { failureOf, type readQuota } from './response-parsing.ts';
import { type GitHubFailure, isFailure } from './types.ts';

/** A token is renewed this long before it expires, so that none expires while a call is under way. */
const renewBeforeMs = 5 * 60_000;

/** How many of the last tokens are kept out of messages: an answer that quotes an older one would come too late. */
const hiddenTokens = 10;

/**
 * Installation tokens of a GitHub App, one at a time. @octokit/auth-app signs the App's JWT; the exchange is made
 * here, because its own hook repeats calls after a 401, shares pending exchanges between credentials with the same
 * installation id, and lets the exchange's 404 look like the answer to the call itself (a "runner not found").
 */
export class AppTokens {
	readonly #credential: Credential & { kind: 'app' };
	readonly #http: Http;
	readonly #secrets: Set<string>;
	/** The tokens in `#secrets`: the newest ones, in their order. */
	readonly #hidden: string[] = [];
	readonly #clock: Pick<Clock, 'now' | 'after'>;
	#current: { token: string; untilMs: number } | undefined;
	#pending: Promise<string | GitHubFailure> | undefined;

	constructor(
		credential: Credential & { kind: 'app' },
		http: Http,
		options: { secrets: Set<string>; clock: Pick<Clock, 'now' | 'after'> },
	) {
		this.#credential = credential;
		this.#http = http;
		this.#secrets = options.secrets;
		this.#clock = options.clock;
	}

	/** A usable token. Concurrent callers share one exchange, which goes on if one of them gives up ('abandoned'). */
	async get(signal?: AbortSignal): Promise<string | GitHubFailure | 'abandoned'> {
		if (this.#current && this.#clock.now() < this.#current.untilMs) return this.#current.token;
		this.#pending ??= this.#exchange().finally(() => {
			this.#pending = undefined;
		});
		return waitFor(this.#clock, this.#pending, { signal }, () => 'abandoned' as const);
	}

	/** GitHub refused the token before it expired: the next call asks for a new one. */
	discard(token: string): void {
		if (this.#current?.token === token) this.#current = undefined;
	}

	/** By which GitHub knows the App itself, for some minutes. */
	async jwt(): Promise<string | GitHubFailure> {
		const { appId, privateKey } = this.#credential;
		const { createAppAuth } = await import('@octokit/auth-app'); // servers with a plain token do without it
		const jwt = await createAppAuth({ appId, privateKey })({ type: 'app' }).then(
			(app) => app.token,
			() => undefined, // the error may quote the key, so it is not passed on
		);
		return jwt ?? { kind: 'credentials-invalid', detail: `GitHub App ${appId}: the private key cannot sign` };
	}

	async #exchange(): Promise<string | GitHubFailure> {
		const { appId, installationId } = this.#credential;
		const what = `GitHub App ${appId}, installation ${installationId}`;
		const jwt = await this.jwt();
		if (isFailure(jwt)) return jwt;
		const answer = await this.#http.send({
			route: 'POST /app/installations/{installation_id}/access_tokens',
			parameters: { installation_id: installationId },
			headers: { authorization: `Bearer ${jwt}` },
			endpoint: 'installation-token',
			timeoutMs: callTimeoutMs,
		});
		if ('failure' in answer) return answer.failure;
		if (answer.status !== 201) {
			const failure = failureOf(answer, what, 'an installation that is not suspended', this.#clock.now());
			// Either concerns the whole credential, not one scope: 404 is a wrong installation id, 403 a suspended one.
			const refused = answer.status === 404 || failure.kind === 'forbidden';
			const { detailElsewhere: _, ...ofCredential } = failure; // all who share the credential may read it
			return refused ? { kind: 'credentials-invalid', detail: failure.detail } : ofCredential;
		}
		return this.#keep(answer.body, answer.headers, what);
	}

	#keep(body: unknown, headers: Parameters<typeof readQuota>[0], what: string): string | GitHubFailure {
		const { token, expires_at: expiresAt } = (body ?? {}) as Record<string, unknown>;
		if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) {
			return { kind: 'github-unavailable', detail: `${what}: GitHub's answer contains no token` };
		}
		this.#secrets.add(token);
		this.#hidden.push(token);
		if (this.#hidden.length > hiddenTokens) this.#secrets.delete(this.#hidden.shift() ?? '');
		const date = Date.parse(String(headers.date ?? ''));
		const lifetimeMs = Date.parse(String(expiresAt)) - (Number.isNaN(date) ? this.#clock.now() : date);
		const usableMs = Number.isFinite(lifetimeMs) ? lifetimeMs - renewBeforeMs : 0;
		this.#current = { token, untilMs: this.#clock.now() + usableMs };
		return token;
	}
}
