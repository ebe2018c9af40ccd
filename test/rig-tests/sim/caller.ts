/** Calls the simulator as a plain HTTP client: nothing of the product's own client is used in these tests. */
import type { GitHub, Scope } from '../../sim/simulator.ts';

export interface Reply {
	status: number;
	headers: Headers;
	body: Body;
}

/** The fields of all bodies that tests look into; which of them are there, the schemas check. */
interface Body {
	message: string;
	documentation_url: string;
	total_count: number;
	runners: { id: number; name: string; busy: boolean }[];
	busy: boolean;
	token: string;
	expires_at: string;
	resources: { core: { remaining: number } };
	jobs: { id: number; runner_name: string | null; status: string; conclusion: string | null }[];
}

export async function ask(
	github: GitHub,
	path: string,
	init: {
		method?: string;
		token?: string | null;
		headers?: Record<string, string>;
		signal?: AbortSignal;
	} = {},
): Promise<Reply> {
	const { method = 'GET', token = 'test-token', headers = {}, signal } = init;
	const url = path.startsWith('http') ? path : github.url + path;
	const response = await fetch(url, {
		method,
		headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...headers },
		...(signal === undefined ? {} : { signal }),
	});
	const text = await response.text();
	const json = response.headers.get('content-type')?.startsWith('application/json') ?? false;
	return {
		status: response.status,
		headers: response.headers,
		body: (json ? JSON.parse(text) : text) as Body,
	};
}

export const scopes: Scope[] = ['repos/octo-org/app', 'orgs/octo-org', 'enterprises/octo'];

export function runnersPath(scope: Scope): string {
	return `/${scope}/actions/runners`;
}

/** Registers `count` idle runners named r-0, r-1, ... and returns their ids. */
export function addRunners(github: GitHub, scope: Scope, count: number): number[] {
	return Array.from({ length: count }, (_, index) => github.addRunner({ scope, name: `r-${index}` }));
}

/** The address with this relation in a Link header. */
export function linkOf(reply: Reply, rel: string): string | undefined {
	for (const part of (reply.headers.get('link') ?? '').split(', ')) {
		const match = /^<([^>]+)>; rel="(\w+)"$/.exec(part);
		if (match?.[2] === rel) return match[1];
	}
	return undefined;
}
