import { asksFor } from './asking.ts';
import { isProven, type Proofs, probeOf, proofsOf, unassignedSince } from './doubt.ts';
import { judgePassing, noDoubts } from './experiment.ts';
import { fits, type Holders, holdersOf, isLiving, type Run } from './holders.ts';
import { endMs, jobStatus, reopenedMs, suspectMs } from './job-status.ts';
import { podShownMs, sickEveryMs } from './policy.ts';
import { lateMs, replacement, supplyOf } from './supply.ts';
import type { Demand, Desired, Job, JobStatus, PassingMemory, Runner, SupplyDoubts } from './types.ts';

/**
 * How many runners a set is to have for its jobs, and which of them may go. Pure; does not change its arguments.
 *
 * Waiting jobs are counted, not events: a job counts from when it is known until GitHub, or the runner that has it, says
 * otherwise. A runner that works or is being removed takes no further job; every runner that has not ended counts for the
 * minimum and the maximum.
 */
export function demand(
	jobs: readonly Job[],
	runners: readonly Runner[],
	desired: Desired,
	nowMs: number,
	doubts: SupplyDoubts = noDoubts,
): Demand {
	const known = holdersOf(jobs, runners, nowMs);
	const living = runners.filter(isLiving);
	const { startUpsMs, giving } = doubts;
	const { startedCreatedMs } = doubts.memory;
	const supplyWith = ({ sick, doubted }: PassingMemory) =>
		supplyOf(living, { taken: known.taken, sick, doubted, startUpsMs, startedCreatedMs }, nowMs);
	const soonest = new Soonest(nowMs);
	const proofs = proofsOf(jobs, runners, known, nowMs);
	const open = openJobs(jobs, known, proofs, soonest, nowMs);
	const leaves = living.some(({ departing, phase }) => departing && phase === 'idle');
	const passing = judgePassing(
		doubts.memory,
		{
			waiting: open.waiting,
			jobs,
			runners,
			...known,
			supply: supplyWith(doubts.memory),
			max: desired.max,
			hasRoom: living.length < desired.max || leaves,
			giving,
		},
		nowMs,
	);
	for (const ms of passing.changesMs) soonest.at(ms);
	for (const job of passing.withheld) open.statuses.set(job, 'withheld');
	open.waiting = open.waiting.filter(({ key }) => !passing.withheld.has(key));
	const supply = supplyWith(passing.memory);
	for (const runner of supply.available) if (runner.phase !== 'idle') soonest.at(lateMs(runner, startUpsMs));
	const { counted, unassigned, suspect } = withoutSuspects(open, supply.available, proofs, soonest, nowMs);

	const waiting = counted.length;
	const missing = desired.countsJobs ? waiting - takenByUnknown(known.unexplained, counted) : 0;
	// Sick, doubted and late runners do not count for waiting jobs. Where no job waits, they go as any surplus runner does.
	const useless = [...supply.sick, ...supply.doubted, ...supply.late];
	const usable =
		missing + desired.spare > 0 || passing.extra ? supply.available : [...useless, ...supply.available];
	const occupied = living.length - usable.length;
	// A runner for another job, or a spare one, would take the jobs that do not count as well: a probe is only for where there is none.
	const probe = probeOf(jobs, open.statuses, unassigned, nowMs);
	const probes = desired.countsJobs && probe.now && occupied < desired.max ? 1 : 0;
	soonest.at(probe.changesMs);
	const forJobs = desired.countsJobs || desired.spare > 0 ? occupied : 0;
	// All that are available have passed by a job.
	const another = desired.countsJobs && passing.extra ? usable.length + 1 : 0;
	const need = forJobs + Math.max(desired.spare + missing, probes, another);
	// With metrics the larger number counts, never the sum: metrics count the same jobs (#1962).
	const floor = Math.max(desired.min, desired.suggestion ?? desired.min) + desired.reserved;
	const uncapped = Math.max(need, floor);
	const replicas = Math.max(desired.min, Math.min(desired.max, uncapped));

	const surplus = Math.max(0, living.length - replicas);
	const longestIdle = usable.filter(({ uid }) => uid !== '').toSorted(longestIdleFirst(nowMs));
	// One that has got no pod, of a quota for example, is no reserve: it goes as soon as it is not needed.
	const hasNone = ({ withoutPod, createdMs }: Runner) => withoutPod && nowMs - createdMs >= podShownMs;
	const idleLongEnough = (runner: Runner) =>
		hasNone(runner) || nowMs - idleSince(runner, nowMs) >= desired.delayMs;
	const mayGo = desired.ready ? longestIdle.filter(idleLongEnough).slice(0, surplus) : [];

	const may = desired.ready && !leaves;
	const before = doubts.memory.replacements;
	const sick = may ? replacement(supply, before, living.length, nowMs) : { runner: undefined, after: before };
	const replaced = living.filter(({ uid }) => uid === sick.runner?.uid || uid === passing.makesRoom);
	if (desired.ready && surplus > mayGo.length)
		for (const runner of longestIdle.slice(mayGo.length))
			soonest.at(
				runner.withoutPod ? runner.createdMs + podShownMs : idleSince(runner, nowMs) + desired.delayMs,
			);
	for (const ms of sick.after.beganMs) soonest.at(ms + sickEveryMs);
	for (const ms of known.lapseMs) soonest.at(ms);
	const { statuses } = open;
	const { checkAfterMs } = desired;
	const asks = asksFor(
		jobs,
		{ statuses, ...known, unassigned, passed: passing.ask, runners, checkAfterMs },
		nowMs,
	);
	for (const { dueMs } of asks) soonest.at(dueMs);
	return {
		desired: replicas,
		mayGo: mayGo.map(({ uid }) => uid),
		replace: may ? replaced.map(({ uid }) => uid) : [],
		held: surplus - mayGo.length,
		living: living.length,
		waiting,
		running: open.running,
		suspect,
		unconfirmed: open.unconfirmed,
		uncapped,
		supply,
		passing: { ...passing, memory: { ...passing.memory, replacements: sick.after } },
		...rememberedOf(jobs, known),
		unassigned: [...unassigned].map(([job, sinceMs]) => ({ job, sinceMs })),
		ask: asks
			.filter(({ dueMs }) => dueMs <= nowMs)
			.toSorted((one, other) => one.urgency - other.urgency || one.dueMs - other.dueMs)
			.map(({ job }) => job),
		statuses,
		requeueAfterMs: soonest.inMs,
	};
}

