import type { Clock } from './clock.ts';
import { Gate } from './gate.ts';

interface SharedGateOptions {
	/** How many may be inside at a time. */
	size: number;
	/** How many of one group may be inside or next in line. */
	share: number;
}

interface Group {
	gate: Gate;
	/** How many of the group are inside, next in line, or wait for that. */
	callers: number;
}

/** A Gate for callers in groups, of which none can keep the others out: each has `share` of the places at most. */
export class SharedGate {
	readonly #clock: Pick<Clock, 'after' | 'monotonic'>;
	readonly #share: number;
	readonly #gate: Gate;
	readonly #groups = new Map<string, Group>();

	constructor(clock: Pick<Clock, 'after' | 'monotonic'>, { size, share }: SharedGateOptions) {
		this.#clock = clock;
		this.#share = share;
		this.#gate = new Gate(clock, { size: () => size });
	}

	/**
	 * Does the work inside the gate.
	 *
	 * @param withinMs how long the caller waits to be let in
	 * @param work gets what is left of that, ms
	 * @returns undefined: the caller was not let in, and nothing was done
	 */
	async run<Value>(
		group: string,
		withinMs: number,
		work: (leftMs: number) => Promise<Value>,
	): Promise<Value | undefined> {
		const untilMs = this.#clock.monotonic() + withinMs;
		const leftMs = () => untilMs - this.#clock.monotonic();
		const own = this.#groups.get(group) ?? {
			gate: new Gate(this.#clock, { size: () => this.#share }),
			callers: 0,
		};
		this.#groups.set(group, own);
		own.callers += 1;
		try {
			return await within(own.gate, leftMs, () => within(this.#gate, leftMs, work));
		} finally {
			own.callers -= 1;
			if (own.callers === 0) this.#groups.delete(group);
		}
	}
}

async function within<Value>(
	gate: Gate,
	leftMs: () => number,
	work: (leftMs: number) => Promise<Value>,
): Promise<Value | undefined> {
	if (!(await gate.enter(leftMs()))) return undefined;
	try {
		const left = leftMs();
		return left > 0 ? await work(left) : undefined;
	} finally {
		gate.leave();
	}
}
