import { BoundedMap } from '../time/bounded-map.ts';
import type { BoundPod } from './rules/bound-pod.ts';
import { oneByOne, quietMs } from './rules/policy.ts';

/** An idle runner whose deletion is allowed, after the quiet period. */
interface AllowedDeletion {
	user: string;
	/** The pod in which the caller runs. */
	caller: BoundPod | undefined;
	/** UID of the pod that is deleted. */
	pod: string;
	/** When its review arrived, ms since the epoch. */
	arrivedMs: number;
}

interface Series {
	/** The newest pod: the API server may ask several times about one DELETE. */
	pod: string;
	count: number;
	/** When its deletion was allowed, ms since the epoch. */
	allowedMs: number;
}

/**
 * Notices who deletes idle runners one after the other, as `kubectl delete pod --all` does: each waits for its own quiet period.
 * It is a hint in an answer and nothing else, so every replica remembers only what it has answered itself.
 */
export class OneByOne {
	readonly #series = new BoundedMap<string, Series>({ most: oneByOne.mostUsers, lastsMs: oneByOne.withinMs });

	/** The warning for this answer; undefined: there is none. Once in a series, since kubectl prints each. */
	warning({ user, caller, pod, arrivedMs }: AllowedDeletion, nowMs: number): string | undefined {
		if (caller || isProgram(user)) return undefined;
		const before = this.#series.get(user, nowMs);
		// What arrived while the one before was still waiting was sent together with it.
		const follows = before !== undefined && (before.pod === pod || arrivedMs >= before.allowedMs);
		const count = follows ? before.count + (before.pod === pod ? 0 : 1) : 1;
		this.#series.set(user, { pod, count, allowedMs: nowMs }, nowMs);
		return count === oneByOne.warnedAt ? text : undefined;
	}
}

const text = `kubectl deletes idle runners one after the other, and each waits ${quietMs / 1_000} s for GitHub; "kubectl runners delete POD..." (or -l SELECTOR, or --all) deletes them together`;

/** A component of Kubernetes, or one of its controllers: nobody reads a warning. */
const isProgram = (user: string): boolean =>
	user.startsWith('system:serviceaccount:')
		? user.startsWith('system:serviceaccount:kube-system:')
		: user.startsWith('system:');
