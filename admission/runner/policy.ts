/** Time limits that several capabilities share, each with its reason. Times in ms. */

/** A runner that GitHub does not know this long after its container started counts as one that will never register (A7; ARC's registrationTimeout). */
export const registrationTimeoutMs = 10 * 60_000;

/** A node counts as gone when its Node object has been missing for this long: longer than the pod garbage collector's 40 s quarantine. */
export const nodeGoneAfterMs = 60_000;
