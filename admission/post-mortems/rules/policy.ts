/** How many ends that were seen are held until they are written. Of more, the oldest are only counted and logged. */
export const mostWaiting = 1_000;

/** Runs of containers whose end has been dealt with. A pod has one or a few; of more, the oldest may be reported twice. */
export const mostKnown = 20_000;

/** Ends of one set that come within this time are written together: a set whose pods all fail costs one write a second. */
export const writeEveryMs = 1_000;

/** The ConfigMap of a set is written so often again after other writers; its controller then tries again later. */
export const writeTries = 4;

/** A log is read within this time; what it would have said is left out where it takes longer. */
export const logWithinMs = 5_000;

/** Logs read at a time: of pods that ended for a reason that only the log tells, or of all where logs are kept. */
export const logsAtOnce = 4;

/**
 * What is read of a log, in bytes: the kubelet cuts the lines asked for from their front, so that this must hold the 100
 * last lines of any ordinary log.
 */
export const mostLogBytes = 128 * 1_024;

/** Sets of which something is to be written at a time, and ends of one of them: more than its list holds are of no use. */
export const mostSets = 2_000;
export const mostListed = 50;

/** A new leader looks at each set's list once, a while after the first pod of the set was seen, one after the other. */
export const firstLookMs = 60_000;
