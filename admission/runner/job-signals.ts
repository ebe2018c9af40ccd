import { jobSignals, type Sign, type Verify } from './statements.ts';

/** Who said that a runner works: its own log, a job hook in its pod, a workflow_job event of GitHub's. */
export type SignalSource = 'log' | 'hook' | 'event';

/** A job, as far as its witness knows it. Every text is GitHub's or the job's own: shown to people, never believed. */
export interface Job {
	/** The job's display name (log, event), or its key in the workflow file (hook). */
	name: string;
	/** `owner/repository` */
	repository?: string | undefined;
	workflow?: string | undefined;
	runId?: number | undefined;
	attempt?: number | undefined;
	/** Address of the run's or the job's page. */
	url?: string | undefined;
}

/**
 * What one witness says of one job of the pod's runner.
 *
 * - working: the job has started.
 * - finishing: it has completed; logs are being uploaded and the end reported, up to half a minute. Still busy.
 * - over: it has ended. Kept for a while, so that a word about it that comes late opens nothing.
 */
export interface JobSignal {
	by: SignalSource;
	/** Names the job to its witness: GitHub's job id (event), RUNNER_TRACKING_ID (hook), name and time (log). */
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
const longestText = 120;
/** The latest time that a Date can be: the plugin reads claims without a key to check who wrote them. */
const longestTimeMs = 8.64e15;
/** A runner runs one job at a time: more claims than these are ended ones, or lies. */
export const mostSignals = 6;

/** The run of a container that claims are about: a restart in place is another runner. */
type Run = { uid: string; restarts: number };

/** The claims on a pod, as this server wrote them during this run of its container; empty where there are none. */
export function readSignals(text: string | undefined, run: Run, verify: Verify): readonly JobSignal[] {
	const [, signature = '', said = ''] = /^(\S+) (.*)$/s.exec(text ?? '') ?? [];
	if (!verify(jobSignals(run.uid, run.restarts, said), signature)) return [];
	try {
		return (JSON.parse(said) as JobSignal[]).filter(isSignal).slice(0, mostSignals);
	} catch {
		return []; // no list of claims: of a later version
	}
}

/** The annotation's text; null: there is nothing to write down. */
export function writeSignals(signals: readonly JobSignal[], run: Run, sign: Sign): string | null {
	if (signals.length === 0) return null;
	const said = JSON.stringify(signals.slice(0, mostSignals).map(cut));
	return `${sign(jobSignals(run.uid, run.restarts, said))} ${said}`;
}

const isSignal = ({ by, key, state, sinceMs, job }: JobSignal): boolean =>
	(by === 'log' || by === 'hook' || by === 'event') &&
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
