/** Every number about asking GitHub for jobs that is a policy, with its reason. Times in ms. */

const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;

/** At most one question in so long for each credential: a round over many repositories is spread by it. */
export const tickMs = secondMs;

/** How often it is looked which sets, jobs and repositories there are. */
export const refreshMs = 10 * secondMs;

/**
 * Calls a minute with one credential, and those of them that cost something of its primary limit (all but 304). Events tell
 * nearly everything where a webhook delivers them: together with the one call that looks for lost deliveries it stays
 * below 10. Each repository without a webhook adds to it, up to half of the lists that one credential may read in a minute
 * (github/policy.ts): the rest is the guard's. The first look at the repositories of a set happens once, and nothing may be
 * removed before it has ended.
 */
export const perMinute = {
	calls: 20,
	charged: 8,
	forEachUnheard: 2,
	most: 60,
	start: 40,
	/** Of those that cost something, so many are kept for jobs that somebody waits to hear of. */
	keptForAsks: 2,
} as const;

/** While this part of all calls a minute with the credential has been used, by the guard above all, the others wait. */
export const yieldAbove = 0.5;

/** A repository is asked about for so long after it was last heard of. */
export const heardOfForMs = 24 * hourMs;
/** An event shows for so long that a webhook delivers. */
export const hookedForMs = 24 * hourMs;
/** So many repositories and organizations are remembered with what they showed. */
export const mostRepositories = 1_000;
export const mostOrganizations = 200;
/** So many open runs of one repository are remembered: as many as GitHub shows. */
export const mostRuns = 1_000;

/**
 * How often the runs of a repository that wait for runners are listed: a part of the time for which nothing has been open
 * there, within these. With a webhook this only finds what events have missed; without one it is how jobs are found.
 */
export const roundMs = {
	heard: { part: 1 / 4, least: 10 * minuteMs, most: hourMs / 2 },
	unheard: { part: 1 / 5, least: minuteMs, most: 5 * minuteMs },
} as const;

/** In progress: nearly all that changes there shows in the jobs of runs that are known. The others are no demand. */
export const roundsBetween = { queued: 1, in_progress: 3, waiting: 12, pending: 12 } as const;

/** A metric counts runs: ARC does it as often. */
export const metricEveryMs = minuteMs;

/** An event puts off the next look at its repository to this after it; but the look comes after twice its time at the latest. */
export const afterEventMs = 2 * minuteMs;

/**
 * The jobs of an open run are listed again after this: those with jobs of ours, and the others. A run of which a job has
 * ended is asked about sooner: our own witnesses tell that.
 */
export const runEveryMs = {
	heard: { ours: 10 * minuteMs, others: 30 * minuteMs },
	unheard: { ours: 3 * minuteMs, others: 10 * minuteMs },
} as const;

/** The jobs of a run whose list says that it has changed, but not sooner than this. */
export const changedAgainMs = { heard: 2 * minuteMs, unheard: 20 * secondMs } as const;

/** What is new is left alone for so long where a webhook delivers: its events may be on their way. */
export const settlesMs = minuteMs;

/** The jobs of a run that events tell of are listed once, after this: of a matrix one event is lost more likely than all. */
export const siblingsAfterMs = 2 * minuteMs;

/** The repositories of an organization that were pushed to lately are listed anew after this. */
export const repositoriesEveryMs = hourMs;

/** What GitHub does not show is asked for again after this, then after twice as long each time. */
export const hiddenMs = { first: 10 * minuteMs, most: 6 * hourMs } as const;

/** Which runner groups a repository may use is asked again after this, if a job is routed by it. */
export const visibleForMs = 5 * minuteMs;

/** The first look at the repositories of a set ends after this, done or not: runners that nobody needs must not stay for ever. */
export const startWithinMs = 10 * minuteMs;

/** How often the busy runners of a set are compared with its running jobs; two looks in a row must differ. */
export const driftEveryMs = 30 * secondMs;
/** Looks for what made them differ: not again before this, then after twice as long each time. */
export const driftAgainMs = { first: 5 * minuteMs, most: hourMs } as const;
/** Where no open job says in which repository to look: in those that were active last. */
export const driftRepositories = 5;

/** After trouble with GitHub or the API server, doubled each time. */
export const backoffMs = { first: 5 * secondMs, most: 5 * minuteMs } as const;

/** A job is not asked about again before this, whatever the list of those to ask about says. */
export const askedAgainMs = 30 * secondMs;
export const mostAsked = 2_000;

/** What we have written ourselves comes back as a change of its record within this, and is no event. */
export const ownWriteMs = minuteMs;
export const mostOwnWrites = 5_000;

/** A job that events have not told of for so long has been missed by them. */
export const missedAfterMs = 2 * minuteMs;
/** After so many of these without an event in between, the webhook counts as gone: of single events 2 % are lost at worst. */
export const mostMisses = 3;
