import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { Duplex } from 'node:stream';

export interface TestProxy {
	url: string;
	/** What it was asked to connect to, as `host:port`. */
	asked: string[];
	stop(): Promise<void>;
}

/** An HTTP proxy that connects its callers (CONNECT) to whatever they ask for. */
export async function startProxy(): Promise<TestProxy> {
	const asked: string[] = [];
	const sockets = new Set<Duplex>();
	const proxy = createServer();
	proxy.on('connect', ({ url = '' }, client: Duplex, head: Buffer) => {
		asked.push(url);
		const { hostname, port } = new URL(`http://${url}`);
		const server = connect(Number(port), hostname, () => {
			client.write('HTTP/1.1 200 Connection established\r\n\r\n');
			server.write(head);
			server.pipe(client).pipe(server);
		});
		for (const socket of [client, server]) {
			sockets.add(socket);
			socket.on('error', () => {}); // the other end has gone
			socket.once('close', () => {
				sockets.delete(socket);
				for (const other of [client, server]) other.destroy();
			});
		}
	});
	await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
	return {
		url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
		asked,
		stop: () =>
			new Promise((resolve) => {
				proxy.close(() => resolve());
				for (const socket of sockets) socket.destroy();
			}),
	};
}
