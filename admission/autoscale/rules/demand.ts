import { asksFor } from './asking.ts';
import { isProven, leftSince, type Proofs, probeOf, proofsOf } from './doubt.ts';
import { fits, type Holders, holdersOf, isLiving, type Run } from './holders.ts';
import { endMs, reopenedMs, standing, suspectMs } from './standing.ts';
import type { Credit, Demand, Job, Runner, Standing, Wish } from './types.ts';

/**
 * How many runners a set is to have for its jobs, and which of them may go. Pure; does not change its arguments.
 *
 * Waiting jobs are counted, not events: a job counts from when it is known until GitHub, or the runner that has it, says
 * otherwise. Runners that work or go are nobody else's supply; all that live count for the minimum and the maximum.
 */
export function demand(
	jobs: readonly Job[],
	runners: readonly Runner[],
	credits: readonly Credit[],
	wish: Wish,
	nowMs: number,
): Demand {
	const known = holdersOf(jobs, runners, credits, nowMs);
	const living = runners.filter(isLiving);
	const supply = living.filter((runner) => isSupply(runner, known.taken));
	const soonest = new Soonest(nowMs);
	const proofs = proofsOf(jobs, runners, known, nowMs);
	const looked = lookAt(jobs, known, proofs, soonest, nowMs);
	const { counted, untaken, suspect } = withoutSuspects(looked, supply, proofs, soonest, nowMs);

	const waiting = counted.length;
	const missing = wish.countsJobs ? waiting - standingForOne(known.unexplained, counted) : 0;
	const occupied = living.length - supply.length;
	// What else waits, or is spare, finds out as well whether the jobs that do not count are true.
	const probe = probeOf(jobs, looked.standings, untaken, nowMs);
	const probes = wish.countsJobs && probe.now && occupied < wish.max ? 1 : 0;
	soonest.at(probe.changesMs);
	const forJobs = wish.countsJobs || wish.spare > 0 ? occupied : 0;
	const need = forJobs + Math.max(wish.spare + missing, probes);
	// With metrics the larger number counts, never the sum: they have seen the same jobs (#1962).
	const floor = Math.max(wish.min, wish.suggestion ?? wish.min) + wish.reserved;
	const uncapped = Math.max(need, floor);
	const desired = Math.max(wish.min, Math.min(wish.max, uncapped));

	const surplus = Math.max(0, living.length - desired);
	const longestIdle = supply.filter(({ uid }) => uid !== '').toSorted(longestIdleFirst(nowMs));
	const idleLongEnough = (runner: Runner) => nowMs - idleSince(runner, nowMs) >= wish.delayMs;
	const mayGo = wish.ready ? longestIdle.filter(idleLongEnough).slice(0, surplus) : [];

	if (wish.ready && surplus > mayGo.length)
		for (const runner of longestIdle.slice(mayGo.length)) soonest.at(idleSince(runner, nowMs) + wish.delayMs);
	for (const ms of known.lapseMs) soonest.at(ms);
	const { standings } = looked;
	const { checkAfterMs } = wish;
	const asks = asksFor(jobs, { standings, ...known, untaken, runners, checkAfterMs }, nowMs);
	for (const { dueMs } of asks) soonest.at(dueMs);
	return {
		desired,
		mayGo: mayGo.map(({ uid }) => uid),
		held: surplus - mayGo.length,
		living: living.length,
		waiting,
		running: looked.running,
		suspect,
		unconfirmed: looked.unconfirmed,
		uncapped,
		credits: known.credits,
		...rememberedOf(jobs, known),
		untaken: [...untaken].map(([job, sinceMs]) => ({ job, sinceMs })),
		ask: asks
			.filter(({ dueMs }) => dueMs <= nowMs)
			.toSorted((one, other) => one.urgency - other.urgency || one.dueMs - other.dueMs)
			.map(({ job }) => job),
		standings,
		requeueAfterMs: soonest.inMs,
	};
}

/** Whether the runner can take the next job: it has none, and stays. */
const isSupply = ({ phase, departing, uid }: Runner, taken: ReadonlySet<string>): boolean =>
	(phase === 'pending' || phase === 'starting' || phase === 'idle') && !departing && !taken.has(uid);

/** Since when the runner has been idle. A clock that was set back makes it no younger than it is. */
const idleSince = ({ idleSinceMs }: Runner, nowMs: number): number => Math.min(idleSinceMs ?? nowMs, nowMs);

const longestIdleFirst = (nowMs: number) => (one: Runner, other: Runner) =>
	idleSince(one, nowMs) - idleSince(other, nowMs) ||
	one.createdMs - other.createdMs ||
	(one.name < other.name ? -1 : 1);

interface Looked {
	standings: Map<string, Standing>;
	/** The jobs that wait for a runner, as far as events tell. */
	waiting: Job[];
	running: number;
	/** Jobs that wait, if what an event of long ago said is still true. */
	unconfirmed: number;
}

function lookAt(
	jobs: readonly Job[],
	{ holders }: Holders,
	proofs: Proofs,
	soonest: Soonest,
	nowMs: number,
): Looked {
	const looked: Looked = { standings: new Map(), waiting: [], running: 0, unconfirmed: 0 };
	for (const job of jobs) {
		const found = standing(job, holders.get(job.key)?.says, nowMs);
		const queued = job.state === 'queued';
		const says = found === 'unconfirmed' && queued && isProven(job, proofs) ? 'waiting' : found;
		if (says === 'unconfirmed' && queued) looked.unconfirmed += 1;
		looked.standings.set(job.key, says);
		if (says === 'running') looked.running += 1;
		if (says === 'waiting') looked.waiting.push(job);
		soonest.at(endMs(job));
		soonest.at(reopenedMs(job));
	}
	return looked;
}

/** The waiting jobs that count: those that idle runners have not left for minutes. Says of the others that they are suspect. */
function withoutSuspects(
	{ waiting, standings }: Looked,
	supply: readonly Runner[],
	proofs: Proofs,
	soonest: Soonest,
	nowMs: number,
): { counted: Job[]; untaken: Map<string, number>; suspect: number } {
	const untaken = leftSince(waiting, supply, proofs, nowMs);
	const counted = waiting.filter(({ key, confirmedMs }) => {
		const ms = suspectMs({ untakenMs: untaken.get(key), confirmedMs });
		soonest.at(ms);
		if (ms <= nowMs) standings.set(key, 'suspect');
		return ms > nowMs;
	});
	return { counted, untaken, suspect: waiting.length - counted.length };
}

/** How many of the waiting jobs are taken by runners whose job is not known: each at most one, and one that it can be. */
function standingForOne(unexplained: readonly Run[], waiting: readonly Job[]): number {
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

/** What GitHub has not said: who has a job by our witnesses, and whose runner has ended. */
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
