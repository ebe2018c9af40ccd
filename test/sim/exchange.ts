/**
 * One HTTP exchange with the simulator, from the request's head to its answer: first the caller, then GitHub's limits,
 * then faults, then the regular answer.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, docsOf, primaryLimit, secondaryLimit } from './answer.ts';
import type { Call } from './calls.ts';
import type { Caller, Credentials } from './credentials.ts';
import { altered, type Fault, type Faults, replacement } from './faults.ts';
import { anonymousId, type Limits } from './limits.ts';
import type { Registry } from './registry.ts';
import { matchRoute, type Route } from './routes.ts';
import { send, tagged } from './send.ts';
import type { Service } from './service.ts';

export interface Parts {
	registry: Registry;
	credentials: Credentials;
	limits: Limits;
	faults: Faults;
	service: Service;
	calls: Call[];
	basePath: string;
	rateLimits: boolean;
	baseUrl: () => string;
	now: () => number;
}

/** Callers without a valid token share the limit of their address. */
const anonymous: Caller = { id: anonymousId, label: '203.0.113.7', access: { who: 'personal-token' } };

/** Calls with a JWT, before its app is known. */
const anyApp: Caller = { id: 'app', label: 'the app', access: { who: 'app' } };

interface Question {
	request: IncomingMessage;
	url: URL;
	path: string;
	route: Route;
	call: Call;
	caller: Caller;
	/** GitHub's answer to bad credentials. */
	refusal: Answer | undefined;
}

export async function exchange(
	parts: Parts,
	request: IncomingMessage,
	response: ServerResponse,
): Promise<void> {
	request.resume(); // none of these calls has a body that matters
	const question = understand(parts, request);
	const { call, caller } = question;
	parts.calls.push(call);
	const counted = parts.rateLimits && call.endpoint !== 'rate-limit';
	const finish = (answer: Answer) => {
		call.status = answer.status;
		call.tookMs = parts.now() - call.atMs;
		send({ request, response, call, answer, quota: quotaFor(parts, question, call.fault, answer) });
	};

	if (call.userAgent === '') return finish(withoutUserAgent());
	const waitS = counted
		? parts.limits.enter(caller.id, call.method === 'GET' ? 1 : 5, parts.now())
		: undefined;
	if (waitS !== undefined) return finish(secondaryLimit(waitS, call.requestId));
	try {
		const answer = await withFaults(parts, question);
		if (answer === undefined) return;
		if (counted && answer.status !== 304) parts.limits.spend(caller.id, parts.now());
		finish(answer);
	} finally {
		if (counted) parts.limits.leave(caller.id);
	}
}

function understand(parts: Parts, request: IncomingMessage): Question {
	const url = new URL(request.url ?? '/', 'http://simulator');
	const method = request.method ?? 'GET';
	const inBase = parts.basePath === '' || url.pathname.startsWith(`${parts.basePath}/`);
	const path = inBase ? url.pathname.slice(parts.basePath.length) : url.pathname;
	const route: Route = inBase
		? matchRoute(method, path, parts.registry)
		: { endpoint: 'unknown', template: path };

	const { authorization } = request.headers;
	const isApp = route.endpoint === 'access-token';
	const who = isApp ? { caller: anyApp } : parts.credentials.authenticate(authorization, parts.now());
	const caller = 'caller' in who ? who.caller : anonymous;
	const call: Call = {
		atMs: parts.now(),
		endpoint: route.endpoint,
		method,
		template: route.template,
		query: url.search,
		status: 0,
		tookMs: 0,
		auth: authorization === undefined ? 'none' : caller.id,
		userAgent: request.headers['user-agent'] ?? '',
		requestId: randomBytes(8).toString('hex').toUpperCase(),
		...(route.scope === undefined ? {} : { scope: route.scope }),
		...(route.runnerId === undefined ? {} : { runnerId: route.runnerId }),
	};
	return { request, url, path, route, call, caller, refusal: 'refusal' in who ? who.refusal : undefined };
}

/** The answer after a fault was applied; undefined: no answer, the connection was cut. */
async function withFaults(parts: Parts, question: Question): Promise<Answer | undefined> {
	const { request, call, route, caller, url, path } = question;
	const fault = parts.faults.take(call.method, route);
	if (fault === undefined) return tagged(request, rightAnswer(parts, question));
	call.fault = fault.kind;

	const instead = replacement(fault, docsOf(route.endpoint, route.kind), call.requestId, caller.label);
	if (instead !== undefined) {
		if (fault.kind === 'primary-limit') {
			parts.limits.setOne(caller.id, { remaining: 0, resetAtMs: parts.now() + fault.resetInMs }, parts.now());
		}
		return instead;
	}
	switch (fault.kind) {
		case 'hang':
			await once(request.socket, 'close');
			return undefined;
		case 'reset':
			if (fault.effect === 'done') rightAnswer(parts, question);
			request.socket.resetAndDestroy();
			return undefined;
		case 'slow':
			return slowly(fault, () => tagged(request, rightAnswer(parts, question)));
		default:
			return tagged(
				request,
				altered(fault, rightAnswer(parts, question), `${parts.baseUrl()}${path}${url.search}`),
			);
	}
}

async function slowly(fault: Extract<Fault, { kind: 'slow' }>, act: () => Answer): Promise<Answer> {
	const early = fault.effect === 'before' ? act() : undefined;
	await sleep(fault.delayMs, undefined, { ref: false });
	return early ?? act();
}

/** GitHub's answer without faults. */
function rightAnswer(parts: Parts, question: Question): Answer {
	const { route, call, caller, refusal, url, request } = question;
	const nowMs = parts.now();
	if (route.endpoint === 'access-token') {
		return parts.service.installationToken(route, request.headers.authorization, nowMs);
	}
	const limited = parts.rateLimits && route.endpoint !== 'rate-limit';
	if (limited && parts.limits.primary(caller.id, nowMs).remaining === 0) {
		return primaryLimit(caller.label, call.requestId);
	}
	return refusal ?? parts.service.answer(route, url.searchParams, caller, nowMs);
}

function withoutUserAgent(): Answer {
	const body =
		'Request forbidden by administrative rules. Please make sure your request has a User-Agent header.\n';
	return { status: 403, headers: { 'content-type': 'text/plain; charset=utf-8' }, body };
}

/** The caller's quota for the x-ratelimit headers; GitHub's front end (502 and the like) and GHES send none. */
function quotaFor(parts: Parts, question: Question, fault: string | undefined, answer: Answer) {
	const frontEnd = fault === 'answer' || (fault === 'server-error' && answer.status !== 500);
	if (!parts.rateLimits || frontEnd || question.call.userAgent === '') return undefined;
	return parts.limits.primary(question.caller.id, parts.now());
}
