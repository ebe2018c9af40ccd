import type { Working } from './poll/rules/drift.ts';
import type { Finding } from './rules/desired.ts';
import type { Schedule } from './rules/schedule.ts';
import type { Demand, Desired } from './rules/types.ts';

/** What the last reconcile of an autoscaler's target has found. */
interface Result {
	desired: Desired;
	demand: Demand;
	schedule: Schedule;
	findings: readonly Finding[];
	/** What spec.replicas of the target is to be. */
	replicas: number;
	/** Its runners that work, and its jobs that are in progress. */
	working: Working;
}

/** The results of all autoscalers, by the autoscaler's UID. */
export class Results {
	readonly #results = new Map<string, Result>();

	get(uid: string): Result | undefined {
		return this.#results.get(uid);
	}

	set(uid: string, result: Result): void {
		this.#results.set(uid, result);
	}

	delete(uid: string): void {
		this.#results.delete(uid);
	}

	/** Keys of the jobs that GitHub is to be asked about now, the most urgent of each set first. */
	jobsToAsk(): string[] {
		return [...this.#results.values()].flatMap(({ demand }) => demand.ask);
	}
}
