/** Every number about job pods that is a policy, with its reason. Times in ms. */

/**
 * A recorded deletion is tried again this often, though nothing on the runner's pod has changed: that the runner is idle may
 * stand in its log alone. It costs two reads, none of GitHub.
 */
export const retryMs = 10_000;

/** The API server has carried out an accepted DELETE, and the watch has shown it, long before this. */
export const shownWithinMs = 30_000;
