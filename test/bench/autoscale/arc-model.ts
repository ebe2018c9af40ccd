/**
 * How ARC's own autoscaler decides, from its source (controllers/actions.summerwind.net at 2ee6b3b8), as pure functions: its
 * reservations, its HorizontalRunnerAutoscaler and how its sets follow. Where its source leaves a time open, the model takes
 * what is best for ARC.
 */

/** ARC gathers the events of this time into one change. */
export const batchMs = 3_000;
/** Every object is looked at again after this (`--sync-period`): expired reservations and ended delays act that late. */
export const resyncMs = 60_000;
/** How long a set does not replace runners that have completed since it was last scaled. */
const holdMs = 10 * 60_000;
/** How often ARC looks whether a new runner has registered; before it has seen that, it can't unregister the runner. */
export const registrationPollMs = 10_000;

/** One entry of spec.capacityReservations, always for one runner. */
export interface Reservation {
	effectiveMs: number;
	expiresMs: number;
}

/** What ARC makes of an event: +1 of a queued job, with the trigger's duration, or -n of completed ones. */
export type Operation = { add: 1; durationMs: number } | { drop: number };

/** The reservations after one batch (batchScale). `max` undefined: the autoscaler has no maximum. */
export function afterBatch(
	reservations: readonly Reservation[],
	operations: readonly Operation[],
	max: number | undefined,
	nowMs: number,
): Reservation[] {
	const over = max !== undefined && reservations.length > max;
	const extended = reservations.map((one, index) =>
		over && index >= max
			? { effectiveMs: nowMs, expiresMs: nowMs + one.expiresMs - one.effectiveMs }
			: { ...one },
	);
	const list = extended.filter(({ expiresMs }) => expiresMs > nowMs);
	for (const operation of operations) {
		if ('add' in operation) list.push({ effectiveMs: nowMs, expiresMs: nowMs + operation.durationMs });
		// The oldest ones, whosever they are.
		else list.splice(0, operation.drop);
	}
	return list;
}

export interface AutoscalerState {
	/** status.desiredReplicas */
	desired: number | undefined;
	/** status.lastSuccessfulScaleOutTime */
	scaledOutMs: number | undefined;
}

export interface AutoscalerInput {
	min: number;
	max: number;
	/** From metrics; undefined: there are none. */
	suggestion?: number | undefined;
	reservations: readonly Reservation[];
	/** scaleDownDelaySecondsAfterScaleOut */
	delayMs: number;
}

interface Scaled extends AutoscalerState {
	desired: number;
	/** The target's new effectiveTime; undefined: it stays as it is. */
	effectiveMs: number | undefined;
}

/** One reconcile of a HorizontalRunnerAutoscaler. */
export function scaled(
	{ min, max, suggestion, reservations, delayMs }: AutoscalerInput,
	status: AutoscalerState,
	nowMs: number,
): Scaled {
	const reserved = reservations.filter(({ expiresMs }) => expiresMs > nowMs).length;
	const wanted = (suggestion ?? min) + reserved;
	const computed = wanted < min ? min : Math.min(wanted, Math.max(min, max));
	const held =
		status.desired !== undefined &&
		status.desired >= computed &&
		status.scaledOutMs !== undefined &&
		status.scaledOutMs + delayMs > nowMs;
	const desired = held ? (status.desired ?? computed) : computed;
	const out = desired > (status.desired ?? 1);
	return {
		desired,
		scaledOutMs: out ? nowMs : status.scaledOutMs,
		effectiveMs:
			reservations.length > 0 ? Math.max(...reservations.map(({ effectiveMs }) => effectiveMs)) : undefined,
	};
}

/** A StatefulSet or Runner of ARC's with its pod. */
export interface ArcOwner {
	ordinal: number;
	/** Its annotation sync-time. */
	createdMs: number;
	/** running: its pod's container runs, with or without a job. Completed owners are gone before the set decides. */
	phase: 'pending' | 'running';
}

interface Followed<T> {
	create: number;
	/** Those that are asked to unregister: GitHub refuses those that work. */
	unregister: T[];
}

/** What a set does for its replicas and effectiveTime (syncRunnerPodsOwners), with ephemeral runners. */
export function followed<T extends ArcOwner>(
	owners: readonly T[],
	replicas: number,
	effectiveMs: number | undefined,
	nowMs: number,
): Followed<T> {
	const running = owners.filter(({ phase }) => phase === 'running').length;
	const newestFirst = owners.toSorted((a, b) => b.createdMs - a.createdMs || b.ordinal - a.ordinal);
	if (replicas > owners.length) {
		const newest = newestFirst[0];
		// Both stamps are cut to the second, and the comparison is strict.
		const synced =
			effectiveMs !== undefined && newest !== undefined && second(newest.createdMs) > second(effectiveMs);
		const verify = newest !== undefined && nowMs < newest.createdMs + holdMs;
		return { create: synced && verify ? 0 : replicas - owners.length, unregister: [] };
	}
	if (replicas > running) return { create: 0, unregister: [] };
	let kept = 0;
	const unregister: T[] = [];
	for (const owner of newestFirst) {
		if (owner.phase === 'running' && kept < replicas) kept += 1;
		else unregister.push(owner);
	}
	return { create: 0, unregister };
}

const second = (ms: number) => Math.floor(ms / 1_000);
