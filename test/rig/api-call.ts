import { Agent, request } from 'node:https';
import type { ClusterAccess } from '../sim/cluster-access.ts';

/** What the API server answered, whatever the status; the body is the object or a metav1.Status. */
export interface Answer {
	status: number;
	message: string;
	body: Record<string, unknown>;
	tookMs: number;
}

/** Sends any one request as any user, which kubectl can't (preconditions, grace periods, other controllers' names). */
export type ApiCall = (
	method: string,
	path: string,
	options?: {
		body?: object;
		/** In place of `body`. */
		text?: string;
		as?: string;
		/** Of that user; default system:masters, who may do everything. */
		groups?: string[];
		/** Of a service account, in place of the admin's certificate. */
		token?: string;
		/** The body's content type; default application/json. */
		type?: string;
	},
) => Promise<Answer>;

/** `access` must be an admin's: `as` impersonates that user, in these groups. */
export function apiCalls(access: ClusterAccess): { call: ApiCall; stop(): void } {
	const { ca, cert, key } = access;
	const agent = new Agent({ keepAlive: true, maxSockets: 64, ca, cert, key });
	const withoutCertificate = new Agent({ keepAlive: true, maxSockets: 64, ca });
	const call: ApiCall = (
		method,
		path,
		{
			body,
			text = body ? JSON.stringify(body) : '',
			as,
			groups = ['system:masters'],
			token,
			type = 'application/json',
		} = {},
	) =>
		new Promise((resolve, reject) => {
			const startedMs = performance.now();
			const headers: Record<string, string | number | string[]> = { accept: 'application/json' };
			// Node itself sends a DELETE's body without its length, and the server takes it for the next request.
			if (text)
				Object.assign(headers, {
					'content-type': type,
					'content-length': Buffer.byteLength(text),
				});
			if (as) Object.assign(headers, { 'impersonate-user': as, 'impersonate-group': groups });
			if (token) Object.assign(headers, { authorization: `Bearer ${token}` });
			const sent = request(new URL(path, access.server), {
				method,
				agent: token ? withoutCertificate : agent,
				headers,
				timeout: 30_000,
			});
			sent.once('timeout', () => sent.destroy(new Error(`${method} ${path}: no answer within 30 s`)));
			sent.once('error', reject);
			sent.once('response', async (response) => {
				try {
					const answer = Buffer.concat(await response.toArray()).toString();
					const parsed = JSON.parse(answer || '{}') as Record<string, unknown>;
					const tookMs = performance.now() - startedMs;
					resolve({
						status: response.statusCode ?? 0,
						message: String(parsed.message ?? ''),
						body: parsed,
						tookMs,
					});
				} catch (error) {
					reject(error);
				}
			});
			sent.end(text);
		});
	return {
		call,
		stop() {
			agent.destroy();
			withoutCertificate.destroy();
		},
	};
}

/** An Eviction as drainers send it. */
export function evict(
	call: ApiCall,
	namespace: string,
	name: string,
	deleteOptions: object = {},
	as?: string,
): Promise<Answer> {
	const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace }, deleteOptions };
	return call('POST', `/api/v1/namespaces/${namespace}/pods/${name}/eviction`, as ? { body, as } : { body });
}

/** A plain DELETE with DeleteOptions. */
export function remove(
	call: ApiCall,
	namespace: string,
	name: string,
	options: object = {},
	as?: string,
): Promise<Answer> {
	const body = { apiVersion: 'v1', kind: 'DeleteOptions', ...options };
	return call('DELETE', `/api/v1/namespaces/${namespace}/pods/${name}`, as ? { body, as } : { body });
}

/** How often a request is sent to which the guard gives no verdict. */
const mostTries = 10;
const unjudged =
	/failed calling webhook .*context deadline exceeded|could NOT be recorded: ask again|Nothing is recorded: try again/;

/**
 * Asked until the guard has judged: on a machine with too much to do the API server gives up on the webhook after 5 s, which
 * refuses as well (failurePolicy Fail), or does not answer the guard in time, which then says that nothing is recorded.
 *
 * @param said what the caller was answered
 */
export async function untilJudged<T>(ask: () => Promise<T>, said: (answer: T) => string): Promise<T> {
	for (let tries = 1; ; tries++) {
		const answer = await ask();
		if (tries === mostTries || !unjudged.test(said(answer))) return answer;
	}
}

/** See untilJudged. */
export const judged = (ask: () => Promise<Answer>): Promise<Answer> =>
	untilJudged(ask, ({ message }) => message);
