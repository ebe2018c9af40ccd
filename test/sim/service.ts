/** What each call does and answers without faults. The caller has already been authorized. */
import { randomBytes } from 'node:crypto';
import { type Answer, type BusyMessage, docsOf, failure, forbidden, notFound, runnerBusy } from './answer.ts';
import { type Caller, type Credentials, mayUse } from './credentials.ts';
import type { JobService } from './job-service.ts';
import type { LieRule, Lies } from './lies.ts';
import type { Limits } from './limits.ts';
import { whole } from './pages.ts';
import { implicitLabels, type Registry, type Runner } from './registry.ts';
import type { Route } from './routes.ts';
import type { RunService } from './run-service.ts';
import { type Scope, scopeKey, scopeKind } from './scope.ts';

interface ServiceOptions {
	busyMessage: BusyMessage;
	/** false: GitHub Enterprise Server as installed, which has no rate limits and says so. */
	rateLimits: boolean;
	/** 1 h on GitHub. */
	registrationTokenTtlMs: number;
	/** Base of the addresses in Link headers. */
	baseUrl: () => string;
}

/** Kept by GitHub.com on lists and single runners: a private cache may keep them for a minute. */
const cacheControl = 'private, max-age=60, s-maxage=60';

export class Service {
	readonly #registry: Registry;
	readonly #limits: Limits;
	readonly #lies: Lies;
	readonly #credentials: Credentials;
	readonly #jobs: JobService;
	readonly #runs: RunService;
	readonly #options: ServiceOptions;
	/** Token -> what it is for. */
	readonly #runnerTokens = new Map<
		string,
		{ use: 'register' | 'remove'; scope: Scope; expiresAtMs: number }
	>();

	constructor(
		registry: Registry,
		limits: Limits,
		credentials: Credentials,
		lies: Lies,
		jobs: JobService,
		runs: RunService,
		options: ServiceOptions,
	) {
		this.#registry = registry;
		this.#limits = limits;
		this.#lies = lies;
		this.#jobs = jobs;
		this.#runs = runs;
		this.#credentials = credentials;
		this.#options = options;
	}

