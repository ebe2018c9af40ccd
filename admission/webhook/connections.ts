import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import { BoundedMap } from '../time/bounded-map.ts';
import { FixedWindow } from '../time/fixed-window.ts';
import {
	addressTrustedForMs,
	connectionLastsMs,
	mostConnections,
	mostNewOfOneAddress,
	mostRequestsOfOneConnection,
	mostTrustedAddresses,
	mostUnproven,
	mostUnused,
	newConnectionsWindowMs,
} from './rules/policy.ts';
import { Unproven } from './rules/unproven.ts';

interface Connection {
	address: string;
	openedMs: number;
	/** How many requests of known callers it has carried. */
	requests: number;
	end(): void;
}

/** The open connections of the admission port, and which of them are closed early. */
export class Connections {
	readonly #now: () => number;
	/** By remote address and port; an entry lives as long as its connection, of which there are at most `mostConnections`. */
	readonly #open = new Map<string, Connection>();
	readonly #unproven = new Unproven<Connection>();
	/** By remote address. A TLS handshake costs about a millisecond of the one CPU that answers reviews. */
	readonly #new = new FixedWindow<string>(mostNewOfOneAddress, newConnectionsWindowMs);
	/** Addresses from which a known caller has asked. */
	readonly #trusted = new BoundedMap<string, true>({
		most: mostTrustedAddresses,
		lastsMs: addressTrustedForMs,
	});

	/** @param now ms; only differences count */
	constructor(now: () => number) {
		this.#now = now;
	}

	/** From now on, for this server. */
	watch(server: Server): void {
		server.maxConnections = mostConnections;
		// Before TLS takes the socket over: what is closed here costs no handshake.
		server.prependListener('connection', (socket: Socket) => this.#opened(socket));
	}

	/** A known caller has asked on this connection. Returns whether it is to be closed with the answer. */
	known(socket: Socket): boolean {
		const connection = this.#open.get(keyOf(socket));
		if (!connection) return true; // closed meanwhile
		const { address } = connection;
		const nowMs = this.#now();
		this.#unproven.remove(connection);
		this.#trusted.set(address, true, nowMs);
		connection.requests += 1;
		// In a flood a new connection might not come through.
		if (this.#unproven.size >= mostUnproven) return false;
		return (
			nowMs - connection.openedMs >= connectionLastsMs || connection.requests >= mostRequestsOfOneConnection
		);
	}

	/** Whether a connection on which nothing has been said may be one that a known caller keeps for its next review. */
	mayBeKept({ remoteAddress = '' }: Socket): boolean {
		return this.#isTrusted(remoteAddress) && this.#unproven.countOf(remoteAddress) <= mostUnused;
	}

	/** Whether a known caller has asked from this address. */
	#isTrusted(address: string): boolean {
		return this.#trusted.has(address, this.#now());
	}

	#opened(socket: Socket): void {
		const nowMs = this.#now();
		const address = socket.remoteAddress ?? '';
		const isTrusted = this.#isTrusted(address);
		if (!isTrusted && !this.#new.allows(address, nowMs)) {
			socket.destroy();
			return;
		}
		const key = keyOf(socket);
		const connection = { address, openedMs: nowMs, requests: 0, end: () => void socket.destroy() };
		this.#open.set(key, connection);
		socket.once('close', () => {
			this.#open.delete(key);
			this.#unproven.remove(connection);
		});
		for (const one of this.#unproven.add(connection, address, isTrusted, nowMs)) one.end();
	}
}

const keyOf = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`;
