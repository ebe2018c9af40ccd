/** Every number of the sets that is a policy, with its reason. Times in ms. */

/** How long a reconcile waits for one exchange with GitHub, and that for the rate limit: short, since the whole set waits. */
export const setReleaseBudget = { budgetMs: 5_000, rateLimitWaitMs: 500 } as const;

/** After this, GitHub is asked again about a runner that it could not unregister. */
export const releaseRetryMs = 10_000;

/** If runners end before they register, or briefly again and again, the next one is started after 10 s, 20 s, 40 s, ... */
export const startBackoff = { firstMs: 10_000, mostMs: 5 * 60_000 };

/**
 * A runner that ends within this time after its container started, and was never seen with a job, has ended briefly. run.sh
 * ends with 0 after errors too (GitHub has deleted the runner, another one has its session), after about 2 s. A real job
 * takes longer even if it does nothing: config.sh, the session, the job's message, the worker, set-up and completion are
 * ten seconds and more. If one is quicker, and ends between two of GitHub's lists, it counts as a brief end wrongly: so
 * two in a row cost nothing, and any runner started after them that shows a job, or stays longer, ends the count.
 */
export const briefEnd = { withinMs: 10_000, tolerated: 2 } as const;

/** A set whose runners GitHub refuses for their version starts one in this time, to find out whether it still does. */
export const outdatedProbeEveryMs = 5 * 60_000;

/**
 * When none of its runners has been wanted for so long, because jobs went to other sets, it is given jobs again: only a start
 * shows that its image has been renewed under the same name. If it has not, they wait for one start an hour.
 */
export const outdatedUntriedMs = 60 * 60_000;

/** A runner that has been idle for so long after its container started is not refused: GitHub refuses one at its first poll. */
export const provenMs = 30_000;

/** How many runners above the wanted number a rollout may create, unless the set says: a quarter, at least one. */
export const defaultSurge = (replicas: number) => Math.max(1, Math.ceil(replicas / 4));

/** How many writes of one set are under way at a time: 500 runners take a few seconds, and the API server stays usable. */
export const setWritesAtOnce = 16;

/**
 * The changes of a set with this number of runners within this time cause one reconcile. It reads all its runners, 10 us each
 * (measured): even if they change all the time, that takes a tenth of a core, whatever their number.
 */
export const gatherMs = (runners: number) => 25 + runners / 10;

/**
 * What was created counts until the watch has shown it, or a read says that it is not there. The watch usually takes a few ms;
 * after this it is read by name, however the creation was answered. By then a creation whose caller got no answer within 10 s
 * has been carried out or given up. A reconcile reads this many at most, and waits two rounds of `setWritesAtOnce` for them
 * where the API server does not answer; the others go on counting.
 */
export const expectations = {
	shownWithinMs: 30_000,
	readEveryMs: 30_000,
	timeoutMs: 3_000,
	mostReads: 32,
} as const;

/** A Runner's pod is read this long after the Runner's creation if the watch has shown none. (A StatefulSet creates its pod itself.) */
export const podWithinMs = 20_000;

/**
 * A quota has refused a runner: one is tried again after this, doubled each time. When a runner of the set ends, that begins
 * anew: its room is free as soon as the quota controller has counted again, within a second. Room that others free is used
 * within `mostMs`, at 2 tries a minute.
 *
 * `mostRead` of a message is read, in characters, and `mostShown` of it: a quota may name dozens of resources.
 */
export const quotaBackoff = { firstMs: 250, mostMs: 30_000, mostRead: 2_000, mostShown: 300 } as const;

/** A set's status is written at most this often. */
export const statusEveryMs = 1_000;

/** A longer recreation delay ends after this, 100 years: the set's conditions say when, and that must be a date. */
export const longestRecreationDelayMs = 36_500 * 24 * 60 * 60_000;
