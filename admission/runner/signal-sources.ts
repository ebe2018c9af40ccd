import { doubtfulSignal, idleMs } from './policy.ts';

/** What a signal of one source is worth. Whatever treats sources differently reads it here. */
interface Source {
	/** For people. */
	name: string;
	/**
	 * How its signals come, and so what ends one that says `working` on a static runner:
	 *
	 * - read: the server reads the source when it wants to know, as it does the runner's log: what it reads takes the place of
	 *   what it read before.
	 * - reported: the source reports each job's start and end, or its reader does for it (as one that follows a log line by
	 *   line). Only the report that the job has completed ends a signal.
	 */
	comes: 'read' | 'reported';
	/** It reports in order, since it speaks from inside the runner, which runs one job at a time: a start ends what it said before. */
	inOrder: boolean;
	/** What names a job. Keys that may repeat: what starts under one long after it was last used is another job. */
	key: 'line' | 'may-repeat' | 'github-job-id';
	/** GitHub itself says that the job has completed: a list that shows the runner idle needs no second one to agree. */
	completedIsFinal: boolean;
	/**
	 * What GitHub's list ends where the log of a static runner says nothing: a signal in this state, if a list that was begun so
	 * long after it shows no job.
	 */
	listEnds: { state: 'working' | 'finishing'; afterMs: number };
}

/** All sources of job signals; CONTRIBUTING.md says what a new one needs. `why` shows them in this order. */
export const signalSources = {
	log: {
		name: "runner's log",
		comes: 'read',
		inOrder: true,
		key: 'line',
		completedIsFinal: false,
		listEnds: { state: 'working', afterMs: doubtfulSignal.afterMs },
	},
	hook: {
		name: 'job hook',
		comes: 'reported',
		inOrder: true,
		key: 'may-repeat', // of a matrix, or where a workflow sets RUNNER_TRACKING_ID itself to keep processes alive
		completedIsFinal: false,
		listEnds: { state: 'finishing', afterMs: idleMs },
	},
	event: {
		name: "GitHub's event",
		comes: 'reported',
		inOrder: false, // GitHub sends them in any order
		key: 'github-job-id',
		completedIsFinal: true,
		listEnds: { state: 'finishing', afterMs: 0 },
	},
} as const satisfies Record<string, Source>;

/** Who says that a runner works. */
export type SignalSource = keyof typeof signalSources;

/** Those that report by themselves. */
export type ReportingSource = {
	[Name in SignalSource]: (typeof signalSources)[Name]['comes'] extends 'reported' ? Name : never;
}[SignalSource];

export const sourceNames = Object.keys(signalSources) as readonly SignalSource[];

/** The row of a source. */
export const sourceOf = (name: SignalSource): Source => signalSources[name];
