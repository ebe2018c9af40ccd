/** Every number about asking GitHub for jobs that is a policy, with its reason. Times in ms. */

const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;

/** At most one query in this time with each credential: a round over many repositories is spread by it. */
export const tickMs = secondMs;

/** How often the sets, jobs and repositories that there are are listed anew. */
export const refreshMs = 10 * secondMs;

/**
 * Calls a minute with one credential, and those of them that cost something of its primary limit (all but 304). Where a
 * webhook delivers events, they report nearly everything: together with the one call that looks for lost deliveries it stays
 * below 10. Each repository without a webhook adds to it, up to half of the lists that one credential may read in a minute
 * (github/policy.ts): the rest is the guard's. The initial read of the repositories of a set happens once, and nothing may be
 * removed before it has ended.
 */
export const perMinute = {
	calls: 20,
	charged: 8,
	perRepositoryWithoutWebhook: 2,
	most: 60,
	initial: 40,
	/** How many of those that cost something are kept for jobs that somebody waits for. */
	keptForAsks: 2,
} as const;

/** While this part of all calls a minute with the credential has been used, by the guard above all, the others wait. */
export const yieldAbove = 0.5;

/** A repository is asked about for this long after it was last mentioned. */
export const rememberedForMs = 24 * hourMs;
/** After an event a webhook counts as delivering for this long. */
export const hookedForMs = 24 * hourMs;
/** How many repositories and organizations are remembered with what they showed. */
export const mostRepositories = 1_000;
export const mostOrganizations = 200;
/** The number of owners whose enterprise is remembered: more than have a repository that is. */
export const mostOwners = 2_000;
/** How many open runs of one repository are remembered: as many as GitHub shows. */
export const mostRuns = 1_000;

/**
 * How often the runs of a repository that wait for runners are listed: a part of the time for which nothing has been open
 * there, within these. With a webhook this only finds what events have missed; without one it is how jobs are found.
 */
export const roundMs = {
	withWebhook: { part: 1 / 4, least: 10 * minuteMs, most: hourMs / 2 },
	withoutWebhook: { part: 1 / 5, least: minuteMs, most: 5 * minuteMs },
} as const;

/** In progress: nearly all that changes there shows in the jobs of runs that are known. The others are no demand. */
export const roundsBetween = { queued: 1, in_progress: 3, waiting: 12, pending: 12 } as const;

/** A metric counts runs: ARC does it as often. */
export const metricEveryMs = minuteMs;

/** An event puts off the next list of its repository until this long after it, at most to twice the usual time between lists. */
export const afterEventMs = 2 * minuteMs;

/**
 * The jobs of an open run are listed again after this: those with jobs of ours, and the others. A run of which a job has
 * ended is asked about sooner: our own job signals report that.
 */
export const runEveryMs = {
	withWebhook: { ours: 10 * minuteMs, others: 30 * minuteMs },
	withoutWebhook: { ours: 3 * minuteMs, others: 10 * minuteMs },
} as const;

/** The jobs of a run whose list says that it has changed, but not sooner than this. */
export const changedAgainMs = { withWebhook: 2 * minuteMs, withoutWebhook: 20 * secondMs } as const;

/** What is new is not asked about for this long where a webhook delivers: its events may be on their way. */
export const settlesMs = minuteMs;

/** The jobs of a run that events have reported are listed once, after this: of a matrix one event is lost more likely than all. */
export const siblingsAfterMs = 2 * minuteMs;

/** The repositories of an organization that were pushed to lately are listed anew after this. */
export const repositoriesEveryMs = hourMs;

/**
 * A set that is new in an organization that is known needs no new list of its repositories if the last one is younger than
 * this: who creates and deletes autoscalers causes one call a minute at most.
 */
export const repositoriesFreshMs = minuteMs;

/** What GitHub does not show is asked for again after this, then after twice as long each time. */
export const hiddenMs = { first: 10 * minuteMs, most: 6 * hourMs } as const;

/**
 * What GitHub does not show one credential is asked with the next one that its scope covers; with the first again after this. So
 * many names are remembered for each.
 */
export const refusedForMs = hourMs;
export const mostRefused = 1_000;

/** Which runner groups a repository may use is asked again after this, if a job is routed by it. */
export const visibleForMs = 5 * minuteMs;

/** The initial read of the repositories of a set ends after this, done or not: runners that nobody needs must not stay for ever. */
export const initialReadWithinMs = 10 * minuteMs;

/** How often the busy runners of a set are compared with its running jobs; they must differ twice in a row. */
export const driftEveryMs = 30 * secondMs;
/** After GitHub was asked what made them differ it is not asked again before this, then after twice as long each time. */
export const driftAgainMs = { first: 5 * minuteMs, most: hourMs } as const;
/** Where no open job says in which repository to look: in those that were active last. */
export const driftRepositories = 5;

/** After a failure of GitHub or the API server, doubled each time. */
export const backoffMs = { first: 5 * secondMs, most: 5 * minuteMs } as const;

/** A job is not asked about again before this, whatever the list of those to ask about says. */
export const askedAgainMs = 30 * secondMs;
export const mostAsked = 2_000;

/** What we have written ourselves comes back as a change of its record within this, and is no event. */
export const ownWriteMs = minuteMs;
export const mostOwnWrites = 5_000;

/** A change that events have not reported after this time was missed by them. */
export const missedAfterMs = 2 * minuteMs;
/** After this number of missed changes without an event in between the webhook counts as gone: at worst 2 % of events are lost. */
export const mostMisses = 3;
