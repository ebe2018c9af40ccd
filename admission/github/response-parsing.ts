import { longestRateLimitMs, unknownRateLimitMs } from './policy.ts';
import { type GitHubFailure, type Quota, type Scope, scopeKey } from './types.ts';

type Headers = Record<string, string | number | undefined>;

/** One HTTP answer, whatever its status. */
export interface HttpAnswer {
	status: number;
	headers: Headers;
	/** Parsed JSON; the text if it is not JSON. */
	body: unknown;
}

/** The quota in the headers; undefined if there is none: GitHub Enterprise Server sends it only if limits are on (F10). */
export function readQuota(headers: Headers, nowMs: number): Quota | undefined {
	const remaining = readNumber(headers, 'x-ratelimit-remaining');
	const resetAtMs = resetTime(headers, nowMs);
	if (remaining === undefined || resetAtMs === undefined) return undefined;
	return { limit: readNumber(headers, 'x-ratelimit-limit'), remaining, resetAtMs };
}

/**
 * What a status means that is not an expected answer of its endpoint. (The caller handles those itself: 204, 404 and 422
 * to DELETE, 200 and 304 to a list.) Statuses are read as GitHub documents them; an unknown one counts as
 * "unavailable", also an unexpected 2xx.
 *
 * @param what what was asked, for messages: "list runners of octo-org/app"
 * @param permission what the credential needs for it, for messages
 */
export function failureOf(
	answer: HttpAnswer,
	what: string,
	permission: string,
	nowMs: number,
): GitHubFailure {
	const { status, headers } = answer;
	const message = `GitHub answered ${status}${quote(answer.body)}`;
	const said = `${what}: ${message}`;

	if (status === 401) return { kind: 'credentials-invalid', detail: said, detailElsewhere: message };
	if (status === 429 || (status === 403 && isRateLimit(answer))) {
		const retryAtMs = nowMs + rateLimitMs(headers, nowMs);
		// The time comes first: a denial is cut at 200 characters.
		const until = `until ${new Date(retryAtMs).toISOString()}`;
		return {
			kind: 'rate-limited',
			detail: `${until}: ${said}`,
			detailElsewhere: `${until}: ${message}`,
			retryAtMs,
		};
	}
	if (status === 403) {
		const asks = headers['x-accepted-github-permissions'];
		const sso = headers['x-github-sso'] ? '; the token must be authorized for SAML single sign-on' : '';
		const needs = asks ? `${permission} (GitHub names: ${asks})` : permission;
		return { kind: 'forbidden', detail: `${said}; the credential needs ${needs}${sso}` };
	}
	return { kind: 'github-unavailable', detail: said, detailElsewhere: `GitHub answered ${status}` };
}

/** The permission that a credential needs to list and remove runners (GitHub's REST reference, "Self-hosted runners"). */
export function permissionFor(scope: Scope): string {
	const at = scopeKey(scope);
	switch (scope.kind) {
		case 'repository':
			return `"Administration" read and write on ${at} (classic token: repo)`;
		case 'organization':
			return `"Self-hosted runners" read and write on ${at} (classic token: admin:org)`;
		case 'enterprise':
			return `manage_runners:enterprise on ${scope.name} (classic token)`;
	}
}

/** GitHub's message in an error body; undefined if there is none, as in a proxy's HTML page. */
export function messageOf(body: unknown): string | undefined {
	if (typeof body !== 'object' || body === null || !('message' in body)) return undefined;
	return typeof body.message === 'string' ? body.message.replace(/\s+/g, ' ').slice(0, 200) : undefined;
}

function quote(body: unknown): string {
	const message = messageOf(body);
	return message ? ` "${message}"` : '';
}

/** A 403 is a missing permission or a rate limit. Older GitHub Enterprise Servers call the secondary one "abuse detection". */
export function isRateLimit({ headers, body }: HttpAnswer): boolean {
	if (readNumber(headers, 'x-ratelimit-remaining') === 0) return true;
	if (headers['retry-after'] !== undefined) return true;
	return /rate limit|abuse detection/i.test(messageOf(body) ?? '');
}

/** How long to wait, ms: the longer of Retry-After and, if the primary quota is used up, the time to its reset. */
function rateLimitMs(headers: Headers, nowMs: number): number {
	const waits: number[] = [];
	const retryAfter = headers['retry-after'];
	if (retryAfter !== undefined) {
		const seconds = readNumber(headers, 'retry-after');
		const byDate = Date.parse(String(retryAfter)) - serverNow(headers, nowMs);
		waits.push(seconds === undefined ? byDate : seconds * 1000);
	}
	if (readNumber(headers, 'x-ratelimit-remaining') === 0 || waits.length === 0) {
		const resetAtMs = resetTime(headers, nowMs);
		if (resetAtMs !== undefined) waits.push(resetAtMs - nowMs);
	}
	const usable = waits.filter((ms) => Number.isFinite(ms));
	if (usable.length === 0) return unknownRateLimitMs;
	return Math.min(longestRateLimitMs, Math.max(1_000, ...usable));
}

/** x-ratelimit-reset by our clock, ms since the epoch: the Date header shows how far GitHub's clock differs from ours. */
function resetTime(headers: Headers, nowMs: number): number | undefined {
	const resetSeconds = readNumber(headers, 'x-ratelimit-reset');
	if (resetSeconds === undefined) return undefined;
	return nowMs + Math.min(longestRateLimitMs, resetSeconds * 1000 - serverNow(headers, nowMs));
}

function serverNow(headers: Headers, nowMs: number): number {
	const date = Date.parse(String(headers.date ?? ''));
	return Number.isNaN(date) ? nowMs : date;
}

function readNumber(headers: Headers, name: string): number | undefined {
	const value = headers[name];
	return value !== undefined && /^\d+$/.test(String(value)) ? Number(value) : undefined;
}
