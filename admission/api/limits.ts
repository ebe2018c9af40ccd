/**
 * How much an object may hold of what others write as a list. The API server refuses more (api/schema). Objects may be older
 * than these limits, or stored under ARC's definitions, so whoever reads them reads no more than this, and says so.
 */

/** Labels of a runner at GitHub: its API takes 100 at most (OpenAPI: `labels` of generate-jitconfig and of add-custom-labels). */
export const mostRunnerLabels = 100;
/** A label of a runner, or of a job. GitHub names no limit; what people write has some 20 characters. */
export const longestLabel = 256;
/** An entry of a set's labels, which may be several labels with commas between them. */
export const longestLabelEntry = 4_096;

/** Labels in runs-on of a job: a handful in practice. With 20,000 jobs recorded, each is in memory so many times. */
export const mostJobLabels = 50;
/** All of them together. */
export const longestJobLabels = 2_048;

/** Lists in the templates of pods (variables, volumes, tolerations ...): Kubernetes has no limit but the object's 1.5 MiB. */
export const mostInPodList = 1_000;
export const mostContainers = 100;
/** volumeClaimTemplates of a StatefulSet. */
export const mostVolumeClaims = 100;
/** Labels of pods, and of a selector. */
export const mostPodLabels = 64;
/** Annotations of pods, labels of nodes. */
export const mostMapEntries = 256;
/** Requirements of a selector, and values of one. */
export const mostRequirements = 64;
export const mostRequirementValues = 256;
export const mostAccessModes = 16;

/** Names of groups at GitHub: those that its API answers are cut at this as well. */
export const longestGroup = 256;
/** Names of objects of Kubernetes. */
export const longestObjectName = 253;

/** Of two the second counts where the first is 0; more are refused by ARC as well, though not by its definition. */
export const mostMetrics = 10;
/** Repositories of a metric: each is listed once in a while, and ARC lists each at every reconcile. */
export const mostRepositories = 250;
/** OWNER/NAME: 39 characters of the one and 100 of the other in GitHub's own names, 100 of both in ours. */
export const longestRepository = 201;
export const mostTriggers = 100;
/** Branches, types and names of a trigger of ARC's that has no effect. */
export const mostOfNoEffect = 100;
/** ARC writes one for each waiting job, so that a busy set has some hundred when it is taken over. */
export const mostReservations = 2_000;
/** A year has no more holidays. */
export const mostOverrides = 100;

/** The message about a list or map that is too long to be used. */
export const tooMany = (field: string, found: number, most: number): string =>
	`${field} has ${found} entries: at most ${most} are supported`;

/** The message about a list of which only a part is used. */
export const onlyFirst = (field: string, found: number, most: number): string =>
	`${field} has ${found} entries: only the first ${most} count`;
