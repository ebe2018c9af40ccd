/** Time limits that several capabilities share, each with its reason. Times in ms. */

/** A runner that is not at GitHub this long after its container started will not come: ARC's registrationTimeout (A7). */
export const registrationTimeoutMs = 10 * 60_000;

/** A Node object missing this long is a node that is gone. Longer than the pod garbage collector's 40 s quarantine. */
export const nodeGoneAfterMs = 60_000;
