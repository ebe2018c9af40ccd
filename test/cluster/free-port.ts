import { createServer, type Server } from 'node:net';

/** Below the ports that systems give to outgoing connections (Linux: from 32768), and above those of well-known services. */
const lowest = 10_000;
const highest = 32_000;
const blockSize = 16;

let block = { next: 0, end: 0 };

/**
 * A port that nobody listens on. It stays this process's own until it ends: processes that start at the same time, of this
 * run or of another one, are given others, and no outgoing connection takes it.
 */
export async function freePort(): Promise<number> {
	for (;;) {
		if (block.next === block.end) block = await reserveBlock();
		const port = block.next++;
		const server = await listen(port); // at all addresses, as the server that gets the port will
		if (!server) continue;
		await new Promise((resolve) => server.close(resolve));
		return port;
	}
}

/** Who listens on the first port of a block has the rest of it. */
async function reserveBlock(): Promise<typeof block> {
	for (let tries = 0; tries < 200; tries++) {
		const index = Math.floor((Math.random() * (highest - lowest)) / blockSize);
		const first = lowest + index * blockSize;
		const signal = await listen(first, '127.0.0.1');
		if (!signal) continue;
		signal.unref();
		return { next: first + 1, end: first + blockSize };
	}
	throw new Error(`no free ports between ${lowest} and ${highest}`);
}

/** undefined: somebody else listens there. */
function listen(port: number, host?: string): Promise<Server | undefined> {
	return new Promise((resolve, reject) => {
		const server = createServer();
		server.once('error', (error: NodeJS.ErrnoException) =>
			error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
		);
		server.listen({ port, host }, () => resolve(server));
	});
}
