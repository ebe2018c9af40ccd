/** Every number of the autoscaler that is a policy, with its reason. Times in ms. */

const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;

/**
 * A busy runner whose job is not known stands for one of the waiting jobs for so long: GitHub's events come within seconds
 * of each other, and one that comes later is rather lost. After that it has a job of its own, and no waiting job is hidden.
 */
export const unexplainedMs = 10 * secondMs;

/**
 * A job that no idle runner has taken for this long is probably over, its last event lost: GitHub assigns jobs within
 * seconds, in bad minutes within one or two.
 */
export const suspectAfterMs = 5 * minuteMs;

/** GitHub is asked about a job this long before it would be suspect, so that the answer is there in time. */
export const askBeforeSuspectMs = minuteMs;

/** GitHub is asked again about a job that is suspect, or whose runner has ended, after this: each is one call. */
export const askAgainMs = 5 * minuteMs;

/** GitHub is asked less and less often about a job that waits or runs for long, but at least this often. */
export const longestCheckMs = hourMs;

/**
 * GitHub is asked which of the waiting jobs a runner has, this long after it was seen to work: events come within a second or
 * two. Its answer is there before the runner's job counts as another one (unexplainedMs).
 */
export const askUnknownAfterMs = 5 * secondMs;

/** For each such runner GitHub is asked about this number of jobs at a time: it mostly assigns those that wait longest. */
export const unknownAmong = 3;

/** GitHub is asked about a job whose runner has ended after this: its own event comes sooner in nearly every case. */
export const askEndedAfterMs = 10 * secondMs;

/**
 * A job waits again after this if GitHub has never said that it runs, and its runner has ended by our job signals: jobs of one
 * matrix look alike to a hook, and the wrong one must not be hidden for ever where GitHub does not answer.
 */
export const endedLapsesMs = 5 * minuteMs;

/** A job that is older than this when an event first reports it counts once GitHub has confirmed it. */
export const oldNewsMs = 20 * minuteMs;

/**
 * Where all jobs of a set are doubted (suspect or unconfirmed), one runner is started this often to find out whether any of
 * them is true: without an answer of GitHub's there is no other way. A job that is true waits for half an hour, not for a day.
 */
export const probeEveryMs = 30 * minuteMs;

/** That runner is wanted for this long: for a new node and its start, and the minutes in which GitHub would give it a job. */
export const probeForMs = 10 * minuteMs;

/** For jobs that an event reported late, the first time is after this: GitHub is asked at once, and mostly answers. */
export const probeUnconfirmedAfterMs = minuteMs;

/** GitHub fails a job that has waited for a runner for this long. */
export const longestQueuedMs = 24 * hourMs;

/** GitHub ends a job of a self-hosted runner after this. */
export const longestRunMs = 5 * 24 * hourMs;

/** GitHub fails a job that nobody has approved for this long. */
export const longestGateMs = 30 * 24 * hourMs;

/** ARC's --default-scale-down-delay, where the spec says nothing. */
export const defaultDelayMs = 10 * minuteMs;

/** Where a trigger has no duration, as in ARC. */
export const defaultDurationMs = 10 * minuteMs;

/** A shorter duration would ask GitHub about each job that waits for nothing but the start of its runner. */
export const shortestDurationMs = minuteMs;

/** The most runners where there is no maxReplicas: a mistake must not fill a cluster. A higher minimum counts. */
export const safetyCeiling = 100;

/** What a metric suggests at most: the largest number that Kubernetes stores. A maximum is below it, or the safety ceiling. */
export const mostSuggested = 2 ** 31 - 1;

/** How many jobs arrive is estimated from the last hour: the working day changes more slowly, and yesterday says nothing. */
export const arrivalsLastMs = hourMs;

/** How many arrivals of one set are remembered, 80 kB: three a second for an hour. Of more only the last ones count. */
export const mostArrivals = 10_000;

/** Of how many runners the start-up times are remembered: enough for a median, and quick to follow a new image. */
export const mostStartUps = 50;

/** Until the first one has started: pulling no image, a runner of ARC's image takes 20 s to 2 min. */
export const assumedStartUpMs = minuteMs;

/**
 * A set that has started no runner for this long can't be relied on: no node has room, or its image can't be pulled. Its jobs
 * move to other sets, but for one at a time that tries again, for as long.
 */
export const startsWithinMs = 10 * minuteMs;

/**
 * An idle runner has passed a job by if GitHub, asked after this, still calls the job queued. GitHub gives out jobs within
 * seconds, in bad minutes within one or two.
 */
export const passedAfterMs = 3 * minuteMs;

/** A job that waited for this long beside an idle runner, and is then given to one that was not there, was passed by. */
export const takenAfterMs = minuteMs;

/**
 * ... and one that it waited beside for this long is no supply from then on, but it is not replaced: it costs a runner more where
 * GitHub is slow, and where the other one hangs, jobs behind it do not wait for a minute each.
 */
export const doubtedAfterMs = 20 * secondMs;

/** Of this number of jobs that wait for a set it is remembered since when: whom they were passed by shows when they are taken. */
export const mostWaitingKnown = 200;

/** Nothing follows from it for this long: GitHub's answers about other jobs may show that it gives out none at all. */
export const comparedAfterMs = 15 * secondMs;

/** This part of the maximum, and at least one, may be tried an hour: runners for jobs that idle runners have passed by. */
export const experimentsAnHour = 0.1;

/**
 * ... but so many where runners of the set have been given jobs of the class within this time: it is hardly the class then, so
 * jobs that nobody is given must not use up what such a class needs. They are the last classes, 100 kB.
 */
export const givenExperimentsAnHour = 6;
export const givenKnownMs = 24 * hourMs;
export const mostGiven = 1_000;

/** A runner that is made to find out about a job has this long to start and to be given the job; then nothing is concluded. */
export const experimentWithinMs = 30 * minuteMs;

/** A class of jobs that GitHub does not give to a set's runners is tried again this long after the last try began, then doubled. */
export const againFirstMs = 10 * minuteMs;
export const againMostMs = 4 * hourMs;

/** Classes of jobs that are out at a set at once, 100 kB: of more, those that are tried again first are forgotten. */
export const mostWithheld = 1_000;

/** GitHub is asked at a time about the oldest jobs of this number of repositories that idle runners pass by. */
export const mostPassedAsked = 3;

/** At most this part of a set's runners (and at least one) is replaced as sick within the time, one after the other. */
export const sickPart = 0.2;
export const sickEveryMs = 10 * minuteMs;

/** A start is late after this, and after twice the p95 of the set's last starts. */
export const lateFirstMs = 3 * minuteMs;
/** ... while the pod is on no node (a new GPU node takes 10 minutes), or fewer than `knownStarts` starts are known. */
export const lateUnknownMs = 15 * minuteMs;
export const knownStarts = 5;
export const startsJudged = 20;

/** GitHub is said to give out no jobs where this number of runners passes by jobs of several repositories; fewer may be sick. */
export const stalledRunners = 5;

/** A runner that has been there for this long and of which no pod was seen has none, ms. A pod is made with its owner, and shown within a second. */
export const podShownMs = 10_000;
