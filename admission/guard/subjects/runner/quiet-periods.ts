import type { RunnerPod } from '../../../runner/runner-pod.ts';
import { BoundedMap } from '../../../time/bounded-map.ts';
import type { Clock } from '../../../time/clock.ts';
import { absenceLastsMs, letGoLastsMs, quietMs } from '../../rules/policy.ts';

/** Of more than these the oldest are forgotten: their quiet periods begin anew, which costs two seconds and nothing else. */
const mostKnown = 10_000;

type Run = Pick<RunnerPod, 'uid' | 'restarts'>;
type Proven = Run & Pick<RunnerPod, 'unregistered'>;

/**
 * The quiet periods that this replica waits for: after GitHub's 204, and after a list that lacks a runner. Each is measured by
 * this replica's monotonic clock, from when it has itself seen the answer or the proof of it: another replica's clock, or
 * whoever sets one, takes nothing of it away. All reviews of one DELETE at one replica share it.
 */
export class QuietPeriods {
	readonly #clock: Pick<Clock, 'monotonic'>;
	/** By the proof: when it was first seen. */
	readonly #proofs = new BoundedMap<string, number>({ most: mostKnown });
	/** By the run of the container: when a list that lets its pod go was first read. */
	readonly #absences = new BoundedMap<string, number>({ most: mostKnown, lastsMs: absenceLastsMs });
	/** By the run of the container: when the list was begun by which its pod was let go a moment ago, ms since the epoch. */
	readonly #letGo = new BoundedMap<string, number>({ most: mostKnown, lastsMs: letGoLastsMs });

	constructor(clock: Pick<Clock, 'monotonic'>) {
		this.#clock = clock;
	}

	/** GitHub has answered 204 now. @param at as it is written with the proof */
	removed(run: Run, at: string): void {
		this.#begin(this.#proofs, proofKey(run, at));
	}

	/** GitHub's list, read now, lacks the runner, and its pod may go after the quiet period. */
	absent(run: Run): void {
		this.#begin(this.#absences, runKey(run));
	}

	/** Its pod was let go after a list that lacks the runner. @param begunMs when that list was begun, ms since the epoch */
	letGo(run: Run, begunMs: number): void {
		this.#letGo.set(runKey(run), begunMs, this.#clock.monotonic());
	}

	/** When the list was begun by which its pod was let go a moment ago, ms since the epoch; undefined: there is none. */
	letGoBy(run: Run): number | undefined {
		return this.#letGo.get(runKey(run), this.#clock.monotonic());
	}

	/** GitHub's list, read now, has the runner. */
	listed(run: Run): void {
		for (const known of [this.#absences, this.#letGo]) known.delete(runKey(run));
	}

	/**
	 * For how long this replica has known of the 204 that is proven on the pod, in ms, and from now on if it has not; undefined:
	 * there is no proof.
	 */
	provenForMs(pod: Proven): number | undefined {
		return pod.unregistered && this.#begin(this.#proofs, proofKey(pod, pod.unregistered.at));
	}

	/**
	 * How much is left of the quiet period after the 204 that is proven on the pod or, where there is none, after an absence;
	 * in ms. undefined: neither is known.
	 */
	leftMs(pod: Proven): number | undefined {
		const forMs = this.provenForMs(pod) ?? this.#sinceMs(this.#absences, runKey(pod));
		return forMs === undefined ? undefined : Math.max(0, quietMs - forMs);
	}

	/** Notes it as seen now, unless it was before. Returns for how long it has been known, in ms. */
	#begin(known: BoundedMap<string, number>, key: string): number {
		const before = this.#sinceMs(known, key);
		if (before !== undefined) return before;
		const nowMs = this.#clock.monotonic();
		known.set(key, nowMs, nowMs);
		return 0;
	}

	#sinceMs(known: BoundedMap<string, number>, key: string): number | undefined {
		const nowMs = this.#clock.monotonic();
		const seenMs = known.get(key, nowMs);
		return seenMs === undefined ? undefined : nowMs - seenMs;
	}
}

const runKey = ({ uid, restarts }: Run): string => `${uid}/${restarts}`;
const proofKey = (run: Run, at: string): string => `${runKey(run)} ${at}`;
