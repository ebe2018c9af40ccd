/** Every number about job hooks that is a policy, with its reason. Times in ms. */

/** A hook sends less than 2 KiB: a body that is larger is somebody else's. Of all at a time: what the connections may send. */
export const largestBodyBytes = 16 * 1024;
export const mostBodyBytes = 4 * 1024 * 1024;

/** Connections, at about 50 KiB each. A hook opens one for its one word. */
export const mostConnections = 256;
/**
 * New ones in a second; more are closed before their handshake, which takes about a millisecond of the one CPU that answers
 * reviews. Fifty jobs may start within a second, and 5,000 runners whose jobs take five minutes say 34 words.
 */
export const mostNewConnections = 250;
export const newConnectionsWindowMs = 1_000;

/**
 * So many words are being written at a time: each takes two or three calls to the API server, of which the server makes 64
 * at a time. The rest is for reviews.
 */
export const mostAtOnce = 16;
/** So many more wait for their turn, of one pod so many in all, each for so long: the script itself gives up after 3 s. */
export const mostOfOnePod = 4;
export const mostWaiting = 128;
export const waitsAtMostMs = 1_500;
/** What a hook that has to come back is told, in seconds. */
export const retryAfterSeconds = 5;

/** Who does not send its few bytes at once is no hook. */
export const headerWithinMs = 3_000;
export const requestWithinMs = 4_000;

/** The API server answers a TokenReview within milliseconds, or is in trouble. */
export const reviewWithinMs = 2_000;
/**
 * What the API server said of a token is believed for so long, and of so many tokens. That a pod is gone is seen without it:
 * the pod is read for each word. A token that was refused is asked about again sooner, since it may be newer than what that
 * API server knew.
 */
export const acceptedForMs = 60_000;
export const refusedForMs = 5_000;
export const mostTokens = 10_000;

/** Of each pod one refusal is logged in so long, for so many pods. */
export const refusalLoggedEveryMs = 60_000;
export const mostRefusers = 1_000;

/**
 * A new CA's certificate is served to hooks only so long after it has been announced and trusted: a kubelet writes a pod's
 * files anew every minute or two.
 */
export const newAuthorityAfterMs = 10 * 60_000;

/** Pods are looked at so often for CAs that have changed since. */
export const followAuthoritiesEveryMs = 30_000;

/** The address of a Service stays; it is read again in case it was made anew. */
export const addressMaxAgeMs = 5 * 60_000;

/** A port that could not be opened is tried again after this. */
export const listenAgainMs = 30_000;

/**
 * Whether a namespace takes pods with hooks: each answer has so long, of the 5 s of a review; is believed for so long, a
 * refusal for less, since somebody may be changing the policy because of it; and so many namespaces are remembered.
 */
export const trialWithinMs = 1_500;
export const triedForMs = 60 * 60_000;
export const refusedNamespaceForMs = 10 * 60_000;
export const mostTrials = 1_000;
