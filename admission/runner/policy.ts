/** Every number that is a policy, with its reason. Times in ms. */

/** An admission answer must be there within the webhook's 5 s timeout, whatever GitHub does (F8). */
export const admissionBudgetMs = 3_000;

/** A runner that is not at GitHub this long after its container started will not come: ARC's registrationTimeout (A7). */
export const registrationTimeoutMs = 10 * 60_000;

/** A busy static runner is asked about at most this often (invariant 5); jitter is added on top. */
export const staticRetryMs = 30_000;

/** A claim ("this replica asks GitHub now") older than this is a crashed replica's: backgroundBudgetMs plus slack. */
export const claimMs = 35_000;

/** A Node object missing this long is a node that is gone. Longer than the pod garbage collector's 40 s quarantine. */
export const nodeGoneAfterMs = 60_000;

/** An ephemeral runner that GitHub has not shown, or has shown offline and idle, for so long has no job any more. */
export const jobOverMs = 60_000;

/** A container that was told to stop has been killed this long after its grace period, if its node lives at all. */
export const killedAfterMs = 30_000;

/** How long one GitHub exchange may take outside of admission. */
export const backgroundBudgetMs = 30_000;

/** How long a set's pass waits for one GitHub exchange, and the exchange for its turn: the set is to be looked at again. */
export const setReleaseBudget = { budgetMs: 5_000, paceWaitMs: 500 } as const;

/** A runner that is still registering is looked for again after this. */
export const registeringRetryMs = 10_000;

/** Answered to the scheduler only: its preemption is otherwise a loop of 50 DELETEs a second (real-deleters S1-S4). */
export const schedulerRetryAfterSeconds = 3;

/** A runner that could not be unregistered for GitHub's sake is asked about again after this. */
export const releaseRetryMs = 10_000;

/** Runners that end before they register: the next is started after 10 s, 20 s, 40 s, ... */
export const startBackoff = { firstMs: 10_000, mostMs: 5 * 60_000 };

/** Most runners above the wanted number during a rollout, where the set does not say: a quarter, at least one. */
export const defaultSurge = (replicas: number) => Math.max(1, Math.ceil(replicas / 4));

/** Writes of one set under way at a time: 500 runners in a few seconds, and the API server stays usable. */
export const setWritesAtOnce = 16;

/** A set's status is written at most this often. */
export const statusEveryMs = 1_000;
