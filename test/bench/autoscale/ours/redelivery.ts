import { chance } from '../chance.ts';
import type { World } from '../world.ts';
import type { Records } from './records.ts';

/** The server's sweep over deliveries that failed: one list at a time, and one call for each that was lost. */
export class Redelivery {
	calls = 0;
	readonly #world: World;
	readonly #records: Records;
	readonly #changed: () => void;
	#read = 0;

	/** @param changed is called when records may have changed */
	constructor(world: World, records: Records, seed: number, changed: () => void) {
		this.#world = world;
		this.#records = records;
		this.#changed = changed;
		const { deliveriesEveryMs } = world.constants;
		world.time.at(chance(seed, 'redelivery')() * deliveriesEveryMs, () => this.#sweep());
	}

	#sweep(): void {
		const { callMs, deliveriesEveryMs } = this.#world.constants;
		const found = this.#world.failed.slice(this.#read);
		this.#read += found.length;
		this.calls += 1 + found.length;
		this.#world.time.in(callMs, () => {
			for (const event of found) this.#records.receive(event);
			if (found.length > 0) this.#changed();
		});
		this.#world.time.in(deliveriesEveryMs, () => this.#sweep());
	}
}
