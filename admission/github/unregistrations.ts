import { rememberBusyMs, rememberMs } from './policy.ts';
import type { Priority, Scope, Trouble } from './types.ts';
import { scopeKey } from './types.ts';
import { waitFor } from './wait.ts';

export interface RunnerToUnregister {
	scope: Scope;
	name: string;
	/**
	 * Which run of which pod's container it is. A StatefulSet's next pod has the same name and registers anew: what
	 * GitHub said about the one before is not about it.
	 */
	run: string;
	id?: number | undefined;
	/** Is the id certainly this runner's? Asked when an exchange begins, not by those who join it; false: look it up. */
	trusts?: ((runnerId: number) => Promise<boolean | Trouble>) | undefined;
	/** Called with the id that was looked up, before GitHub is asked to remove it; a rejection is the exchange's. */
	found?: ((runnerId: number) => Promise<void>) | undefined;
}

export type UnregisterOutcome =
	/** `removed`: GitHub answered 204. `absent`: 404 for the id, and a newer list has no runner of that name. */
	| { kind: 'unregistered'; proof: 'removed' | 'absent'; runnerId?: number | undefined }
	/** GitHub answered 422: it runs a job. `message` is GitHub's. */
	| { kind: 'busy'; message: string; runnerId: number }
	/** No id is known and GitHub has no runner of that name: not yet, or not any more. */
	| { kind: 'not-registered' }
	| Trouble;

export interface UnregisterLimits {
	signal?: AbortSignal | undefined;
	priority?: Priority | undefined;
	/** How long this caller waits, in ms. The exchange itself goes on. */
	timeoutMs?: number | undefined;
	/** How long the DELETE may wait for its turn in the pace, in ms; default nearly `timeoutMs`. */
	paceWaitMs?: number | undefined;
}

interface Remembered {
	outcome: UnregisterOutcome;
	ids: Set<number | undefined>;
	atMs: number;
	/** Some caller was still there to hear it. */
	heard: boolean;
}

/**
 * Exchanges with GitHub about one runner each: never two at once for the same runner, and what came out is
 * remembered for as long as one `kubectl delete` may ask (2 to 3 admission reviews).
 */
export class Unregistrations {
	readonly #now: () => number;
	readonly #flights = new Map<string, Promise<Remembered>>();
	readonly #memory = new Map<string, Remembered>();

	constructor(now: () => number) {
		this.#now = now;
	}

	/** Joins the exchange under way, answers from memory, or starts `work`. */
	async run(
		runner: RunnerToUnregister,
		limits: UnregisterLimits,
		work: () => Promise<UnregisterOutcome>,
	): Promise<UnregisterOutcome> {
		const key = `${scopeKey(runner.scope)}#${runner.name}#${runner.run}`;
		const remembered = this.#recall(key, runner, limits.priority ?? 'request');
		if (remembered) return remembered;

		const flight = this.#flights.get(key) ?? this.#takeOff(key, runner, work);
		const result = await waitFor(flight, limits, () => undefined);
		if (!result) {
			return {
				kind: 'github-slow',
				detail: `GitHub was asked to remove runner ${runner.name} and has not answered yet`,
			};
		}
		result.heard = true;
		return result.outcome;
	}

	#takeOff(
		key: string,
		runner: RunnerToUnregister,
		work: () => Promise<UnregisterOutcome>,
	): Promise<Remembered> {
		const flight = work()
			.then((outcome) => this.#remember(key, runner, outcome))
			.finally(() => this.#flights.delete(key));
		this.#flights.set(key, flight);
		return flight;
	}

	#remember(key: string, runner: RunnerToUnregister, outcome: UnregisterOutcome): Remembered {
		const runnerId = 'runnerId' in outcome ? outcome.runnerId : undefined;
		const entry = { outcome, ids: new Set([runner.id, runnerId]), atMs: this.#now(), heard: false };
		// A runner that is not registered yet may be so in a second; troubles are the budget's to remember.
		if (outcome.kind === 'unregistered' || outcome.kind === 'busy') this.#memory.set(key, entry);
		return entry;
	}

	#recall(key: string, runner: RunnerToUnregister, priority: Priority): UnregisterOutcome | undefined {
		for (const [other, { atMs }] of this.#memory) {
			if (this.#now() - atMs < rememberMs) break; // in the order of time
			this.#memory.delete(other);
		}
		const entry = this.#memory.get(key);
		if (!entry) return undefined;
		// Another id is another registration under the same name.
		if (runner.id !== undefined && !entry.ids.has(runner.id)) return undefined;
		if (entry.outcome.kind === 'busy' && this.#now() - entry.atMs >= rememberBusyMs) return undefined;
		// Whoever asks again on purpose (the job has ended) gets a new answer, unless this one was never heard.
		if (entry.outcome.kind === 'busy' && priority === 'background' && entry.heard) return undefined;
		entry.heard = true;
		return entry.outcome;
	}
}
