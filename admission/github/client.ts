import type { Clock } from '../time/clock.ts';
import { AppTokens } from './app-token.ts';
import { type Credential, secretsOf } from './credentials.ts';
import type { Fetch } from './fetch.ts';
import { Http, type HttpRequest, type HttpResult } from './http.ts';
import { callTimeoutMs } from './policy.ts';
import {
	failureOf,
	type HttpAnswer,
	isRateLimit,
	messageOf,
	permissionFor,
	readQuota,
} from './response-parsing.ts';
import type {
	Answer,
	CallReport,
	GitHubFailure,
	ListOutcome,
	ReadOutcome,
	ReadRequest,
	RemoveOutcome,
	RunnerInfo,
	RunnerPage,
	Scope,
	TokenOutcome,
} from './types.ts';
import { isFailure, scopeKey } from './types.ts';

interface ClientOptions {
	apiUrl: string;
	credential: Credential;
	clock: Pick<Clock, 'now' | 'monotonic' | 'after'>;
	userAgent?: string | undefined;
	fetch?: Fetch | undefined;
	onCall?: ((call: Omit<CallReport, 'account'>) => void) | undefined;
}

export interface CallLimits {
	signal?: AbortSignal | undefined;
	timeoutMs?: number | undefined;
}

export const perPage = 100;

interface Request<Outcome> extends Pick<HttpRequest, 'route' | 'parameters' | 'headers' | 'endpoint'> {
	asApp?: boolean;
	/** What an answer means; undefined: it is not an expected one. */
	read: (answer: HttpAnswer) => Outcome | GitHubFailure | undefined;
}

/** The calls of GitHub's REST API that this project makes, for one credential. It never throws: failures are values too. */
export class GitHubClient {
	readonly #http: Http;
	readonly #token: string | AppTokens;
	readonly #now: () => number;