	/** Every registration and removal token that was given out. */
	givenTokens(): string[] {
		return [...this.#runnerTokens.keys()];
	}

	/** Whether a registration token works for a scope now; an agent asks this before it registers. */
	registrationTokenWorks(token: string, scope: Scope, nowMs: number): boolean {
		const known = this.#runnerTokens.get(token);
		return (
			known?.use === 'register' && scopeKey(known.scope) === scopeKey(scope) && nowMs < known.expiresAtMs
		);
	}

	answer(route: Route, query: URLSearchParams, caller: Caller, nowMs: number): Answer {
		const { endpoint, scope, kind } = route;
		if (endpoint === 'rate-limit') return this.#rateLimit(caller, nowMs);
		const page = docsOf(endpoint, kind);
		if (scope === undefined || !this.#registry.has(scope)) return notFound(page);
		// A credential of an organization reads the jobs of its repositories.
		const about: Scope = route.path && kind === 'repos' ? `orgs/${scope.split('/')[1]}` : scope;
		if (!mayUse(caller.access, scope) && !mayUse(caller.access, about)) {
			// GitHub hides what a caller may not see: the same 404 as for a runner that is gone.
			return kind === 'orgs' ? forbidden(caller.access.who, page) : notFound(page);
		}
		switch (endpoint) {
			case 'list':
				return this.#list(scope, query, nowMs);
			case 'get': {
				const runner = this.#runnerOf(scope, route.runnerId);
				const lie = runner && this.#lies.about(runner, nowMs);
				if (runner === undefined || lie === 'absent') return notFound(page);
				return { status: 200, headers: { 'cache-control': cacheControl }, body: present(runner, lie) };
			}
			case 'delete': {
				const runner = this.#runnerOf(scope, route.runnerId);
				const lie = runner && this.#lies.about(runner, nowMs);
				if (runner === undefined || lie === 'absent') return notFound(page);
				if (runner.busy && lie !== 'idle') return runnerBusy(runner.name, this.#options.busyMessage, page);
				this.#registry.remove(runner.id, 'api');
				return { status: 204, headers: {} };
			}
			case 'registration-token':
			case 'remove-token':
				return this.#runnerToken(scope, endpoint === 'registration-token' ? 'register' : 'remove', nowMs);
			case 'unknown':
			case 'access-token':
				return notFound(page);
			case 'runs':
			case 'repositories':
			case 'runner-groups':
				return this.#runs.answer(route, scope, query);
			default:
				return this.#jobs.answer(route, query);
		}
	}

	/** POST /app/installations/{installation_id}/access_tokens, called with an app's JWT. */
	installationToken(
		route: Route,
		authorization: string | undefined,
		nowMs: number,
	): Answer & { appId?: number } {
		const who = this.#credentials.authenticateApp(authorization, nowMs);
		if ('refusal' in who) return who.refusal;
		if (who.app.installationId !== route.installationId) return notFound(docsOf('access-token'));
		const { token, expiresAtMs } = this.#credentials.issueInstallationToken(who.app, nowMs);
		const body = {
			token,
			expires_at: new Date(expiresAtMs).toISOString().replace(/\.\d+Z$/, 'Z'),
			permissions: {
				actions: 'read',
				administration: 'write',
				metadata: 'read',
				organization_self_hosted_runners: 'write',
			},
			repository_selection: 'all',
		};
		return {
			status: 201,
			headers: { 'cache-control': 'public, max-age=60, s-maxage=60' },
			body,
			appId: who.app.appId,
		};
	}

	#runnerOf(scope: Scope, id: number | undefined): Runner | undefined {
		const runner = id === undefined ? undefined : this.#registry.get(id);
		return runner !== undefined && scopeKey(runner.scope) === scopeKey(scope) ? runner : undefined;
	}

	#list(scope: Scope, query: URLSearchParams, nowMs: number): Answer {
		const perPage = Math.min(whole(query.get('per_page'), 30), 100);
		const page = whole(query.get('page'), 1);
		const name = query.get('name');
		const all = this.#registry
			.list(scope)
			.filter((runner) => name === null || runner.name === name)
			.map((runner) => ({ runner, lie: this.#lies.about(runner, nowMs) }))
			.filter(({ lie }) => lie !== 'absent');
		const runners = all
			.slice((page - 1) * perPage, page * perPage)
			.map(({ runner, lie }) => present(runner, lie));
		const headers: Record<string, string> = { 'cache-control': cacheControl };
		const link = this.#link(scope, query, page, Math.max(1, Math.ceil(all.length / perPage)));
		if (link !== '') headers.link = link;
		return { status: 200, headers, body: { total_count: all.length, runners } };
	}

	/** GitHub's addresses in Link headers name repositories and organizations by number, not by name. */
	#link(scope: Scope, query: URLSearchParams, page: number, lastPage: number): string {
		const number = this.#registry.numberOf(scope);
		const kind = scopeKind(scope);
		const prefix =
			kind === 'repos' ? `repositories/${number}` : kind === 'orgs' ? `organizations/${number}` : scope;
		const to = (target: number, rel: string) => {
			const parameters = new URLSearchParams(query);
			parameters.set('page', String(target));
			return `<${this.#options.baseUrl()}/${prefix}/actions/runners?${parameters}>; rel="${rel}"`;
		};
		const links: string[] = [];
		if (page > 1) links.push(to(Math.min(page - 1, lastPage), 'prev'));
		if (page < lastPage) links.push(to(page + 1, 'next'), to(lastPage, 'last'));
		if (page > 1) links.push(to(1, 'first'));
		return links.join(', ');
	}

	#runnerToken(scope: Scope, use: 'register' | 'remove', nowMs: number): Answer {
		const token = `A${randomBytes(18).toString('hex').toUpperCase().slice(0, 28)}`;
		const expiresAtMs = nowMs + this.#options.registrationTokenTtlMs;
		this.#runnerTokens.set(token, { use, scope, expiresAtMs });
		// GitHub's form here is its own zone's, with milliseconds: "2026-01-22T12:13:35.123-08:00".
		const local = new Date(expiresAtMs - 8 * 3_600_000).toISOString().replace('Z', '-08:00');
		return { status: 201, headers: {}, body: { token, expires_at: local } };
	}

	#rateLimit(caller: Caller, nowMs: number): Answer {
		if (!this.#options.rateLimits) return failure(404, 'Rate limiting is not enabled.', docsOf('rate-limit'));
		const core = inSeconds(this.#limits.primary(caller.id, nowMs));
		const reset = Math.floor(nowMs / 1000) + 60;
		const search = { limit: 30, remaining: 30, used: 0, reset };
		const resources = {
			core,
			search,
			actions_runner_registration: { ...search, limit: 10_000, remaining: 10_000 },
		};
		return { status: 200, headers: { 'cache-control': 'no-cache' }, body: { resources, rate: core } };
	}
}

function inSeconds(state: { limit: number; remaining: number; used: number; resetAtMs: number }) {
	const { limit, remaining, used, resetAtMs } = state;
	return { limit, remaining, used, reset: Math.ceil(resetAtMs / 1000) };
}

/** A runner as the API shows it. */
function present(runner: Runner, lie?: LieRule['says']) {
	const own = runner.kind === 'classic' ? implicitLabels(runner) : [];
	return {
		id: runner.id,
		name: runner.name,
		os: runner.os,
		status: runner.status,
		busy: runner.shownBusy && lie !== 'idle',
		ephemeral: runner.ephemeral,
		version: '2.335.0',
		labels: [
			...own.map((name, index) => ({ id: 1 + index, name, type: 'read-only' })),
			...runner.labels.map((name, index) => ({ id: 100 + index, name, type: 'custom' })),
		],
		...(scopeKind(runner.scope) === 'repos' ? {} : { runner_group_id: runner.groupId }),
	};
}
