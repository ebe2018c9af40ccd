import { stalledRunners } from './policy.ts';
import type { GivingOut, Passing } from './types.ts';

/** What the sets of one GitHub host have seen of the jobs that it gives out. Times are ms since the epoch. */
export interface Activity {
	/** When a runner was given a job last, as far as is known. */
	takenMs: number;
	stalledMs: number;
	/** By set: what its last reconcile found. */
	passed: ReadonlyMap<string, Pick<Passing, 'passed' | 'idle'>>;
}

export const noActivity: Activity = { takenMs: 0, stalledMs: 0, passed: new Map() };

/** After a reconcile of the set; `found` undefined: the set is gone. */
export function withReconcile(
	before: Activity,
	set: string,
	found: Pick<Passing, 'passed' | 'idle' | 'taken'> | undefined,
	nowMs: number,
): Activity {
	const passed = new Map(before.passed);
	if (found && found.passed.length > 0) passed.set(set, { passed: found.passed, idle: found.idle });
	else passed.delete(set);
	const after = { ...before, passed, takenMs: found?.taken ? nowMs : Math.min(before.takenMs, nowMs) };
	return { ...after, stalledMs: isStalled(after) ? nowMs : Math.min(before.stalledMs, nowMs) };
}

export const givingOut = (activity: Activity): GivingOut => ({
	stalled: isStalled(activity),
	stalledMs: activity.stalledMs,
});

/**
 * Whether GitHub gives out no jobs at all: since some runners began to pass by jobs of two repositories, no runner has been
 * given any. Where they are very few they may all be sick.
 */
function isStalled({ takenMs, passed }: Activity): boolean {
	const repositories = new Set<string>();
	let runners = 0;
	for (const { passed: jobs, idle } of passed.values()) {
		const since = jobs.filter(({ sinceMs }) => sinceMs >= takenMs);
		if (since.length > 0) runners += idle;
		for (const { repository } of since) repositories.add(repository.toLowerCase());
	}
	return repositories.size >= 2 && runners >= stalledRunners;
}
