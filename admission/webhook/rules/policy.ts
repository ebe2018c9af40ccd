/** Every number of the admission port that is a policy, with its reason. Times in ms. */

/** An epoch is replaced after this. Whoever has read the webhook configurations, or an error of the API server that shows a path, knows it for so long. */
export const epochLastsMs = 60 * 60_000;

/** After a newer epoch has been seen, the ones before are good for this: API servers learn of a new path within seconds, and a review may be on its way. */
export const epochOverlapMs = 2 * 60_000;

/**
 * The oldest epoch that is believed although this replica has not seen it in the webhook configurations: another replica
 * may have written it a moment ago, or ours is the replica that is late to renew it.
 */
export const oldestUnseenEpochMs = epochLastsMs + 5 * 60_000 + epochOverlapMs;

/** How far another replica's clock may be ahead of ours. */
export const clockSkewMs = 60_000;

/** An epoch is not replaced earlier than this, whatever happens: API servers make new connections after each change. */
export const epochLastsAtLeastMs = 60_000;
