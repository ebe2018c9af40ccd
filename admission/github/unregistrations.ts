import { runnerKey } from '../runner/github-name.ts';
import type { Clock } from '../time/clock.ts';
import { waitFor } from '../time/deadline.ts';
import { rememberBusyMs, rememberMs } from './policy.ts';
import type { GitHubFailure, Priority, Scope } from './types.ts';

export interface RunnerToUnregister {
	scope: Scope;
	name: string;
	/**
	 * Identifies the pod and the run of its container. A StatefulSet's next pod has the same name and registers again:
	 * an answer about the previous one does not apply to it.
	 */
	run: string;
	id?: number | undefined;
	/** Whether the id is certainly this runner's; false: it is looked up. Called when an exchange begins, not by joiners. */
	trusts?: ((runnerId: number) => Promise<boolean | GitHubFailure>) | undefined;
	/** Called with an id that was looked up, before GitHub is asked to remove it. If it rejects, the exchange fails. */
	found?: ((runnerId: number) => Promise<void>) | undefined;
	/** Whether it still seems to be idle, asked right before each DELETE; false: GitHub is not asked to remove it. */
	stillIdle?: (() => Promise<boolean>) | undefined;
}

export type UnregisterOutcome =
	/** GitHub answered 204. */
	| { kind: 'unregistered'; runnerId: number }
	/** GitHub answered 422: the runner runs a job. `message` is GitHub's. */
	| { kind: 'busy'; message: string; runnerId: number }
	/**
	 * GitHub has no runner of this name, and answered 404 for the id where one is known: it has not registered yet, or is
	 * gone. `begunMs`: by a list that was begun then or later, ms since the epoch.
	 */
	| { kind: 'absent'; begunMs: number }
	/** It was not asked for: by then the runner seemed to work. */
	| { kind: 'withheld' }
	| GitHubFailure;

export interface UnregisterLimits {
	signal?: AbortSignal | undefined;
	priority?: Priority | undefined;
	/** How long this caller waits, in ms. The exchange itself goes on. */
	timeoutMs?: number | undefined;
	/** How long the rate limit may delay the DELETE, in ms; default: `timeoutMs` less one second. */
	rateLimitWaitMs?: number | undefined;
}

interface Remembered {
	outcome: UnregisterOutcome;
	ids: Set<number | undefined>;
	atMs: number;
	/** At least one caller was still waiting when it came. */
	delivered: boolean;
}

/**
 * Runs the exchanges that unregister runners: never two at once for the same runner. The outcome is remembered for as
 * long as one `kubectl delete` may ask (it causes 2 to 3 admission reviews).
 */
export class Unregistrations {
	readonly #clock: Pick<Clock, 'now' | 'after'>;
	/** As many as there are exchanges under way. */
	readonly #flights = new Map<string, Promise<Remembered>>();
	/** For `rememberMs` each: the rate limit of DELETEs bounds how many there can be. */
	readonly #memory = new Map<string, Remembered>();

	constructor(clock: Pick<Clock, 'now' | 'after'>) {
		this.#clock = clock;
	}

	/** Answers from memory, joins the exchange under way, or starts a new one with `work`. */
	async run(
		runner: RunnerToUnregister,
		limits: UnregisterLimits,
		work: () => Promise<UnregisterOutcome>,
	): Promise<UnregisterOutcome> {
		const key = `${runnerKey(runner.scope, runner.name)}#${runner.run}`;
		const remembered = this.#recall(key, runner, limits.priority ?? 'request');
		if (remembered) return remembered;

		const flight = this.#flights.get(key) ?? this.#startExchange(key, runner, work);
		const result = await waitFor(
			this.#clock,
			flight,
			{ ms: limits.timeoutMs, signal: limits.signal },
			() => undefined,
		);
		if (!result) {
			return {
				kind: 'github-slow',
				detail: `GitHub was asked to remove runner ${runner.name} and has not answered yet`,
			};
		}
		result.delivered = true;
		return result.outcome;
	}

	#startExchange(
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
		const entry = { outcome, ids: new Set([runner.id, runnerId]), atMs: this.#clock.now(), delivered: false };
		// Other outcomes are not kept: the runner may register any moment, and the budget remembers failures.
		if (outcome.kind === 'unregistered' || outcome.kind === 'busy') this.#memory.set(key, entry);
		return entry;
	}

	#recall(key: string, runner: RunnerToUnregister, priority: Priority): UnregisterOutcome | undefined {
		for (const [other, { atMs }] of this.#memory) {
			if (this.#clock.now() - atMs < rememberMs) break; // entries are in the order of time
			this.#memory.delete(other);
		}
		const entry = this.#memory.get(key);
		if (!entry) return undefined;
		// A different id is a different registration under the same name.
		if (runner.id !== undefined && !entry.ids.has(runner.id)) return undefined;
		if (entry.outcome.kind === 'busy' && this.#clock.now() - entry.atMs >= rememberBusyMs) return undefined;
		// A background retry comes because the job seems to have ended: it needs a new answer, unless nobody got this one.
		if (entry.outcome.kind === 'busy' && priority === 'background' && entry.delivered) return undefined;
		entry.delivered = true;
		return entry.outcome;
	}
}
