/** Time limits that several capabilities share, each with its reason. Times in ms. */

/** A runner that GitHub does not know this long after its container started counts as one that will never register (A7; ARC's registrationTimeout). */
export const registrationTimeoutMs = 10 * 60_000;

/** A pod on a node whose start has shown nothing new for this long counts as one that cannot start: pulling an image shows nothing. */
export const cannotStartAfterMs = 2 * 60_000;

/** Two lists must show a runner idle, begun this far apart, where its log cannot be read: GitHub's view of one that has just been given a job is old. */
export const idleMs = 60_000;

/** A signal that is older, and that GitHub's list contradicts, is checked, and again after `againMs` if it is still open. */
export const doubtfulSignal = { afterMs: 10 * 60_000, againMs: 60_000 } as const;

/** A node counts as gone when its Node object has been missing for this long: longer than the pod garbage collector's 40 s quarantine. */
export const nodeGoneAfterMs = 60_000;
