/** Every number about the sources of job signals that is a policy, with its reason. Times in ms. */

/** How long a runner's log is waited for: a review has some 3 s, and a kubelet answers in milliseconds or not at all. */
export const logWithinMs = 1_500;

/** How much of each line of a followed log is read, in bytes: the runner's own lines are shorter. */
export const longestLine = 4_096;

/**
 * How many logs are followed at a time, each over a connection of its own. It is done for static runners whose deletion
 * waits: in a full queue they are idle for a second.
 */
export const mostFollowed = 24;

/**
 * How much of a log is read: the last lines first, which nearly always hold a line of the runner; where they do not (with
 * ACTIONS_RUNNER_PRINT_LOG_TO_STDOUT it prints several lines a minute while it waits), once more, and further back.
 *
 * `atOnce`: how many are read at a time, and how many of one namespace, whose kubelets may all be slow: 16 MiB together, of
 * which each needs some four times its size while it is read.
 */
export const logReads = [
	{ lines: 200, mostBytes: 128 * 1024, atOnce: { size: 32, share: 16 } },
	{ lines: 20_000, mostBytes: 4 * 1024 * 1024, atOnce: { size: 3, share: 2 } },
] as const;

/** So many lines of a log that may be of the runner are looked at: of itself it prints two for each job. */
export const mostTellingLines = 1_000;

/** A port that could not be opened is tried again after this. */
export const listenAgainMs = 30_000;

/** A hook waits 3 s for its answer, and the server some seconds more for the API server: a report that comes later is another job's, whatever its key. */
export const lateHookMs = 30_000;
