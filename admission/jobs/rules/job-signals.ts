import { type Job, type JobSignal, jobText, mostSignals } from '../../runner/job-signals.ts';
import type { RunnerPod } from '../../runner/runner-pod.ts';
import { type ReportingSource, sourceOf } from '../../runner/signal-sources.ts';
import { lateHookMs } from './policy.ts';
import { type LogReading, loggedMs } from './runner-log.ts';

/** What a source reports about a job. */
export interface JobReport {
	by: ReportingSource;
	says: 'started' | 'completed';
	/** Names the job to its source; see JobSignal. */
	key: string;
	job: Job;
}

/** Whether somebody says that the runner works, and whether all who do say that the job has completed. */
export function worksBy(signals: readonly JobSignal[]): 'working' | 'finishing' | undefined {
	if (signals.some(({ state }) => state === 'working')) return 'working';
	return signals.some(({ state }) => state === 'finishing') ? 'finishing' : undefined;
}

/** Whether a source says that the runner works, and only its own report that the job has completed ends that. */
export const reportsWork = ({ by, state }: JobSignal): boolean =>
	state === 'working' && sourceOf(by).comes === 'reported';

/**
 * The open claim that tells people most of the job that runs; undefined: there is none. Witnesses tell of one job at
 * different times and with different words: who knows its repository tells most. One that completed before another
 * witness saw a job start is that of an earlier job.
 */
export function openSignal(signals: readonly JobSignal[]): JobSignal | undefined {
	const open = signals.filter(({ state }) => state !== 'over');
	const startedMs = Math.max(
		...open.filter(({ state }) => state === 'working').map(({ sinceMs }) => sinceMs),
	);
	const detail = ({ job }: JobSignal) => (job.repository === undefined ? 0 : 1);
	return open
		.filter(({ state, sinceMs }) => state === 'working' || sinceMs >= startedMs)
		.toSorted((one, other) => detail(other) - detail(one) || other.sinceMs - one.sinceMs)[0];
}

/** The job that the runner runs, for people, and since when, ms since the epoch; undefined: nobody says that it runs one. */
export function jobNow({
	signals,
	busyHint,
}: Pick<RunnerPod, 'signals' | 'busyHint'>):
	| { name: string | undefined; sinceMs: number | undefined; job?: Job }
	| undefined {
	const signal = openSignal(signals);
	if (!signal) return busyHint && { name: busyHint.job, sinceMs: busyHint.sinceMs };
	return { name: jobText(signal.job), sinceMs: busyHint?.sinceMs ?? signal.sinceMs, job: signal.job };
}

/**
 * The claims after a hook's or an event's word; the same object where it changes nothing: a word that comes twice or late
 * has no effect, and words may come in any order. A new `started` of a hook ends what hooks said before: its runner runs
 * one job at a time. Jobs may share a hook's key, those of a matrix, or where a workflow sets RUNNER_TRACKING_ID itself (a
 * known way to keep processes alive): what starts long after the last one has completed is another.
 */
export function afterReport(
	signals: readonly JobSignal[],
	report: JobReport,
	nowMs: number,
): readonly JobSignal[] {
	const { by, key, job } = report;
	const state = report.says === 'started' ? 'working' : 'finishing';
	const before = signals.find((signal) => signal.by === by && signal.key === key);
	const { key: keys, inOrder } = sourceOf(by);
	const isNext = keys === 'may-repeat' && state === 'working' && before !== undefined;
	const late = before && !(isNext && nowMs - before.sinceMs >= lateHookMs);
	if (late && rank[before.state] >= rank[state]) return signals;
	const ends = (signal: JobSignal) => inOrder && signal.by === by && report.says === 'started';
	const others = signals
		.filter((signal) => signal !== before)
		.map((signal) => (ends(signal) ? over(signal, nowMs) : signal));
	return bounded([{ by, key, state, sinceMs: nowMs, job: { ...before?.job, ...given(job) } }, ...others]);
}

const rank: Record<JobSignal['state'], number> = { working: 0, finishing: 1, over: 2 };

/**
 * The claims after the runner's log was read; the same object where it changes nothing.
 *
 * - works: the log claims it, until the log says otherwise.
 * - idle: the log's own claim has ended, and so has what is `finishing`, unless the runner is ephemeral: that one's claims
 *   end with its container. A claim that still says `working` is no business of the log's: a job may have printed the line.
 * - unknown: nothing is learnt.
 */
export function afterLog(
	signals: readonly JobSignal[],
	reading: LogReading,
	ephemeral: boolean,
	nowMs: number,
): readonly JobSignal[] {
	if (reading.says === 'unknown') return signals;
	const logged = signals.find(({ by }) => by === 'log');
	if (reading.says === 'works') {
		const key = `${reading.at ?? ''} ${reading.job ?? ''}`.trim();
		if (logged?.key === key && logged.state === 'working') return signals;
		const job = { name: reading.job ?? 'a job' };
		// The log tells since when, unless its clock is ahead of ours.
		const sinceMs = Math.min(nowMs, loggedMs(reading) ?? nowMs);
		const signal: JobSignal = { by: 'log', key, state: 'working', sinceMs, job };
		return bounded([signal, ...signals.filter(({ by }) => by !== 'log')]);
	}
	const changed = signals
		.filter(({ by }) => by !== 'log')
		.map((signal) => (signal.state === 'finishing' && !ephemeral ? over(signal, nowMs) : signal));
	const same =
		changed.length === signals.length && changed.every((signal, index) => signal === signals[index]);
	return same ? signals : changed;
}

/** All of these claims have ended: what they say is refuted, or their container has. */
export const ended = (signals: readonly JobSignal[], which: (signal: JobSignal) => boolean, nowMs: number) =>
	signals.some((signal) => signal.state !== 'over' && which(signal))
		? signals.map((signal) => (which(signal) ? over(signal, nowMs) : signal))
		: signals;

const over = (signal: JobSignal, nowMs: number): JobSignal =>
	signal.state === 'over' ? signal : { ...signal, state: 'over', sinceMs: nowMs };

/** What works is never pushed out by words that something has ended. */
function bounded(signals: readonly JobSignal[]): JobSignal[] {
	const newest = (state: JobSignal['state']) => signals.filter((signal) => signal.state === state);
	return [...newest('working'), ...newest('finishing'), ...newest('over')].slice(0, mostSignals);
}

/** Without what is undefined, so that a later word that knows less takes nothing away. */
const given = (job: Job): Job =>
	Object.fromEntries(Object.entries(job).filter(([, value]) => value !== undefined)) as unknown as Job;
