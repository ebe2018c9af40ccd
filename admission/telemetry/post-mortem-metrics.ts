import { Counter, type Registry } from 'prom-client';
import { type EndReason, endReasons } from '../api/ended-runners.ts';

/** The metric of runners that ended otherwise than with their job. */
export class PostMortemMetrics {
	readonly #ended: Counter;

	constructor(registry: Registry) {
		this.#ended = new Counter({
			name: 'runners_ended_total',
			help: 'Runners that ended otherwise than with their job, by reason, as the leader saw them.',
			labelNames: ['reason'],
			registers: [registry],
		});
		// From 0 on, so that the first one is an increase.
		for (const reason of Object.keys(endReasons)) this.#ended.inc({ reason }, 0);
	}

	ended(reason: EndReason): void {
		this.#ended.inc({ reason });
	}
}
