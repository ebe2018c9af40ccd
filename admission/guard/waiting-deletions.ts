import type { ObjectKey } from '../api/object-key.ts';
import type { DenyReason } from '../api/reasons.ts';
import { pastMs } from '../api/written-time.ts';
import type { Metrics } from '../telemetry/metrics.ts';

/** Why a recorded deletion waits: it is denied, or somebody's PodDisruptionBudget refuses the eviction. */
export type WaitReason = DenyReason | 'disruption-budget';

/** A recorded deletion that can't be carried out yet. */
export interface WaitingDeletion {
	reason: WaitReason;
	/** When it was asked for, ms since the epoch. A deletion without a record counts from when it was first seen. */
	askedAtMs: number;
}

/** Why each recorded deletion waits, as the leader sees it; kept up to date in the metrics. */
export class WaitingDeletions {
	readonly #metrics: Pick<Metrics, 'recordedDeletions'> | undefined;
	readonly #byPod = new Map<ObjectKey, WaitingDeletion>();

	/** @param metrics undefined: they are not counted there */
	constructor(metrics?: Pick<Metrics, 'recordedDeletions'>) {
		this.#metrics = metrics;
	}

	/** All of them, by pod key. */
	get all(): ReadonlyMap<ObjectKey, WaitingDeletion> {
		return this.#byPod;
	}

	/** @param requestedAt from the record, RFC 3339; undefined: there is no record */
	note(podKey: ObjectKey, reason: WaitReason, requestedAt: string | undefined, nowMs: number): void {
		const firstSeenMs = this.#byPod.get(podKey)?.askedAtMs ?? nowMs;
		this.#byPod.set(podKey, { reason, askedAtMs: pastMs(requestedAt, nowMs) ?? firstSeenMs });
		this.#count();
	}

	/** The deletion has been carried out or cancelled, or the pod is gone. */
	forget(podKey: ObjectKey): void {
		if (this.#byPod.delete(podKey)) this.#count();
	}

	#count(): void {
		const byReason = new Map<string, number>();
		let oldestMs: number | undefined;
		for (const { reason, askedAtMs } of this.#byPod.values()) {
			byReason.set(reason, (byReason.get(reason) ?? 0) + 1);
			oldestMs = Math.min(oldestMs ?? askedAtMs, askedAtMs);
		}
		this.#metrics?.recordedDeletions(byReason, oldestMs);
	}
}
