import { type Job, type JobSignal, jobText, longestText, mostSignals } from '../../runner/job-signals.ts';
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
	/** Whether the key may be the next job's as well, so that a start under it after an end is not a late report. */
	keyRepeats?: boolean;
	job: Job;
}

/** Whether a source reports a job: `working`, or `finishing` if all of them say that it has completed. */
export function worksBy(signals: readonly JobSignal[]): 'working' | 'finishing' | undefined {
	if (signals.some(({ state }) => state === 'working')) return 'working';
	return signals.some(({ state }) => state === 'finishing') ? 'finishing' : undefined;
}

/** Whether a source says that the runner works, and only its own report that the job has completed ends that. */
export const reportsWork = ({ by, state }: JobSignal): boolean =>
	state === 'working' && sourceOf(by).comes === 'reported';

/**
 * The open signal that says most, for people, about the job that runs; undefined: there is none. Sources report one job at
 * different times and with different details: one that knows its repository says most. A job that completed before another
 * source reported a start is an earlier one.
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

/** The job that the runner runs, for people, and since when, ms since the epoch; undefined: no source says that it runs one. */
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
 * The signals after a report; the same object where it changes nothing: a report that comes twice or late has no effect, and
 * reports may come in any order. What else depends on the source is in its row (runner/signal-sources.ts).
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
	const isNext =
		before &&
		keys === 'may-repeat' &&
		state === 'working' &&
		(nowMs - before.sinceMs >= lateHookMs || (report.keyRepeats && before.state !== 'working'));
	if (before && !isNext && rank[before.state] >= rank[state]) return signals;
	const ends = (signal: JobSignal) => inOrder && signal.by === by && report.says === 'started';
	const others = signals
		.filter((signal) => signal !== before)
		.map((signal) => (ends(signal) ? over(signal, nowMs) : signal));
	return bounded([{ by, key, state, sinceMs: nowMs, job: { ...before?.job, ...given(job) } }, ...others]);
}

const rank: Record<JobSignal['state'], number> = { working: 0, finishing: 1, over: 2 };

/**
 * The signals after the runner's log was read; the same object where it changes nothing.
 *
 * - works: a signal of the log, until the log says otherwise. If it is unclear, GitHub's lists may have ended the signal.
 * - idle: the log's own signal has ended, and so has each that is `finishing`, unless the runner is ephemeral: its signals end
 *   with its container. The log ends no other signal that says `working`: a job may have printed the line.
 * - unknown: nothing changes.
 */
export function afterLog(
	signals: readonly JobSignal[],
	log: LogReading,
	ephemeral: boolean,
	nowMs: number,
): readonly JobSignal[] {
	const reading = believed(signals, log);
	if (reading.says === 'unknown') return signals;
	if (reading.says === 'works') {
		const logged = loggedSignal(signals, reading);
		if (logged?.state === 'working') return signals;
		const job = { name: reading.job ?? 'a job' };
		// The log says since when, unless its clock is ahead of ours. What is unclear is contradicted only from now on.
		const sinceMs = reading.unclear ? nowMs : Math.min(nowMs, loggedMs(reading) ?? nowMs);
		const signal: JobSignal = { by: 'log', key: logKey(reading), state: 'working', sinceMs, job };
		return bounded([signal, ...signals.filter(({ by }) => by !== 'log')]);
	}
	const changed = signals
		.filter(({ by }) => by !== 'log')
		.map((signal) => (signal.state === 'finishing' && !ephemeral ? over(signal, nowMs) : signal));
	const same =
		changed.length === signals.length && changed.every((signal, index) => signal === signals[index]);
	return same ? signals : changed;
}

/**
 * What the log says, where GitHub's lists may have refuted it: after they have ended the signal of an unclear start, the log
 * tells nothing as long as it shows that start.
 */
export function believed(signals: readonly JobSignal[], reading: LogReading): LogReading {
	if (reading.says !== 'works' || !reading.unclear) return reading;
	return loggedSignal(signals, reading)?.state === 'over'
		? { says: 'unknown', why: "its log shows a job, unclearly, that GitHub's lists have not shown for long" }
		: reading;
}

type Works = Extract<LogReading, { says: 'works' }>;

/** The log's signal of this start. */
const loggedSignal = (signals: readonly JobSignal[], reading: Works) =>
	signals.find(({ by, key }) => by === 'log' && key === logKey(reading));

const logKey = ({ at, job }: Works): string => `${at ?? ''} ${job ?? ''}`.trim().slice(0, longestText);

/** All of these signals have ended: what they say is refuted, or their container has stopped. */
export const ended = (signals: readonly JobSignal[], which: (signal: JobSignal) => boolean, nowMs: number) =>
	signals.some((signal) => signal.state !== 'over' && which(signal))
		? signals.map((signal) => (which(signal) ? over(signal, nowMs) : signal))
		: signals;

const over = (signal: JobSignal, nowMs: number): JobSignal =>
	signal.state === 'over' ? signal : { ...signal, state: 'over', sinceMs: nowMs };

/**
 * As many as a pod's annotation may have. A signal that says `working` is never pushed out: by ended ones, nor by those of
 * another source, and where there are too many of one source, the oldest become one that no completion of theirs ends.
 */
function bounded(signals: readonly JobSignal[]): JobSignal[] {
	const newest = (state: JobSignal['state']) => signals.filter((signal) => signal.state === state);
	const working = newestOfEachFirst(newest('working'));
	const fitting = working.length > mostSignals ? working.slice(0, mostSignals - 1) : working;
	const rest = working.slice(fitting.length);
	return [...fitting, ...rest.slice(0, 1).map(forAll), ...newest('finishing'), ...newest('over')].slice(
		0,
		mostSignals,
	);
}

function newestOfEachFirst(signals: readonly JobSignal[]): JobSignal[] {
	const first = signals.filter((signal) => signals.find(({ by }) => by === signal.by) === signal);
	return [...first, ...signals.filter((signal) => !first.includes(signal))];
}

/** Stands for `newest` and all older ones: no source names a job so, and the log, GitHub's list or the container ends it. */
const forAll = (newest: JobSignal): JobSignal => ({
	...newest,
	key: 'more',
	job: { name: 'one of several jobs' },
});

/** Without what is undefined, so that a later report that knows less takes nothing away. */
const given = (job: Job): Job =>
	Object.fromEntries(Object.entries(job).filter(([, value]) => value !== undefined)) as unknown as Job;
