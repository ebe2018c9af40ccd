import { shortestWaitMs } from './policy.ts';

/**
 * From when the time of a review is counted, ms since 1970. A handler has `shortestWaitMs` from then on. Where the API server
 * waits for longer, a large body may take the rest: it begins when the body has been read.
 *
 * @param arrivedMs when its headers had arrived
 * @param readMs when its body had been read
 * @param waitMs how long the API server waits for an answer; undefined: it does not say
 */
export function timeBeganMs(arrivedMs: number, readMs: number, waitMs = shortestWaitMs): number {
	return Math.min(readMs, arrivedMs + Math.max(0, waitMs - shortestWaitMs));
}
