import type { HorizontalRunnerAutoscaler } from '../api/autoscale.ts';
import type { Clock } from '../time/clock.ts';
import { type MetricFacts, type Suggestion, suggestionOf } from './rules/metrics.ts';

/** Metrics are evaluated this often, as in ARC: runners take a while to become busy. */
export const suggestEveryMs = 60_000;

interface Known {
	atMs: number;
	suggestion: Suggestion;
	generation: number | undefined;
}

/** What the metrics of each autoscaler say, evaluated at most once in suggestEveryMs. */
export class Suggestions {
	readonly #clock: Pick<Clock, 'now'>;
	/** By the autoscaler's UID. */
	readonly #known = new Map<string, Known>();

	constructor(clock: Pick<Clock, 'now'>) {
		this.#clock = clock;
	}

	of({ metadata, spec }: HorizontalRunnerAutoscaler, facts: MetricFacts): Suggestion {
		const { uid = '', generation } = metadata;
		const nowMs = this.#clock.now();
		const known = this.#known.get(uid);
		if (known && known.generation === generation && nowMs - known.atMs < suggestEveryMs)
			return known.suggestion;
		const suggestion = suggestionOf(spec.metrics, facts);
		this.#known.set(uid, { atMs: nowMs, suggestion, generation });
		return suggestion;
	}

	forget(uid: string): void {
		this.#known.delete(uid);
	}
}
