/** Faults at GitHub, of requests and of responses. A test selects the calls that are affected. */
import {
	type Answer,
	badCredentials,
	type Endpoint,
	failure,
	forbidden,
	type forbiddenMessages,
	notFound,
	primaryLimit,
	secondaryLimit,
	serverError,
} from './answer.ts';
import type { Route } from './routes.ts';
import { type Scope, scopeKey } from './scope.ts';

export type Fault =
	| { kind: 'unauthorized' }
	| { kind: 'forbidden'; who?: keyof typeof forbiddenMessages }
	/** Uses up the caller's quota: every later call is refused too, until the reset. */
	| { kind: 'primary-limit'; resetInMs: number; status?: 403 | 429 }
	/** Without `retryAfterS` the answer has no Retry-After: GitHub then expects at least a minute without calls. */
	| { kind: 'secondary-limit'; retryAfterS?: number; status?: 403 | 429 }
	| { kind: 'not-found' }
	| { kind: 'unprocessable'; message: string }
	| { kind: 'server-error'; status: 500 | 502 | 503 | 504 }
	/** The regular answer, late. `effect`: whether the request takes effect before the wait or after it. */
	| { kind: 'slow'; delayMs: number; effect?: 'before' | 'after' }
	/** Any status with any body: a proxy's page, for instance. */
	| { kind: 'answer'; status: number; body?: unknown; headers?: Record<string, string> }
	/** The body of the regular answer, truncated, so it is not JSON. */
	| { kind: 'broken-json' }
	/** The connection is cut: before the request takes effect, or after it with the answer lost. */
	| { kind: 'reset'; effect?: 'none' | 'done' }
	/** Never answers. */
	| { kind: 'hang' }
	/** A list without its Link header; one that points to its own page; one that is not a Link; one to another host. */
	| { kind: 'wrong-link'; link: 'missing' | 'same-page' | 'malformed' | 'other-host' }
	| { kind: 'wrong-total'; total: number }
	/** A list without these runners, or without any. */
	| { kind: 'incomplete-list'; without: readonly string[] | 'all' };

export interface FaultRule {
	fault: Fault;
	endpoint?: Endpoint;
	method?: string;
	scope?: Scope;
	runnerId?: number;
	/** Matching calls to let through first. */
	skip?: number;
	/** Matching calls to hit; without it, until cleared. */
	times?: number;
}

export interface FaultHandle {
	/** Calls it has hit so far. */
	hits(): number;
	clear(): void;
}

interface Armed {
	rule: FaultRule;
	seen: number;
	hits: number;
}

export class Faults {
	#armed: Armed[] = [];

	add(rule: FaultRule): FaultHandle {
		const armed: Armed = { rule, seen: 0, hits: 0 };
		this.#armed.push(armed);
		return {
			hits: () => armed.hits,
			clear: () => {
				this.#armed = this.#armed.filter((other) => other !== armed);
			},
		};
	}

	clear(): void {
		this.#armed = [];
	}

	/** The fault for this call, the first rule that fits. Counts the call against the rule. */
	take(method: string, route: Route): Fault | undefined {
		for (const armed of this.#armed) {
			const { rule } = armed;
			if (!fits(rule, method, route)) continue;
			armed.seen++;
			if (armed.seen <= (rule.skip ?? 0)) continue;
			if (rule.times !== undefined && armed.hits >= rule.times) continue;
			armed.hits++;
			return rule.fault;
		}
		return undefined;
	}
}

function fits(rule: FaultRule, method: string, route: Route): boolean {
	if (rule.endpoint !== undefined && rule.endpoint !== route.endpoint) return false;
	if (rule.method !== undefined && rule.method !== method) return false;
	if (rule.runnerId !== undefined && rule.runnerId !== route.runnerId) return false;
	if (rule.scope === undefined) return true;
	return route.scope !== undefined && scopeKey(rule.scope) === scopeKey(route.scope);
}

/** The answer in place of the regular one; undefined: the regular one is used, and then altered. */
export function replacement(fault: Fault, page: string, requestId: string, who: string): Answer | undefined {
	switch (fault.kind) {
		case 'unauthorized':
			return badCredentials();
		case 'forbidden':
			return forbidden(fault.who ?? 'personal-token', page);
		case 'primary-limit':
			return primaryLimit(who, requestId, fault.status);
		case 'secondary-limit':
			return secondaryLimit(fault.retryAfterS, requestId, fault.status);
		case 'not-found':
			return notFound(page);
		case 'unprocessable':
			return failure(422, fault.message, page);
		case 'server-error':
			return serverError(fault.status);
		case 'answer':
			return { status: fault.status, headers: fault.headers ?? {}, body: fault.body };
		default:
			return undefined;
	}
}

/** The regular answer, altered. */
export function altered(fault: Fault, answer: Answer, ownUrl: string): Answer {
	const list = answer.body as { total_count: number; runners: { name: string }[] } | undefined;
	if (fault.kind === 'broken-json') {
		const text = JSON.stringify(answer.body ?? {});
		return { ...answer, body: text.slice(0, Math.max(1, Math.floor(text.length / 2))) };
	}
	if (answer.status !== 200 || !Array.isArray(list?.runners)) return answer;
	const { link: _link, ...headers } = answer.headers;
	switch (fault.kind) {
		case 'wrong-link':
			if (fault.link === 'missing') return { ...answer, headers };
			if (fault.link === 'same-page')
				return { ...answer, headers: { ...headers, link: `<${ownUrl}>; rel="next"` } };
			if (fault.link === 'malformed') return { ...answer, headers: { ...headers, link: 'next: page two' } };
			return { ...answer, headers: { ...headers, link: '<http://203.0.113.9/next?page=2>; rel="next"' } };
		case 'wrong-total':
			return { ...answer, body: { ...list, total_count: fault.total } };
		case 'incomplete-list': {
			const { without } = fault;
			const runners = list.runners.filter((runner) => without !== 'all' && !without.includes(runner.name));
			return { ...answer, body: { total_count: runners.length, runners } };
		}
		default:
			return answer;
	}
}
