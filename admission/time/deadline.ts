import type { Clock } from './clock.ts';

/** Why the signal of `withDeadline` ended where the time was over. */
export class DeadlineExceeded extends Error {
	constructor() {
		super('timed out');
	}
}

/**
 * Runs `work` with a signal that ends after `ms`, as soon as `outer` ends, and no later than when `work` is done. The work
 * has to stop by its signal: nobody else stops it.
 */
export async function withDeadline<Value>(
	clock: Pick<Clock, 'after'>,
	ms: number,
	work: (signal: AbortSignal) => Promise<Value>,
	outer?: AbortSignal,
): Promise<Value> {
	const stop = new AbortController();
	const cancel = clock.after(ms, () => stop.abort(new DeadlineExceeded()));
	// AbortSignal.any would pile up listeners on a signal that lives as long as the process.
	const abandon = () => stop.abort(outer?.reason);
	if (outer?.aborted) abandon();
	outer?.addEventListener('abort', abandon, { once: true });
	try {
		return await work(stop.signal);
	} finally {
		cancel();
		outer?.removeEventListener('abort', abandon);
	}
}

/** When waiting ends; without either it does not. */
interface WaitLimits {
	/** From now. */
	ms?: number | undefined;
	signal?: AbortSignal | undefined;
}

const late = Symbol('late');

/**
 * Waits for work that goes on even if this caller no longer waits. Returns what the work returns or, where the limits end
 * first, what `onLate` returns (or throws).
 */
export async function waitFor<Value, Late>(
	clock: Pick<Clock, 'after'>,
	work: Promise<Value>,
	{ ms, signal }: WaitLimits,
	onLate: () => Late,
): Promise<Value | Late> {
	if (signal?.aborted) return onLate();
	if (ms === undefined && !signal) return work;
	let end = () => {};
	const ended = new Promise<typeof late>((resolve) => {
		end = () => resolve(late);
	});
	const cancel = ms === undefined ? undefined : clock.after(Math.max(0, ms), end);
	signal?.addEventListener('abort', end, { once: true });
	try {
		const first = await Promise.race([work, ended]);
		return first === late ? onLate() : first;
	} finally {
		cancel?.();
		signal?.removeEventListener('abort', end);
	}
}
