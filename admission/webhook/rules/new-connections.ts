import { mostNewOfOneAddress, newConnectionsWindowMs } from './policy.ts';

/**
 * How many connections each address has opened in the present second: a TLS handshake costs about a millisecond of the one
 * CPU that answers reviews. Forgets all addresses every second.
 */
export class NewConnections {
	#sinceMs = Number.NEGATIVE_INFINITY;
	readonly #counts = new Map<string, number>();

	/** Counts one more; false: it is too many. */
	allows(address: string, nowMs: number): boolean {
		if (nowMs - this.#sinceMs >= newConnectionsWindowMs) {
			this.#sinceMs = nowMs;
			this.#counts.clear();
		}
		const count = (this.#counts.get(address) ?? 0) + 1;
		this.#counts.set(address, count);
		return count <= mostNewOfOneAddress;
	}
}
