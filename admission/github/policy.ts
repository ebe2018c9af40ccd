/** Every number about GitHub that is a policy, with its reason. Times in ms. */

/** One HTTP call, where nothing else is said. */
export const callTimeoutMs = 10_000;

/** A list or a DELETE that several callers share goes on this long: a GitHub that answers after 20 s is still heard (F8). */
export const sharedCallTimeoutMs = 30_000;

/**
 * GitHub's secondary limit is 900 points a minute with 5 for a DELETE and 1 for a GET: 180 DELETEs (arc-semantics
 * 5.3). 150 DELETEs and 120 lists leave room for what else uses the credential (C6).
 */
export const deletesPerMinute = 150;
export const listsPerMinute = 120;
/** A registration token lasts an hour and serves all runners of a scope: more than these is a mistake of ours. */
export const tokensPerMinute = 30;
export const paceWindowMs = 60_000;

/** GitHub allows 100 calls at once per user; other tools use the credential too. */
export const concurrentCalls = 60;

/** A call waits at least this long for one of the concurrent lines before it is given back as not made. */
export const lineWaitMs = 5_000;

/** After 5xx, timeouts and network errors. The cap keeps "finished within 45 s after an outage" (design.md). */
export const outageBackoff = { firstMs: 1_000, maxMs: 20_000 } as const;

/** After 401 and 403: only people mend these. The cap keeps "90 s after 401/403" (design.md). */
export const refusedBackoff = { firstMs: 5_000, maxMs: 60_000 } as const;

/** A rate limit without Retry-After and without a reset time: GitHub's advice is at least a minute. */
export const unknownRateLimitMs = 60_000;

/** Longest wait that a header may ask for: GitHub's windows are an hour, so more is a wrong clock or a wrong header. */
export const longestRateLimitMs = 2 * 3_600_000;

/** A probe that never came back is forgotten after this. */
export const probeLostMs = 60_000;

/** Share of the primary quota, as found at the start of its window, that background calls may use (F6). */
export const backgroundShare = 0.5;

/** A runner's registration is looked up in a list no older than this; absence is always proven by a newer one. */
export const lookupMaxAgeMs = 2_000;

/** An outcome is remembered this long: one DELETE of a pod is two or three admission reviews (api-server-facts). */
export const rememberMs = 10_000;
/**
 * A "busy" for less: the list that shows the job and the one that shows its end come 2 s after it at the earliest, and
 * then the runner is asked about anew.
 */
export const rememberBusyMs = 2_000;

/** How often a scope's list is read: see nextPollMs. */
export const poll = { everyMs: 10_000, perPageMs: 4_000, fastPerPageMs: 3_000, maxMs: 60_000 } as const;

/** A list longer than this is broken: 20,000 runners, GitHub's limit is 10,000 for an organization. */
export const maxPages = 200;

/** Secrets are read again after this, and more often while GitHub refuses them or they are missing. */
export const secretMaxAgeMs = 30_000;
export const badSecretMaxAgeMs = 5_000;

/** A Secret that no pod has asked for in this long is forgotten, with its account. */
export const secretForgottenMs = 3_600_000;
