import { replicas, share } from '../policy.ts';

/** What a replica says of itself. */
export interface Beat {
	/** A number that changes each time. */
	beat: number;
	/** Whether it is the leader. */
	leads: boolean;
	/** Which part of the calls that all replicas together may make in a minute it has made in the last one: 0 to 1. */
	used: number;
	/** Its last beat: it makes no further calls. */
	left: boolean;
}

/** What another replica said last. */
interface Other extends Beat {
	/** When we first read it, by our clock. */
	changedMs: number;
}

/**
 * Which part of the calls to GitHub this replica may make, so that all together keep the limit in any minute although
 * none of them asks another one before a call. Whoever sees a new replica takes less at once; whoever may take more leaves
 * the others what they have used already. Times are in ms of a clock that is never set; clocks of other machines play no
 * part.
 */
export class Share {
	/** By name: those that reported in the last `replicas.countsMs`, and those that are still in the record. */
	readonly #others = new Map<string, Other>();
	#saidMs = Number.NEGATIVE_INFINITY;
	#saidLeads = false;
	#joinedMs = Number.NEGATIVE_INFINITY;

	/** This replica said at `saidMs` that it is alive; at `readMs` it had read what the others say. */
	said(leads: boolean, others: ReadonlyMap<string, Beat>, saidMs: number, readMs: number): void {
		for (const [name, other] of this.#others) {
			if (!others.has(name) && !counts(other, readMs)) this.#others.delete(name);
		}
		for (const [name, said] of others) {
			if (this.#others.get(name)?.beat !== said.beat) this.#others.set(name, { ...said, changedMs: readMs });
		}
		const joins = readMs - this.#saidMs > replicas.silentMs;
		this.#saidMs = saidMs;
		if (joins) this.#joinedMs = this.#living().length > 0 ? readMs : Number.NEGATIVE_INFINITY;
		this.#saidLeads = leads;
	}

	/** More than 0, at most 1. `leads`: whether this replica is the leader now. */
	of(leads: boolean, nowMs: number): number {
		if (nowMs - this.#saidMs > replicas.silentMs) return share.joining;
		const living = this.#living();
		if (living.length > 0 && nowMs - this.#joinedMs < replicas.joinsMs) return share.joining;

		const gone = [...this.#others.values()].filter(
			(other) => counts(other, nowMs) && !living.includes(other),
		);
		const rest = 1 - sum(gone.map(({ used, left }) => (left ? used : used + share.unsaid)));
		const partOf = (leader: boolean) => {
			if (living.length === 0) return 1;
			return leader ? share.leader : (1 - share.leader) / living.length;
		};
		const part = partOf(leads && this.#saidLeads && living.every((other) => !other.leads));
		// Calls that another one made while it was alone, or the leader, are still in GitHub's window.
		const excess = sum(living.map((other) => Math.max(0, other.used - rest * partOf(other.leads))));
		return Math.max(Math.min(part, share.joining), rest * part - excess);
	}

	/** Names to remove from the record: of replicas that are gone, and of the longest silent where there are too many. */
	gone(nowMs: number): string[] {
		const longestSilent = [...this.#others].sort(([, a], [, b]) => a.changedMs - b.changedMs);
		const excess = longestSilent.length - replicas.most;
		return longestSilent
			.filter(([, other], index) => index < excess || !counts(other, nowMs))
			.map(([name]) => name);
	}

	/**
	 * Those that may go on making calls. What was there when we started may be of one that is gone: it is taken for a live
	 * one's until it is unchanged in an answer to what we said 15 s later.
	 */
	#living(): Other[] {
		const silent = ({ changedMs }: Other) => this.#saidMs - changedMs >= replicas.silentMs;
		return [...this.#others.values()].filter((other) => !other.left && !silent(other));
	}
}

/** Whether some of its calls may be less than a minute old. */
const counts = ({ changedMs }: Other, nowMs: number) => nowMs - changedMs < replicas.countsMs;

const sum = (parts: readonly number[]) => parts.reduce((total, part) => total + part, 0);
