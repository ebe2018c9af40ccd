import { Gauge, type Registry } from 'prom-client';

type States = () => Iterable<[object: string, state: string]>;

/** Counts the objects that are too large for lists and watches, for metrics and for the leader's report. */
export class LargeObjects {
	/** By watch. */
	readonly #watches = new Map<string, States>();

	constructor(registry: Registry) {
		const states = () => this.states();
		new Gauge({
			name: 'runners_large_objects',
			help: 'Objects with more than 1 MiB of JSON, which the leader leaves out of lists and watches, by what becomes of them.',
			labelNames: ['state'],
			registers: [registry],
			collect() {
				this.reset();
				for (const [, state] of states()) this.inc({ state });
			},
		});
	}

	/** Counts what this watch finds, in place of what it found before. */
	watch(watch: string, states: States): void {
		this.#watches.set(watch, states);
	}

	/** The leader has stopped. */
	stopped(): void {
		this.#watches.clear();
	}

	/** What has become of each, by `namespace/name`. */
	*states(): Iterable<[object: string, state: string]> {
		for (const states of this.#watches.values()) yield* states();
	}
}
