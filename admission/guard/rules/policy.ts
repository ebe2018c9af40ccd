/** Every number of the guard that is a policy, with its reason. Times in ms unless the name says seconds. */

/** How long a review waits for GitHub at most (F8). */
export const admissionBudgetMs = 3_000;

/**
 * A review is answered so soon after it arrived, whatever GitHub and the API server do: the API server waits 5 s for the
 * answer to a DELETE, and lets an eviction through that has none in time.
 */
export const answerWithinMs = 4_200;
/** This much of it is kept for recording the request where judging it took too long. */
export const lastTryMs = 600;

/** GitHub is asked about a busy static runner at most this often (invariant 5). Jitter is added. */
export const staticRetryMs = 30_000;

/** An attempt ("this replica asks GitHub now") that is older was left by a crashed replica: backgroundBudgetMs and some slack. */
export const attemptMs = 35_000;

/** Times that another replica wrote may lie so far in the future: clocks of machines differ. One that lies farther counts as none. */
export const clockSkewMs = 5_000;

/** ARC's note that GitHub answered 422 counts for so long; then GitHub is asked once, and its answer is noted by us. */
export const arcsAnswerMs = 10 * 60_000;

/**
 * Between GitHub's 204, or a list that lacks the runner, and the deletion: a job that GitHub had just given to the runner
 * shows in its log within this time. The runner learns of a job by a message that it waits for, mostly in less than a second.
 */
export const quietMs = 2_000;

/**
 * Who deletes idle runners one after the other gets a warning that names the verb that does it together: at the third, since
 * two may be by chance, where the next follows within a few seconds. The memory is for hints only, so few users are enough.
 */
export const oneByOne = { warnedAt: 3, withinMs: 5_000, mostUsers: 1_000 } as const;

/**
 * The quiet period after a list that lacks a runner is shared by all tries within this time: the reviews of one DELETE, and a
 * set's next try. Later the runner may have been registered and have got a job in between.
 */
export const absenceLastsMs = 15_000;

/**
 * What was read in the log counts for this long. A DELETE may have to wait for the rate limit after it, and a runner that has
 * got a job meanwhile must not be unregistered.
 */
export const readingLastsMs = 1_000;

/**
 * For how long a list by which a pod was let go serves the next reviews of the same DELETE, which the API server sends where the
 * pod has changed meanwhile. The runner's log is read for each.
 */
export const letGoLastsMs = 5_000;

/** How long it takes to read the sources after the quiet period: a caller with less time left is denied, and has to try again. */
export const afterQuietMs = 300;

/** A log that could not be read is tried again after this: an API server or a kubelet with too much to do is back soon. */
export const unreadRetryMs = 10_000;

/** GitHub is asked again about a runner whose log cannot be read after this, if its lists lack it. */
export const unlistedRetryMs = 60_000;

/** After a job the removal of its runner is tried at once, after 1, 2, 4 s and so on: the end of a job is reported after it. */
export const finishingRetryMs = { first: 1_000, most: 30_000 } as const;

/** GitHub is known to be wrong about a job when a list that was begun so long after its start does not show it. */
export const contradictedAfterMs = 30_000;

/** GitHub is asked once more about an ephemeral runner that it has called busy after 2, 4, 8 minutes and so on: see mayAskAgain. */
export const secondTryMs = { first: 2 * 60_000, most: 30 * 60_000 } as const;

/** Whether it may be asked is looked into this often; it costs no call. */
export const secondLookMs = 30_000;

/** The log is read again so often while it alone says that a runner works. */
export const logSignalMs = 10_000;
/** A list that is older says nothing of what a runner does now. */
export const oldListMs = 120_000;
/** ... and so often it is compared with GitHub's list whether it does so alone. */
export const logSignalCheckMs = 1_000;

/** The log of a static runner whose deletion waits is looked into this often: it may be idle for a second only. */
export const logRetryMs = 5_000;

/** Two lists that lack a runner prove something only if they were begun this far apart. */
export const absenceMs = 60_000;

/** A runner that GitHub's lists have lacked, or shown offline and idle, for this long has no job any more. */
export const jobOverMs = 60_000;

/** How long one exchange with GitHub may take outside of a review. */
export const backgroundBudgetMs = 30_000;

/**
 * A recorded deletion of a job pod is tried again this often, though nothing on the runner's pod has changed: that the runner
 * is idle may stand in its log alone. It costs two reads, none of GitHub.
 */
export const jobPodRetryMs = 10_000;

/** A PodDisruptionBudget of somebody's that refuses the eviction is asked again after this. */
export const budgetRetryMs = 5_000;

/** A pod's condition that could not be written is written anew after this. */
export const conditionRetryMs = 30_000;

/** The watch has shown an accepted DELETE long before this, on any machine; if it has not, the deletion is tried again. */
export const shownWithinMs = 30_000;

/** GitHub is asked again about a runner that is still registering after this. */
export const registeringRetryMs = 10_000;

/** Sent to the scheduler only: without it, its preemption sends 50 DELETEs a second (measured). */
export const schedulerRetryAfterSeconds = 3;

/**
 * Evictions by unknown callers whose pods are read at the same time, and in a second: anybody who reaches the port may ask for
 * that, and a pod of 1.5 MiB takes 20 ms to be parsed.
 */
export const mostUnauthenticatedReads = 8;
export const mostUnauthenticatedReadsPerSecond = 16;

/**
 * An idle runner is offline when so many of GitHub's lists in a row, over this time in ms, have shown it so. If more than
 * this part of our runners (and more than one) is offline, it is GitHub that is wrong.
 */
export const offlineAfter = { lists: 3, forMs: 5 * 60_000, part: 0.2 };
