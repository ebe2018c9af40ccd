/**
 * A proxy like a company's: `node test/rig/connect-proxy-process.ts '{...}'` takes ProxySettings, prints its port as the first
 * line, and then each request as a line of JSON.
 */
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { Duplex } from 'node:stream';

export interface ProxySettings {
	/** `user:password`, which every request has to bring. */
	credentials?: string;
	/** What stands behind it: ports on the local host, by `host:port`. It refuses everything else. */
	hosts: Record<string, number>;
	/** It takes connections and never answers. */
	silent?: boolean;
}

export interface ProxiedRequest {
	method: string;
	target: string;
	status: number;
}

const settings = JSON.parse(process.argv[2] ?? '') as ProxySettings;

function statusFor({ headers, url = '' }: IncomingMessage): number {
	const wanted = settings.credentials && `Basic ${Buffer.from(settings.credentials).toString('base64')}`;
	if (wanted && headers['proxy-authorization'] !== wanted) return 407;
	return settings.hosts[url] === undefined ? 403 : 200;
}

const report = (request: ProxiedRequest) => console.log(JSON.stringify(request));

const proxy = createServer((request, response) => {
	report({ method: request.method ?? '', target: request.url ?? '', status: 405 });
	response.writeHead(405).end();
});

proxy.on('connect', (request: IncomingMessage, client: Duplex) => {
	client.on('error', () => client.destroy());
	const { method = '', url: target = '' } = request;
	if (settings.silent) return report({ method, target, status: 0 });
	const status = statusFor(request);
	report({ method, target, status });
	if (status !== 200) return void client.end(`HTTP/1.1 ${status} No\r\n\r\n`);
	const server = connect(settings.hosts[target] ?? 0, '127.0.0.1', () => {
		client.write('HTTP/1.1 200 Connection established\r\n\r\n');
		client.pipe(server).pipe(client);
	});
	server.on('error', () => client.destroy());
	client.on('close', () => server.destroy());
});

proxy.listen(0, '127.0.0.1', () => console.log((proxy.address() as AddressInfo).port));
