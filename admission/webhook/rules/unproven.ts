import { mostUnproven, mostUnprovenOfOneAddress, unprovenGraceMs } from './policy.ts';

/**
 * The connections on which no known caller has asked yet. Whoever reaches the port can open some, so there is a limit for
 * each address and one for all, and the oldest go first: a connection of the API server carries its review a moment after
 * it was opened. Holds at most `mostUnproven` connections; time and connections are the caller's.
 */
export class Unproven<Connection> {
	/** The oldest first. */
	readonly #open = new Map<Connection, { address: string; openedMs: number }>();

	/**
	 * Takes a new one in, and out those that have to be closed for it.
	 *
	 * @param trusted a known caller has asked from this address: the limit for one address does not hold
	 */
	add(connection: Connection, address: string, trusted: boolean, nowMs: number): Connection[] {
		this.#open.set(connection, { address, openedMs: nowMs });
		const tooMany = trusted ? [] : this.#byAddress(address).slice(0, -mostUnprovenOfOneAddress);
		const closed = tooMany.filter(([, { openedMs }]) => nowMs - openedMs >= unprovenGraceMs);
		if (closed.length === 0 && this.#open.size > mostUnproven)
			closed.push(...this.#byAddress(this.#fullest()).slice(0, 1));
		for (const [one] of closed) this.#open.delete(one);
		return closed.map(([one]) => one);
	}

	/** It has been proven or closed. */
	remove(connection: Connection): void {
		this.#open.delete(connection);
	}

	/** How many there are of this address. */
	countOf(address: string): number {
		return this.#byAddress(address).length;
	}

	get size(): number {
		return this.#open.size;
	}

	#byAddress(address: string) {
		return [...this.#open].filter(([, one]) => one.address === address);
	}

	/** Who has the most loses one: an address with a few is never hurt by one with many. */
	#fullest(): string {
		const counts = new Map<string, number>();
		for (const { address } of this.#open.values()) counts.set(address, (counts.get(address) ?? 0) + 1);
		const most = Math.max(...counts.values());
		return [...counts].find(([, count]) => count === most)?.[0] ?? '';
	}
}
