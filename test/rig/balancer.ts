import { connect, createServer, type Server, type Socket } from 'node:net';

export interface Balancer {
	port: number;
	/** Ports that new connections go to, in turn; one that refuses is passed over. */
	targets: number[];
	stop(): Promise<void>;
}

/** What a Service does before several replicas: one port, TCP connections handed round. */
export async function startBalancer(targets: number[]): Promise<Balancer> {
	const open = new Set<Socket>();
	let turn = 0;
	const balancer: { targets: number[] } = { targets };
	const server: Server = createServer((client) => {
		open.add(client);
		client.setNoDelay(true); // without this, Nagle's algorithm would add 40 ms to an answer
		client.once('close', () => open.delete(client));
		client.on('error', () => client.destroy());
		hand(client, balancer.targets.length);
	});

	function hand(client: Socket, tries: number): void {
		const port = balancer.targets[turn++ % Math.max(1, balancer.targets.length)];
		if (tries <= 0 || port === undefined) {
			client.destroy();
			return;
		}
		const target = connect(port, '127.0.0.1');
		target.setNoDelay(true);
		target.once('connect', () => {
			open.add(target);
			client.pipe(target).pipe(client);
			client.once('close', () => target.destroy());
			target.once('close', () => {
				open.delete(target);
				client.destroy();
			});
		});
		target.on('error', () => {
			if (target.connecting || !open.has(target)) hand(client, tries - 1);
			else client.destroy();
		});
	}

	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const address = server.address();
	return Object.assign(balancer, {
		port: typeof address === 'object' && address ? address.port : 0,
		async stop() {
			for (const socket of open) socket.destroy();
			await new Promise((resolve) => server.close(resolve));
		},
	});
}
