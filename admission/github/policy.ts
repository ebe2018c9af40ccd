/** Every number about GitHub that is a policy, with its reason. Times in ms. */

/** Time limit of one HTTP call, unless the caller sets another. */
export const callTimeoutMs = 10_000;

/** Time limit of a list or DELETE that several callers share: an answer after 20 s is still used (F8). */
export const sharedCallTimeoutMs = 30_000;

/**
 * A connection through a proxy is given up if the proxy is silent for this long: as long as a call. Kept connections that
 * nobody uses close after it.
 */
export const proxyConnectMs = callTimeoutMs;

/** The largest answers are pages of 100 jobs with all their steps, below 1 MiB. */
export const mostAnswerBytes = 16 * 1024 * 1024;

/** GitHub redirects once, where a repository or an organization was renamed. */
export const mostRedirects = 5;

/**
 * GitHub's secondary limit is 900 points a minute, of which a DELETE costs 5 and a GET 1 (GitHub's documentation,
 * "Rate limits for the REST API"). 150 DELETEs and 120 lists leave room for other users of the credential (C6).
 */
export const deletesPerMinute = 150;
export const listsPerMinute = 120;
/** A registration token lasts an hour and serves all runners of a scope, so more calls than these would be a fault of ours. */
export const tokensPerMinute = 30;
export const rateWindowMs = 60_000;

/**
 * All replicas together keep these limits; see rules/share.ts. The leader carries out what was recorded and reads the
 * lists, so it gets two thirds of the calls; the others share the rest, for what they are asked in reviews. Who has just
 * joined, or has not reported, may use a tenth on top: 165 DELETEs a minute, where GitHub's limit is 180.
 *
 * One that fell silent without a last word counts for what it said it had used, and for `unsaid` on top: what it may have
 * sent after that. A replica that uses more than this says so within a second, so only the calls of its last second can be
 * more. Where they are, GitHub may refuse calls for a minute, which delays deletions and loses none.
 */
export const share = { leader: 2 / 3, joining: 0.1, unsaid: 0.1 } as const;

/**
 * A call that waits for its turn looks so often whether the turn has come sooner: a replica that has joined gets its whole share
 * after 20 s, and calls that it was asked for until then would wait for up to a minute.
 */
export const turnCheckMs = 1_000;

/**
 * At least this part of what costs GitHub little (lists, tokens, first looks at a scope) may be used by each replica, also
 * by one that has just joined: two that start together would otherwise keep the first runners of a cluster waiting.
 */
export const leastReading = 0.5;

/**
 * A replica says every 5 s that it is alive. Without having said so for 15 s it keeps to the share of one that joins, and
 * so 80 s after its last report its calls before that have left GitHub's window of a minute, and the others need not
 * count it.
 * One that has joined waits 20 s: after 15 s the others know of it or keep to a tenth, and within 5 s more they say
 * what they have used. The last word may delay the end of the process by 2 s.
 */
export const replicas = {
	beatEveryMs: 5_000,
	retryMs: 1_000,
	silentMs: 15_000,
	joinsMs: 20_000,
	leaveWithinMs: 2_000,
	countsMs: 80_000,
	most: 32,
} as const;

/**
 * Pods can name any number of organizations to which the credential has no access. So that the calls for these never
 * delay those for the others, all scopes that GitHub has only ever refused share this many calls of any kind a minute. A
 * repaired permission is noticed within 90 s as long as there are at most 12 of them; 300 take 25 minutes.
 */
export const refusedScopesPerMinute = 12;

/**
 * So many scopes a minute are asked about for the first time, which shows whether they are to be refused. A third of the
 * lists: more new scopes are polled less often than that anyway (see pollShare in guard/busy-polling.ts).
 */
export const newScopesPerMinute = 40;

/**
 * GitHub allows 100 calls at once per user; other tools use the credential too. `all` is for all replicas together, `one`
 * for each of them at most; at least `least`, whatever its share.
 */
export const concurrentCalls = { all: 90, one: 60, least: 6 } as const;

