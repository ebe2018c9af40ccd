import { demand } from '../../../admission/autoscale/rules/demand.ts';
import type { Demand, Desired, Job, Runner } from '../../../admission/autoscale/rules/types.ts';
import type { Phase } from '../../../admission/sets/rules/plan.ts';

/** Jobs, runners and what is desired, for the tests of the rules, 20 s old. */
export const now = Date.parse('2026-11-27T12:00:00Z');
export const second = 1_000;
export const minute = 60 * second;
export const hour = 60 * minute;

export const job = (id: number, more: Partial<Job> = {}): Job => ({
	key: `j${id}`,
	host: 'github.com',
	id,
	repository: 'octo/app',
	enterprise: undefined,
	runId: 100 + id,
	runAttempt: 1,
	name: `build ${id}`,
	labels: ['self-hosted'],
	labelsTruncated: false,
	state: 'queued',
	runnerName: undefined,
	createdMs: now - 20 * second,
	openedMs: now - 20 * second,
	stateMs: now - 20 * second,
	confirmedMs: undefined,
	checkedMs: undefined,
	boundTo: undefined,
	endedMs: undefined,
	unassignedMs: undefined,
	...more,
});
export const jobs = (count: number, more: Partial<Job> = {}): Job[] =>
	Array.from({ length: count }, (_, index) => job(index + 1, more));
export const runsOn = (runnerName: string, more: Partial<Job> = {}): Partial<Job> => ({
	state: 'in_progress',
	runnerName,
	...more,
});

export const runner = (name: string, phase: Phase, more: Partial<Runner> = {}): Runner => ({
	uid: `uid-${name}`,
	name,
	phase,
	departing: false,
	createdMs: now - minute,
	idleSinceMs: ['unbound', 'starting', 'idle'].includes(phase) ? now - 30 * second : undefined,
	busySinceMs: phase === 'busy' ? now - 15 * second : undefined,
	worked: phase === 'busy',
	job: undefined,
	...more,
});

export const desired = (more: Partial<Desired> = {}): Desired => ({
	min: 0,
	max: 10,
	countsJobs: true,
	spare: 0,
	reserved: 0,
	suggestion: undefined,
	delayMs: 10 * minute,
	checkAfterMs: 10 * minute,
	ready: true,
	...more,
});

export const asked = (
	list: readonly Job[],
	runners: readonly Runner[],
	more: Partial<Desired> = {},
	nowMs = now,
): Demand => demand(list, runners, desired(more), nowMs);
