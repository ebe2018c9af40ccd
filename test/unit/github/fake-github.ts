import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface FakeRunner {
	id: number;
	name: string;
	busy: boolean;
	status: string;
}

interface Call {
	method: string;
	path: string;
	query: URLSearchParams;
	headers: IncomingMessage['headers'];
	atMs: number;
}

export interface Reply {
	status?: number;
	headers?: Record<string, string>;
	/** An object is sent as JSON, a string as it is. */
	body?: unknown;
	delayMs?: number;
	/** Cut the connection in place of an answer. */
	reset?: boolean;
	/** Cut it in the middle of the body. */
	cut?: boolean;
}

/** Just enough of GitHub for unit tests: one scope's runners, whatever the path says, and scripted answers. */
export class FakeGitHub {
	readonly calls: Call[] = [];
	readonly runners = new Map<number, FakeRunner>();
	/** Asked first; undefined leaves the answer to the default. */
	script: (call: Call) => Reply | undefined = () => undefined;
	ignoreNameFilter = false;
	totalCount: (real: number) => number = (real) => real;
	url = '';
	readonly #server: Server;

	constructor() {
		this.#server = createServer((request, response) => this.#handle(request, response));
	}

	static async start(): Promise<FakeGitHub> {
		const fake = new FakeGitHub();
		await new Promise<void>((resolve) => fake.#server.listen(0, '127.0.0.1', resolve));
		fake.url = `http://127.0.0.1:${(fake.#server.address() as AddressInfo).port}`;
		return fake;
	}

	async stop(): Promise<void> {
		this.#server.closeAllConnections();
		await new Promise((resolve) => this.#server.close(resolve));
	}

	add(count: number, from = 1, busy = false): void {
		for (let id = from; id < from + count; id++) {
			this.runners.set(id, { id, name: `runner-${id}`, busy, status: 'online' });
		}
	}

	count(method: string, query?: string): number {
		return this.calls.filter((call) => call.method === method && (!query || call.query.has(query))).length;
	}

	#handle(request: IncomingMessage, response: ServerResponse): void {
		const url = new URL(request.url ?? '/', this.url);
		const call: Call = {
			method: request.method ?? '',
			path: url.pathname,
			query: url.searchParams,
			headers: request.headers,
			atMs: Date.now(),
		};
		this.calls.push(call);
		const reply = this.script(call) ?? this.#answer(call);
		setTimeout(() => send(response, reply), reply.delayMs ?? 0);
	}

	#answer(call: Call): Reply {
		const id = /\/actions\/runners\/(\d+)$/.exec(call.path)?.[1];
		if (call.method === 'DELETE' && id) {
			const runner = this.runners.get(Number(id));
			if (!runner) return { status: 404, body: { message: 'Not Found' } };
			if (runner.busy) {
				const message = `Bad request - Runner "${runner.name}" is still running a job`;
				return { status: 422, body: { message } };
			}
			this.runners.delete(runner.id);
			return { status: 204 };
		}
		if (call.method === 'GET' && call.path.endsWith('/actions/runners')) return this.#list(call);
		if (call.path.endsWith('/access_tokens')) {
			const expires = new Date(Date.now() + 3_600_000).toISOString();
			return { status: 201, body: { token: 'ghs_installation', expires_at: expires } };
		}
		return { status: 404, body: { message: 'Not Found' } };
	}

	#list(call: Call): Reply {
		const name = this.ignoreNameFilter ? null : call.query.get('name');
		const all = [...this.runners.values()].filter((runner) => name === null || runner.name === name);
		const perPage = Number(call.query.get('per_page') ?? 30);
		const from = (Number(call.query.get('page') ?? 1) - 1) * perPage;
		const runners = all.slice(from, from + perPage);
		const body = { total_count: this.totalCount(all.length), runners };
		const etag = `W/"${createHash('sha1').update(JSON.stringify(body)).digest('hex')}"`;
		if (call.headers['if-none-match'] === etag) return { status: 304, headers: { etag } };
		return { body, headers: { etag } };
	}
}

function send(response: ServerResponse, { status = 200, headers = {}, body, reset, cut }: Reply): void {
	if (reset) {
		response.socket?.destroy();
		return;
	}
	const json = typeof body === 'object';
	response.writeHead(status, {
		'content-type': json ? 'application/json; charset=utf-8' : 'text/html',
		...headers,
	});
	if (cut) {
		response.write(String(body), () => response.socket?.destroy());
		return;
	}
	response.end(body === undefined ? undefined : json ? JSON.stringify(body) : String(body));
}

/** Waits until something is true, for at most `ms`. */
export async function eventually(check: () => boolean, ms = 2_000): Promise<void> {
	const untilMs = Date.now() + ms;
	while (!check()) {
		if (Date.now() > untilMs) throw new Error(`not within ${ms} ms: ${check}`);
		await new Promise((resolve) => setTimeout(resolve, 5));
	}
}
