/** Every number of the guard that is a policy, with its reason. Times in ms unless the name says seconds. */

/** A review must be answered within the webhook's timeout of 5 s, whatever GitHub does (F8). */
export const admissionBudgetMs = 3_000;

/** GitHub is asked about a busy static runner at most this often (invariant 5). Jitter is added. */
export const staticRetryMs = 30_000;

/** A claim ("this replica asks GitHub now") that is older was left by a crashed replica: backgroundBudgetMs and some slack. */
export const claimMs = 35_000;

/** A runner that GitHub's lists have lacked, or shown offline and idle, for this long has no job any more. */
export const jobOverMs = 60_000;

/** How long one exchange with GitHub may take outside of a review. */
export const backgroundBudgetMs = 30_000;

/** GitHub is asked again about a runner that is still registering after this. */
export const registeringRetryMs = 10_000;

/** Sent to the scheduler only: without it, its preemption sends 50 DELETEs a second (measured). */
export const schedulerRetryAfterSeconds = 3;

/** Evictions by unknown callers whose pods are read at the same time: anybody who reaches the port may ask for that. */
export const mostReadsForStrangers = 8;
