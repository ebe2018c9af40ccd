import { afterLog, believed, ended } from '../../jobs/rules/job-signals.ts';
import type { LogReading } from '../../jobs/rules/runner-log.ts';
import type { JobSignal } from '../../runner/job-signals.ts';
import { doubtfulSignal } from '../../runner/policy.ts';
import type { RunnerPod } from '../../runner/runner-pod.ts';
import { sourceOf } from '../../runner/signal-sources.ts';
import type { Contradiction } from '../../telemetry/metrics.ts';
import type { Sighting } from './busy-marks.ts';
import { contradictedAfterMs, finishingRetryMs, logSignalCheckMs, logSignalMs, oldListMs } from './policy.ts';

const isOpen = ({ state }: JobSignal) => state !== 'over';

/**
 * After how many ms the log of a runner with open job signals is to be read, so that they end; undefined: only its container
 * can end them, or another report of their own source.
 *
 * - finishing: at once, and after 1, 2, 4 s and so on.
 * - from the log: every `logSignalMs`, unless GitHub's list shows the job too.
 * - working for long by a hook or an event, while GitHub's list shows no job, or after an event has reported a later one: a
 *   worker that was killed sends no end, and GitHub sometimes sends no event for one.
 *
 * The signals of an ephemeral runner end with its container.
 *
 * @param readBeforeMs when its log was last read, ms since the epoch; undefined: never
 */
export function nextReadMs(
	pod: RunnerPod,
	sighting: Sighting | undefined,
	readBeforeMs: number | undefined,
	nowMs: number,
): number | undefined {
	const readMs = (readBeforeMs ?? 0) > nowMs ? undefined : readBeforeMs; // the clock was set back
	const open = pod.signals.filter(isOpen);
	if (open.length === 0 || pod.ephemeral || pod.terminating || pod.process.state !== 'running')
		return undefined;
	const since = (everyMs: number) => Math.max(0, (readMs ?? 0) + everyMs - nowMs);
	const due = open.flatMap((signal) => {
		const { by, state, sinceMs } = signal;
		if (state === 'finishing') {
			const { first, most } = finishingRetryMs;
			// Written by a replica whose clock is ahead: that is no reason to read without a pause until it is then.
			if (readMs === undefined || (readMs < sinceMs && sinceMs <= nowMs)) return [0];
			return [since(Math.min(most, Math.max(first, readMs - sinceMs)))];
		}
		// While GitHub's list shows the job as well, nobody has to ask the kubelet.
		if (sourceOf(by).comes === 'read')
			return [showsJob(sighting, nowMs) ? logSignalCheckMs : since(logSignalMs)];
		const doubtfulInMs = sinceMs + doubtfulSignal.afterMs - nowMs;
		if (doubtfulInMs > 0) return [doubtfulInMs];
		const doubtful = showsNoJob(sighting, sinceMs) || isSuperseded(signal, pod.signals);
		return [doubtful ? since(doubtfulSignal.againMs) : doubtfulSignal.againMs];
	});
	return Math.min(...due);
}

/**
 * The job signals of a static runner after its log was read; the same object where none has ended.
 *
 * A log that says idle ends its own signal, those that are finishing, and those that GitHub's list has contradicted for long.
 * If the log says nothing, or shows a start that is unclear, a job that has completed is over when GitHub's list agrees: at
 * once where an event reported the completion, a minute later where only the hook did. The log's own signal is over when
 * the list has contradicted it for long.
 */
export function signalsAfterReading(
	pod: RunnerPod,
	log: LogReading,
	sighting: Sighting | undefined,
	nowMs: number,
): readonly JobSignal[] {
	const reading = believed(pod.signals, log);
	const changed = afterLog(pod.signals, reading, pod.ephemeral, nowMs);
	if (reading.says === 'unknown' || (reading.says === 'works' && reading.unclear)) {
		const agreed = ({ by, state, sinceMs }: JobSignal) => {
			const { listEnds } = sourceOf(by);
			return state === listEnds.state && showsNoJob(sighting, sinceMs + listEnds.afterMs);
		};
		return ended(changed, agreed, nowMs);
	}
	return reading.says === 'idle' ? ended(changed, (signal) => isDoubtful(signal, sighting), nowMs) : changed;
}

/**
 * The job signals without those of another runner of this name: an event names GitHub's id of the runner, and a list that was
 * begun well after it still shows this pod's own id under the name. Until then such a signal counts: a static runner that
 * registers again has a new id, which no list may have shown yet. The same object where all are its own.
 */
export const withoutAnothers = (
	{ signals, registered, runnerId }: RunnerPod,
	sighting: Sighting | undefined,
	nowMs: number,
): readonly JobSignal[] =>
	registered && sighting?.runner?.id === runnerId
		? ended(
				signals,
				({ job, sinceMs }) =>
					job.runnerId !== undefined &&
					job.runnerId !== runnerId &&
					(sighting?.atMs ?? 0) >= sinceMs + contradictedAfterMs,
				nowMs,
			)
		: signals;

/**
 * The job signal that GitHub is asked about by its run, after it has been open for long: the list has contradicted it and
 * the log says nothing, or an event has reported a later job. The log, and a list that shows the next job of a full queue,
 * do not say which job they mean. undefined: there is none, or its run is not known.
 */
export const signalToVerify = (
	{ signals }: RunnerPod,
	reading: LogReading,
	sighting: Sighting | undefined,
	nowMs: number,
): JobSignal | undefined =>
	signals.find((signal) => {
		if (!signal.job.repository || !signal.job.runId) return false;
		if (isSuperseded(signal, signals)) return nowMs - signal.sinceMs >= doubtfulSignal.afterMs;
		return believed(signals, reading).says === 'unknown' && isDoubtful(signal, sighting);
	});

/**
 * Whether its source has reported a later job of the runner, which runs one at a time. Events may come in any order, so GitHub
 * is asked. Of a source that reports in order, the start of a job has ended the earlier signal already.
 */
const isSuperseded = ({ by, state, sinceMs }: JobSignal, signals: readonly JobSignal[]): boolean =>
	state === 'working' &&
	signals.some((other) => other.by === by && other.state === 'working' && other.sinceMs > sinceMs);

/** Whether a signal that a runner works has been open for long although GitHub's list shows no job. */
const isDoubtful = ({ state, sinceMs }: JobSignal, sighting: Sighting | undefined): boolean =>
	state === 'working' && showsNoJob(sighting, sinceMs + doubtfulSignal.afterMs);

/** How GitHub's list is wrong about a runner that works; undefined: it is not. An ephemeral one may well be absent. */
export function contradiction(pod: RunnerPod, sighting: Sighting | undefined): Contradiction | undefined {
	const works = pod.signals.find(({ state }) => state === 'working');
	if (!works || !showsNoJob(sighting, works.sinceMs + contradictedAfterMs)) return undefined;
	if (sighting?.runner) return 'idle-while-busy';
	return pod.ephemeral ? undefined : 'absent-while-busy';
}

/** Whether a list that is not old shows that the runner has a job. */
const showsJob = (sighting: Sighting | undefined, nowMs: number): boolean =>
	sighting?.runner?.busy === true && nowMs - sighting.atMs < oldListMs;

/** Whether a list that was begun since then shows that the runner has no job. */
const showsNoJob = (sighting: Sighting | undefined, sinceMs: number): boolean =>
	sighting !== undefined &&
	sighting.atMs >= sinceMs &&
	(sighting.runner ? !sighting.runner.busy : sighting.complete);
