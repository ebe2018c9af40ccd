import { isReopened } from './job-status.ts';
import { unexplainedMs } from './policy.ts';
import type { Job, Runner, RunOfJob } from './types.ts';

/** Which runner has which job: as GitHub says, and where it does not, as our own job signals say. */
export interface Holders {
	/** By the job's key: the runner of this set that has it, or had it. */
	holders: Map<string, { runner: string; says: 'runs' | 'ended' }>;
	/** UIDs of runners that GitHub has given a job, though their own pods do not show it yet. */
	taken: Set<string>;
	/** What stands for one waiting job each, as far as it is known which. */
	unexplained: Run[];
	/** When one of them no longer stands for a job, ms since the epoch. */
	lapseMs: number[];
	/** Jobs that runners have or had, and that are not known to be the waiting ones: since when. */
	unknown: UnknownRun[];
}

type UnknownRun = Run & { sinceMs: number };

/** What is known of a job that is to be found among the waiting ones. */
export type Run = Partial<Pick<RunOfJob, 'repository' | 'runId' | 'runAttempt'>>;

const folded = (name: string) => name.toLowerCase();
const hasEnded = ({ phase }: Runner) =>
	phase === 'completed' || phase === 'failed' || phase === 'stopping' || phase === 'leaving';
/** Whether the runner runs or will run. A leaving one does not: its owner goes, and its process has ended; see sets/owners.ts. */
export const isLiving = (runner: Runner): boolean => !hasEnded(runner);

/** Which of the set's runners has which job. Pure. */
export function holdersOf(jobs: readonly Job[], runners: readonly Runner[], nowMs: number): Holders {
	// Of two runners of a name the living one counts.
	const livingLast = runners.toSorted((one, other) => Number(isLiving(one)) - Number(isLiving(other)));
	const known: Known = {
		byName: new Map(livingLast.map((runner) => [folded(runner.name), runner])),
		holders: new Map(),
		taken: new Set(),
		explained: new Set(),
	};
	byGitHub(jobs, known);
	byMemory(jobs, known, nowMs);
	const { unexplained, lapseMs, unknown } = bySignals(jobs, runners, known, nowMs);
	const { holders, taken } = known;
	return { holders, taken, unexplained, lapseMs, unknown };
}

interface Known extends Pick<Holders, 'holders' | 'taken'> {
	byName: ReadonlyMap<string, Runner>;
	/** Names of runners whose job is known: they stand for no other one. */
	explained: Set<string>;
}

/** GitHub has given these jobs to runners. */
function byGitHub(jobs: readonly Job[], { byName, holders, taken, explained }: Known): void {
	for (const job of jobs) {
		if (job.runnerName === undefined) continue;
		const name = folded(job.runnerName);
		const runner = byName.get(name);
		if (!runner || isItsJob(runner, job)) explained.add(name);
		if (job.state === 'completed') continue;
		if (runner) {
			holders.set(job.key, { runner: runner.name, says: isLiving(runner) ? 'runs' : 'ended' });
			// A static one that has been idle since then is free again.
			if ((runner.idleSinceMs ?? 0) <= job.stateMs) taken.add(runner.uid);
		} else if (job.endedMs !== undefined && folded(job.boundTo ?? '') === name)
			// It is gone; any other runner that is not here is not of this set.
			holders.set(job.key, { runner: job.runnerName, says: 'ended' });
	}
}

/** What our job signals have said before. */
function byMemory(jobs: readonly Job[], { byName, holders, explained }: Known, nowMs: number): void {
	for (const job of jobs) {
		if (job.boundTo === undefined || !mayBeBound(job, nowMs)) continue;
		const name = folded(job.boundTo);
		if (explained.has(name)) continue;
		const runner = byName.get(name);
		const says = boundSays(job, runner, nowMs);
		if (!says) continue;
		if (says === 'runs' || !runner || hasEnded(runner)) explained.add(name);
		holders.set(job.key, { runner: job.boundTo, says });
	}
}

/** What our job signals say now, of runners whose job is not known yet. */
function bySignals(
	jobs: readonly Job[],
	runners: readonly Runner[],
	{ holders, explained }: Known,
	nowMs: number,
): Pick<Holders, 'unexplained' | 'lapseMs' | 'unknown'> {
	const isFree = (job: Job) => mayBeBound(job, nowMs) && (!holders.has(job.key) || isReopened(job, nowMs));
	const free = new FreeJobs(jobs.filter(isFree));
	const unexplained: Run[] = [];
	const unknown: UnknownRun[] = [];
	const lapseMs: number[] = [];
	for (const runner of runners.toSorted(longestBusyFirst)) {
		if (explained.has(folded(runner.name))) continue;
		const { phase, busySinceMs, job = {}, worked } = runner;
		// Whose job is known by its id stands for no other one.
		const exact = job.jobId !== undefined;
		if (phase === 'busy') {
			const found = free.take(job, busySinceMs);
			if (found) holders.set(found.key, { runner: runner.name, says: 'runs' });
			if (found || exact || busySinceMs === undefined) continue;
			const sinceMs = Math.min(busySinceMs, nowMs);
			unknown.push({ ...job, sinceMs });
			const lapsesMs = sinceMs + unexplainedMs;
			if (lapsesMs <= nowMs) continue;
			unexplained.push(job);
			lapseMs.push(lapsesMs);
		} else if (phase === 'completed' && worked && exact) {
			const found = free.take(job, undefined);
			if (found) holders.set(found.key, { runner: runner.name, says: 'ended' });
		}
	}
	return { unexplained, lapseMs, unknown };
}

