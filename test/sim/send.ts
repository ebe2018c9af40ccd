/** Writes an answer as GitHub's front end does: entity tags, rate limit headers, request id, compression. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import type { Answer } from './answer.ts';
import type { Call } from './calls.ts';
import type { PrimaryState } from './limits.ts';

/** Bodies from this size on are compressed for callers that accept it. */
const gzipFromBytes = 860;

/**
 * Adds the entity tag to a 200, or makes it a 304 where the caller has it already. GitHub's tags depend on the token
 * too: with a new installation token the same list has a new tag.
 */
export function tagged(request: IncomingMessage, answer: Answer): Answer {
	if (answer.status !== 200 || request.method !== 'GET' || typeof answer.body === 'string') return answer;
	const { authorization = '', 'if-none-match': known } = request.headers;
	const digest = createHash('sha256')
		.update(authorization.replace(/^\w+ +/, ''))
		.update(JSON.stringify(answer.body))
		.update(answer.headers.link ?? '')
		.digest('hex');
	const etag = `W/"${digest}"`;
	const headers: Record<string, string> = { ...answer.headers, etag };
	const strong = (tag: string) => tag.trim().replace(/^W\//, '');
	const same = known?.split(',').some((tag) => strong(tag) === strong(etag)) ?? false;
	if (!same) return { ...answer, headers };
	const { link: _link, ...others } = headers;
	return { status: 304, headers: others };
}

interface Sending {
	request: IncomingMessage;
	response: ServerResponse;
	call: Call;
	answer: Answer;
	/** undefined: without x-ratelimit headers. */
	quota: PrimaryState | undefined;
}

export function send({ request, response, call, answer, quota }: Sending): void {
	if (response.destroyed) return; // the caller has hung up
	const headers: Record<string, string> = {
		server: 'github.com',
		'x-github-request-id': call.requestId,
		'x-github-media-type': 'github.v3; format=json',
		'x-github-api-version-selected': '2022-11-28',
		vary: 'Accept, Authorization, Cookie, X-GitHub-OTP,Accept-Encoding, Accept, X-Requested-With',
		...(quota === undefined ? {} : quotaHeaders(quota)),
		...answer.headers,
	};
	if (answer.body === undefined) {
		response.writeHead(answer.status, headers).end();
		return;
	}
	const json = typeof answer.body !== 'string' || call.fault === 'broken-json';
	headers['content-type'] ??= json ? 'application/json; charset=utf-8' : 'text/html; charset=utf-8';
	let bytes = Buffer.from(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
	if (bytes.length >= gzipFromBytes && /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))) {
		bytes = gzipSync(bytes, { level: 1 });
		headers['content-encoding'] = 'gzip';
	}
	headers['content-length'] = String(bytes.length);
	response.writeHead(answer.status, headers).end(bytes);
}

function quotaHeaders(quota: PrimaryState): Record<string, string> {
	return {
		'x-ratelimit-limit': String(quota.limit),
		'x-ratelimit-remaining': String(quota.remaining),
		'x-ratelimit-used': String(quota.used),
		'x-ratelimit-reset': String(Math.ceil(quota.resetAtMs / 1000)),
		'x-ratelimit-resource': 'core',
	};
}
