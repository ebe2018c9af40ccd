/**
 * The longest that Node's timers can wait, 24.8 days. With a longer time they wait only 1 ms; above 49.7 days
 * AbortSignal.timeout throws.
 */
export const longestTimerMs = 2 ** 31 - 1;

/**
 * The timeout of a flag in whole ms, for a timer. Undefined means no timeout: for 0 and less, and for more than timers
 * can wait.
 */
export function limitOf(timeoutMs: number): number | undefined {
	return timeoutMs > 0 && timeoutMs <= longestTimerMs ? Math.ceil(timeoutMs) : undefined;
}

/** A signal that aborts after this time, or never if there is no timeout. */
export function deadline(timeoutMs: number): AbortSignal {
	const limitMs = limitOf(timeoutMs);
	return limitMs === undefined ? new AbortController().signal : AbortSignal.timeout(limitMs);
}
