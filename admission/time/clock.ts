/**
 * Time, timers and randomness. They are passed into every loop, so that a test can let an hour pass in a few milliseconds.
 * The functions may be taken from the object and passed on alone.
 */
export interface Clock {
	/** Milliseconds since 1970. Somebody may set this clock, forwards or backwards. */
	now: () => number;
	/** Milliseconds since an arbitrary moment. Never goes backwards: use it to measure how long something took. */
	monotonic: () => number;
	/** At least 0 and less than 1. */
	random: () => number;
	/** Calls back once after `ms`, however long. Call the returned function to cancel. */
	after: (ms: number, callback: () => void) => () => void;
	/** Resolves after `ms`, or as soon as `signal` ends; never rejects. */
	sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}

/** Node calls back after 1 ms where it is asked for more than this, 24.8 days. */
const longestTimerMs = 2 ** 31 - 1;

/** What `after` does, for a clock whose timers are no longer than Node's: one after the other where one is not enough. */
export function inLegs(timer: Clock['after']): Clock['after'] {
	return (ms, callback) => {
		let cancel = () => {};
		const wait = (leftMs: number) => {
			cancel =
				leftMs > longestTimerMs
					? timer(longestTimerMs, () => wait(leftMs - longestTimerMs))
					: timer(leftMs, callback);
		};
		wait(ms);
		return () => cancel();
	};
}

/** What `sleep` does, for a clock that has `after`. */
export function sleepUntil(
	after: Clock['after'],
	ms: number,
	signal: AbortSignal | undefined,
): Promise<void> {
	if (signal?.aborted) return Promise.resolve();
	return new Promise((resolve) => {
		const end = () => {
			cancel();
			signal?.removeEventListener('abort', end);
			resolve();
		};
		const cancel = after(ms, end);
		signal?.addEventListener('abort', end, { once: true });
	});
}
