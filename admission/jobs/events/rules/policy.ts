/** Every number about events that is a policy, with its reason. Times in ms. */
import type { EndpointLimits } from '../../endpoint/endpoint.ts';

/** How far GitHub's clock and a node's may differ. */
export const clockSkewMs = 60_000;

/** GitHub waits 10 s for an answer. What is not written after this is answered 503. */
export const answerWithinMs = 8_500;

/** What the port for events costs at most. */
export const eventLimits: Readonly<EndpointLimits> = {
	// GitHub opens one for each delivery; behind an ingress there are a few. At about 50 KiB each.
	connections: 256,
	// A thousand jobs that start within some seconds are some hundred events a second. A forged one costs about 0.3 ms of the
	// thread that answers reviews, and whoever sends too many has 256 connections to wait in: GitHub's event waits for 0.7 s then.
	requests: { perSecond: 400, burst: 50 },
	// GitHub sends its few KiB at once: a caller that takes longer is not GitHub.
	headerWithinMs: 4_000,
	requestWithinMs: 6_000,
	// Longer than ingresses keep theirs (60 s for nginx): the one who closes must not be the one to whom an event may be on its way.
	idleConnectionMs: 75_000,
	// An event of a job has 10 to 40 KiB. GitHub's own cap is 25 MB, which no `workflow_job` comes near.
	bodyBytes: 1024 * 1024,
	// Their signatures are not verified yet: the server's limit is 256 MiB, of which it uses up to 140.
	allBodiesBytes: 8 * 1024 * 1024,
	// Each takes two or three calls to the API server. One more than may wait is answered 503, and found again in GitHub's list of
	// failed deliveries.
	turns: { atOnce: 16, waiting: 500, waitMs: answerWithinMs },
	// Of each status one line a second: unauthenticated callers can send any number. There are five statuses.
	refusalLogged: { everyMs: 1_000, callers: 10 },
	retryAfterSeconds: 10,
};

/** A forged delivery is checked against each of them, at about 1 ms for a body of 1 MiB. */
export const mostSecrets = 20;

/** A Secret is read again after this long; sooner, but not more often than that, when a signature does not fit. */
export const secretMaxAgeMs = 30_000;
export const secretLeastAgeMs = 5_000;

/** How often GitHub's list of failed deliveries is read: 60 calls an hour for each webhook and replica. */
export const lostEveryMs = 60_000;

/**
 * How far back, at least. What is older is not read for runners: a job that began an hour ago is known from the runner's log,
 * its hooks and GitHub's list of runners.
 */
export const readBackMs = 60 * 60_000;

/** GitHub keeps deliveries for three days. A job whose event was lost in the evening would otherwise wait all night. */
export const gitHubKeepsMs = 3 * 24 * 60 * 60_000;

/**
 * Each lost delivery costs a call. What is left is read in the next round. Those that say that a runner works, or no longer
 * does, come first; of those that say that a job waits, at least `leastWaitingRead` are read as well.
 */
export const mostReadOfARound = 40;
export const leastWaitingRead = 10;
/** Each costs a call to GitHub for nothing: after this number of failures the API server counts as away. */
export const mostFailuresOfARound = 3;

/** A webhook's configuration at GitHub is only shown to people, and seldom changes: a call an hour (two for an App's). */
export const settingsEveryMs = 60 * 60_000;

/**
 * Mostly there is one webhook, or one for each organization. What a webhook lost before GitHub's three days cannot be read. One
 * that was deleted at GitHub is asked about until then, but seldom: GitHub does not show it.
 */
export const mostHooks = 20;
export const hookForgottenMs = gitHubKeepsMs;

/** What replicas note of a webhook, in characters: some 150, and 50 for each scope that its secret is for. */
export const longestNote = 4_096;