/** Whether the job that GitHub gave the runner is the one that it runs or ran last: a static one takes one after the other. */
function isItsJob(runner: Runner, job: Job): boolean {
	if (hasEnded(runner)) return true;
	const { jobId, ...run } = runner.job ?? {};
	if ((jobId ?? job.id) !== job.id || !fits(run, job)) return false;
	// One that has begun since then is another.
	return job.state !== 'completed' || (runner.busySinceMs ?? 0) <= job.stateMs;
}

/** Whether our job signals decide which runner has the job: GitHub has named none, or that runner has ended and the job waits again. */
const mayBeBound = (job: Job, nowMs: number): boolean =>
	job.state !== 'completed' && (job.runnerName === undefined || isReopened(job, nowMs));

/** What is known of a job that was bound to a runner before; undefined: it is no longer bound. */
function boundSays(job: Job, runner: Runner | undefined, nowMs: number): 'runs' | 'ended' | undefined {
	if (!runner || hasEnded(runner)) return 'ended';
	if (runner.phase !== 'busy') return runner.worked ? 'ended' : undefined;
	const { jobId: exact, ...run } = runner.job ?? {};
	// A static one has the next job by now.
	if (!fits(run, job)) return 'ended';
	// By its id it is found anew, whichever it is.
	if (exact !== undefined) return undefined;
	// Siblings of a matrix look alike to a hook: GitHub says that this one has no runner, so it was another.
	const { confirmedMs = 0 } = job;
	return confirmedMs > (runner.busySinceMs ?? nowMs) + unexplainedMs ? undefined : 'runs';
}

const longestBusyFirst = (one: Runner, other: Runner) =>
	(one.busySinceMs ?? 0) - (other.busySinceMs ?? 0) || (one.name < other.name ? -1 : 1);

/** Jobs that no runner is known to have, to be found by what a job signal says of them. */
class FreeJobs {
	/** Jobs of different repositories may be reported with the same id. */
	readonly #byId = new Map<number, Set<Job>>();
	readonly #byRun = new Map<number | undefined, Set<Job>>();

	constructor(jobs: readonly Job[]) {
		for (const job of jobs.toSorted((one, other) => one.openedMs - other.openedMs)) {
			this.#byId.set(job.id, (this.#byId.get(job.id) ?? new Set()).add(job));
			this.#byRun.set(job.runId, (this.#byRun.get(job.runId) ?? new Set()).add(job));
		}
	}

	#take(job: Job | undefined): Job | undefined {
		if (!job) return undefined;
		this.#byId.get(job.id)?.delete(job);
		this.#byRun.get(job.runId)?.delete(job);
		return job;
	}

	/** By GitHub's id; where it is not known, by the run: one that GitHub says to run, one of this name, the oldest. */
	take({ jobId, name, ...run }: Partial<RunOfJob>, sinceMs: number | undefined): Job | undefined {
		if (jobId !== undefined)
			return this.#take([...(this.#byId.get(jobId) ?? [])].find((job) => fits(run, job)));
		if (run.runId === undefined) return undefined;
		let best: Job | undefined;
		let bestRank = Number.NEGATIVE_INFINITY;
		for (const job of this.#byRun.get(run.runId) ?? []) {
			// What GitHub has called queued since then is not what this runner runs.
			if ((job.confirmedMs ?? 0) > (sinceMs ?? Number.POSITIVE_INFINITY) + unexplainedMs) continue;
			const rank = (job.state === 'in_progress' ? 2 : 0) + (job.name === name ? 1 : 0);
			if (!fits(run, job) || rank <= bestRank) continue;
			best = job;
			bestRank = rank;
		}
		return this.#take(best);
	}
}

/** Whether nothing that is known of the run speaks against the job. */
export function fits({ repository, runId, runAttempt }: Run, job: Job): boolean {
	const same = <T>(one: T | undefined, other: T | undefined) =>
		one === undefined || other === undefined || one === other;
	return (
		same(repository?.toLowerCase(), job.repository.toLowerCase()) &&
		same(runId, job.runId) &&
		same(runAttempt, job.runAttempt)
	);
}
