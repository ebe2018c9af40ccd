import type { VersionedSet } from './pods.ts';

/** What the last runner of a set that was read has said. Times in ms since the epoch. */
export interface SetVersion extends VersionedSet {
	/** undefined: GitHub refuses it, but the runner's log cannot be read. */
	version: string | undefined;
	image: string;
	/** Owner of the repository or organization that the runner registers with, as its pod says; undefined: not certain. */
	owner: string | undefined;
	readMs: number;
	/** Since when GitHub has refused it; undefined: it has not. */
	refusedSinceMs: number | undefined;
	/** When it was last reported: at a change, and again while GitHub refuses it. */
	reportedMs: number;
}
