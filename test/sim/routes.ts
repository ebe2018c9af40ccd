/** Which call of GitHub's REST API a request is. */
import type { Endpoint } from './answer.ts';
import type { Registry } from './registry.ts';
import type { Scope, ScopeKind } from './scope.ts';

export interface Route {
	endpoint: Endpoint;
	/** The path as GitHub's documentation writes it, e.g. `/orgs/{org}/actions/runners/{runner_id}`. */
	template: string;
	scope?: Scope;
	kind?: ScopeKind;
	runnerId?: number;
	installationId?: number;
}

const prefixes: Record<ScopeKind, string> = {
	repos: '/repos/{owner}/{repo}',
	orgs: '/orgs/{org}',
	enterprises: '/enterprises/{enterprise}',
};

/** @param path without the base path and the query; undefined: no such page. */
export function matchRoute(method: string, path: string, registry: Registry): Route {
	const unknown: Route = { endpoint: 'unknown', template: path };
	if (method === 'GET' && path === '/rate_limit') return { endpoint: 'rate-limit', template: path };

	const app = /^\/app\/installations\/(\d+)\/access_tokens$/.exec(path);
	if (app && method === 'POST') {
		const template = '/app/installations/{installation_id}/access_tokens';
		return { endpoint: 'access-token', template, installationId: Number(app[1]) };
	}

	const match =
		/^\/(repos\/[^/]+\/[^/]+|orgs\/[^/]+|enterprises\/[^/]+|repositories\/\d+|organizations\/\d+)\/actions\/runners(?:\/([^/]+))?$/.exec(
			path,
		);
	if (match === null) return unknown;
	const scope = scopeOf(decodeURIComponent(match[1]!), registry);
	if (scope === undefined) return unknown;
	const kind = scope.slice(0, scope.indexOf('/')) as ScopeKind;
	const base = `${prefixes[kind]}/actions/runners`;
	const last = match[2];

	if (last === undefined) {
		return method === 'GET'
			? { endpoint: 'list', template: base, scope, kind }
			: { ...unknown, template: base };
	}
	if (method === 'POST' && (last === 'registration-token' || last === 'remove-token')) {
		return { endpoint: last, template: `${base}/${last}`, scope, kind };
	}
	if ((method === 'GET' || method === 'DELETE') && /^\d+$/.test(last)) {
		const endpoint = method === 'GET' ? 'get' : 'delete';
		return { endpoint, template: `${base}/{runner_id}`, scope, kind, runnerId: Number(last) };
	}
	return unknown;
}

/** GitHub's Link headers name repositories and organizations by number, and those addresses work too. */
function scopeOf(prefix: string, registry: Registry): Scope | undefined {
	const [kind, id] = prefix.split('/');
	if (kind === 'repositories') return registry.scopeOfNumber('repos', Number(id));
	if (kind === 'organizations') return registry.scopeOfNumber('orgs', Number(id));
	return prefix as Scope;
}
