/** Every number about job pods that is a policy, with its reason. Times in ms. */

/** The API server has carried out an accepted DELETE, and the watch has shown it, long before this. */
export const shownWithinMs = 30_000;
