/** Every number of the certificates that is a policy, with its reason. Times in ms. */

const day = 24 * 60 * 60_000;

export interface Lifetimes {
	servingMs: number;
	authorityMs: number;
}

/** A serving certificate is replaced without anybody noticing, so it may be short-lived. A CA is replaced in two steps, so rarely. */
export const defaultLifetimes: Lifetimes = { servingMs: 90 * day, authorityMs: 5 * 365 * day };

/** Shorter lifetimes would mean constant renewals, since times in certificates are whole seconds. */
export const shortestLifetimeMs = 10_000;

/** 100 years. Longer lifetimes would end, sooner or later, after the last date that a certificate can contain. */
export const longestLifetimeMs = 36_500 * day;

/** A certificate is renewed when this share of its lifetime is left: by default 30 days of a serving certificate, 20 months of a CA. */
export const renewWithLeft = 1 / 3;

/** The API server's clock may be behind ours. */
const clockSkewMs = 5 * 60_000;

/** How far in the past a new certificate's validity begins, in ms: never so far that a short-lived one is due for renewal at once. */
export const backdateMs = (lifetimeMs: number) => Math.min(clockSkewMs, lifetimeMs / 10);

/**
 * How long a CA must have been in every webhook configuration before a certificate signed by it is served, in ms. An API
 * server reads the configurations from a watch cache, normally a few ms behind; a minute also covers a watch that
 * broke and was started again. Lifetimes of a few minutes, which only tests use, shorten it.
 */
export const propagationMs = ({ authorityMs }: Lifetimes) => Math.min(60_000, authorityMs / 12);

/** The managed certificate is checked at each change, at the times when something becomes due, and at least this often. */
export const checkAtLeastEveryMs = 60 * 60_000;

/** Certificate files are read this often, because the kubelet replaces a Secret's files without an inotify event on them. */
export const fileCheckMs = 5_000;

/**
 * One replica writes the paths of the webhooks at most this often. Replicas whose signing keys differ (somebody deleted
 * the key while they ran) would otherwise replace each other's paths without a pause.
 */
export const pathWritesApartMs = 2_000;
