import { replicas, share } from '../policy.ts';

/** What a replica says of itself: a number that changes each time, and whether it is the leader. */
export interface Beat {
	beat: number;
	leads: boolean;
}

interface Other {
	beat: number;
	/** When what it says last changed, by our clock. */
	changedMs: number;
	/** When it last said that it leads, by our clock. */
	ledMs: number;
}

/**
 * Which part of the calls to GitHub this replica may make, so that all together keep the limit in any minute although
 * none of them asks another one before a call. Whoever sees a new replica takes less at once; whoever may take more waits
 * until the calls of those that had it before are more than a minute old. Times are in ms of a clock that is never set;
 * clocks of other machines play no part.
 */
export class Share {
	/** By name: those seen in the last `replicas.countsMs`, and those whose last word still stands in the record. */
	readonly #others = new Map<string, Other>();
	#saidMs = Number.NEGATIVE_INFINITY;
	#saidLeads = false;
	#joinedMs = Number.NEGATIVE_INFINITY;

	/** This replica said at `saidMs` that it is alive; at `readMs` it had read what the others say. */
	said(leads: boolean, others: ReadonlyMap<string, Beat>, saidMs: number, readMs: number): void {
		for (const [name, { changedMs }] of this.#others) {
			if (!others.has(name) && readMs - changedMs >= replicas.countsMs) this.#others.delete(name);
		}
		for (const [name, said] of others) {
			const known = this.#others.get(name);
			if (known?.beat === said.beat) continue;
			const ledMs = said.leads ? readMs : (known?.ledMs ?? Number.NEGATIVE_INFINITY);
			this.#others.set(name, { beat: said.beat, changedMs: readMs, ledMs });
		}
		const joins = readMs - this.#saidMs > replicas.silentMs;
		if (joins) this.#joinedMs = this.#living(readMs).length > 0 ? readMs : Number.NEGATIVE_INFINITY;
		this.#saidMs = saidMs;
		this.#saidLeads = leads;
	}

	/** More than 0, at most 1. `leads`: whether this replica is the leader now. */
	of(leads: boolean, nowMs: number): number {
		if (nowMs - this.#saidMs > replicas.silentMs) return share.joining;
		const living = this.#living(nowMs);
		if (living.length === 0) return 1;
		if (nowMs - this.#joinedMs < replicas.countsMs) return share.joining;
		const leadsAlone = living.every(({ ledMs }) => nowMs - ledMs >= replicas.countsMs);
		if (leads && this.#saidLeads && leadsAlone) return share.leader;
		return (1 - share.leader) / living.length;
	}

	/** Names to remove from the record: of replicas that are gone, and of the longest silent where there are too many. */
	gone(nowMs: number): string[] {
		const longestSilent = [...this.#others].sort(([, a], [, b]) => a.changedMs - b.changedMs);
		const excess = longestSilent.length - replicas.most;
		return longestSilent
			.filter(([, { changedMs }], index) => index < excess || nowMs - changedMs >= replicas.countsMs)
			.map(([name]) => name);
	}

	#living(nowMs: number): Other[] {
		return [...this.#others.values()].filter(({ changedMs }) => nowMs - changedMs < replicas.countsMs);
	}
}
