/** Every number about runners' versions that is a policy, with its reason. Times in ms. */

/** After a runner of a set has been read, another one that has ended is read after this: they tell the same. */
export const endedEveryMs = 5_000;

/** A running runner's log is read once it has been running for so long: by then it has registered, and has said its version. */
export const runningForMs = 20_000;

/** The version of a set's running runners is read again after this: an image can be pushed anew under its name. */
export const runningEveryMs = 10 * 60_000;

/** A log that says nothing is read again after this. */
export const againMs = 60_000;

/** How often it is looked for running runners whose version is not known. */
export const lookEveryMs = 15_000;

/** How many logs one look reads at most: four minutes for 300 sets, and no burst after a start. */
export const mostPerLook = 20;

/** How many logs of ended runners are being read at a time, and of one namespace: more are not waited for. */
export const mostReading = { all: 32, ofNamespace: 8 } as const;

/** So many sets are remembered: whoever may make pods can name any number of sets. */
export const mostRemembered = 2_000;

/** So many sets are in the leader's report, some 200 bytes each. */
export const mostReported = 100;

/** A set that GitHub still refuses is reported again after this: the API server keeps Events for an hour. */
export const reportAgainMs = 60 * 60_000;