	constructor(options: ClientOptions) {
		const secrets = new Set(secretsOf(options.credential));
		const { apiUrl, credential, clock, userAgent = 'runners-admission', fetch, onCall } = options;
		this.#now = clock.now;
		this.#http = new Http({ apiUrl, userAgent, clock, fetch, secrets, onCall });
		this.#token =
			credential.kind === 'token'
				? credential.token
				: new AppTokens(credential, this.#http, { secrets, clock });
	}

	/** DELETE runner. Only 204 counts as removed: any other 2xx proves nothing. */
	async removeRunner(
		scope: Scope,
		runnerId: number,
		limits: CallLimits = {},
	): Promise<Answer<RemoveOutcome>> {
		const what = `remove runner ${runnerId} of ${scopeKey(scope)}`;
		return this.#call(scope, what, limits, {
			route: `DELETE ${pathOf(scope)}/{runner_id}`,
			parameters: { ...parametersOf(scope), runner_id: runnerId },
			headers: {},
			endpoint: 'remove-runner',
			read: ({ status, body }) => {
				if (status === 204) return { kind: 'removed' };
				if (status === 404) return { kind: 'not-found' };
				if (status === 422) return { kind: 'busy', message: messageOf(body) ?? 'the runner runs a job' };
				return undefined;
			},
		});
	}

	/** One page of the scope's runners. With `name` GitHub filters by name, but old servers ignore that. */
	async listPage(
		scope: Scope,
		query: { page: number; name?: string | undefined; etag?: string | undefined },
		limits: CallLimits = {},
	): Promise<Answer<ListOutcome>> {
		const what = `list runners of ${scopeKey(scope)}`;
		return this.#call(scope, what, limits, {
			route: `GET ${pathOf(scope)}`,
			parameters: {
				...parametersOf(scope),
				per_page: perPage,
				page: query.page,
				...(query.name === undefined ? {} : { name: query.name }),
			},
			headers: query.etag === undefined ? {} : { 'if-none-match': query.etag },
			endpoint: 'list-runners',
			read: ({ status, body, headers }) => {
				if (status === 304 && query.etag !== undefined) return { kind: 'not-modified' };
				if (status === 404) return notVisible(what, scope);
				if (status !== 200) return undefined;
				const page = readPage(body);
				if (!page) return unreadable(what, "GitHub's answer is not a list of runners");
				return { kind: 'page', page, etag: etagOf(headers) };
			},
		});
	}

	/** A token with which runners of this scope can register. It is valid for an hour. */
	async registrationToken(scope: Scope, limits: CallLimits = {}): Promise<Answer<TokenOutcome>> {
		const what = `create a registration token for ${scopeKey(scope)}`;
		return this.#call(scope, what, limits, {
			route: `POST ${pathOf(scope)}/registration-token`,
			parameters: parametersOf(scope),
			headers: {},
			endpoint: 'registration-token',
			read: ({ status, body }) => {
				if (status === 404) return notVisible(what, scope);
				if (status !== 201) return undefined;
				const { token, expires_at: expiresAt } = (body ?? {}) as Record<string, unknown>;
				const expiresAtMs = Date.parse(String(expiresAt));
				if (typeof token === 'string' && token !== '' && !Number.isNaN(expiresAtMs))
					return { kind: 'token', token, expiresAtMs };
				return unreadable(what, "GitHub's answer is not a token");
			},
		});
	}

	/** GET of what the credential need not be able to see; see ReadRequest. */
	async read(
		what: string,
		{ asApp = false, etag, ...request }: ReadRequest,
		limits: CallLimits = {},
	): Promise<Answer<ReadOutcome>> {
		if (asApp && typeof this.#token === 'string') return { outcome: { kind: 'not-visible' } };
		return this.#send(what, 'more permissions', limits, {
			...request,
			asApp,
			headers: etag === undefined ? {} : { 'if-none-match': etag },
			read: (answer) => {
				const { status, body, headers } = answer;
				if (status === 304 && etag !== undefined) return { kind: 'not-modified' };
				if (status === 200)
					return { kind: 'read', body, link: String(headers.link ?? ''), etag: etagOf(headers) };
				const hidden = status === 404 || (status === 403 && !isRateLimit(answer));
				return hidden ? { kind: 'not-visible' } : undefined;
			},
		});
	}

	async #call<Outcome>(
		scope: Scope,
		what: string,
		limits: CallLimits,
		request: Request<Outcome>,
	): Promise<Answer<Outcome | GitHubFailure>> {
		const badName = whatIsWrongWithScope(scope);
		if (badName) return { outcome: { kind: 'forbidden', detail: `${what}: ${badName}` } };
		return this.#send(what, permissionFor(scope), limits, request);
	}

	/** @param permission what the credential needs for it, for messages */
	async #send<Outcome>(
		what: string,
		permission: string,
		limits: CallLimits,
		request: Request<Outcome>,
	): Promise<Answer<Outcome | GitHubFailure>> {
		const { read, asApp = false, ...rest } = request;
		const token = await this.#tokenFor(asApp, limits);
		if (token === 'abandoned') {
			const detail = `${what}: GitHub had not given a token when the caller gave up`;
			return { outcome: { kind: 'github-slow', detail }, abandoned: true };
		}
		if (isFailure(token)) return { outcome: token };

		const result: HttpResult = await this.#http.send({
			...rest,
			headers: {
				accept: 'application/vnd.github+json',
				authorization: `${asApp ? 'Bearer' : 'token'} ${token}`,
				...request.headers,
			},
			timeoutMs: limits.timeoutMs ?? callTimeoutMs,
			signal: limits.signal,
		});
		if ('failure' in result) {
			const { kind, detail } = result.failure;
			const outcome = { kind, detail: `${what}: ${detail}`, detailElsewhere: detail };
			return { outcome, abandoned: result.abandoned };
		}
		if (result.status === 401 && typeof this.#token !== 'string') this.#token.discard(token);
		const outcome = read(result) ?? failureOf(result, what, permission, this.#now());
		if (isFailure(outcome)) {
			const { detail, detailElsewhere } = outcome;
			outcome.detail = this.#http.scrub(detail);
			if (detailElsewhere) outcome.detailElsewhere = this.#http.scrub(detailElsewhere);
		}
		return { outcome, quota: readQuota(result.headers, this.#now()) };
	}

	async #tokenFor(asApp: boolean, { signal }: CallLimits): Promise<string | GitHubFailure | 'abandoned'> {
		if (typeof this.#token === 'string') return this.#token;
		return asApp ? this.#token.jwt() : this.#token.get(signal);
	}
}

const unreadable = (what: string, why: string): GitHubFailure => ({
	kind: 'github-unavailable',
	detail: `${what}: ${why}`,
	detailElsewhere: why,
});

const etagOf = ({ etag }: HttpAnswer['headers']): string | undefined =>
	etag === undefined ? undefined : String(etag);

/** GitHub answers 404 also for a scope that exists but that the credential may not see. */
function notVisible(what: string, scope: Scope): GitHubFailure {
	const detail = `${what}: GitHub answered 404: it does not exist, or the credential needs ${permissionFor(scope)}`;
	return { kind: 'forbidden', detail };
}

function pathOf(scope: Scope): string {
	switch (scope.kind) {
		case 'repository':
			return '/repos/{owner}/{repo}/actions/runners';
		case 'organization':
			return '/orgs/{org}/actions/runners';
		case 'enterprise':
			return '/enterprises/{enterprise}/actions/runners';
	}
}

function parametersOf(scope: Scope): Record<string, string> {
	switch (scope.kind) {
		case 'repository':
			return { owner: scope.owner, repo: scope.name };
		case 'organization':
			return { org: scope.name };
		case 'enterprise':
			return { enterprise: scope.name };
	}
}

/** The scope comes from a pod, which anybody may have written: it must not lead to another path of the API ("..", a slash). */
function whatIsWrongWithScope(scope: Scope): string | undefined {
	const names = scope.kind === 'repository' ? [scope.owner, scope.name] : [scope.name];
	const bad = names.find((name) => !/^[\w.-]{1,100}$/.test(name) || /^\.+$/.test(name));
	return bad === undefined ? undefined : 'the scope has a name that GitHub does not allow';
}

/** The page; undefined unless every part of it can be read, because a part of a list proves nothing. */
function readPage(body: unknown): RunnerPage | undefined {
	if (typeof body !== 'object' || body === null) return undefined;
	const { total_count: totalCount, runners } = body as Record<string, unknown>;
	if (typeof totalCount !== 'number' || !Array.isArray(runners)) return undefined;
	const read = runners.map(readRunner);
	return read.every((runner) => runner !== undefined) ? { totalCount, runners: read } : undefined;
}

function readRunner(value: unknown): RunnerInfo | undefined {
	if (typeof value !== 'object' || value === null) return undefined;
	const { id, name, busy, status, ephemeral } = value as Record<string, unknown>;
	if (!Number.isSafeInteger(id) || typeof name !== 'string') return undefined;
	return {
		id: id as number,
		name,
		busy: busy !== false, // unknown counts as busy
		status: typeof status === 'string' ? status : 'unknown',
		...(typeof ephemeral === 'boolean' ? { ephemeral } : {}),
	};
}
