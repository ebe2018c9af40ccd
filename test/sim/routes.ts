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
	/** The requested path, for calls about jobs and deliveries. */
	path?: string;
	jobId?: number;
	runId?: number;
	attempt?: number;
	hookId?: number;
	deliveryId?: number;
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

	const other = matchJobs(method, path) ?? matchRuns(method, path) ?? matchDeliveries(method, path);
	if (other !== undefined) return other;
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

const jobsPath =
	/^\/(repos\/[^/]+\/[^/]+)\/actions\/(?:jobs\/(\d+)|runs\/(\d+)(?:\/attempts\/(\d+))?\/jobs)$/;

function matchJobs(method: string, path: string): Route | undefined {
	const match = jobsPath.exec(path);
	if (match === null || method !== 'GET') return undefined;
	const [, scope = '', job, run, attempt] = match;
	const base = { path, scope: decodeURIComponent(scope) as Scope, kind: 'repos' } as const;
	const actions = `${prefixes.repos}/actions`;
	if (job !== undefined)
		return { ...base, endpoint: 'job', template: `${actions}/jobs/{job_id}`, jobId: Number(job) };
	const runId = Number(run);
	if (attempt === undefined)
		return { ...base, endpoint: 'jobs-of-run', template: `${actions}/runs/{run_id}/jobs`, runId };
	const template = `${actions}/runs/{run_id}/attempts/{attempt_number}/jobs`;
	return { ...base, endpoint: 'jobs-of-attempt', template, runId, attempt: Number(attempt) };
}

function matchRuns(method: string, path: string): Route | undefined {
	if (method !== 'GET') return undefined;
	const runs = /^\/(repos\/[^/]+\/[^/]+)\/actions\/runs$/.exec(path);
	const repositories = /^\/(orgs\/[^/]+)\/repos$/.exec(path);
	const groups = /^\/(orgs\/[^/]+|enterprises\/[^/]+)\/actions\/runner-groups$/.exec(path);
	const [, prefix] = runs ?? repositories ?? groups ?? [];
	if (prefix === undefined) return undefined;
	const scope = decodeURIComponent(prefix) as Scope;
	const kind = scope.slice(0, scope.indexOf('/')) as ScopeKind;
	const template = path.replace(`/${prefix}`, prefixes[kind]);
	const endpoint = runs ? 'runs' : repositories ? 'repositories' : 'runner-groups';
	return { endpoint, path, scope, kind, template };
}

const deliveriesPath =
	/^\/(repos\/[^/]+\/[^/]+|orgs\/[^/]+)\/hooks\/(\d+)\/deliveries(?:\/(\d+)(\/attempts)?)?$/;

function matchDeliveries(method: string, path: string): Route | undefined {
	const match = deliveriesPath.exec(path);
	if (match === null) return undefined;
	const [, prefix = '', hook, delivery, attempts] = match;
	if (method !== (attempts === undefined ? 'GET' : 'POST')) return undefined;
	const scope = decodeURIComponent(prefix) as Scope;
	const kind = scope.slice(0, scope.indexOf('/')) as ScopeKind;
	const template = `${prefixes[kind]}/hooks/{hook_id}/deliveries`;
	const base = { path, scope, kind, hookId: Number(hook) };
	if (delivery === undefined) return { ...base, endpoint: 'deliveries', template };
	const one = { ...base, deliveryId: Number(delivery), template: `${template}/{delivery_id}` };
	if (attempts === undefined) return { ...one, endpoint: 'delivery' };
	return { ...one, endpoint: 'redelivery', template: `${one.template}/attempts` };
}

/** GitHub's Link headers name repositories and organizations by number, and those addresses work too. */
function scopeOf(prefix: string, registry: Registry): Scope | undefined {
	const [kind, id] = prefix.split('/');
	if (kind === 'repositories') return registry.scopeOfNumber('repos', Number(id));
	if (kind === 'organizations') return registry.scopeOfNumber('orgs', Number(id));
	return prefix as Scope;
}
