import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KubeError } from '../../../admission/kube/client.ts';
import type { ApiServer } from './api-server.ts';

export interface ServedApi {
	url: string;
	/** What was asked. */
	asked: { method: string; path: string; authorization: string | undefined }[];
	stop(): Promise<void>;
}

/** The simulated API server over HTTP, for a process of its own. It takes every caller for `user`. */
export async function serveApi(api: ApiServer, user: string): Promise<ServedApi> {
	const asked: ServedApi['asked'] = [];
	const server = createServer((request, response) => {
		const { method = '', url: path = '', headers } = request;
		asked.push({ method, path, authorization: headers.authorization });
		answer(api, user, request, response).catch((error: unknown) => sendError(response, error));
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	return {
		url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
		asked,
		stop: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				server.closeAllConnections();
			}),
	};
}

async function answer(
	api: ApiServer,
	user: string,
	request: IncomingMessage,
	response: ServerResponse,
): Promise<void> {
	const { pathname: path, searchParams } = new URL(request.url ?? '', 'http://api');
	const query = Object.fromEntries(searchParams);
	if (path.endsWith('/selfsubjectreviews'))
		return sendJson(response, 201, { status: { userInfo: { username: user } } });
	if (path.endsWith('/log')) {
		const { text } = await api.text(path, { query, mostBytes: 1_000_000, timeoutMs: 10_000 });
		response.end(text);
		return;
	}
	if (query.watch) return watch(api, path, query, response);
	const chunks: Buffer[] = [];
	for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
	const body = Buffer.concat(chunks).toString();
	const { method = '' } = request;
	const contentType = request.headers['content-type'] ?? '';
	const found = await api.request(method, path, { query, contentType, ...(body === '' ? {} : { body }) });
	sendJson(response, method === 'POST' ? 201 : 200, found);
}

async function watch(
	api: ApiServer,
	path: string,
	query: Record<string, string>,
	response: ServerResponse,
): Promise<void> {
	const closed = new AbortController();
	response.once('close', () => closed.abort());
	response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
	const onLine = (line: string) => void response.write(`${line}\n`);
	// Ends with an error only where the caller has gone.
	await api.stream(path, { query, signal: closed.signal, onLine }).catch(() => {});
	response.end();
}

function sendError(response: ServerResponse, error: unknown): void {
	const { code, reason, message } =
		error instanceof KubeError ? error : new KubeError(500, 'InternalError', String(error));
	sendJson(response, code || 500, { kind: 'Status', code, reason, message });
}

function sendJson(response: ServerResponse, code: number, body: unknown): void {
	response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
