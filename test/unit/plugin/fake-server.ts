import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KubeClient } from '../../../plugin/kube/client.ts';

export interface FakeServer {
	url: string;
	/** A client of it; without a request timeout unless one is given. */
	client: (requestTimeoutMs?: number) => KubeClient;
	/** What was asked, as `METHOD /path?query`. */
	requests: string[];
	stop: () => Promise<void>;
}

export type Handler = (request: IncomingMessage, response: ServerResponse, url: URL) => void;

/** An API server that answers as the test says. */
export async function fakeServer(handler: Handler): Promise<FakeServer> {
	const requests: string[] = [];
	const server = createServer((request, response) => {
		requests.push(`${request.method} ${decodeURIComponent(request.url ?? '')}`);
		handler(request, response, new URL(request.url ?? '', 'http://fake'));
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	return {
		url,
		requests,
		client: (requestTimeoutMs = 0) =>
			new KubeClient({ server: new URL(`${url}/`), tls: {}, headers: {}, namespace: 'ci', requestTimeoutMs }),
		stop: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				server.closeAllConnections();
			}),
	};
}

export function sendJson(response: ServerResponse, code: number, body: unknown): void {
	response.writeHead(code, { 'content-type': 'application/json' });
	response.end(JSON.stringify(body));
}

/** A runner pod. */
export function pod(name: string, version: number, more: object = {}): object {
	return {
		metadata: { name, namespace: 'ci', uid: `uid-${name}`, resourceVersion: String(version), ...more },
		spec: { containers: [{ name: 'runner', env: [{ name: 'RUNNER_ORG', value: 'octo-org' }] }] },
	};
}

export function podList(version: number, pods: object[], token = ''): object {
	return { kind: 'PodList', metadata: { resourceVersion: String(version), continue: token }, items: pods };
}

export function watchLine(type: string, object: object): string {
	return `${JSON.stringify({ type, object })}\n`;
}
