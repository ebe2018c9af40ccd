import type { Clock } from '../kube/clock.ts';
import type { Log } from '../telemetry/log.ts';

/** Of one set. */
interface Batch {
	done: Promise<void>;
	/** Others have ended meanwhile. */
	more: boolean;
}

export interface ClearEndedOptions {
	clock: Pick<Clock, 'now'>;
	log: Pick<Log, 'warn'>;
}

/** The first retry after a failure comes after this; each further one after twice as long as the one before. */
const retryMs = { first: 100, most: 30_000 } as const;

/**
 * Removes runners that have ended, beside everything else: a removal goes through the guard's webhook and may hang, and
 * neither a new runner nor the set's next look waits for that. Of one set one batch at a time.
 */
export class ClearEnded {
	readonly #options: ClearEndedOptions;
	/** Both by the set's UID. */
	readonly #batches = new Map<string, Batch>();
	readonly #failed = new Map<string, { times: number; againAtMs: number }>();

	constructor(options: ClearEndedOptions) {
		this.#options = options;
	}

	/**
	 * @param remove resolves with what has failed
	 * @param lookAgain is called when the set is to be looked at again, ms from now
	 */
	begin(
		uid: string,
		ended: number,
		remove: () => Promise<readonly unknown[]>,
		lookAgain: (afterMs: number) => void,
	): void {
		if (ended === 0) return;
		const batch = this.#batches.get(uid);
		if (batch) {
			batch.more = true;
			return;
		}
		const againInMs = (this.#failed.get(uid)?.againAtMs ?? 0) - this.#options.clock.now();
		if (againInMs > 0) {
			lookAgain(againInMs);
			return;
		}
		const begun: Batch = { more: false, done: Promise.resolve() };
		begun.done = remove().then((failures) => {
			this.#batches.delete(uid);
			if (failures.length > 0) lookAgain(this.#retry(uid, failures));
			else this.#failed.delete(uid);
			if (begun.more) lookAgain(0);
		});
		this.#batches.set(uid, begun);
	}

	forget(uid: string): void {
		this.#failed.delete(uid);
	}

	/** Resolves when the removals that have begun are done. */
	async stop(): Promise<void> {
		await Promise.all([...this.#batches.values()].map(({ done }) => done));
	}

	/** Returns after how long to try again, ms. */
	#retry(uid: string, failures: readonly unknown[]): number {
		const { clock, log } = this.#options;
		const times = (this.#failed.get(uid)?.times ?? 0) + 1;
		const afterMs = Math.min(retryMs.most, retryMs.first * 2 ** (times - 1));
		this.#failed.set(uid, { times, againAtMs: clock.now() + afterMs });
		log.warn(
			{ set: uid, failed: failures.length, error: String(failures[0]), retryMs: afterMs },
			'runners that have ended not removed, retrying',
		);
		return afterMs;
	}
}
