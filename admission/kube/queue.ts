import type { Clock } from '../time/clock.ts';

/** What a reconcile returns: when to reconcile the object again even if nothing changes; undefined: only after a change. */
export type Requeue = { afterMs: number } | undefined;

/** The soonest of these, each in ms from now; undefined does not count. */
export function soonest(...moments: (number | undefined)[]): Requeue {
	const due = moments.filter((ms) => ms !== undefined);
	return due.length > 0 ? { afterMs: Math.min(...due) } : undefined;
}

/** Counts and times reconciles; see telemetry/metrics.ts. */
export interface ReconcileObserver {
	reconciled(controller: string, tookMs: number, failed: boolean): void;
}

interface QueueOptions<Key extends string> {
	/** The controller's name in the metrics. */
	controller: string;
	metrics: ReconcileObserver;
	clock: Clock;
	concurrency: number;
	reconcile(key: Key): Promise<Requeue>;
	/** @param failures how many in a row, this one included */
	onError(key: Key, error: unknown, retryMs: number, failures: number): void;
}

/**
 * A work queue of keys. Each key is reconciled by one worker at a time. A key that is added during its reconcile is
 * reconciled once more. An error is retried after 100 ms, doubled at each further error up to 30 s.
 */
export class WorkQueue<Key extends string = string> {
	readonly #options: QueueOptions<Key>;
	readonly #ready = new Set<Key>();
	readonly #running = new Set<Key>();
	readonly #delayed = new Map<Key, { cancel: () => void; atMs: number }>();
	readonly #failures = new Map<Key, number>();
	#stopped = false;
	/** Called when the last running reconcile has ended, once stopped. */
	#onIdle: (() => void) | undefined;

	constructor(options: QueueOptions<Key>) {
		this.#options = options;
	}

	/** Reconciles the key as soon as a worker is free. */
	add(key: Key): void {
		if (this.#stopped) return;
		this.#unschedule(key);
		this.#ready.add(key);
		this.#pump();
	}

	/** Reconciles the key after `ms`, or earlier if it is scheduled earlier. */
	addAfter(key: Key, ms: number): void {
		if (this.#stopped || this.#ready.has(key)) return;
		const { clock } = this.#options;
		const atMs = clock.monotonic() + ms;
		const scheduled = this.#delayed.get(key);
		if (scheduled && scheduled.atMs <= atMs) return;
		this.#unschedule(key);
		const cancel = clock.after(ms, () => this.add(key));
		this.#delayed.set(key, { cancel, atMs });
	}

	/** Starts no further reconcile. Resolves when those that run have ended. */
	async stop(): Promise<void> {
		this.#stopped = true;
		this.#ready.clear();
		for (const key of [...this.#delayed.keys()]) this.#unschedule(key);
		if (this.#running.size > 0)
			await new Promise<void>((resolve) => {
				this.#onIdle = resolve;
			});
	}

	#unschedule(key: Key): void {
		this.#delayed.get(key)?.cancel();
		this.#delayed.delete(key);
	}

	#pump(): void {
		for (const key of this.#ready) {
			if (this.#running.size >= this.#options.concurrency) return;
			if (this.#running.has(key)) continue;
			this.#ready.delete(key);
			this.#running.add(key);
			void this.#work(key);
		}
	}

	async #work(key: Key): Promise<void> {
		const { controller, metrics, clock } = this.#options;
		const startedMs = clock.monotonic();
		let failed = false;
		try {
			const again = await this.#options.reconcile(key);
			this.#failures.delete(key);
			if (again) this.addAfter(key, again.afterMs);
		} catch (error) {
			failed = true;
			const failures = (this.#failures.get(key) ?? 0) + 1;
			this.#failures.set(key, failures);
			const retryMs = Math.min(30_000, 100 * 2 ** (failures - 1));
			this.#options.onError(key, error, retryMs, failures);
			this.addAfter(key, retryMs);
		} finally {
			metrics.reconciled(controller, clock.monotonic() - startedMs, failed);
			this.#running.delete(key);
			if (this.#running.size === 0) this.#onIdle?.();
			this.#pump();
		}
	}
}
