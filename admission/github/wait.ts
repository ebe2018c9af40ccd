/** Resolves after `ms`, or as soon as the signal is aborted. Never rejects: the caller checks its signal. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
	if (signal?.aborted || ms <= 0) return Promise.resolve();
	return new Promise((resolve) => {
		const done = () => {
			clearTimeout(timer);
			signal?.removeEventListener('abort', done);
			resolve();
		};
		const timer = setTimeout(done, ms);
		signal?.addEventListener('abort', done, { once: true });
	});
}

/**
 * Waits for work that several callers share. A caller whose limits end first gets what `gaveUp` returns; the work goes
 * on for the others.
 */
export async function waitFor<Value, Late>(
	work: Promise<Value>,
	limits: { signal?: AbortSignal | undefined; timeoutMs?: number | undefined },
	gaveUp: () => Late,
): Promise<Value | Late> {
	if (!limits.signal && limits.timeoutMs === undefined) return work;
	if (limits.signal?.aborted) return gaveUp();
	const stop = new AbortController();
	const onAbort = () => stop.abort();
	limits.signal?.addEventListener('abort', onAbort, { once: true });
	const timer = limits.timeoutMs === undefined ? undefined : setTimeout(onAbort, limits.timeoutMs);
	try {
		const late = new Promise<Late>((resolve) => {
			stop.signal.addEventListener('abort', () => resolve(gaveUp()), { once: true });
		});
		return await Promise.race([work, late]);
	} finally {
		clearTimeout(timer);
		limits.signal?.removeEventListener('abort', onAbort);
	}
}

/**
 * A signal that is aborted when one of the two is. Call `unlink` when it is no longer needed: the second signal lives
 * as long as the process, and with AbortSignal.any the listeners on it would pile up.
 */
export function eitherSignal(
	first: AbortSignal | undefined,
	second: AbortSignal,
): { signal: AbortSignal; unlink: () => void } {
	if (!first) return { signal: second, unlink: () => {} };
	const controller = new AbortController();
	const abort = () => controller.abort();
	if (first.aborted || second.aborted) abort();
	first.addEventListener('abort', abort, { once: true });
	second.addEventListener('abort', abort, { once: true });
	const unlink = () => {
		first.removeEventListener('abort', abort);
		second.removeEventListener('abort', abort);
	};
	return { signal: controller.signal, unlink };
}

/** Lets at most `size()` callers in at a time, in the order of their arrival. */
export class Gate {
	readonly #size: () => number;
	#inside = 0;
	#queue: (() => void)[] = [];

	constructor(size: () => number) {
		this.#size = size;
	}

	/** True: the caller is in, and must call `leave` afterwards. False: still full after `maxWaitMs`, or aborted. */
	async enter(maxWaitMs: number, signal?: AbortSignal): Promise<boolean> {
		if (this.#inside < this.#size()) {
			this.#inside++;
			return true;
		}
		let admit = () => {};
		const turn = new Promise<boolean>((resolve) => {
			admit = () => resolve(true);
		});
		this.#queue.push(admit);
		const admitted = await waitFor(turn, { signal, timeoutMs: maxWaitMs }, () => false);
		if (admitted) return true;
		const index = this.#queue.indexOf(admit);
		if (index >= 0) this.#queue.splice(index, 1);
		else this.leave(); // it was let in at the moment when it gave up
		return false;
	}

	leave(): void {
		this.#inside--;
		while (this.#queue.length > 0 && this.#inside < this.#size()) {
			this.#inside++;
			this.#queue.shift()?.();
		}
	}
}
