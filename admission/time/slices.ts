import type { Clock } from './clock.ts';

/**
 * Takes steps one after the other, and lets everybody else have a turn after each `sliceMs`, so that the event loop is never
 * held for longer than that and one step. The first slice has been taken when this returns.
 *
 * @param steps looked at lazily: each step does its work when it is taken
 * @throws what a step throws; then no further step is taken
 */
export async function inSlices(
	clock: Pick<Clock, 'monotonic' | 'sleep'>,
	steps: Iterable<unknown>,
	sliceMs: number,
	signal: AbortSignal,
): Promise<void> {
	let untilMs = clock.monotonic() + sliceMs;
	for (const _step of steps) {
		if (signal.aborted) return;
		if (clock.monotonic() < untilMs) continue;
		await clock.sleep(0, signal);
		if (signal.aborted) return;
		untilMs = clock.monotonic() + sliceMs;
	}
}
