/**
 * What the runner's own log says. actions/runner prints it on stdout, before the worker of a job starts and after it has
 * ended (Runner.Listener: Runner.cs, JobDispatcher.cs).
 */
export type LogReading =
	| { says: 'idle'; at: string | undefined }
	| { says: 'works'; at: string | undefined; job: string | undefined }
	/** `why`, for people: it holds none of these lines, or, `unreadable`, it cannot be read. */
	| { says: 'unknown'; why: string; unreadable?: true; at?: undefined };

/** `2026-11-26 15:22:23Z: Listening for Jobs`, as the runner prints it: with its time before it, and nothing after it. */
const listening = /^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ): Listening for Jobs$/;
const running = /^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ): Running job: (.*)$/;
const completed = /^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ): Job (.*) completed with result: \w+$/;
/** With ACTIONS_RUNNER_PRINT_LOG_TO_STDOUT the worker's own log is there as well. */
const worker = /^\[WORKER \d{4}-\d\d-\d\d /;

/**
 * Reads the end of a log. The last line that says something counts.
 *
 * @param text the log's last lines
 * @param toItsEnd false: the reading was cut off before the end, so that what came after is not known
 */
export function readRunnerLog(text: string, toItsEnd: boolean): LogReading {
	if (!toItsEnd) return { says: 'unknown', why: 'its log is too long to be read to its end' };
	const lines = text.split('\n');
	for (let index = lines.length - 1; index >= 0; index--) {
		const line = (lines[index] ?? '').replace(/\r$/, '');
		if (worker.test(line)) return { says: 'works', at: undefined, job: jobBefore(lines, index) };
		const [, at, job] = running.exec(line) ?? [];
		if (at !== undefined) return { says: 'works', at, job: job?.trim() || undefined };
		const [, idleAt] = listening.exec(line) ?? completed.exec(line) ?? [];
		if (idleAt !== undefined) return { says: 'idle', at: idleAt };
	}
	return { says: 'unknown', why: 'its log does not say whether it works' };
}

/** The job whose worker printed a line: that of the last `Running job` before it. */
function jobBefore(lines: readonly string[], index: number): string | undefined {
	for (let before = index; before >= 0; before--) {
		const [, , job] = running.exec(lines[before] ?? '') ?? [];
		if (job !== undefined) return job.trim() || undefined;
	}
	return undefined;
}

/** The time that stands before the line of the log, by the runner's clock, ms since the epoch; undefined: there is none. */
export function loggedMs(reading: LogReading): number | undefined {
	const ms = Date.parse((reading.at ?? '').replace(' ', 'T'));
	return Number.isNaN(ms) ? undefined : ms;
}
