import http from 'node:http';
import https from 'node:https';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { mostAnswerBytes, mostRedirects } from './policy.ts';

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
export type Fetch = (url: string, call: Call) => Promise<Answer>;

/**
 * `fetch` for Octokit, over node:https. Node's own is undici, whose parser is WebAssembly: its first call costs a server
 * 20 MiB of resident memory (measured). A redirect is followed on the same origin only; one that leads elsewhere rejects,
 * and nothing is sent there. Rejects also if the connection breaks before the whole answer has come, or the answer is
 * larger than `mostAnswerBytes`. Node's agents keep connections open for 5 s.
 */
export async function fetchByNode(url: string, call: Call): Promise<Answer> {
	const first = new URL(url);
	let [at, next] = [first, call];
	for (let hops = 0; hops <= mostRedirects; hops++) {
		const response = await send(at, next);
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

function send(url: URL, { method, headers, body, signal }: Call): Promise<http.IncomingMessage> {
	return new Promise((resolve, reject) => {
		const request = (url.protocol === 'http:' ? http : https).request(url, {
			method,
			headers: { ...headers, 'accept-encoding': 'gzip' },
			...(signal && { signal }),
		});
		request.once('response', resolve);
		request.on('error', reject);
		request.end(body);
	});
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
