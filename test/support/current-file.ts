import { AsyncLocalStorage } from 'node:async_hooks';

/** A test file that runs beside others in one process: what it prints, and whether a clean-up of its own failed. */
export interface RunningFile {
	output: string;
	cleanUpFailed: boolean;
}

/** The file whose code is running; none in a process that runs a single file. */
export const currentFile = new AsyncLocalStorage<RunningFile>();
