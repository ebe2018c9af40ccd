import { sickEveryMs, sickPart } from '../../../admission/autoscale/rules/policy.ts';
import type { SupplyWorld } from './supply-world.ts';

/**
 * When each waiting job would start if it were known from now on which runners hang: with the same maximum, the oldest job
 * first, a runner more for each job as far as there is room, and no more of those that hang replaced in a while than may be.
 *
 * @param startMs how long a runner takes from the end of the one before until it has a job
 * @returns by the job's id, ms since the epoch
 */
export function perfectStarts(world: SupplyWorld, max: number, startMs: number): Map<number, number> {
	const { nowMs } = world;
	const behindMs = world.clockMs - nowMs;
	const most = Math.max(1, Math.floor(sickPart * max));
	const beganMs = (world.demand?.passing.memory.replacements.beganMs ?? []).map((ms) => ms - behindMs);
	const free: number[] = [];
	for (const { sick, job, startsAtMs } of world.living) {
		if (job) free.push((job.startedMs ?? nowMs) + (job.runsMs ?? 0) + startMs);
		else if (!sick) free.push(Math.max(nowMs, startsAtMs));
		else {
			const atMs = Math.max(nowMs, (beganMs.at(-most) ?? Number.NEGATIVE_INFINITY) + sickEveryMs);
			beganMs.push(atMs);
			free.push(atMs + startMs);
		}
	}
	while (free.length < max) free.push(nowMs + startMs);
	const starts = new Map<number, number>();
	for (const { id, runner, unassignable, runsMs = 0 } of world.jobs) {
		if (runner !== undefined || unassignable) continue;
		free.sort((one, other) => one - other);
		const atMs = free.shift() ?? nowMs;
		starts.set(id, atMs);
		free.push(atMs + runsMs + startMs);
	}
	return starts;
}
