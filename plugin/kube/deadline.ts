/** The longest that Node's timers can wait, 24.8 days. Asked for more they wait 1 ms; above 49.7 days AbortSignal.timeout throws. */
export const longestTimerMs = 2 ** 31 - 1;

/** The limit that a flag gives, for a timer: whole ms. Undefined for 0 and less, and for more than timers can wait: no limit. */
export function limitOf(timeoutMs: number): number | undefined {
	return timeoutMs > 0 && timeoutMs <= longestTimerMs ? Math.ceil(timeoutMs) : undefined;
}

/** A signal that ends after this time; never where there is no limit. */
export function deadline(timeoutMs: number): AbortSignal {
	const limitMs = limitOf(timeoutMs);
	return limitMs === undefined ? new AbortController().signal : AbortSignal.timeout(limitMs);
}
