/** Every number about job hooks that is a policy, with its reason. Times in ms. */
import type { EndpointLimits } from '../../endpoint/endpoint.ts';

/** What the port for job hooks costs at most. */
export const hookLimits: Readonly<EndpointLimits> = {
	// At about 50 KiB each. A hook opens one for its one report.
	connections: 256,
	// A handshake takes about a millisecond of the one CPU that answers reviews. Fifty jobs may start within a second, and 5,000
	// runners whose jobs take five minutes report 34 times a second.
	newConnections: { most: 250, windowMs: 1_000 },
	// A caller that does not send its few bytes at once is not a hook.
	headerWithinMs: 3_000,
	requestWithinMs: 4_000,
	// A hook sends less than 2 KiB: a body that is larger is somebody else's. Of all at a time: what the connections may send.
	bodyBytes: 16 * 1024,
	allBodiesBytes: 4 * 1024 * 1024,
	// Each takes two or three calls to the API server, of which the server makes 64 at a time: the rest is for reviews. The
	// script itself gives up after 3 s.
	turns: { atOnce: 16, waiting: 128, waitMs: 1_500 },
	// Of each pod one line a minute.
	refusalLogged: { everyMs: 60_000, callers: 1_000 },
	retryAfterSeconds: 5,
};

/** How many requests of one pod may be under way. */
export const mostOfOnePod = 4;

/** The API server answers a TokenReview within milliseconds, or not at all. */
export const reviewWithinMs = 2_000;
/**
 * How long, and for how many tokens, the API server's answer is believed. That a pod is gone is seen without it:
 * the pod is read for each report. A token that was refused is asked about again sooner, since it may be newer than what that
 * API server knew.
 */
export const acceptedForMs = 60_000;
export const refusedForMs = 5_000;
export const mostTokens = 10_000;

/**
 * How long after a new CA is trusted its certificate is served to hooks: a kubelet writes a pod's files again every minute or
 * two.
 */
export const newAuthorityAfterMs = 10 * 60_000;

/** How often the CAs on pods are compared with ours. */
export const followAuthoritiesEveryMs = 30_000;

/** The address of a Service stays; it is read again in case it was made anew. */
export const addressMaxAgeMs = 5 * 60_000;

/**
 * Whether a namespace accepts pods with hooks: the time for one try, of the 5 s of a review; how long an answer is believed, a
 * refusal for less, since somebody may be changing the policy because of it; and for how many namespaces.
 */
export const trialWithinMs = 1_500;
export const triedForMs = 60 * 60_000;
export const refusedNamespaceForMs = 10 * 60_000;
export const mostTrials = 1_000;