/** A call waits at least this long for one of the concurrent calls to end before it fails as not made. */
export const lineWaitMs = 5_000;

/** After 5xx, timeouts and network errors. The cap lets recorded deletions finish within 45 s after an outage. */
export const outageBackoff = { firstMs: 1_000, maxMs: 20_000 } as const;

/** After 401 and 403, which only people can repair. The cap lets recorded deletions finish within 90 s after that. */
export const refusedBackoff = { firstMs: 5_000, maxMs: 60_000 } as const;

/** For a rate limit without Retry-After and without a reset time, GitHub's documentation asks for at least a minute. */
export const unknownRateLimitMs = 60_000;

/** Longest wait that a header may ask for. GitHub's windows last an hour: a longer wait is a wrong clock or header. */
export const longestRateLimitMs = 2 * 3_600_000;

/** A probe without an answer is given up after this, so that another one may be sent. */
export const probeLostMs = 60_000;

/** Share of the primary quota, as found at the start of its window, that background calls may use (F6). */
export const backgroundShare = 0.5;

/** A runner's id may be looked up in a list of this age. Absence is only ever proven by a list that was begun later. */
export const lookupMaxAgeMs = 2_000;

/**
 * Whether a list has one page or several is looked up anew after this: with several, GitHub is asked for one runner by
 * name (1 call) in place of all of them (30 calls for 3,000 runners).
 */
export const sizeMaxAgeMs = 60_000;

/**
 * How many scopes are remembered for one credential at most, each for an hour after it was last asked about. Pods can name
 * any number of scopes: those that GitHub has answered well go last.
 */
export const knownScopes = 1_000;
export const scopeForgottenMs = 3_600_000;

/** Ids that were removed. A list lags behind by seconds, so this is ample; 9,000 can be removed in an hour. */
export const removedIds = { most: 10_000, maxAgeMs: 3_600_000 } as const;

/** An outcome is remembered this long, because one DELETE of a pod causes two or three admission reviews (measured). */
export const rememberMs = 10_000;
/**
 * A "busy" is remembered for less: a list can show the end of the job 2 s after this answer at the earliest, and then
 * GitHub is to be asked again.
 */
export const rememberBusyMs = 2_000;

/** How often a scope's list is read; see nextPollMs in registry.ts. */
export const poll = { everyMs: 10_000, perPageMs: 4_000, fastPerPageMs: 3_000, maxMs: 60_000 } as const;

/** A list of more pages (20,000 runners) counts as broken: GitHub allows an organization 10,000 runners. */
export const maxPages = 200;

/** The jobs of a run are read in so many pages at most: 1,000 jobs, more than any run of ours has. What has more is unknown. */
export const mostJobPages = 10;

/** A search of runs by their status gives 1,000 of them, the newest, in pages of 100 (GitHub's REST reference). */
export const mostRunPages = 10;

/** Repositories of an organization are read in so many pages of 100 at most, those that were pushed to last first. */
export const mostRepositoryPages = 5;

/** Runner groups are read in so many pages of 100 at most: more than any organization has. */
export const mostGroupPages = 5;

/** A webhook's failed deliveries are read in so many pages of 100 at most; the newest come first. */
export const mostDeliveryPages = 5;

/** What GitHub does not show a credential (403, 404) is asked for again after this. So many of these are remembered. */
export const notVisible = { againMs: 10 * 60_000, most: 1_000 } as const;

/** A Secret is read again after this long; sooner if it is missing or GitHub refuses its credential. */
export const secretMaxAgeMs = 30_000;
export const badSecretMaxAgeMs = 5_000;

/** A Secret that has not been read for this long, because no pod needs it, is forgotten together with its account. */
export const secretForgottenMs = 3_600_000;

/**
 * How many Secrets are remembered at most. An annotation of a pod can name one after the other: those without a
 * credential go first, those whose credential GitHub has answered last.
 */
export const knownSecrets = 1_000;

/** What is listed one by one in the report: together at most a third of a ConfigMap (1 MiB), which nobody reads further. */
export const reported = { missing: 200, forbidden: 300 } as const;
