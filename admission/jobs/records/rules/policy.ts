/** Every number about records of jobs that is a policy, with its reason. Times in ms. */

/** GitHub's own names of runners, groups and enterprises are shorter. */
export const longestName = 256;
export const longestUrl = 1_024;
/** A host name has 253 characters at most, and a port. */
export const longestHost = 260;

/** An event's own time that is further ahead of our clock than this is not GitHub's. */
export const mostAheadMs = 60 * 60_000;

/**
 * How many records there may be. At a job a second and half an hour of queue there are 1,800; at 1 KiB each, 20,000 are 20 MiB
 * in etcd and in the leader.
 */
export const mostRecords = 20_000;
/**
 * How many of them may be of jobs that no set could run, a mistyped label for example: people see the first thousand of an owner,
 * and no other job loses anything by them.
 */
export const mostWithoutSet = 2_000;
/**
 * An owner may have this many times what is left free: one alone up to 14,400 of 18,000, and the next one then up to 2,880, which
 * is still more than the queue above. Of jobs without a set 1,000 and 500.
 */
export const ownersPart = { fitting: 4, withoutSet: 1 } as const;
/**
 * How often a replica counts them, where it makes some: it adds what it has made itself since then. It reads all labels, some 300
 * bytes of each record, so for each 2,000 records as much later.
 */
export const countEveryMs = 10_000;
export const countedAtOnce = 2_000;
/** Of a page of the list that is counted. */
export const countPage = 500;

/** How often it is logged that they may not be written: that may be so for every event. */
export const refusalLoggedEveryMs = 60_000;

/** Others write on the record as well: other replicas, and the leader its status. */
export const tries = 10;
/** GitHub waits 10 s for its answer, of which a delivery may need some calls. */
export const callWithinMs = 4_000;

/** How long the labels of a deleted or changed set still count: jobs that were recorded for them end later. */
export const pastLabelLastsMs = 24 * 60 * 60_000;
export const mostPastLabels = 1_000;

/** How often it is checked whether the CRDs are installed, which may be after the server has started. */
export const servedCheckMs = 3_000;
