import { longestTurn } from './longest-turn.ts';

/** Something that others can send or write, made so that it costs as much as possible, and what is done with it. */
export interface WorstCase {
	/** What is done. */
	does: string;
	/** What it is done with, by its shape. */
	shape: string;
	/** How much of it there is, bytes. */
	bytes: number;
	/** Makes it anew, which is not measured, and returns what is. */
	prepare: () => () => unknown;
	/** Why a test does not hold it to \`limitMs\`; undefined: it does. */
	exempt?: string;
}

/** Goal for each, ms of the event loop. */
export const goalMs = 10;
/** What a test tolerates, on any machine. */
export const limitMs = 50;

/** Of this many runs the shortest counts: a garbage collection or a function not yet compiled is not what is measured. */
const runs = 5;
/** ... and of this many where all were over the goal, since other processes slow each down. */
const mostRuns = 20;

/** What takes longer than this, ms, is not run again. */
const hopelessMs = 1_000;

/** ms for which the event loop is kept, in the best of some runs; `enoughMs`: no other run is made after one as short. */
export async function worstTurnOf({ prepare }: WorstCase, enoughMs = 0): Promise<number> {
	let leastMs = Number.POSITIVE_INFINITY;
	for (let run = 0; run < (leastMs > goalMs ? mostRuns : runs); run++) {
		const ms = await longestTurn(prepare());
		leastMs = Math.min(leastMs, ms);
		if (leastMs <= enoughMs || ms > hopelessMs) break;
	}
	return leastMs;
}
