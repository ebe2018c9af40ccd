/**
 * Every number about what the API server sends that is a policy, with its reason. Sizes are in bytes of JSON as it
 * is sent, where `<`, `>` and `&` are 6 bytes: an object of 1.5 MiB, the most that etcd stores, can have 9 MiB of them.
 */
const mib = 1024 * 1024;

/**
 * Longer objects, event lines and list pages are read in another way than all others: a hundred pods usually have less than
 * 1 MiB, and what has more is read in 3 ms at most.
 */
export const largeBytes = mib;

/** The most that is read of a single object. */
export const mostObjectBytes = 9 * mib;

/** The most that is read of any answer. Owner references can make an object as long as 22 MiB. */
export const mostAnswerBytes = 24 * mib;

/** How many answers of more than `largeBytes` are held at a time: each needs some three times its size until it is parsed. */
export const largeAnswersAtOnce = 2;

/** How many objects a page of a list has at most. Of 5,000 pods a page of 500 raised the peak by 18 MiB more (measured). */
export const mostPerPage = 100;

/** The number of pages of a reduced size that are read before twice as many objects are asked for. */
export const pagesUntilGrowth = 8;

/** After an object that was read alone the next one waits, ms: reading one may take 20 ms of the event loop. */
export const aloneEveryMs = 250;

/**
 * A watch that brings nothing for this long, no bookmark either, is opened anew where it was, ms: the API server sends a bookmark
 * each minute (k8s.io/apiserver, cacher.go), and behind a load balancer nothing else shows that it has died. Older API servers
 * send none for a kind that had no change; there the watch is opened this often, which is cheap. `jitterMs` keeps many watches,
 * of many replicas, from being opened in one moment.
 */
export const silentWatch = { afterMs: 90_000, jitterMs: 15_000 } as const;

/** TCP asks a peer that is silent for this long whether it is there, ms. Where nothing answers for it, it is given up 10 s later. */
export const tcpKeepAliveMs = 10_000;