/** Since when the runner has been idle. A clock that was set back makes it no younger than it is. */
const idleSince = ({ idleSinceMs }: Runner, nowMs: number): number => Math.min(idleSinceMs ?? nowMs, nowMs);

const longestIdleFirst = (nowMs: number) => (one: Runner, other: Runner) =>
	Number(other.withoutPod === true) - Number(one.withoutPod === true) ||
	idleSince(one, nowMs) - idleSince(other, nowMs) ||
	one.createdMs - other.createdMs ||
	(one.name < other.name ? -1 : 1);

interface OpenJobs {
	statuses: Map<string, JobStatus>;
	/** The jobs that wait for a runner, as far as events have reported. */
	waiting: Job[];
	running: number;
	/** Jobs that wait, if what an old event said is still true. */
	unconfirmed: number;
}

function openJobs(
	jobs: readonly Job[],
	{ holders }: Holders,
	proofs: Proofs,
	soonest: Soonest,
	nowMs: number,
): OpenJobs {
	const open: OpenJobs = { statuses: new Map(), waiting: [], running: 0, unconfirmed: 0 };
	for (const job of jobs) {
		const found = jobStatus(job, holders.get(job.key)?.says, nowMs);
		const queued = job.state === 'queued';
		const says = found === 'unconfirmed' && queued && isProven(job, proofs) ? 'waiting' : found;
		if (says === 'unconfirmed' && queued) open.unconfirmed += 1;
		open.statuses.set(job.key, says);
		if (says === 'running') open.running += 1;
		if (says === 'waiting') open.waiting.push(job);
		soonest.at(endMs(job));
		soonest.at(reopenedMs(job));
	}
	return open;
}

/** The waiting jobs that count: all but those that idle runners have not taken for minutes, which become suspect. */
function withoutSuspects(
	{ waiting, statuses }: OpenJobs,
	supply: readonly Runner[],
	proofs: Proofs,
	soonest: Soonest,
	nowMs: number,
): { counted: Job[]; unassigned: Map<string, number>; suspect: number } {
	const unassigned = unassignedSince(waiting, supply, proofs, nowMs);
	const counted = waiting.filter(({ key, confirmedMs }) => {
		const ms = suspectMs({ unassignedMs: unassigned.get(key), confirmedMs });
		soonest.at(ms);
		if (ms <= nowMs) statuses.set(key, 'suspect');
		return ms > nowMs;
	});
	return { counted, unassigned, suspect: waiting.length - counted.length };
}

/** How many of the waiting jobs runners have whose job is not known: each runner one at most, and only one that fits. */
function takenByUnknown(unexplained: readonly Run[], waiting: readonly Job[]): number {
	const left = new Set(waiting);
	const known = ({ repository, runId }: Run) => repository !== undefined || runId !== undefined;
	for (const run of unexplained.toSorted((one, other) => Number(known(other)) - Number(known(one)))) {
		for (const job of left) {
			if (!fits(run, job)) continue;
			left.delete(job);
			break;
		}
	}
	return waiting.length - left.size;
}

/** What GitHub has not said: which runner has a job by our own job signals, and whose runner has ended. */
function rememberedOf(jobs: readonly Job[], { holders }: Holders): Pick<Demand, 'bound' | 'ended'> {
	const bound: Demand['bound'] = [];
	const ended: Demand['ended'] = [];
	for (const { key: job, runnerName } of jobs) {
		const holder = holders.get(job);
		if (!holder) continue;
		const { runner } = holder;
		if (holder.says === 'ended') ended.push({ job, runner });
		else if (runner.toLowerCase() !== runnerName?.toLowerCase()) bound.push({ job, runner });
	}
	return { bound, ended };
}

/** The first of many moments that is still to come. */
class Soonest {
	readonly #nowMs: number;
	#nextMs = Number.POSITIVE_INFINITY;

	constructor(nowMs: number) {
		this.#nowMs = nowMs;
	}

	at(ms: number): void {
		if (ms > this.#nowMs && ms < this.#nextMs) this.#nextMs = ms;
	}

	/** How long until then; undefined: there is none. */
	get inMs(): number | undefined {
		return Number.isFinite(this.#nextMs) ? this.#nextMs - this.#nowMs : undefined;
	}
}
