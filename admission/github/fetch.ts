import http from 'node:http';
import https from 'node:https';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { mostAnswerBytes, mostRedirects, proxyConnectMs } from './policy.ts';
import type { GitHubProxy } from './proxy.ts';

/** What Octokit gives to `fetch`. */
interface Call {
	method: string;
	headers: Record<string, string>;
	body?: string | undefined;
	signal?: AbortSignal | undefined;
}

/** What Octokit reads of a Response. */
interface Answer {
	url: string;
	status: number;
	headers: Map<string, string>;
	text(): Promise<string>;
	arrayBuffer(): Promise<ArrayBuffer>;
}

/** What calls GitHub. A simulation brings its own. */
export interface Fetch {
	(url: string, call: Call): Promise<Answer>;
	/** The proxy through which it calls, for people; undefined: none. */
	via?: string | undefined;
}

/** `fetchByNode` through a proxy: by CONNECT to https servers, by requests with the whole URL to http ones. */
export function fetchThrough(proxy: GitHubProxy | undefined): Fetch {
	if (!proxy) return fetchByNode;
	// Whether a server is called through the proxy has been decided, by the same rules as kubectl's: Node has others.
	const proxyEnv = { HTTPS_PROXY: proxy.url, HTTP_PROXY: proxy.url };
	const options = { keepAlive: true, timeout: proxyConnectMs, proxyEnv };
	const agents: Agents = { http: new http.Agent(options), https: new https.Agent(options) };
	return Object.assign((url: string, call: Call) => fetchBy(url, call, agents), { via: proxy.forPeople });
}

/**
 * `fetch` for Octokit, over node:https. Node's own is undici, whose parser is WebAssembly: its first call costs a server
 * 20 MiB of resident memory (measured). A redirect is followed on the same origin only; one that leads elsewhere rejects,
 * and nothing is sent there. Rejects also if the connection breaks before the whole answer has come, or the answer is
 * larger than `mostAnswerBytes`. Node's agents keep connections open for 5 s.
 */
export const fetchByNode: Fetch = (url, call) => fetchBy(url, call, {});

interface Agents {
	http?: http.Agent;
	https?: https.Agent;
}

async function fetchBy(url: string, call: Call, agents: Agents): Promise<Answer> {
	const first = new URL(url);
	let [at, next] = [first, call];
	for (let hops = 0; hops <= mostRedirects; hops++) {
		const response = await send(at, next, agents);
		const status = response.statusCode ?? 0;
		const { location } = response.headers;
		if (![301, 302, 303, 307, 308].includes(status) || location === undefined)
			return answerOf(at.href, status, response);
		response.destroy(); // its body, of any length, is of no use
		at = new URL(location, at);
		if (at.origin !== first.origin) throw new Error(`redirected to ${at.origin}`);
		if (status === 303 || (status <= 302 && next.method === 'POST'))
			next = { ...next, method: 'GET', body: undefined };
	}
	throw new Error(`more than ${mostRedirects} redirects`);
}

function send(
	url: URL,
	{ method, headers, body, signal }: Call,
	agents: Agents,
): Promise<http.IncomingMessage> {
	return new Promise((resolve, reject) => {
		const isPlain = url.protocol === 'http:';
		const agent = isPlain ? agents.http : agents.https;
		const request = (isPlain ? http : https).request(url, {
			method,
			headers: { ...headers, 'accept-encoding': 'gzip' },
			...(agent && { agent }),
			...(signal && { signal }),
		});
		// A request that waits for its proxy fails only when the proxy has answered, whatever its signal says (Node 24).
		const giveUp = () => reject(signal?.reason);
		signal?.addEventListener('abort', giveUp, { once: true });
		request.once('response', resolve);
		request.on('error', (error) => reject(tunnelFailure(error)));
		request.once('close', () => signal?.removeEventListener('abort', giveUp));
		request.end(body);
	});
}

/** Node's own text repeats the proxy and whatever it has answered. */
function tunnelFailure(error: Error & { code?: string; statusCode?: number }): Error {
	if (error.code !== 'ERR_PROXY_TUNNEL') return error;
	if (error.statusCode === 407) return new Error('it answered 407: it wants other credentials');
	if (error.statusCode) return new Error(`it answered ${error.statusCode} to CONNECT`);
	return new Error('it did not answer to CONNECT');
}

async function answerOf(url: string, status: number, response: http.IncomingMessage): Promise<Answer> {
	const headers = new Map<string, string>();
	for (const [name, value = ''] of Object.entries(response.headers)) headers.set(name, String(value));
	const sent = await wholeBody(response);
	const zipped = headers.get('content-encoding') === 'gzip' && sent.length > 0;
	const body = zipped ? await promisify(gunzip)(sent, { maxOutputLength: mostAnswerBytes }) : sent;
	return {
		url,
		status,
		headers,
		text: async () => body.toString('utf8'),
		arrayBuffer: async () => new Uint8Array(body).buffer,
	};
}

async function wholeBody(response: http.IncomingMessage): Promise<Buffer> {
	const chunks: Buffer[] = [];
	let size = 0;
	for await (const chunk of response as AsyncIterable<Buffer>) {
		chunks.push(chunk);
		size += chunk.length;
		if (size > mostAnswerBytes) throw new Error(`the answer is larger than ${mostAnswerBytes} bytes`); // ends it as well
	}
	return Buffer.concat(chunks);
}
