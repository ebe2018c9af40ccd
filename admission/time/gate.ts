import type { Clock } from './clock.ts';
import { waitFor } from './deadline.ts';

interface GateOptions {
	/** How many may be inside at a time; asked anew for each caller. */
	size: () => number;
	/** How many may wait at a time; default: any number. */
	mostWaiting?: number;
}

/** Lets a limited number of callers in at a time, in the order of their arrival. */
export class Gate {
	readonly #clock: Pick<Clock, 'after'>;
	readonly #options: GateOptions;
	#inside = 0;
	readonly #waiting: (() => void)[] = [];

	constructor(clock: Pick<Clock, 'after'>, options: GateOptions) {
		this.#clock = clock;
		this.#options = options;
	}

	/** True: the caller is in, and must call `leave` afterwards. False: too many wait, still full after `maxWaitMs`, or aborted. */
	async enter(maxWaitMs: number, signal?: AbortSignal): Promise<boolean> {
		if (this.tryEnter()) return true;
		const { mostWaiting = Number.POSITIVE_INFINITY } = this.#options;
		if (this.#waiting.length >= mostWaiting) return false;
		let admit = () => {};
		const turn = new Promise<boolean>((resolve) => {
			admit = () => resolve(true);
		});
		this.#waiting.push(admit);
		if (await waitFor(this.#clock, turn, { ms: maxWaitMs, signal }, () => false)) return true;
		const index = this.#waiting.indexOf(admit);
		if (index >= 0) this.#waiting.splice(index, 1);
		else this.leave(); // it was let in at the moment when it gave up
		return false;
	}

	/** As `enter`, without waiting. */
	tryEnter(): boolean {
		if (this.#inside >= this.#options.size()) return false;
		this.#inside += 1;
		return true;
	}

	leave(): void {
		this.#inside -= 1;
		while (this.#waiting.length > 0 && this.tryEnter()) this.#waiting.shift()?.();
	}
}
