/** Every number of the sets that is a policy, with its reason. Times in ms. */

/** How long a set's pass waits for one GitHub exchange, and the exchange for its turn: the set is to be looked at again. */
export const setReleaseBudget = { budgetMs: 5_000, paceWaitMs: 500 } as const;

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
