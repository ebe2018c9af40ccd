/** Every number of the certificates that is a policy, with its reason. Times in ms. */

const day = 24 * 60 * 60_000;

export interface Lifetimes {
	servingMs: number;
	authorityMs: number;
}

/** A serving certificate changes hands without notice, so it may be short; a CA change takes two steps, so it is rare. */
export const defaultLifetimes: Lifetimes = { servingMs: 90 * day, authorityMs: 5 * 365 * day };

/** Shorter ones would be renewed all the time; certificates count in whole seconds. */
export const shortestLifetimeMs = 10_000;

/** Renewed when this share of its life is left: a month of a serving certificate's, 20 months of a CA's. */
export const renewWithLeft = 1 / 3;

/** The API server's clock may be behind ours. */
const clockSkewMs = 5 * 60_000;

/** How far before now a new certificate's life begins: never so far that a short-lived one would be due at once. */
export const backdateMs = (lifetimeMs: number) => Math.min(clockSkewMs, lifetimeMs / 10);

/**
 * How long a CA must have been in every webhook configuration before anything it signed is served. An API server reads
 * the configurations from a watch cache, some ms behind when all is well; a minute also covers a watch that broke and
 * was taken up again. Lifetimes of minutes, which only tests have, shorten it.
 */
export const propagationMs = ({ authorityMs }: Lifetimes) => Math.min(60_000, authorityMs / 12);

/** The managed certificate is looked at when something changed, when a date has come, and at least this often. */
export const lookAtLeastEveryMs = 60 * 60_000;

/** Certificate files are read this often: kubelet swaps a Secret's files without an inotify event on them. */
export const fileCheckMs = 5_000;
