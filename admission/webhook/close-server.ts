import type { Server } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import { giveWay } from '../time/give-way.ts';

/**
 * Listens no longer, and closes every connection at a moment when all that has come on it is answered. Node itself never
 * counts a connection as idle on which nothing has been asked yet. client-go keeps such ones for its next request, and does
 * not ask again where one ends under it (it repeats no POST): an eviction would pass.
 *
 * What a caller sends in the moment in which its connection is closed is lost; only the caller could prevent that.
 *
 * @param drained resolves when no request is being answered
 * @param inFlight number of requests that are being answered
 */
export async function closeServer(
	server: Server | TlsServer,
	{ drained, inFlight }: { drained: () => Promise<void>; inFlight: () => number },
): Promise<void> {
	// Before close(), which ends the connections that are idle now.
	await allRead();
	server.close();
	do {
		await drained();
		await allRead();
	} while (inFlight() > 0);
	server.closeAllConnections();
}

/** Resolves when what had come before the call has been read, and what was written has been sent. */
async function allRead(): Promise<void> {
	// The event loop reads before it comes back from each; at the first one it may be reading already.
	await giveWay();
	await giveWay();
}
