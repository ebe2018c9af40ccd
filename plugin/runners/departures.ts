import type { Pod } from '../../admission/api/kinds.ts';
import type { KubeClient } from '../kube/client.ts';
import { deadline } from '../kube/deadline.ts';
import { followPods, type PodObserver } from '../kube/follow.ts';
import type { PodQuery } from '../kube/pods.ts';
import { deletionRecord, isTerminating } from './state.ts';

interface DepartureEvents {
	/** Called for every change of a pod that is still there. */
	waiting: (pod: Pod) => void;
	gone: (pod: Pod) => void;
	/** Somebody cancelled its recorded deletion, so it is not going to be deleted. */
	cancelled: (pod: Pod) => void;
	/** A pod of the query that was not added; the callback may add it. */
	other?: (pod: Pod) => void;
	/** Called once, when every pod of the first list has been reported. */
	listed?: () => void;
	failure?: (message: string) => void;
}

interface Leaving {
	pod: Pod;
	/** The record has been seen on the pod; if it is missing later, somebody has cancelled the deletion. */
	wasRecorded: boolean;
}

export type WaitEnd = 'settled' | 'timeout' | 'interrupted';

/** Follows pods until they are gone: by uid, because a set may create a successor of the same name at once. */
export class Departures {
	readonly #leaving = new Map<string, Leaving>();
	readonly #events: DepartureEvents;
	readonly #settled = new AbortController();
	#listed = false;

	constructor(events: DepartureEvents) {
		this.#events = events;
	}

	add(pod: Pod): void {
		this.#leaving.set(uidOf(pod), { pod, wasRecorded: deletionRecord(pod) !== undefined });
	}

	/** Stops waiting for this pod. */
	drop(pod: Pod): void {
		this.#leaving.delete(uidOf(pod));
		this.#settle();
	}

	get pods(): Pod[] {
		return [...this.#leaving.values()].map(({ pod }) => pod);
	}

	/** Pods that neither have a record nor are terminating: the request may have been lost, and can be repeated. */
	get unrecorded(): Pod[] {
		return this.pods.filter((pod) => !deletionRecord(pod) && !isTerminating(pod));
	}

	/** Waits until all are gone, the timeout has passed (0: no timeout), or Ctrl-C. */
	async follow(
		client: KubeClient,
		query: PodQuery,
		timeoutMs: number,
		interrupt: AbortSignal,
	): Promise<WaitEnd> {
		const timeout = deadline(timeoutMs);
		const end = AbortSignal.any([this.#settled.signal, timeout, interrupt]);
		await followPods(client, query, this.#observer(), end);
		if (this.#settled.signal.aborted) return 'settled';
		return interrupt.aborted ? 'interrupted' : 'timeout';
	}

	#observer(): PodObserver {
		const inList = new Set<string>();
		return {
			seen: (pod) => {
				inList.add(uidOf(pod));
				this.#seen(pod);
			},
			gone: (pod) => this.#gone(pod),
			synced: () => {
				// Pods that were deleted between our request and this list are not in it.
				for (const [uid, { pod }] of this.#leaving) if (!inList.has(uid)) this.#gone(pod);
				inList.clear();
				if (!this.#listed) this.#events.listed?.();
				this.#listed = true;
				this.#settle();
			},
			failure: this.#events.failure,
		};
	}

	#seen(pod: Pod): void {
		const entry = this.#leaving.get(uidOf(pod));
		if (!entry) {
			this.#events.other?.(pod);
			return;
		}
		entry.pod = pod;
		const recorded = deletionRecord(pod) !== undefined;
		if (entry.wasRecorded && !recorded && !isTerminating(pod)) {
			this.#leaving.delete(uidOf(pod));
			this.#events.cancelled(pod);
			this.#settle();
			return;
		}
		entry.wasRecorded ||= recorded;
		this.#events.waiting(pod);
	}

	#gone(pod: Pod): void {
		if (!this.#leaving.delete(uidOf(pod))) return;
		this.#events.gone(pod);
		this.#settle();
	}

	#settle(): void {
		if (this.#listed && this.#leaving.size === 0) this.#settled.abort();
	}
}

function uidOf(pod: Pod): string {
	return pod.metadata.uid ?? '';
}
