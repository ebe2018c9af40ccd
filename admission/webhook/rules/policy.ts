/** Every number of the admission port that is a policy, with its reason. Times in ms. */

/** An epoch is replaced after this. Whoever has read the webhook configurations, or an error of the API server that shows a path, knows it until then. */
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

/** All connections: at about 50 KiB each, this many fit into the memory limit. */
export const mostConnections = 1_000;

/**
 * Connections on which no known caller has asked yet, and of these of one address. The API server opens one for each review
 * that is under way, up to its own limit of 200 writes at a time, and asks on it within milliseconds.
 */
export const mostUnproven = 512;
export const mostUnprovenOfOneAddress = 32;

/**
 * How many connections that nobody has used yet may stay open for an address from which a known caller has asked, for as
 * long as idle ones: client-go keeps up to 25 idle ones for one host (idleConnsPerHost in transport/cache.go).
 */
export const mostUnused = 25;

/** The limit for one address closes no connection that is younger: an API server may open many in one moment. */
export const unprovenGraceMs = 1_000;

/**
 * How many connections an address may open in a window if no known caller has asked from it; above that they are closed
 * before their handshake. An API server sends up to 200 writes at a time.
 */
export const mostNewOfOneAddress = 200;
export const newConnectionsWindowMs = 1_000;

/** How many addresses from which a known caller has asked are remembered, and for how long. An API server has one or a few. */
export const mostTrustedAddresses = 64;
export const addressTrustedForMs = 60 * 60_000;

/**
 * A known caller's connection ends with the first answer after this time, or after this number of requests. The API server keeps
 * connections for as long as it uses them, also to a replica that has frozen or is not behind the Service any more; a new
 * one, which may lead to another replica, costs a TLS handshake of some ms.
 */
export const connectionLastsMs = 10_000;
export const mostRequestsOfOneConnection = 200;

/**
 * A server that stops closes the connections of known callers when no review has come for this time, or after the most.
 * Each review that comes meanwhile ends its connection, and client-go takes the one first that it used last: those that are
 * left after a while without a review are hardly taken in the moment in which they are closed. A review that is lost in that
 * moment fails with 500, for client-go repeats no POST; an eviction passes.
 */
export const quietBeforeCloseMs = 3_000;
export const mostBeforeCloseMs = 10_000;

/** Reviews of unauthenticated callers that wait for their turn: half a second's worth of the worst. */
export const mostWaitingTurns = 64;

/** A body that may be larger than this counts as large: what is held of all of those at a time is limited. */
export const largeBodyBytes = 64 * 1024;

/**
 * A body up to this size is held as it is; of a larger one the long values are left out while it arrives. Reviews of pods are
 * almost never as large: etcd keeps objects of up to 1.5 MiB, and an UPDATE carries two. To parse what an unauthenticated
 * caller sends must not take long.
 */
export const mostWholeBytes = { known: 3 * 1024 * 1024, unauthenticated: largeBodyBytes } as const;

/**
 * The largest body that is read of an unauthenticated caller; a known caller's is read to its end, whatever its size, because
 * an API server lets an eviction through that is not answered. The API server takes requests of up to 3 MiB, and writes one
 * byte of them as up to six ("<" as "\u003c"), and the stored object of up to 1.5 MiB as well: 18 MiB for an eviction, 27 MiB
 * for an update. But aliases in a YAML request make a review of any size: one of 1 MiB made 63 MiB (measured).
 */
export const mostUnauthenticatedBytes = 27 * 1024 * 1024;

/**
 * What is held of large bodies at a time, until their reviews have been answered, in bytes as they arrived; parsed they take
 * some times as much of the 256 MiB that a replica may use. A large review beyond it has to be sent again a second later.
 */
export const mostHeldBytes = { known: 15 * 1024 * 1024, unauthenticated: 8 * largeBodyBytes } as const;

/**
 * What is kept of a body over `mostWholeBytes`, in bytes: `value`: a longer value is left out; `all`: everything. A review has
 * about 60 values that are kept or left out one by one. Names, options and a user's name are a fraction of either `value`. What
 * is kept is parsed in one go: 1 MiB of an unauthenticated caller's took 50 ms.
 */
export const mostKept = {
	known: { value: 16 * 1024, all: 1024 * 1024 },
	unauthenticated: { value: 1024, all: largeBodyBytes },
} as const;

/** How deep such a body may be nested: an API server reads JSON of up to 10,000 levels, and puts it into a review. */
export const deepestReview = 10_010;

/** The number of bytes of large bodies after which other work has its turn: to read them takes a few milliseconds. */
export const mostReadInTurn = 128 * 1024;

/** What cannot be answered now is asked again after this: the API server does so within the time that it waits for an answer. */
export const retryAfterSeconds = 1;

/** How long the API server waits for an answer where it does not say so. */
export const longestWaitMs = 10_000;

/** The shortest time that the webhook configurations give a review: handlers reckon with it, and it may begin later where there is more. */
export const shortestWaitMs = 5_000;
