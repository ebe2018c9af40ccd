import type { Handlers } from './webhook/server.ts';

/** Runs until `signal` ends, and resolves when it has stopped. */
export type Loop = (signal: AbortSignal) => Promise<unknown>;

/**
 * One thing that the server does, such as guarding pods or reconciling sets, as every replica does it. Each folder puts its
 * own together in its file capability.ts, and compose/ connects them. Making one starts nothing.
 */
export interface Capability {
	/** Answers to reviews from callers that know the path. */
	reviews?: Partial<Handlers>;
	/** Answers to reviews from unauthenticated callers, which must have no effect. */
	unauthenticatedReviews?: Partial<Handlers>;
	loops?: readonly Loop[];
}

/** Something that works by itself until it is stopped. */
export interface Stoppable {
	/** Resolves, or returns, when it has stopped. */
	stop(): unknown;
}

/** What a capability does while this replica leads. It is made anew for each term as leader. */
export interface LeaderPart {
	/** They run until the term ends. */
	loops?: readonly Loop[];
	/** They react to what the loops bring, and are stopped when all loops have ended. */
	controllers?: readonly Stoppable[];
	/** The calls of a GitHub account work again: what has failed is tried again now. */
	githubRecovered?(): void;
}
