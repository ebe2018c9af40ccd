/**
 * Times that somebody wrote into a status or an annotation, RFC 3339: an earlier leader before its clock was set right, a
 * backup of another cluster, or anybody. One that lies too far in the future would hold things up until then, under every
 * later leader too. So each is read by one of these.
 */

/** ms since the epoch; undefined: it cannot be read. */
export function writtenMs(text: unknown): number | undefined {
	const ms = typeof text === 'string' ? Date.parse(text) : Number.NaN;
	return Number.isNaN(ms) ? undefined : ms;
}

/** When something has happened, ms since the epoch: at most now. undefined: it cannot be read. */
export function pastMs(text: unknown, nowMs: number): number | undefined {
	const ms = writtenMs(text);
	return ms === undefined ? undefined : Math.min(ms, nowMs);
}

/** When something will happen, ms since the epoch: at most `longestMs` from now. undefined: it cannot be read. */
export function dueMs(text: unknown, nowMs: number, longestMs: number): number | undefined {
	return pastMs(text, nowMs + longestMs);
}
