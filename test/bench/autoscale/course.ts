import { chance, exponential, uniform } from './chance.ts';
import type { Constants } from './constants.ts';

/** What an event of a job says. */
export type Action = 'queued' | 'in_progress' | 'completed';

/** How an event gets from GitHub to us, or does not. */
interface Course {
	/** From what has happened to its delivery. */
	delayMs: number;
	/** 'failed': GitHub's list of failed deliveries shows it. 'silent': nothing does. */
	lost: 'failed' | 'silent' | undefined;
	/** It comes again so long after the first time. */
	againAfterMs: number | undefined;
}

/** What becomes of the event of a job, the same in every run of a seed. */
export function courseOf(events: Constants['events'], seed: number, action: Action, job: number): Course {
	const next = chance(seed, action, job);
	const latencyMs = uniform(next, events.latencyFromMs, events.latencyToMs);
	const [fate, silent] = [next(), next()];
	const doubled = next() < events.doubled;
	const lateMs = next() < events.reordered ? exponential(next, events.reorderedMs) : 0;
	if (fate < events.lost) {
		const lost = silent < events.silent ? 'silent' : 'failed';
		return { delayMs: latencyMs, lost, againAfterMs: undefined };
	}
	const againAfterMs = doubled ? uniform(next, 0, events.doubledMs) : undefined;
	return { delayMs: latencyMs + lateMs, lost: undefined, againAfterMs };
}
