import { type SignalSource, sourceNames } from './signal-sources.ts';
import { jobSignals, type Sign, type Verify } from './statements.ts';

/** A job, as far as its source knows it. Every text is GitHub's or the job's own: shown to people, never believed. */
export interface Job {
	/** The job's display name (log, event), or its key in the workflow file (hook). */
	name: string;
	/** `owner/repository` */
	repository?: string | undefined;
	workflow?: string | undefined;
	runId?: number | undefined;
	attempt?: number | undefined;
	/** GitHub's id of the runner that has it: several may have used one name. */
	runnerId?: number | undefined;
	/** Address of the run's or the job's page. */
	url?: string | undefined;
}

/**
 * What one source says about one job of the pod's runner.
 *
 * - working: the job has started.
 * - finishing: it has completed; logs are being uploaded and the end reported, up to half a minute. Still busy.
 * - over: it has ended. Kept for a while, so that a report about it that comes late opens nothing.
 */
export interface JobSignal {
	by: SignalSource;
	/** Names the job to its source: GitHub's job id (event), RUNNER_TRACKING_ID (hook), name and time (log). */
	key: string;
	state: 'working' | 'finishing' | 'over';
	/**
	 * Since when it is in this state, ms since the epoch, by the clock of the server that wrote it down; of a job that the log
	 * shows by the log's.
	 */
	sinceMs: number;
	job: Job;
}

/** A pod's annotation must stay small, and a job may choose its own name. */
export const longestText = 120;
/** The annotation with most signals, each character of their texts escaped, is shorter. */
const longestSignals = 32 * 1_024;
/** The latest time that a Date can be: the plugin reads signals without a key to verify who wrote them. */
const longestTimeMs = 8.64e15;
/** A runner runs one job at a time: more signals than these are ended ones, or lies. */
export const mostSignals = 6;

/** The run of a container that signals are about: a restart in place is another runner. */
type Run = { uid: string; restarts: number };

/** The signals on a pod, as this server wrote them during this run of its container; empty where there are none. */
export function readSignals(text: string | undefined, run: Run, verify: Verify): readonly JobSignal[] {
	if (text === undefined || text.length > longestSignals) return [];
	const [, signature = '', list = ''] = /^(\S+) (.*)$/s.exec(text) ?? [];
	if (!verify(jobSignals(run.uid, run.restarts, list), signature)) return [];
	try {
		return (JSON.parse(list) as JobSignal[]).filter(isSignal).slice(0, mostSignals);
	} catch {
		return []; // no list of signals: a later version wrote it
	}
}

/** The annotation's text; null: there is nothing to write down. */
export function writeSignals(signals: readonly JobSignal[], run: Run, sign: Sign): string | null {
	if (signals.length === 0) return null;
	const list = JSON.stringify(signals.slice(0, mostSignals).map(cut));
	return `${sign(jobSignals(run.uid, run.restarts, list))} ${list}`;
}

const isSignal = ({ by, key, state, sinceMs, job }: JobSignal): boolean =>
	sourceNames.includes(by) &&
	typeof key === 'string' &&
	(state === 'working' || state === 'finishing' || state === 'over') &&
	Number.isFinite(sinceMs) &&
	Math.abs(sinceMs) <= longestTimeMs &&
	typeof job?.name === 'string' &&
	Object.values(job).every((value) => typeof value === 'string' || typeof value === 'number');

function cut({ job, key, ...signal }: JobSignal): JobSignal {
	const short = Object.entries(job).map(([name, value]) => [
		name,
		typeof value === 'string' ? value.slice(0, longestText) : value,
	]);
	return { ...signal, key: key.slice(0, longestText), job: Object.fromEntries(short) as Job };
}

/** A job for people, as the busy marks have it: `build (octo-org/app, run 42)`. */
export function jobText({ name, repository, runId }: Job): string {
	const where = [repository, runId && `run ${runId}`].filter(Boolean);
	return `${name}${where.length > 0 ? ` (${where.join(', ')})` : ''}`;
}
