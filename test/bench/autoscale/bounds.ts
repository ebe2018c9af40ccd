/** What no autoscaler can beat: one that knows all that has happened, and one that knows what will. */
import type { TraceJob } from './trace.ts';
import type { Scaler, World } from './world.ts';

/** Creates a pod in the instant in which a job arrives, and removes one that no job waits for. It can't see ahead. */
export class Floor implements Scaler {
	readonly #world: World;

	constructor(world: World) {
		this.#world = world;
	}

	jobChanged(): void {
		const world = this.#world;
		for (const pod of world.pods) if (pod.sick && pod.state === 'idle') world.remove(pod);
		const missing = world.waiting.size - world.supply;
		for (let room = world.constants.max - world.living; room > 0 && world.supply < world.waiting.size; room--)
			world.create();
		if (missing >= 0) return;
		// The newest start has waited least.
		const spare = [...world.pods]
			.filter(({ state }) => state === 'starting' || state === 'idle')
			.slice(missing);
		for (const pod of spare) world.remove(pod);
	}

	podChanged(): void {
		this.jobChanged();
	}
}

/** Starts of jobs, by id, that each find a started pod when they arrive, with at most `max` at a time; the oldest first. */
export function oracle(
	jobs: readonly TraceJob[],
	max: number,
	exitMs: number,
): { starts: Map<number, number>; busyMs: number } {
	/** When each of the pods is free again. */
	const free = new Array<number>(max).fill(0);
	const starts = new Map<number, number>();
	let busyMs = 0;
	for (const { id, createdMs, durationMs, cancelAfterMs = Number.POSITIVE_INFINITY } of jobs) {
		const first = free.indexOf(Math.min(...free));
		const startMs = Math.max(createdMs, free[first]!);
		if (startMs >= createdMs + cancelAfterMs) continue;
		const endMs = Math.min(startMs + durationMs, createdMs + cancelAfterMs);
		starts.set(id, startMs);
		busyMs += endMs - startMs;
		free[first] = endMs + exitMs;
	}
	return { starts, busyMs };
}
