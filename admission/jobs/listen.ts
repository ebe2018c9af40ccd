import type { Server } from 'node:net';

/** Resolves when the server listens; rejects where it can't, as when the port is taken: then it can be tried again. */
export function listen(server: Server, port: number): Promise<void> {
	return new Promise((resolve, reject) => {
		server.once('error', reject);
		server.listen(port, () => {
			server.off('error', reject);
			resolve();
		});
	});
}
