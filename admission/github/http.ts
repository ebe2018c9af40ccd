import { Octokit } from '@octokit/rest';
import type { Clock } from '../time/clock.ts';
import { DeadlineExceeded, withDeadline } from '../time/deadline.ts';
import { type Fetch, fetchByNode } from './fetch.ts';
import type { HttpAnswer } from './response-parsing.ts';
import type { CallReport, GitHubFailure } from './types.ts';

interface HttpOptions {
	/** Base that paths are joined to: https://api.github.com, or https://HOST/api/v3 of an Enterprise Server. */
	apiUrl: string;
	userAgent: string;
	clock: Pick<Clock, 'monotonic' | 'after'>;
	/** Default: over node:https. */
	fetch?: Fetch | undefined;
	/** Texts that must never be printed; tokens that GitHub hands out are added. */
	secrets: Set<string>;
	onCall?: ((call: Omit<CallReport, 'account'>) => void) | undefined;
}

export interface HttpRequest {
	/** An Octokit route: 'DELETE /orgs/{org}/actions/runners/{runner_id}'. */
	route: string;
	parameters: Record<string, string | number>;
	headers: Record<string, string>;
	endpoint: CallReport['endpoint'];
	timeoutMs: number;
	signal?: AbortSignal | undefined;
}

export type HttpResult =
	| HttpAnswer
	| { abandoned: true; failure: GitHubFailure }
	| { abandoned?: false; failure: GitHubFailure };

const quiet = () => {};

/**
 * One HTTP call to GitHub's REST API. Its result is a value: an answer of any status, or why there is none. Octokit is
 * configured here and nowhere else, without its retries, hooks and logging (it would log every call).
 */
export class Http {
	readonly #octokit: Octokit;
	readonly #origin: string;
	readonly #options: HttpOptions;
	/** For messages: ' through the proxy http://proxy:3128', or empty. */
	readonly #via: string;

	constructor(options: HttpOptions) {
		const baseUrl = options.apiUrl.replace(/\/+$/, '');
		this.#options = options;
		this.#origin = new URL(baseUrl).origin;
		const fetch = options.fetch ?? fetchByNode;
		this.#via = fetch.via === undefined ? '' : ` through the proxy ${fetch.via}`;
		this.#octokit = new Octokit({
			baseUrl,
			userAgent: options.userAgent,
			log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
			request: { fetch },
		});
	}

	/** Sends one call. Never throws; aborting `request.signal` gives up on it. */
	async send(request: HttpRequest): Promise<HttpResult> {
		const { clock, onCall } = this.#options;
		const { endpoint, timeoutMs, signal: outer } = request;
		const startedMs = clock.monotonic();
		const attempt = (signal: AbortSignal) => this.#attempt(request, signal);
		const { status, result } = await withDeadline(clock, timeoutMs, attempt, outer);
		onCall?.({ endpoint, status, ms: Math.round(clock.monotonic() - startedMs) });
		return result;
	}

	async #attempt(
		request: HttpRequest,
		signal: AbortSignal,
	): Promise<{ status: CallReport['status']; result: HttpResult }> {
		try {
			const answer = await this.#exchange(request, signal);
			return { status: answer.status, result: answer };
		} catch (error) {
			const status = !signal.aborted
				? 'network'
				: signal.reason instanceof DeadlineExceeded
					? 'timeout'
					: 'abandoned';
			return { status, result: this.#noAnswer(status, request.timeoutMs, error) };
		}
	}

	async #exchange(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
		const answer = await this.#octokit
			.request(request.route, {
				...request.parameters,
				headers: request.headers,
				request: { signal },
			})
			.catch((error: unknown) => responseOf(error));
		// An answer that came by a redirect from another host (a proxy's login page) proves nothing, least of all a 204.
		if (answer.url && new URL(answer.url).origin !== this.#origin) {
			throw new Error(`redirected to ${new URL(answer.url).origin}`);
		}
		// If the call ends while the body is read, Octokit gives an empty body in place of an error.
		if (signal.aborted && answer.status === 200 && answer.data === '') throw signal.reason;
		return { status: answer.status, headers: answer.headers, body: answer.data };
	}

	#noAnswer(status: CallReport['status'], timeoutMs: number, error: unknown): HttpResult {
		if (status === 'abandoned') {
			const failure = {
				kind: 'github-slow',
				detail: 'GitHub had not answered when the caller gave up',
			} as const;
			return { abandoned: true, failure };
		}
		if (status === 'timeout') {
			return {
				failure: {
					kind: 'github-slow',
					detail: `GitHub did not answer within ${timeoutMs / 1000} s${this.#via}`,
				},
			};
		}
		const message = this.scrub(error instanceof Error ? error.message : String(error));
		return {
			failure: { kind: 'github-unavailable', detail: `GitHub cannot be reached${this.#via}: ${message}` },
		};
	}

	/** Replaces secrets in a text that is going to be printed. */
	scrub(text: string): string {
		let clean = text;
		for (const secret of this.#options.secrets) clean = clean.replaceAll(secret, '***');
		return clean;
	}
}

/** The answer in Octokit's error, which it throws for statuses from 300. @throws the error itself if it has none */
function responseOf(error: unknown): {
	url: string;
	status: number;
	headers: HttpAnswer['headers'];
	data: unknown;
} {
	if (typeof error === 'object' && error !== null && 'response' in error && error.response) {
		return error.response as { url: string; status: number; headers: HttpAnswer['headers']; data: unknown };
	}
	throw error;
}
