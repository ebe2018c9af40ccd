import type { OwnedRunner } from '../sets/owners.ts';
import { nothingPassed } from './rules/experiment.ts';
import { mostArrivals, mostStartUps } from './rules/policy.ts';
import { type Arrivals, startUpMsOf, withArrivals } from './rules/spare.ts';
import type { PassingMemory, Runner, StartUps } from './rules/types.ts';
import { runnerView } from './runner-view.ts';

/** What the leader remembers of a set from one reconcile to the next. */
export class SetMemory {
	/** By the UID of a busy runner: when it was first seen so, ms since the epoch; undefined before the first reconcile. */
	#busySeenMs: Map<string, number> | undefined;
	/** By the UID of a runner that waits, by its pod, since a time that has not come: when it was first seen so, ms since the epoch. */
	#idleSeenMs = new Map<string, number>();
	/** UIDs of runners that have not been seen started yet. */
	#starting = new Set<string>();
	/** How long runners took from their creation until they could have a job, ms, the newest last. */
	readonly #startUpsMs: number[] = [];
	/** What its runners have passed by. */
	passing: PassingMemory = nothingPassed;
	#arrivals: Arrivals;
	/** When jobs arrived that are not among `#arrivals` yet, ms since the epoch: only a set with spare runners needs them. */
	#arrived: number[] = [];

	constructor(nowMs: number) {
		this.#arrivals = { sinceMs: nowMs, atMs: [] };
	}

	/** When jobs arrived. */
	arrivals(nowMs: number): Arrivals {
		if (this.#arrived.length > 0) this.#arrivals = withArrivals(this.#arrivals, this.#arrived, nowMs);
		this.#arrived = [];
		return this.#arrivals;
	}

	/** How long the last runners took to start, ms, the newest last. */
	get startUpsMs(): StartUps {
		return this.#startUpsMs;
	}

	/** How long a runner takes to start, ms. */
	get startUpMs(): number {
		return startUpMsOf(this.#startUpsMs);
	}

	/** A job has arrived. */
	jobArrived(atMs: number): void {
		this.#arrived.push(atMs);
		if (this.#arrived.length > 2 * mostArrivals) this.#arrived = this.#arrived.slice(-mostArrivals);
	}

	/** The set's runners now. */
	runnersSeen(
		owners: readonly OwnedRunner[],
		podName: (owner: string) => string,
		nowMs: number,
		isOffline?: (podUid: string) => boolean,
	): Runner[] {
		const before = this.#busySeenMs;
		const busy = new Map<string, number>();
		const idle = new Map<string, number>();
		const starting = new Set<string>();
		const runners = owners.map((owner) => {
			const runner = runnerView(owner, podName, isOffline);
			if ((runner.idleSinceMs ?? nowMs) > nowMs) {
				runner.idleSinceMs = Math.min(nowMs, this.#idleSeenMs.get(runner.uid) ?? nowMs);
				idle.set(runner.uid, runner.idleSinceMs);
			}
			const { uid, phase, createdMs } = runner;
			if (phase === 'unbound' || phase === 'starting') starting.add(uid);
			else if (this.#starting.has(uid) && (phase === 'idle' || phase === 'busy'))
				this.#started(nowMs - createdMs);
			if (phase !== 'busy') return runner;
			// A pod may say anything: when this leader saw it counts, unless the pod says earlier. Of one that was busy before the
			// first reconcile it is not known: at most since its creation.
			const seenMs = before ? (before.get(uid) ?? nowMs) : createdMs;
			busy.set(uid, seenMs);
			return { ...runner, busySinceMs: Math.min(runner.busySinceMs ?? seenMs, seenMs) };
		});
		this.#busySeenMs = busy;
		this.#idleSeenMs = idle;
		this.#starting = starting;
		return runners;
	}

	#started(tookMs: number): void {
		this.#startUpsMs.push(tookMs);
		if (this.#startUpsMs.length > mostStartUps) this.#startUpsMs.shift();
	}
}
