/** Every number of the guard that is a policy, with its reason. Times in ms unless the name says seconds. */

/** An admission answer must be there within the webhook's 5 s timeout, whatever GitHub does (F8). */
export const admissionBudgetMs = 3_000;

/** A busy static runner is asked about at most this often (invariant 5); jitter is added on top. */
export const staticRetryMs = 30_000;

/** A claim ("this replica asks GitHub now") older than this is a crashed replica's: backgroundBudgetMs plus slack. */
export const claimMs = 35_000;

/** An ephemeral runner that GitHub has not shown, or has shown offline and idle, for so long has no job any more. */
export const jobOverMs = 60_000;

/** How long one GitHub exchange may take outside of admission. */
export const backgroundBudgetMs = 30_000;

/** A runner that is still registering is looked for again after this. */
export const registeringRetryMs = 10_000;

/** Answered to the scheduler only: its preemption is otherwise a loop of 50 DELETEs a second (real-deleters S1-S4). */
export const schedulerRetryAfterSeconds = 3;
